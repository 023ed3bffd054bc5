//! Where statements are judged: members of every role, one block a statement, no signatures.

use std::collections::BTreeMap;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::execute::{BlockContext, Outcome, execute};
use jangbu_ledger::founding::{Founding, FoundingMember, ValidatorList};
use jangbu_ledger::id::{
    ChainId, Digest, EnvelopeId, Height, KeyId, MemberId, Sequence, StatementId, TimeMs,
};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{
    KeyPurpose, MemberRecord, Record, Role, StateError, StateReader, SubjectRecord, decode_record,
    key,
};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};

/// When the first block is.
pub(crate) const START_MS: u64 = 1_700_000_000_000;
/// Time from block to block.
pub(crate) const BLOCK_MS: u64 = 1_000;

/// Two makers, a company, an auditor, a regulator and one that only reads.
pub(crate) const MEMBERS: [(&str, Role); 6] = [
    ("maker", Role::Operator),
    ("rival", Role::Operator),
    ("buyer", Role::Participant),
    ("auditor", Role::Auditor),
    ("regulator", Role::Regulator),
    ("reader", Role::Observer),
];

#[derive(Debug, Default, Clone)]
struct State {
    records: BTreeMap<StateKey, Vec<u8>>,
    statements: BTreeMap<StatementId, Sequence>,
}

impl StateReader for State {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.records.get(key).cloned())
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        Ok(self.statements.get(id).copied())
    }
}

/// A ledger.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    state: State,
    height: u64,
    size: u64,
}

pub(crate) fn id(n: u64) -> Identifier {
    Identifier::parse(&format!("urn:uuid:00000000-0000-4000-8000-{n:012x}")).unwrap()
}

pub(crate) fn open(n: u64) -> Vec<Stream> {
    vec![Stream::Open(id(n))]
}

pub(crate) fn claims(n: u64) -> Vec<Stream> {
    vec![Stream::Claims(id(n))]
}

pub(crate) fn issued(granularity: Granularity) -> Kind {
    Kind::PassportIssued {
        granularity,
        schema: Digest([1; 32]),
    }
}

pub(crate) fn superseded(version: u32) -> Kind {
    Kind::PassportSuperseded {
        version,
        schema: Digest([1; 32]),
    }
}

impl Ground {
    pub(crate) fn new() -> Self {
        let public = |n: u8| PublicKey([n; 32]);
        let members = (1u8..)
            .zip(MEMBERS)
            .map(|(n, (name, role))| FoundingMember {
                record: MemberRecord {
                    name: name.into(),
                    role,
                    prefixes: Vec::new(),
                },
                attestor: public(n),
                admin: public(n + 100),
            });
        let founding = Founding {
            chain_id: ChainId([7; 32]),
            time_ms: TimeMs(START_MS),
            parameters_hash: Digest([0; 32]),
            members: members.collect(),
            validators: ValidatorList(Vec::new()),
        };
        let mut ground = Self {
            state: State::default(),
            height: 0,
            size: 1,
        };
        ground.apply(founding.genesis_block().unwrap().changes);
        ground
    }

    fn apply(&mut self, changes: BTreeMap<StateKey, Option<Vec<u8>>>) {
        for (key, value) in changes {
            match value {
                Some(value) => self.state.records.insert(key, value),
                None => self.state.records.remove(&key),
            };
        }
    }

    /// Says it in a block of its own: the statement's id, or the rule it breaks.
    pub(crate) fn say(
        &mut self,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
    ) -> Result<StatementId, Rule> {
        self.say_again(member, kind, streams, 0)
    }

    /// Says a fact that repeats.
    pub(crate) fn say_again(
        &mut self,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
        occurrence: u32,
    ) -> Result<StatementId, Rule> {
        match self.judge(member, kind, streams, occurrence) {
            (_, Outcome::Refused(rule)) => Err(rule),
            (id, _) => Ok(id),
        }
    }

    /// Says it, whatever comes of it.
    pub(crate) fn judge(
        &mut self,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
        occurrence: u32,
    ) -> (StatementId, Outcome) {
        let statement = Statement {
            kind,
            occurrence,
            streams,
            commitment: Commitment::keyed([1; 32]),
            references: Vec::new(),
            payload: Vec::new(),
        };
        statement.check_shape().unwrap();
        let member = MemberId::of(member);
        let chain = ChainId([7; 32]);
        let id = statement.id(&chain, &member);
        self.height += 1;
        let context = BlockContext {
            chain_id: chain,
            height: Height(self.height),
            time_ms: TimeMs(START_MS + self.height * BLOCK_MS),
            first: Sequence(self.size),
        };
        let envelope = Envelope {
            version: 1,
            chain_id: chain,
            member,
            key_id: KeyId([0; 16]),
            nonce: self.height,
            expires_at_ms: TimeMs(u64::MAX),
            statements: vec![statement],
            signature: Signature([0; 64]),
        };
        let before = self.state.records.clone();
        let ordered = (EnvelopeId([0; 32]), &envelope, KeyPurpose::Attestor);
        let execution = execute(context, &[ordered], &self.state).unwrap();
        self.apply(execution.changes);
        let outcome = execution.outcomes[0][0];
        if let Outcome::Recorded(sequence) = outcome {
            self.state.statements.insert(id, sequence);
            self.size += 1;
        } else {
            assert_eq!(self.state.records, before, "a refusal changed the state");
        }
        (id, outcome)
    }

    pub(crate) fn get<T: Record>(&self, key: &StateKey) -> Option<T> {
        let bytes = self.state.records.get(key)?;
        Some(decode_record(bytes).unwrap())
    }

    pub(crate) fn subject(&self, n: u64) -> Option<SubjectRecord> {
        self.get(&key::subject(&id(n).subject_id()))
    }

    /// The maker's product with a passport.
    pub(crate) fn with_product(n: u64) -> Self {
        let mut ground = Self::new();
        ground
            .say("maker", issued(Granularity::Item), open(n))
            .unwrap();
        ground
    }
}
