use std::collections::BTreeMap;

use jangbu_ledger::block::{self, BlockHeader, Entry, EntryBody, PROTOCOL_VERSION};
use jangbu_ledger::id::{Digest, KeyId, StateRoot, SubjectId, TimeMs};
use jangbu_ledger::merkle::{Frontier, leaf_hash, prove_inclusion, verify_inclusion};
use jangbu_ledger::state_tree;

use super::*;

const CHAIN: ChainId = ChainId([7; 32]);
const SUBJECT: SubjectId = SubjectId([3; 32]);

fn open(directory: &Path) -> RocksStore {
    RocksStore::open(directory, &CHAIN).unwrap()
}

fn root_at(store: &RocksStore, height: Height) -> StateRoot {
    store
        .block(height)
        .unwrap()
        .unwrap()
        .block
        .header
        .state_root
}

/// The block after the store's tip: one statement's entry, then the seal.
fn next_commit(store: &RocksStore, records: &[(u8, Option<&[u8]>)]) -> Commit {
    let tip = store.tip().unwrap();
    let height = tip.as_ref().map_or(Height(0), |tip| tip.height.next());
    let time_ms = TimeMs(1000 * (height.0 + 1));
    let mut frontier = tip
        .as_ref()
        .map_or_else(Frontier::new, |tip| tip.frontier.clone());
    let records: BTreeMap<StateKey, Option<Vec<u8>>> = records
        .iter()
        .map(|(key, value)| (StateKey([*key; 32]), value.map(<[u8]>::to_vec)))
        .collect();
    let before = tip
        .as_ref()
        .map_or(state_tree::EMPTY_ROOT, |tip| root_at(store, tip.height));
    let state = state_tree::apply(store, height.0, &before, &records).unwrap();
    let envelope = EnvelopeId([u8::try_from(height.0 % 251).unwrap(); 32]);
    let statement = StatementId([u8::try_from(height.0 % 251).unwrap(); 32]);

    let (mut entries, mut log_nodes) = (Vec::new(), Vec::new());
    let mut append = |frontier: &mut Frontier, statement, bytes: Vec<u8>| {
        let sequence = Sequence(frontier.size());
        for node in frontier.append(leaf_hash(&bytes)).unwrap() {
            log_nodes.push((node.level, node.index, node.hash));
        }
        entries.push((sequence, statement, bytes));
        sequence
    };
    let sequence = append(&mut frontier, Some(statement), vec![9; 40]);
    let header = BlockHeader {
        protocol_version: PROTOCOL_VERSION,
        chain_id: CHAIN,
        height,
        previous: tip.map_or(BlockId([0; 32]), |tip| tip.block_id),
        time_ms,
        proposer: KeyId([0; 16]),
        envelopes_root: Block::envelopes_root(&[envelope]),
        refusals_root: block::refusals_root(&[]),
        state_root: StateRoot(state.root.0),
        parameters_hash: Digest([0; 32]),
        validators_hash: Digest([0; 32]),
        next_validators_hash: Digest([0; 32]),
        log_size: frontier.size(),
        log_root: frontier.root(),
    };
    let seal = codec::encode(&Entry {
        sequence: Sequence(frontier.size()),
        height,
        time_ms,
        body: EntryBody::Seal(Box::new(header.clone())),
    });
    append(&mut frontier, None, seal);
    Commit {
        tip: Tip {
            height,
            block_id: header.id(),
            time_ms,
            frontier,
        },
        block: StoredBlock {
            block: Block {
                header,
                envelopes: vec![envelope],
            },
            certificate: None,
        },
        envelopes: vec![(envelope, Arc::from(&b"envelope"[..]))],
        outcomes: vec![(envelope, vec![Outcome::Recorded(sequence)])],
        entries,
        log_nodes,
        records,
        state_nodes: state.nodes,
        stale_nodes: state.stale,
        warmth: state.warmth,
        streams: vec![(SUBJECT, StreamSide::Open, sequence)],
        used_in: vec![(SUBJECT, sequence)],
    }
}

fn commit(store: &mut RocksStore, records: &[(u8, Option<&[u8]>)]) -> Commit {
    let commit = next_commit(store, records);
    store.commit(&commit).unwrap();
    commit
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    assert_eq!(store.tip(), Ok(None));
    commit(&mut store, &[(1, Some(b"one"))]);
    let last = commit(&mut store, &[(1, Some(b"two")), (2, Some(b"x"))]);
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.tip(), Ok(Some(last.tip.clone())));
    assert_eq!(store.block(Height(1)), Ok(Some(last.block.clone())));
    let id = EnvelopeId([1; 32]);
    assert_eq!(
        store.envelope(&id).unwrap().as_deref(),
        Some(&b"envelope"[..])
    );
    assert_eq!(
        store.outcomes(&id),
        Ok(Some(vec![Outcome::Recorded(Sequence(2))]))
    );
    assert_eq!(store.reader().decided(&id).unwrap().unwrap().0, Height(1));
    assert_eq!(store.recorded(&StatementId([1; 32])), Ok(Some(Sequence(2))));
    assert_eq!(store.record(&StateKey([1; 32])), Ok(Some(b"two".to_vec())));
    let position = StreamPosition {
        subject: SUBJECT,
        side: StreamSide::Open,
        after: None,
    };
    let reader = store.reader();
    assert_eq!(
        reader.stream(position, 10),
        Ok(vec![Sequence(0), Sequence(2)])
    );
    let after = StreamPosition {
        after: Some(Sequence(0)),
        ..position
    };
    assert_eq!(reader.stream(after, 10), Ok(vec![Sequence(2)]));
    assert_eq!(reader.used_in(&SUBJECT, None, 1), Ok(vec![Sequence(0)]));

    let path = prove_inclusion(&reader, 2, last.tip.frontier.size()).unwrap();
    let leaf = leaf_hash(&reader.entry(Sequence(2)).unwrap().unwrap());
    let root = last.tip.frontier.root();
    verify_inclusion(&leaf, 2, last.tip.frontier.size(), &path, &root).unwrap();
}

#[test]
fn the_log_of_a_height_is_kept_until_its_block_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[]);
    let next = next_commit(&store, &[]);
    let lost = EnvelopeId([99; 32]);
    let block = next.block.block.clone();
    let mut other = block.clone();
    other.envelopes = vec![lost];
    other.header.time_ms = TimeMs(1);
    store
        .append(&Append {
            log: vec![b"a".to_vec(), b"b".to_vec()],
            blocks: vec![block.clone(), other.clone()],
            envelopes: vec![
                (block.envelopes[0], Arc::from(&b"envelope"[..])),
                (lost, Arc::from(&b"lost"[..])),
            ],
        })
        .unwrap();
    drop(store);

    let mut store = open(directory.path());
    let more = Append {
        log: vec![b"c".to_vec()],
        ..Append::default()
    };
    store.append(&more).unwrap();
    assert_eq!(
        store.log(),
        Ok(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()])
    );
    let proposed = store.proposed_blocks().unwrap();
    assert_eq!(proposed.len(), 2);
    assert!(proposed.contains(&block) && proposed.contains(&other));
    assert!(store.envelope(&lost).unwrap().is_some());

    store.commit(&next).unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.log(), Ok(Vec::new()));
    assert_eq!(store.proposed_blocks(), Ok(Vec::new()));
    assert_eq!(store.envelope(&lost), Ok(None));
    assert!(store.envelope(&block.envelopes[0]).unwrap().is_some());
}

#[test]
fn old_values_stay_provable_until_they_are_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    commit(&mut store, &[(1, Some(b"zero")), (2, Some(b"kept"))]);
    commit(&mut store, &[(1, Some(b"one"))]);
    commit(&mut store, &[(1, None)]);
    let last = commit(&mut store, &[(1, Some(b"three"))]);
    let key = StateKey([1; 32]);
    for (version, value) in [
        (0, Some(&b"zero"[..])),
        (1, Some(b"one")),
        (2, None),
        (3, Some(b"three")),
    ] {
        let root = root_at(&store, Height(version));
        let (found, proof) = state_tree::prove(&store, version, &root, &key).unwrap();
        assert_eq!(found.as_deref(), value);
        proof.verify(&root, &key, found.as_deref()).unwrap();
    }

    let mut batch = WriteBatch::default();
    let pruned = prune::prune_up_to(&store.reader, &mut batch, &last, &[], Height(2)).unwrap();
    store.write(batch, true).unwrap();
    assert!(!pruned.is_empty());
    let prove = |version, key: &StateKey| {
        state_tree::prove(&store, version, &root_at(&store, Height(version)), key)
    };
    assert!(prove(0, &key).is_err(), "pruned");
    for (version, value) in [(2, None), (3, Some(&b"three"[..]))] {
        let (found, _) = prove(version, &key).unwrap();
        assert_eq!(found.as_deref(), value);
    }
    let (found, _) = prove(3, &StateKey([2; 32])).unwrap();
    assert_eq!(found.as_deref(), Some(&b"kept"[..]));
    let mut batch = WriteBatch::default();
    let again = prune::prune_up_to(&store.reader, &mut batch, &last, &pruned, Height(2)).unwrap();
    assert_eq!(again, pruned, "nothing is left to prune");
}

#[test]
fn the_first_final_checkpoint_at_or_after_a_height_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    assert_eq!(store.last_final_checkpoint(), Ok(None));
    let checkpoint = |height| FinalCheckpoint {
        height: Height(height),
        size: height * 2,
        root: NodeHash([1; 32]),
        timestamp: 5,
        signatures: Vec::new(),
    };
    for height in [3, 300, 70_000] {
        store.put_final(&checkpoint(height)).unwrap();
    }
    assert_eq!(store.final_checkpoint(Height(0)), Ok(Some(checkpoint(3))));
    assert_eq!(store.final_checkpoint(Height(4)), Ok(Some(checkpoint(300))));
    assert_eq!(store.final_checkpoint(Height(70_001)), Ok(None));
    assert_eq!(store.last_final_checkpoint(), Ok(Some(checkpoint(70_000))));
}

#[test]
fn a_database_of_another_ledger_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let error = RocksStore::open(directory.path(), &ChainId([8; 32])).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("genesis")));
}

#[test]
fn a_database_that_another_process_has_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path());
    let error = RocksStore::open(directory.path(), &CHAIN).unwrap_err();
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("another process")));
}

#[test]
fn damage_to_the_last_block_is_found_at_the_start() {
    type Damage = fn(&RocksStore, &Commit, &mut WriteBatch);
    let damages: [(&str, Damage); 6] = [
        ("seal", |store, last, batch| {
            let seal = Sequence(last.tip.frontier.size() - 1).0.to_be_bytes();
            let entries = store.reader.family(Column::Entries).unwrap();
            batch.put_cf(entries, seal, b"garbage");
        }),
        ("root", |store, _, batch| {
            let nodes = store.reader.family(Column::LogNodes).unwrap();
            batch.put_cf(nodes, column::log_node_key(1, 0), [0; 32]);
        }),
        ("missing", |store, _, batch| {
            let nodes = store.reader.family(Column::LogNodes).unwrap();
            batch.delete_cf(nodes, column::log_node_key(1, 0));
        }),
        ("state", |store, last, batch| {
            let nodes = store.reader.family(Column::StateNodes).unwrap();
            for (key, _) in &last.state_nodes {
                batch.delete_cf(nodes, key);
            }
        }),
        ("body", |store, last, batch| {
            let blocks = store.reader.family(Column::Blocks).unwrap();
            batch.delete_cf(blocks, last.tip.height.0.to_be_bytes());
        }),
        ("end of the log", |store, last, batch| {
            let entries = store.reader.family(Column::Entries).unwrap();
            batch.put_cf(entries, last.tip.frontier.size().to_be_bytes(), b"more");
        }),
    ];
    for (what, damage) in damages {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        commit(&mut store, &[(1, Some(b"one"))]);
        let last = commit(&mut store, &[(1, Some(b"two"))]);
        let mut batch = WriteBatch::default();
        damage(&store, &last, &mut batch);
        store.write(batch, true).unwrap();
        drop(store);
        let error = RocksStore::open(directory.path(), &CHAIN).unwrap_err();
        assert!(
            matches!(&error, StoreError::Corrupt(text) if text.contains(what)),
            "{what}: {error}"
        );
    }
}
