//! What a log is made of: blocks, entries, tiles, proofs of the state.

use jangbu_ledger::block::{Block, Entry, EntryBody};
use jangbu_ledger::bundle::Source as _;
use jangbu_ledger::codec;
use jangbu_ledger::id::{Sequence, StateRoot};
use jangbu_ledger::state::key;
use jangbu_ledger::state_tree::{self, StateKey, StateProof};
use jangbu_ledger::tile::{Tile, TileKind, encode_entries};

use super::known::{data, known, unhex, vector_json};
use super::meter::{Allowance, frugal};
use super::peers::said;
use super::{Seed, Seen, refused};
use crate::world::story::{BATCH, PRODUCT, UNKNOWN, identifier};

/// A block has one encoding, and its id covers its header.
pub(super) fn block(bytes: &[u8]) -> Seen {
    match frugal(bytes.len(), Allowance::CANONICAL, || Block::decode(bytes)) {
        Ok(block) => {
            assert_eq!(codec::encode(&block), bytes);
            let first = &said().block;
            let same = block.header.id() == first.header.id();
            assert_eq!(same, block.header == first.header);
            let bound = block.header.envelopes_root == Block::envelopes_root(&block.envelopes);
            if !bound {
                return Seen::Read;
            }
            // Another list under one root would be two blocks with one id.
            assert!(!same || block == *first);
            Seen::Held
        }
        Err(error) => refused(error),
    }
}

pub(super) fn blocks() -> Vec<Seed> {
    let first = said().block.clone();
    let mut empty = first.clone();
    empty.envelopes.clear();
    let mut other = first.clone();
    other.envelopes[0].0[0] ^= 1;
    let mut huge = first.clone();
    huge.header.height.0 = u64::MAX;
    huge.header.time_ms.0 = u64::MAX;
    huge.header.log_size = u64::MAX;
    vec![
        Seed::new("first", codec::encode(&first), Seen::Held),
        Seed::new("without-its-envelope", codec::encode(&empty), Seen::Read),
        Seed::new("with-another-envelope", codec::encode(&other), Seen::Read),
        Seed::new("all-numbers-large", codec::encode(&huge), Seen::Held),
    ]
}

/// An entry has one encoding.
pub(super) fn entry(bytes: &[u8]) -> Seen {
    match frugal(bytes.len(), Allowance::CANONICAL, || Entry::decode(bytes)) {
        Ok(entry) => {
            assert_eq!(codec::encode(&entry), bytes);
            serde_json::to_string(&entry).unwrap();
            match entry.body {
                EntryBody::Seal(header) => assert_eq!(header.id(), header.id()),
                EntryBody::Statement(recorded) => {
                    if let Err(error) = recorded.statement.check_shape() {
                        refused(error);
                    }
                }
            }
            Seen::Read
        }
        Err(error) => refused(error),
    }
}

pub(super) fn entries() -> Vec<Seed> {
    let log = vector_json("log.json");
    let entries = log["entries"].as_array().unwrap();
    entries
        .iter()
        .enumerate()
        .map(|(n, entry)| Seed::new(format!("{n:02}"), unhex(&entry["entry"]), Seen::Read))
        .collect()
}

/// What a state holds, or not, under a key, and the proof of it.
type Held = (StateKey, Option<Vec<u8>>, StateProof);

/// What the small ledger's state holds under some keys.
fn records() -> (StateRoot, Vec<Held>) {
    let world = &known().story.world;
    let subject = |text: &str| key::subject(&identifier(text).unwrap().subject_id());
    let keys = [
        subject(PRODUCT),
        subject(BATCH),
        subject(UNKNOWN),
        key::slot(&known().story.sealed_by, &known().story.used),
    ];
    let size = world.checkpoint().unwrap().checkpoint().size;
    let last = Entry::decode(&world.entry_bytes(Sequence(size - 1)).unwrap()).unwrap();
    let EntryBody::Seal(seal) = last.body else {
        panic!("a block ends with its seal");
    };
    let (height, root) = (seal.height.0, seal.state_root);
    let mut records = Vec::new();
    for key in keys {
        let (value, proof) = state_tree::prove(world.state(), height, &root, &key).unwrap();
        records.push((key, value, proof));
    }
    (root, records)
}

/// A proof of the state has one encoding, and shows of a key what the state holds there.
pub(super) fn state_proof(bytes: &[u8]) -> Seen {
    thread_local! {
        static RECORDS: (StateRoot, Vec<Held>) = records();
    }
    let proof = match frugal(bytes.len(), Allowance::CANONICAL, || {
        StateProof::from_bytes(bytes)
    }) {
        Ok(proof) => proof,
        Err(error) => return refused(error),
    };
    assert_eq!(proof.to_bytes(), bytes);
    RECORDS.with(|(root, records)| {
        let mut seen = Seen::Read;
        let values = records.iter().map(|(_, value, _)| value.as_deref());
        let values: Vec<Option<&[u8]>> = values.chain([None, Some(&[][..])]).collect();
        for (key, held, _) in records {
            for value in &values {
                if proof.verify(root, key, *value).is_ok() {
                    assert_eq!(*value, held.as_deref(), "{key}");
                    seen = Seen::Held;
                }
            }
        }
        seen
    })
}

pub(super) fn state_proofs() -> Vec<Seed> {
    let (_, records) = records();
    let proofs = records.iter().enumerate();
    proofs
        .map(|(n, (_, value, proof))| {
            let what = if value.is_some() { "present" } else { "absent" };
            Seed::new(format!("{n}-{what}"), proof.to_bytes(), Seen::Held)
        })
        .collect()
}

/// A first line that names a tile, then its content: each has one spelling.
pub(super) fn tile(bytes: &[u8]) -> Seen {
    let end = bytes
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(bytes.len());
    let (path, rest) = bytes.split_at(end);
    let content = rest.strip_prefix(b"\n").unwrap_or_default();
    let Ok(path) = std::str::from_utf8(path) else {
        return Seen::Refused;
    };
    let tile: Tile = match frugal(path.len(), Allowance::TEXT, || path.parse()) {
        Ok(tile) => tile,
        Err(error) => return refused(error),
    };
    assert_eq!(tile.to_string(), path);
    assert!(!tile.exists_at(tile.first()));
    match tile.kind() {
        TileKind::Hashes { .. } => {
            let hashes = frugal(content.len(), TILE, || tile.hashes(content));
            if let Ok(hashes) = hashes {
                assert_eq!(hashes.len(), usize::from(tile.width()));
                let again: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
                assert_eq!(again, content);
                return Seen::Held;
            }
        }
        TileKind::Entries => {
            let entries = frugal(content.len(), TILE, || tile.entries(content));
            if let Ok(entries) = entries {
                assert_eq!(entries.len(), usize::from(tile.width()));
                assert_eq!(encode_entries(entries), Ok(content.to_vec()));
                return Seen::Held;
            }
        }
    }
    Seen::Read
}

/// A tile's width, at most 256 references, is set aside before its content is looked at.
const TILE: Allowance = Allowance {
    per_byte: 16,
    base: 8 * 1024,
};

pub(super) fn tiles() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for path in [
        "tile/0/000.p/3",
        "tile/0/000.p/8",
        "tile/entries/000.p/1",
        "tile/entries/000.p/5",
    ] {
        let content = data(&format!("merkle/tessera-log/{path}"));
        let bytes = [path.as_bytes(), b"\n", &content].concat();
        seeds.push(Seed::new(path.replace('/', "-"), bytes, Seen::Held));
    }
    for (name, path, seen) in [
        (
            "last-tile",
            "tile/63/x072/x057/x594/x037/x927/935",
            Seen::Read,
        ),
        (
            "past-the-last",
            "tile/63/x072/x057/x594/x037/x927/936",
            Seen::Refused,
        ),
        ("groups", "tile/3/x001/x234/067.p/1", Seen::Read),
        ("full-width-written", "tile/0/000.p/256", Seen::Refused),
        ("no-width", "tile/entries/000.p/", Seen::Refused),
        ("no-entries", "tile/entries/000.p/2\n", Seen::Read),
    ] {
        seeds.push(Seed::new(name, path, seen));
    }
    seeds
}
