//! Four replicas on a perfect network: an envelope becomes a final entry everywhere.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, VecDeque};

use ed25519_dalek::{Signer as _, SigningKey};
use jangbu_consensus::{Signer, SignerError, Timeouts, ValidatorSet};
use jangbu_ledger::codec;
use jangbu_ledger::commitment::{Commitment, schema_digest};
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::founding::{Founding, FoundingMember, ValidatorEntry, ValidatorList};
use jangbu_ledger::id::{ChainId, Digest, Height, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{MemberRecord, Role};
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};
use jangbu_replica::chain::Chain;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::pool::PoolLimits;
use jangbu_replica::replica::{Admission, Config, Effect, Input, PeerId, Replica, TimerId, Token};
use jangbu_replica::store::Store;

struct Key(SigningKey);

impl Signer for Key {
    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        Ok(Signature(self.0.sign(digest).to_bytes()))
    }

    fn public_key(&self) -> PublicKey {
        public(&self.0)
    }
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

const ATTESTOR: u8 = 100;
const START: u64 = 1_700_000_000_000;

fn config(n: usize) -> Config {
    // Sorted by consensus key, as the ledger wants them.
    let mut seeds: Vec<u8> = (1..=4).collect();
    seeds.sort_by_key(|seed| public(&key(*seed)));
    let entry = |seed: &u8| ValidatorEntry {
        member: MemberId::of("member"),
        consensus: public(&key(*seed)),
        witness: public(&key(*seed + 50)),
    };
    let validators = ValidatorList(seeds.iter().map(entry).collect());
    let chain_id = ChainId([7; 32]);
    let founding = Founding {
        chain_id,
        time_ms: TimeMs(START),
        parameters_hash: Digest([0; 32]),
        members: vec![FoundingMember {
            record: MemberRecord {
                name: "member".into(),
                role: Role::Operator,
                prefixes: Vec::new(),
            },
            attestor: public(&key(ATTESTOR)),
            admin: public(&key(ATTESTOR + 1)),
        }],
        validators: validators.clone(),
    };
    let chain = Chain {
        chain_id,
        origin: "jangbu/test/0707070707070707".parse().unwrap(),
        parameters_hash: founding.parameters_hash,
        validator_set: ValidatorSet::new(validators.0.iter().map(|v| v.consensus)).unwrap(),
        validators,
        witness_names: (0..4)
            .map(|i| format!("test/v{i}").parse().unwrap())
            .collect(),
    };
    let timeouts = Timeouts {
        propose_ms: 500,
        prevote_ms: 200,
        precommit_ms: 200,
        rebroadcast_ms: 500,
        delta_ms: 200,
        max_ms: 5_000,
    };
    Config {
        chain,
        genesis: founding.genesis_block().unwrap(),
        signer: Some(Box::new(Key(key(seeds[n])))),
        witness: Some((u8::try_from(n).unwrap(), key(seeds[n] + 50))),
        timeouts,
        max_idle_ms: 30_000,
        max_drift_ms: 5_000,
        block_interval_ms: 50,
        pool: PoolLimits {
            envelopes: 1000,
            bytes: 1 << 24,
            envelopes_per_member: 1000,
        },
    }
}

fn envelope(n: u128) -> Vec<u8> {
    let uuid = format!("urn:uuid:00000000-0000-4000-8000-{n:012x}");
    let statement = Statement {
        kind: Kind::PassportIssued {
            granularity: Granularity::Item,
            schema: schema_digest("test"),
        },
        occurrence: 0,
        streams: vec![Stream::Open(Identifier::parse(&uuid).unwrap())],
        commitment: Commitment::keyed([1; 32]),
        references: Vec::new(),
        payload: Vec::new(),
    };
    let mut envelope = Envelope {
        version: 1,
        chain_id: ChainId([7; 32]),
        member: MemberId::of("member"),
        key_id: KeyId([0; 16]),
        nonce: 0,
        expires_at_ms: TimeMs(START + 3_600_000),
        statements: vec![statement],
        signature: Signature([0; 64]),
    };
    envelope.sign(&key(ATTESTOR));
    codec::encode(&envelope)
}

/// Replicas joined by first-in-first-out links, and one clock.
struct Cluster {
    replicas: Vec<Replica<MemoryStore>>,
    links: VecDeque<(usize, PeerId, Vec<u8>)>,
    timers: BTreeMap<(usize, TimerId), u64>,
    answers: Vec<(usize, Token, Admission)>,
    finals: Vec<Height>,
    now: u64,
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self {
            replicas: Vec::new(),
            links: VecDeque::new(),
            timers: BTreeMap::new(),
            answers: Vec::new(),
            finals: vec![Height(0); 4],
            now: START + 1000,
        };
        let mut first = Vec::new();
        for n in 0..4 {
            let (replica, effects) =
                Replica::new(config(n), MemoryStore::default(), TimeMs(cluster.now)).unwrap();
            cluster.replicas.push(replica);
            first.push(effects);
        }
        for (n, effects) in first.into_iter().enumerate() {
            cluster.perform(n, effects);
        }
        for n in 0..4 {
            for peer in (0..4u16).filter(|peer| usize::from(*peer) != n) {
                cluster.step(n, Input::Connected(PeerId(peer)));
            }
        }
        cluster
    }

    fn step(&mut self, n: usize, input: Input) {
        let effects = self.replicas[n].step(TimeMs(self.now), input).unwrap();
        self.perform(n, effects);
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        let from = PeerId(u16::try_from(n).unwrap());
        for effect in effects {
            match effect {
                Effect::Send(peer, _, bytes) => {
                    self.links
                        .push_back((usize::from(peer.0), from, bytes.to_vec()));
                }
                Effect::Broadcast(_, bytes) => {
                    for to in (0..4).filter(|to| *to != n) {
                        self.links.push_back((to, from, bytes.to_vec()));
                    }
                }
                Effect::SetTimer(id, after) => {
                    self.timers.insert((n, id), self.now + after);
                }
                Effect::CancelTimer(id) => {
                    self.timers.remove(&(n, id));
                }
                Effect::Answer(token, answer) => self.answers.push((n, token, answer.unwrap())),
                Effect::Final(height) => self.finals[n] = height,
                Effect::Committed(..) => {}
                Effect::Misbehaved(peer, reason) => panic!("{peer:?}: {reason}"),
            }
        }
    }

    /// Runs until `until`, in virtual milliseconds.
    fn run(&mut self, until: u64) {
        while self.now < until {
            while let Some((to, from, bytes)) = self.links.pop_front() {
                self.step(to, Input::Received(from, bytes));
            }
            let Some((at, (n, id))) = self.timers.iter().map(|(k, at)| (*at, *k)).min() else {
                return;
            };
            self.now = self.now.max(at);
            self.timers.remove(&(n, id));
            self.step(n, Input::Timer(id));
        }
    }
}

#[test]
fn envelopes_become_final_entries_on_every_replica() {
    let mut cluster = Cluster::new();
    for round in 0..20u128 {
        let n = usize::try_from(round % 4).unwrap();
        cluster.step(n, Input::Submit(vec![(Token(1), envelope(round))]));
        let until = cluster.now + 300;
        cluster.run(until);
    }
    let tip = cluster.replicas[0].tip().clone();
    assert!(tip.height >= Height(10), "height {}", tip.height);
    // 20 statements, a seal per block, the genesis seal.
    assert_eq!(tip.frontier.size(), 20 + tip.height.0 + 1);
    for (n, replica) in cluster.replicas.iter().enumerate() {
        assert_eq!(*replica.tip(), tip, "replica {n}");
        assert_eq!(cluster.finals[n], tip.height, "replica {n}");
        let last = replica.store().last_final_checkpoint().unwrap().unwrap();
        assert_eq!((last.root, last.signatures.len()), (tip.frontier.root(), 3));
    }
}

#[test]
fn a_statement_sent_again_is_answered_with_where_it_is() {
    let mut cluster = Cluster::new();
    cluster.step(0, Input::Submit(vec![(Token(1), envelope(1))]));
    let until = cluster.now + 300;
    cluster.run(until);
    cluster.answers.clear();
    cluster.step(2, Input::Submit(vec![(Token(2), envelope(1))]));
    assert!(
        matches!(
            cluster.answers.as_slice(),
            [(2, Token(2), Admission::Known(..))]
        ),
        "{:?}",
        cluster.answers
    );
}

#[test]
fn nothing_to_record_starts_no_height() {
    let mut cluster = Cluster::new();
    let until = cluster.now + 20_000;
    cluster.run(until);
    assert_eq!(cluster.replicas[0].tip().height, Height(0));
}
