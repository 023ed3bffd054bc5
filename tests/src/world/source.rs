//! What bundles of the small ledger are made of.

use jangbu_ledger::block::{Entry, EntryBody, RecordedStatement};
use jangbu_ledger::bundle::Source;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::merkle::{NodeHash, NodeReader};
use jangbu_ledger::share::Deed;
use jangbu_ledger::state::{StateReader as _, StreamSide};
use jangbu_ledger::state_tree::StateNodes;
use jangbu_ledger::statement::{Kind, Stream};
use jangbu_replica::store::{Store as _, StoreError};

use super::World;

impl NodeReader for World {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<NodeHash, StoreError> {
        self.store
            .log_node(level, index)?
            .ok_or_else(|| StoreError::Corrupt(format!("log node {level}/{index}")))
    }
}

impl Source for World {
    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.entry(sequence)
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store.envelope(id)?.map(|bytes| bytes.to_vec()))
    }

    fn statement(&self, id: &StatementId) -> Result<Option<Sequence>, StoreError> {
        self.store
            .recorded(id)
            .map_err(|error| StoreError::Failed(error.to_string()))
    }

    fn stream(
        &self,
        identifier: &Identifier,
        side: StreamSide,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let stream = match side {
            StreamSide::Open => Stream::Open(identifier.clone()),
            StreamSide::Claims => Stream::Claims(identifier.clone()),
        };
        self.positions(after, limit, |recorded| {
            recorded.statement.streams.contains(&stream)
        })
    }

    fn uses(
        &self,
        identifier: &Identifier,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let names = |recorded: &RecordedStatement| match &recorded.statement.kind {
            Kind::ShareStep { deed, .. } => match deed.as_ref() {
                Deed::Used(usage) => usage.named().any(|named| named == identifier),
                _ => false,
            },
            _ => false,
        };
        self.positions(after, limit, names)
    }

    fn seal(&self, height: Height) -> Result<Option<Sequence>, StoreError> {
        let block = self.store.block(height)?;
        Ok(block.map(|stored| Sequence(stored.block.header.log_size)))
    }

    fn state(&self) -> &dyn StateNodes {
        &self.store
    }
}

impl World {
    /// At most `limit` positions after `after` of statements that are wanted.
    fn positions(
        &self,
        after: Option<Sequence>,
        limit: usize,
        wanted: impl Fn(&RecordedStatement) -> bool,
    ) -> Result<Vec<Sequence>, StoreError> {
        let mut found = Vec::new();
        let mut at = after.map_or(Sequence(0), Sequence::next);
        while let Some(bytes) = self.store.entry(at)? {
            let entry =
                Entry::decode(&bytes).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            if let EntryBody::Statement(recorded) = entry.body
                && wanted(&recorded)
                && found.len() < limit
            {
                found.push(at);
            }
            at = at.next();
        }
        Ok(found)
    }
}
