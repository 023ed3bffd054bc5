//! What bundles are made of, read from the database.
//!
//! Entries, envelopes and the log's nodes never change, and the state is read as of the
//! checkpoint's height: no snapshot is needed.

use jangbu_ledger::bundle::Source;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::state_tree::StateNodes;
use jangbu_replica::store::{StoreError, StreamSide};

use super::places::StreamPosition;
use super::reader::Reader;

impl Source for Reader {
    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        Self::entry(self, sequence)
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, StoreError> {
        Self::envelope(self, id)
    }

    fn statement(&self, id: &StatementId) -> Result<Option<Sequence>, StoreError> {
        Self::statement(self, id)
    }

    fn stream(
        &self,
        identifier: &Identifier,
        side: StreamSide,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let position = StreamPosition {
            subject: identifier.subject_id(),
            side,
            after,
        };
        Self::stream(self, position, limit)
    }

    fn uses(
        &self,
        identifier: &Identifier,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        Self::used_in(self, &identifier.subject_id(), after, limit)
    }

    fn seal(&self, height: Height) -> Result<Option<Sequence>, StoreError> {
        let block = self.block(height)?;
        // The log's size before the seal is the seal's place.
        Ok(block.map(|stored| Sequence(stored.block.header.log_size)))
    }

    fn state(&self) -> &dyn StateNodes {
        self
    }
}
