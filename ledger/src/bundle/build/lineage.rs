//! Which uses made a thing, or what was made from it, with all that was said in their agreements.

use std::collections::{BTreeSet, VecDeque};

use super::{
    BuildError, Builder, Built, CHUNK, Claim, LOOKED_AT_MAX, Source, UsesItem, read_entry,
};
use crate::block::{Entry, EntryBody};
use crate::bundle::uses::usage;
use crate::id::Sequence;
use crate::identifier::Identifier;
use crate::lineage::Direction;
use crate::share::Usage;
use crate::state::{StreamRecord, UseRecord, UseSide, key};

impl<S: Source> Builder<'_, S> {
    /// Claims that these are all open uses that made a thing and what it came from, or all of it and
    /// of what was made from it; `depth` of them in a row, if given.
    pub fn lineage(
        &mut self,
        root: &Identifier,
        direction: Direction,
        depth: Option<u32>,
    ) -> Built<(), S> {
        let mut seen = BTreeSet::from([root.clone()]);
        let mut open = VecDeque::from([(root.clone(), 0u32)]);
        while let Some((thing, level)) = open.pop_front() {
            if depth.is_some_and(|max| level >= max) {
                continue;
            }
            for sequence in self.add_uses(&thing, direction.side())? {
                let Some(signed) = self.entries.get(&sequence) else {
                    continue;
                };
                let Some(usage) = usage(&signed.statement.statement).cloned() else {
                    continue;
                };
                let at = key::usage(&signed.id);
                self.add_state::<UseRecord>(&at)?;
                for agreement in usage.inputs.iter().filter_map(|i| i.agreement.as_ref()) {
                    self.add_subject(agreement)?;
                }
                for next in direction.leads_to(&usage) {
                    if seen.insert(next.clone()) {
                        open.push_back((next.clone(), level + 1));
                    }
                }
            }
        }
        self.bundle.claims.push(Claim::Lineage {
            root: root.clone(),
            direction,
            depth,
        });
        Ok(())
    }

    /// Adds all uses of one side of a thing.
    fn add_uses(&mut self, thing: &Identifier, side: UseSide) -> Built<Vec<Sequence>, S> {
        let at = (thing.clone(), side);
        if let Some(known) = self.uses.get(&at) {
            return Ok(known.uses.clone());
        }
        let record: Option<StreamRecord> = self.add_state(&side.key(&thing.subject_id()))?;
        let count = record.map_or(0, |record| record.count);
        let mut uses = Vec::new();
        let (mut after, mut looked_at) = (None, 0);
        while (uses.len() as u64) < count {
            let chunk = self
                .source
                .uses(thing, after, CHUNK)
                .map_err(BuildError::Source)?;
            looked_at += chunk.len();
            if looked_at > LOOKED_AT_MAX {
                return Err(BuildError::Crowded(thing.clone()));
            }
            after = chunk.last().copied();
            if after.is_none() {
                return Err(BuildError::Damaged(format!(
                    "{count} uses of {thing} were recorded, {} are found",
                    uses.len()
                )));
            }
            for sequence in chunk {
                // What came after the checkpoint is not in its state either.
                if sequence.0 < self.size && self.is_use(sequence, thing, side)? {
                    self.add_entry(sequence)?;
                    uses.push(sequence);
                }
            }
        }
        let item = UsesItem {
            identifier: thing.clone(),
            side,
            uses: uses.clone(),
        };
        self.uses.insert(at, item);
        Ok(uses)
    }

    fn is_use(&self, sequence: Sequence, thing: &Identifier, side: UseSide) -> Built<bool, S> {
        let names = |usage: &Usage| side.of(usage).contains(thing);
        if let Some(signed) = self.entries.get(&sequence) {
            return Ok(usage(&signed.statement.statement).is_some_and(names));
        }
        let entry = Entry::decode(&read_entry(self.source, sequence)?)
            .map_err(|error| BuildError::Damaged(format!("entry {sequence}: {error}")))?;
        Ok(match &entry.body {
            EntryBody::Statement(recorded) => usage(&recorded.statement).is_some_and(names),
            EntryBody::Seal(_) => false,
        })
    }
}
