//! The state proves itself: whatever a rule reads hangs under the state root of the seal before,
//! or follows from the entries of the log. So who has a root that a quorum vouches for, and the log,
//! need trust nobody who hands them a copy of the state.
//!
//! Every ledger of these tests is watched: what executing a statement reads is proved under the
//! root, read back from the proof's bytes, and executed again with nothing else at hand.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::{Signer as _, SigningKey};
use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::codec;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::execute::{BlockContext, Execution, execute};
use jangbu_ledger::id::{
    BlockId, ChainId, Digest, EnvelopeId, Height, MemberId, Sequence, Slot, StateRoot, StatementId,
};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::share::Deed;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{KeyPurpose, LinkRecord, StateError, StateReader, key};
use jangbu_ledger::state_tree::{self, EMPTY_ROOT, MemoryNodes, StateKey, StateProof};
use jangbu_ledger::statement::{
    Basis, EventType, Fate, Granularity, Handed, Kind, NoticeSort, Portion, Quantity,
    RevocationReason, SecondLife, Stream,
};
use jangbu_ledger::vote::{SignedVote, Vote, VoteType};

use crate::ground::{
    CHAIN, Ground, State, attestor, claims, id, issued, open, superseded, under, validator,
};

/// Ordered envelopes, as execution takes them.
type Ordered<'a> = [(EnvelopeId, &'a Envelope, KeyPurpose)];
type Changes = BTreeMap<StateKey, Option<Vec<u8>>>;

/// A state that remembers what it was asked.
struct Watched<'a> {
    state: &'a State,
    keys: RefCell<BTreeSet<StateKey>>,
    ids: RefCell<BTreeSet<StatementId>>,
}

impl StateReader for Watched<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.keys.borrow_mut().insert(*key);
        self.state.record(key)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.ids.borrow_mut().insert(*id);
        self.state.recorded(id)
    }
}

/// What was proved, and nothing else: any other question is an error.
struct Proved<'a> {
    records: Changes,
    from_log: &'a BTreeMap<StatementId, Sequence>,
}

impl StateReader for Proved<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        let known = self.records.get(key).cloned();
        known.ok_or_else(|| StateError(format!("{key} was not proved")))
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        Ok(self.from_log.get(id).copied())
    }
}

/// The state tree of a ledger, and what its log alone tells.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: MemoryNodes,
    version: u64,
    root: StateRoot,
    from_log: BTreeMap<StatementId, Sequence>,
}

impl Tree {
    /// The tree after the genesis block.
    pub(crate) fn new(changes: &Changes) -> Self {
        let mut nodes = MemoryNodes::default();
        let update = state_tree::apply(&nodes, 0, &EMPTY_ROOT, changes).unwrap();
        nodes.extend(0, changes, &update);
        Self {
            nodes,
            version: 0,
            root: update.root,
            from_log: BTreeMap::new(),
        }
    }

    pub(crate) const fn root(&self) -> StateRoot {
        self.root
    }

    /// Executes envelopes, and shows that nothing but the root and the log was needed for it.
    pub(crate) fn execute(
        &mut self,
        context: BlockContext,
        ordered: &Ordered<'_>,
        state: &State,
    ) -> Execution {
        let watched = Watched {
            state,
            keys: RefCell::default(),
            ids: RefCell::default(),
        };
        let execution = execute(context, ordered, &watched).unwrap();
        let ids = watched.ids.into_inner();
        assert!(!ids.is_empty(), "no statement is judged unasked");
        for id in ids {
            assert_eq!(
                self.from_log.get(&id).copied(),
                state.recorded(&id).unwrap(),
                "whether {id} is recorded does not follow from the log"
            );
        }
        let mut records = Changes::new();
        for key in watched.keys.into_inner() {
            let (value, proof) =
                state_tree::prove(&self.nodes, self.version, &self.root, &key).unwrap();
            assert_eq!(
                value,
                state.record(&key).unwrap(),
                "the tree has another record"
            );
            let carried = StateProof::from_bytes(&proof.to_bytes()).unwrap();
            carried.verify(&self.root, &key, value.as_deref()).unwrap();
            records.insert(key, value);
        }
        let proved = Proved {
            records,
            from_log: &self.from_log,
        };
        let again = execute(context, ordered, &proved).unwrap();
        assert_eq!(again.outcomes, execution.outcomes);
        assert_eq!(again.changes, execution.changes);
        assert_eq!(again.refusals, execution.refusals);
        let bytes = |execution: &Execution| -> Vec<Vec<u8>> {
            let entries = execution.entries.iter();
            entries.map(|new| new.bytes.clone()).collect()
        };
        assert_eq!(bytes(&again), bytes(&execution));

        self.append(&bytes(&execution), &context.chain_id);
        self.version += 1;
        let changes = &execution.changes;
        let update = state_tree::apply(&self.nodes, self.version, &self.root, changes).unwrap();
        self.nodes.extend(self.version, changes, &update);
        self.root = update.root;
        execution
    }

    /// Reads entries as whoever copies a log does.
    fn append(&mut self, entries: &[Vec<u8>], chain: &ChainId) {
        for bytes in entries {
            let entry = Entry::decode(bytes).unwrap();
            if let EntryBody::Statement(recorded) = entry.body {
                let id = recorded.statement.id(chain, &recorded.member);
                self.from_log.insert(id, entry.sequence);
            }
        }
    }

    /// The tree that is made in one go of these records, if it has this root.
    pub(crate) fn rebuilt(&self, state: &State) -> Self {
        let records: Changes = state
            .records()
            .map(|(k, v)| (*k, Some(v.clone())))
            .collect();
        let rebuilt = Self::new(&records);
        assert_eq!(rebuilt.root, self.root, "the records are not the state's");
        Self {
            from_log: self.from_log.clone(),
            ..rebuilt
        }
    }
}

/// The number of a kind in the format.
fn number(kind: &Kind) -> u64 {
    let bytes = codec::encode(kind);
    match bytes[0] {
        0xfb.. => panic!("more kinds than one byte counts"),
        first => first.into(),
    }
}

fn linked(child: u64) -> Kind {
    Kind::ComponentLinked {
        child: id(child),
        basis: Basis::AsBuilt,
        quantity: None,
    }
}

/// Two precommits of the ground's validator for one round.
fn contradiction() -> Equivocation {
    let key: SigningKey = validator();
    let vote = |block: u8| {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height: Height(3),
            round: 1,
            block_id: Some(BlockId([block; 32])),
            validator: PublicKey::of(&key).id(),
        };
        let signature = Signature(key.sign(&vote.signing_digest(&CHAIN)).to_bytes());
        SignedVote { vote, signature }
    };
    Equivocation::votes(vote(1), vote(2))
}

/// A ledger on which everything is said, and what is said in one go at each step.
struct Teller {
    ground: Ground,
    told: BTreeSet<u64>,
}

impl Teller {
    fn say(&mut self, member: &str, kind: Kind, streams: Vec<Stream>) -> StatementId {
        let known = number(&kind);
        let purpose = match kind {
            Kind::KeyRevoked { .. } => KeyPurpose::Admin,
            _ => KeyPurpose::Attestor,
        };
        let before = self.ground.clone();
        let said = self
            .ground
            .say_with(purpose, member, kind.clone(), streams.clone())
            .unwrap_or_else(|rule| panic!("{kind:?}: {rule:?}"));
        self.told.insert(known);
        // The same on a copy that was made of bare records.
        let mut copy = before.copied();
        let again = copy.say_with(purpose, member, kind, streams);
        assert_eq!(again, Ok(said));
        assert_eq!(copy.root(), self.ground.root());
        assert_ne!(before.root(), self.ground.root());
        said
    }
}

/// A copy with one record more, one less, or one changed has another root: nobody is fooled by it.
#[test]
fn a_copy_with_another_record_has_another_root() {
    let ground = Ground::with_product(1);
    let records: Changes = ground
        .records()
        .map(|(k, v)| (*k, Some(v.clone())))
        .collect();
    assert_eq!(Tree::new(&records).root, ground.root());
    for key in records.keys() {
        let mut less = records.clone();
        less.remove(key);
        assert_ne!(Tree::new(&less).root, ground.root());
        let mut other = records.clone();
        other.get_mut(key).unwrap().as_mut().unwrap().push(0);
        assert_ne!(Tree::new(&other).root, ground.root());
    }
    let mut more = records;
    more.insert(StateKey([7; 32]), Some(vec![0]));
    assert_ne!(Tree::new(&more).root, ground.root());
}

#[test]
fn every_kind_of_statement_is_judged_by_what_the_root_and_the_log_prove() {
    let mut t = Teller {
        ground: Ground::new(),
        told: BTreeSet::new(),
    };
    let profile = vec![Stream::Open(
        Identifier::parse("profile:eu-battery/ev").unwrap(),
    )];
    let digest = Digest([1; 32]);
    let published = Kind::ProfilePublished {
        version: "1.0".into(),
        digest,
    };
    t.say("regulator", published, profile);

    t.say("maker", issued(Granularity::Model), open(1));
    t.say("maker", issued(Granularity::Item), open(2));
    t.say("rival", issued(Granularity::Item), open(3));
    t.say("maker", superseded(2), open(2));
    t.say("maker", Kind::GranularityLinked { part_of: id(1) }, open(2));
    let link = t.say("maker", linked(3), open(2));
    t.say("rival", Kind::ComponentContested { link }, claims(2));
    t.say("rival", Kind::ComponentConfirmed { link }, claims(2));
    t.say("maker", Kind::CompositionClosed { links: 1 }, open(2));
    // Nothing is recorded about this one: that there is nothing is proved, too.
    let child = under("maker", 1);
    let own = Kind::ComponentLinked {
        child,
        basis: Basis::AsBuilt,
        quantity: None,
    };
    let link = t.say("maker", own, open(2));
    let link: LinkRecord = t.ground.get(&key::link(&link)).unwrap();
    assert_eq!(link.confirmed_by, Some(MemberId::of("maker")));
    let event = EventType::Object;
    t.say("maker", Kind::Observed { event }, open(2));
    let registry = digest;
    let registered = Kind::PassportRegistered {
        version: 2,
        registry,
    };
    t.say("maker", registered, open(2));
    let endorsed = Kind::PassportEndorsed {
        version: 2,
        scheme: digest,
        expires_at_ms: None,
    };
    let endorsement = t.say("auditor", endorsed, claims(2));
    t.say(
        "auditor",
        Kind::EndorsementWithdrawn { endorsement },
        claims(2),
    );
    let sort = NoticeSort::Recall;
    let notice = t.say("regulator", Kind::NoticeIssued { sort }, claims(2));
    t.say("regulator", Kind::NoticeLifted { notice }, claims(2));
    t.say("maker", Kind::PassportSuspended, open(2));
    t.say("maker", Kind::PassportReinstated, open(2));

    let offered = |of| Kind::HandoverOffered {
        of,
        to: MemberId::of("buyer"),
    };
    let offer = t.say("maker", offered(Handed::Custody), open(2));
    t.say("buyer", Kind::HandoverEnded { offer }, claims(2));
    let offer = t.say("maker", offered(Handed::Responsibility), open(2));
    t.say("buyer", Kind::HandoverAccepted { offer }, claims(2));
    let fate = Fate::Recycled;
    t.say("rival", issued(Granularity::Item), open(5));
    t.say("rival", Kind::PassportEnded { fate }, open(5));
    let reused = Kind::Derived {
        predecessors: vec![id(2)],
        by: SecondLife::Repurposed,
    };
    t.say("buyer", issued(Granularity::Item), open(6));
    t.say("buyer", reused, open(6));
    let reason = RevocationReason::Erroneous;
    t.say("buyer", Kind::PassportRevoked { reason }, open(6));
    assert_eq!(
        t.ground.subject(6).unwrap().passport.unwrap().life,
        Life::Revoked
    );

    let some = |n, pieces: &str| Portion {
        of: id(n),
        quantity: Quantity::parse(pieces, "unit:piece"),
    };
    t.say("rival", issued(Granularity::Batch), open(11));
    t.say("rival", issued(Granularity::Batch), open(12));
    t.say("maker", issued(Granularity::Batch), open(13));
    let there_is = Kind::Transformed {
        inputs: Vec::new(),
        outputs: vec![some(12, "10")],
    };
    t.say("rival", there_is, open(12));
    let mixed = Kind::Transformed {
        inputs: vec![some(11, "2"), some(12, "3"), some(1, "1")],
        outputs: vec![some(13, "5")],
    };
    let transformation = t.say("maker", mixed, open(13));
    let contested = Kind::InputContested {
        transformation,
        input: id(11),
    };
    t.say("rival", contested, claims(13));
    let confirmed = Kind::InputConfirmed {
        transformation,
        input: id(12),
    };
    t.say("rival", confirmed, claims(13));
    let children = vec![id(12), id(13)];
    t.say("rival", Kind::Aggregated { children }, open(11));
    let children = vec![id(13)];
    t.say("rival", Kind::Disaggregated { children }, open(11));

    let step = |with: &str, deed| Kind::ShareStep {
        with: MemberId::of(with),
        deed: Box::new(deed),
    };
    let terms = Deed::Offered {
        permits: Vec::new(),
        data: Vec::new(),
    };
    t.say("maker", step("buyer", terms), open(8));
    t.say("buyer", step("maker", Deed::Accepted), claims(8));
    t.say("buyer", Kind::Sealed, vec![Stream::Sealed(Slot([8; 32]))]);
    let equivocation = Box::new(contradiction());
    t.say(
        "reader",
        Kind::EvidenceRecorded { equivocation },
        Vec::new(),
    );
    let key = attestor("maker").id();
    t.say("maker", Kind::KeyRevoked { key }, Vec::new());

    let all = u64::try_from(Kind::NAMES.len()).unwrap();
    assert_eq!(t.told, (0..all).collect());
}

/// Not every fact is a record: whether a statement is recorded is a fact of the log.
#[test]
fn whether_a_statement_is_recorded_follows_from_the_log() {
    let mut ground = Ground::with_product(1);
    let event = EventType::Object;
    let seen = || Kind::Observed { event };
    let unknown = StatementId([9; 32]);
    let refused = ground.say_citing("maker", seen(), open(1), &[unknown]);
    assert_eq!(refused, Err(Rule::ReferenceKnown));
    let first = ground.say("maker", superseded(2), open(1)).unwrap();
    ground
        .say_citing("maker", seen(), open(1), &[first])
        .unwrap();
}
