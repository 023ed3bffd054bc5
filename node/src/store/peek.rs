//! The database as it is, key by key, for tests: to compare it whole, and to damage it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use jangbu_replica::store::StoreError;
use rocksdb::WriteBatch;

use super::RocksStore;
use super::column::{COLUMNS, Column};

/// What a test does to a database.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// Removes everything in a column.
    Clear(&'static str),
    /// Changes the last byte of the value at the last key of a column.
    Flip(&'static str),
    /// Removes the last key of a column.
    Remove(&'static str),
    /// Puts a key.
    Put(&'static str, Vec<u8>, Vec<u8>),
}

fn named(name: &str) -> Column {
    let found = COLUMNS.into_iter().find(|column| column.name() == name);
    found.unwrap_or_else(|| panic!("no column {name}"))
}

impl RocksStore {
    /// Every key and value, by column.
    pub(crate) fn dump(&self) -> BTreeMap<(&'static str, Vec<u8>), Vec<u8>> {
        let mut all = BTreeMap::new();
        for column in COLUMNS {
            for item in self.reader.all(column) {
                let (key, value) = item.unwrap();
                all.insert((column.name(), key.into_vec()), value.into_vec());
            }
        }
        all
    }

    /// Does it.
    pub(crate) fn damage(&mut self, damage: &Damage) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        match damage {
            Damage::Clear(name) => {
                let column = named(name);
                for item in self.reader.all(column) {
                    batch.delete_cf(self.reader.family(column)?, item?.0);
                }
            }
            Damage::Flip(name) => {
                let column = named(name);
                let key = self.reader.last_key(column)?.unwrap();
                let mut value = self.reader.get(column, &key)?.unwrap();
                *value.last_mut().unwrap() ^= 1;
                batch.put_cf(self.reader.family(column)?, key, value);
            }
            Damage::Remove(name) => {
                let column = named(name);
                let key = self.reader.last_key(column)?.unwrap();
                batch.delete_cf(self.reader.family(column)?, key);
            }
            Damage::Put(name, key, value) => {
                batch.put_cf(self.reader.family(named(name))?, key, value);
            }
        }
        self.write_synced(batch)
    }
}
