//! Verifiers written by others accept our log and refuse its mutants, and so do we.
//!
//! A log of 1,000 synthetic entries is checked by the crates `signed_note` and `tlog_tiles`
//! (log signature, checkpoint, tiles, proofs) and `metamorphic-log` (cosignatures, proofs).
//! The tests together make more than 1,000 mutants; each asserts its own number.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use jangbu_ledger::checkpoint::{Checkpoint, SignedCheckpoint, Witness, verify_quorum};
use jangbu_ledger::merkle::{
    Frontier, NodeHash, leaf_hash, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use jangbu_ledger::note::{KeyKind, KeyName, VerifierKey};
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::signature::PublicKey;
use jangbu_ledger::tile::Tile;
use metamorphic_log::note as metamorphic_note;
use tlog_tiles::{HashReader as _, TileHashReader, TileReader};

const SIZE: u64 = 1_000;
const OLDER: u64 = 700;
const INDEX: u64 = 517;
const QUORUM: usize = 3;
const TIME_S: u64 = 1_764_000_000;

fn entry(index: u64) -> Vec<u8> {
    format!("synthetic entry {index}").into_bytes()
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn foreign(hash: &NodeHash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

/// A log with its four witnesses.
struct Log {
    origin: KeyName,
    log_key: SigningKey,
    witness_keys: Vec<SigningKey>,
    witnesses: Vec<Witness>,
    nodes: BTreeMap<(u8, u64), NodeHash>,
    roots: Vec<NodeHash>,
}

impl Log {
    fn new() -> Self {
        let witness_keys: Vec<_> = (1..=4).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
        let name = |n| format!("acme.example/validator-{n}").parse().unwrap();
        let witness = |(n, key)| Witness {
            name: name(n),
            key: public(key),
        };
        let witnesses = witness_keys.iter().enumerate().map(witness).collect();
        let (mut frontier, mut nodes) = (Frontier::new(), BTreeMap::new());
        let mut roots = vec![frontier.root()];
        for index in 0..SIZE {
            for node in frontier.append(leaf_hash(&entry(index))).unwrap() {
                nodes.insert((node.level, node.index), node.hash);
            }
            roots.push(frontier.root());
        }
        let origin = "jangbu/acme/0123456789abcdef".parse().unwrap();
        let log_key = SigningKey::from_bytes(&[99; 32]);
        Self {
            origin,
            log_key,
            witness_keys,
            witnesses,
            nodes,
            roots,
        }
    }

    fn root(&self, size: u64) -> &NodeHash {
        &self.roots[usize::try_from(size).unwrap()]
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: SIZE,
            root: *self.root(SIZE),
        }
    }

    fn signed(&self) -> SignedCheckpoint {
        let checkpoint = self.checkpoint();
        let cosignatures: Vec<_> = std::iter::zip(&self.witnesses, &self.witness_keys)
            .map(|(witness, key)| checkpoint.cosign(witness.name.clone(), key, TIME_S))
            .collect();
        let line = checkpoint.sign(&self.log_key);
        SignedCheckpoint::assemble(checkpoint, line, &cosignatures[1..], QUORUM).unwrap()
    }

    fn log_vkey(&self) -> VerifierKey {
        let (name, kind) = (self.origin.clone(), KeyKind::Ed25519);
        VerifierKey {
            name,
            kind,
            key: public(&self.log_key),
        }
    }

    /// The verdict of our own verifier on a checkpoint.
    fn we_accept(&self, note: &[u8]) -> bool {
        let accept = |text| verify_quorum(text, &self.origin, &self.witnesses, QUORUM).is_ok();
        std::str::from_utf8(note).is_ok_and(accept)
    }

    /// The verdict of `signed_note` and `tlog_tiles`: the log's signature over our checkpoint.
    fn cloudflare_accepts(&self, note: &[u8]) -> bool {
        let key = signed_note::StandardVerifier::new(&self.log_vkey().to_string()).unwrap();
        let known = signed_note::VerifierList::new(vec![Box::new(key)]);
        let verdict = || {
            signed_note::Note::from_bytes(note)
                .ok()?
                .verify(&known)
                .ok()?;
            let text = note.windows(2).rposition(|pair| pair == b"\n\n")?;
            let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.get(..=text)?).ok()?;
            Some(
                checkpoint.origin() == self.origin.as_str()
                    && checkpoint.size() == SIZE
                    && *checkpoint.hash() == foreign(self.root(SIZE)),
            )
        };
        verdict().unwrap_or(false)
    }

    /// The verdict of `metamorphic-log`: three distinct known cosigners of our checkpoint.
    fn metamorphic_accepts(&self, note: &[u8]) -> bool {
        let known: Vec<_> = self
            .witnesses
            .iter()
            .map(|w| metamorphic_note::VerifierKey::parse(&w.verifier_key().to_string()).unwrap())
            .collect();
        let verdict = || {
            let note = metamorphic_note::SignedNote::parse(std::str::from_utf8(note).ok()?).ok()?;
            let verified = note.verify(&known).ok()?;
            let signers: BTreeSet<_> = verified.iter().map(|line| line.name()).collect();
            let checkpoint = metamorphic_log::checkpoint::Checkpoint::parse(note.text()).ok()?;
            Some(signers.len() >= QUORUM && checkpoint.size() == SIZE)
        };
        verdict().unwrap_or(false)
    }
}

/// Our hash tiles by path, as a foreign client fetches them; `damage` flips one bit of one tile.
struct Tiles<'a> {
    log: &'a Log,
    damage: Option<(&'a str, usize)>,
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |wanted: &tlog_tiles::Tile| {
            // Their paths name the tile height, which C2SP fixes at 8 and leaves out.
            let path = wanted.path().replacen("tile/8/", "tile/", 1);
            let tile: Tile = path.parse().expect("their path is our path");
            assert!(tile.exists_at(SIZE));
            let mut bytes = tile
                .hash_bytes(&self.log.nodes)
                .unwrap()
                .expect("a hash tile");
            if let Some((_, at)) = self.damage.filter(|(damaged, _)| *damaged == path) {
                bytes[at] ^= 1;
            }
            bytes
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// The proof that `tlog_tiles` makes of entry `index` from our tiles, if it accepts them.
///
/// Its 0.2.0 skips the check of some full tiles against their parents whenever two of the
/// subtrees that make up the root share a tile (it counts subtrees where it means tiles), so the
/// proof it has made is checked against the root as well, as its clients must.
fn proof_from_tiles(log: &Log, tiles: &Tiles<'_>, index: u64) -> Option<Vec<tlog_tiles::Hash>> {
    let root = foreign(log.root(SIZE));
    let reader = TileHashReader::new(SIZE, root, tiles);
    let proof = tlog_tiles::prove_record(SIZE, index, &reader).ok()?;
    let leaf = reader
        .read_hashes(&[tlog_tiles::stored_hash_index(0, index)])
        .ok()?
        .pop()?;
    tlog_tiles::check_record(&proof, SIZE, root, index, leaf).ok()?;
    assert_eq!(leaf, foreign(&leaf_hash(&entry(index))));
    Some(proof)
}

fn vecs(path: &[NodeHash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.0.to_vec()).collect()
}

/// The verdicts on an inclusion path: ours, `tlog_tiles`, `metamorphic-log`.
fn inclusion_verdicts(log: &Log, index: u64, leaf: &NodeHash, path: &[NodeHash]) -> [bool; 3] {
    let root = log.root(SIZE);
    let theirs = path.iter().map(foreign).collect();
    [
        verify_inclusion(leaf, index, SIZE, path, root).is_ok(),
        tlog_tiles::check_record(&theirs, SIZE, foreign(root), index, foreign(leaf)).is_ok(),
        metamorphic_log::verify_inclusion(index, SIZE, &leaf.0, &vecs(path), &root.0).is_ok(),
    ]
}

/// The verdicts on a consistency path: ours, `tlog_tiles`, `metamorphic-log`.
fn consistency_verdicts(log: &Log, older: u64, path: &[NodeHash]) -> [bool; 3] {
    let (root1, root2) = (log.root(older), log.root(SIZE));
    let theirs = path.iter().map(foreign).collect();
    [
        verify_consistency(older, root1, SIZE, root2, path).is_ok(),
        tlog_tiles::check_tree(&theirs, SIZE, foreign(root2), older, foreign(root1)).is_ok(),
        metamorphic_log::verify_consistency(older, SIZE, &vecs(path), &root1.0, &root2.0).is_ok(),
    ]
}

#[test]
fn foreign_verifiers_accept_our_checkpoint_and_its_quorum() {
    let log = Log::new();
    let note = log.signed().to_string();
    assert!(log.we_accept(note.as_bytes()));
    assert!(log.cloudflare_accepts(note.as_bytes()));
    assert!(log.metamorphic_accepts(note.as_bytes()));
}

#[test]
fn foreign_verifiers_accept_our_tiles_and_proofs() {
    let log = Log::new();
    let tiles = Tiles {
        log: &log,
        damage: None,
    };
    for index in [0, 1, 255, 256, INDEX, 767, 768, 998, 999] {
        let leaf = leaf_hash(&entry(index));
        let path = prove_inclusion(&log.nodes, index, SIZE).unwrap();
        assert_eq!(
            inclusion_verdicts(&log, index, &leaf, &path),
            [true; 3],
            "entry {index}"
        );
        let ours: Vec<_> = path.iter().map(foreign).collect();
        assert_eq!(proof_from_tiles(&log, &tiles, index), Some(ours));
    }
    for older in [1, 2, 255, 256, 511, OLDER, 768, 999, 1000] {
        let path = prove_consistency(&log.nodes, older, SIZE).unwrap();
        assert_eq!(
            consistency_verdicts(&log, older, &path),
            [true; 3],
            "from {older}"
        );
    }
}

#[test]
fn nobody_accepts_a_checkpoint_with_one_changed_byte() {
    let log = Log::new();
    let note = log.signed().to_string().into_bytes();
    let body = log.checkpoint().to_string().len();
    for at in 0..body {
        let mut mutant = note.clone();
        mutant[at] ^= 1;
        assert!(!log.we_accept(&mutant), "body byte {at}, us");
        assert!(
            !log.cloudflare_accepts(&mutant),
            "body byte {at}, signed_note"
        );
        assert!(
            !log.metamorphic_accepts(&mutant),
            "body byte {at}, metamorphic-log"
        );
    }
    assert!(body >= 75, "{body} mutants");
}

#[test]
fn nobody_accepts_a_quorum_with_one_changed_byte() {
    let log = Log::new();
    let note = log.signed().to_string();
    let cosignatures = note.find("\u{2014} acme.example").unwrap();
    let mut mutants = 0;
    for at in (cosignatures..note.len()).step_by(3) {
        let mut mutant = note.clone().into_bytes();
        mutant[at] ^= 1;
        assert!(!log.we_accept(&mutant), "byte {at}, us");
        assert!(
            !log.metamorphic_accepts(&mutant),
            "byte {at}, metamorphic-log"
        );
        mutants += 1;
    }
    assert!(mutants >= 125, "{mutants} mutants");
}

#[test]
fn nobody_accepts_a_proof_with_one_changed_byte() {
    let log = Log::new();
    let leaf = leaf_hash(&entry(INDEX));
    let inclusion = prove_inclusion(&log.nodes, INDEX, SIZE).unwrap();
    let consistency = prove_consistency(&log.nodes, OLDER, SIZE).unwrap();
    let mut mutants = 0;
    let mut each_changed_byte = |path: &[NodeHash], verdicts: &dyn Fn(&[NodeHash]) -> [bool; 3]| {
        for at in 0..path.len() * NodeHash::LEN {
            let mut mutant = path.to_vec();
            mutant[at / NodeHash::LEN].0[at % NodeHash::LEN] ^= 1 << (at % 8);
            assert_eq!(verdicts(&mutant), [false; 3], "byte {at}");
            mutants += 1;
        }
        for at in 0..path.len() {
            let mut shorter = path.to_vec();
            shorter.remove(at);
            let mut longer = path.to_vec();
            longer.insert(at, path[at]);
            assert_eq!(verdicts(&shorter), [false; 3], "without hash {at}");
            assert_eq!(verdicts(&longer), [false; 3], "with hash {at} twice");
            mutants += 2;
        }
    };
    each_changed_byte(&inclusion, &|path| {
        inclusion_verdicts(&log, INDEX, &leaf, path)
    });
    each_changed_byte(&consistency, &|path| {
        consistency_verdicts(&log, OLDER, path)
    });
    assert!(mutants >= 600, "{mutants} mutants");
    for (index, leaf) in [(INDEX + 1, leaf), (INDEX, leaf_hash(&entry(INDEX + 1)))] {
        assert_eq!(
            inclusion_verdicts(&log, index, &leaf, &inclusion),
            [false; 3]
        );
    }
    assert_eq!(
        consistency_verdicts(&log, OLDER - 1, &consistency),
        [false; 3]
    );
}

#[test]
fn nobody_accepts_a_tile_with_one_changed_byte() {
    let log = Log::new();
    let mut mutants = 0;
    for (path, index) in [("tile/0/002", INDEX), ("tile/0/003.p/232", 999)] {
        let tile: Tile = path.parse().unwrap();
        let bytes = tile.hash_bytes(&log.nodes).unwrap().unwrap();
        let mut before = Frontier::new();
        for index in 0..tile.first() {
            before.append(leaf_hash(&entry(index))).unwrap();
        }
        for at in (0..bytes.len()).step_by(97) {
            let tiles = Tiles {
                log: &log,
                damage: Some((path, at)),
            };
            assert!(
                proof_from_tiles(&log, &tiles, index).is_none(),
                "{path} byte {at}"
            );

            let mut mutant = bytes.clone();
            mutant[at] ^= 1;
            let mut after = before.clone();
            for hash in tile.hashes(&mutant).unwrap() {
                after.append(hash).unwrap();
            }
            assert_ne!(after.root(), *log.root(after.size()), "{path} byte {at}");
            mutants += 1;
        }
    }
    assert!(mutants >= 150, "{mutants} mutants");
}

#[test]
fn a_receipt_is_made_of_what_foreign_verifiers_accept() {
    let log = Log::new();
    let receipt = Receipt {
        entry: entry(INDEX),
        index: INDEX,
        path: prove_inclusion(&log.nodes, INDEX, SIZE).unwrap(),
        checkpoint: log.signed().note().clone(),
    };
    let file = receipt.to_string();
    let verified = file
        .parse::<Receipt>()
        .unwrap()
        .verify(&log.origin, &log.witnesses, QUORUM);
    assert_eq!(verified.unwrap().entry, entry(INDEX));

    // Read with nothing of ours: lines, base64, and their checks.
    let (head, note) = file.split_once("\n\n").unwrap();
    assert!(log.metamorphic_accepts(note.as_bytes()) && log.cloudflare_accepts(note.as_bytes()));
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[0], "c2sp.org/tlog-proof@v1");
    assert_eq!(lines[2], format!("index {INDEX}"));
    let path = lines[3..]
        .iter()
        .map(|line| tlog_tiles::Hash::parse_hash(line).unwrap())
        .collect();
    let (root, leaf) = (
        foreign(log.root(SIZE)),
        tlog_tiles::record_hash(&entry(INDEX)),
    );
    assert!(tlog_tiles::check_record(&path, SIZE, root, INDEX, leaf).is_ok());
}
