//! Where statements are judged: members of every role, one block a statement, no signatures.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::execute::{BlockContext, Outcome, execute};
use jangbu_ledger::founding::{Founding, FoundingMember, ValidatorEntry, ValidatorList};
use jangbu_ledger::id::{
    ChainId, Digest, EnvelopeId, Height, KeyId, MemberId, Sequence, StateRoot, StatementId, TimeMs,
};
use jangbu_ledger::identifier::{Identifier, Prefix};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{
    KeyPurpose, MemberRecord, Record, Role, StateError, StateReader, SubjectRecord, decode_record,
    key,
};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::{Granularity, Kind, PAYLOAD_BYTES_MAX, Statement, Stream};

use crate::self_proving::Tree;

/// The ledger.
pub(crate) const CHAIN: ChainId = ChainId([7; 32]);
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

/// The records of a ledger, and which statements are recorded.
#[derive(Debug, Default, Clone)]
pub(crate) struct State {
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

impl State {
    pub(crate) fn records(&self) -> impl Iterator<Item = (&StateKey, &Vec<u8>)> {
        self.records.iter()
    }
}

/// A ledger. It is watched: what rules read must be proved (see [`crate::self_proving`]).
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    state: State,
    tree: Option<Tree>,
    height: u64,
    size: u64,
}

pub(crate) fn id(n: u64) -> Identifier {
    Identifier::parse(&format!("urn:uuid:00000000-0000-4000-8000-{n:012x}")).unwrap()
}

/// A thing under the prefix of a member.
pub(crate) fn under(member: &str, n: u64) -> Identifier {
    Identifier::parse(&format!("https://{member}.example/{n}")).unwrap()
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

/// The consensus key of the one validator.
pub(crate) fn validator() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

/// A member's attestor key, which signs nothing here.
pub(crate) fn attestor(member: &str) -> PublicKey {
    let position = MEMBERS.iter().position(|(name, _)| *name == member);
    PublicKey([u8::try_from(position.unwrap()).unwrap() + 1; 32])
}

fn statement(kind: Kind, streams: Vec<Stream>, occurrence: u32) -> Statement {
    let payload = match kind {
        Kind::Sealed => vec![0; PAYLOAD_BYTES_MAX],
        _ => Vec::new(),
    };
    Statement {
        kind,
        occurrence,
        streams,
        commitment: Commitment::keyed([1; 32]),
        references: Vec::new(),
        payload,
    }
}

impl Ground {
    pub(crate) fn new() -> Self {
        let members = MEMBERS.map(|(name, role)| FoundingMember {
            record: MemberRecord {
                name: name.into(),
                role,
                prefixes: vec![Prefix::parse(&format!("domain:{name}.example")).unwrap()],
            },
            attestor: attestor(name),
            admin: PublicKey([attestor(name).0[0] + 100; 32]),
        });
        let founding = Founding {
            chain_id: CHAIN,
            time_ms: TimeMs(START_MS),
            parameters_hash: Digest([0; 32]),
            members: members.into(),
            validators: ValidatorList(vec![ValidatorEntry {
                member: MemberId::of("maker"),
                consensus: PublicKey::of(&validator()),
                witness: PublicKey([201; 32]),
            }]),
        };
        let changes = founding.genesis_block().unwrap().changes;
        let mut ground = Self {
            state: State::default(),
            tree: Some(Tree::new(&changes)),
            height: 0,
            size: 1,
        };
        ground.apply(changes);
        ground
    }

    /// A ledger that nobody watches: for tests that judge very much.
    pub(crate) fn unwatched() -> Self {
        Self {
            tree: None,
            ..Self::new()
        }
    }

    /// A copy whose tree was made of the bare records.
    pub(crate) fn copied(&self) -> Self {
        let mut copy = self.clone();
        copy.tree = copy.tree.map(|tree| tree.rebuilt(&copy.state));
        copy
    }

    /// The root of the state.
    pub(crate) fn root(&self) -> StateRoot {
        self.tree.as_ref().unwrap().root()
    }

    /// The records.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&StateKey, &Vec<u8>)> {
        self.state.records()
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

    /// Says it with a key of this purpose.
    pub(crate) fn say_with(
        &mut self,
        purpose: KeyPurpose,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
    ) -> Result<StatementId, Rule> {
        match self.judge_with(purpose, member, kind, streams, 0, &[]) {
            (_, Outcome::Refused(rule)) => Err(rule),
            (id, _) => Ok(id),
        }
    }

    /// Says it with references to earlier statements.
    pub(crate) fn say_citing(
        &mut self,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
        references: &[StatementId],
    ) -> Result<StatementId, Rule> {
        match self.judge_with(KeyPurpose::Attestor, member, kind, streams, 0, references) {
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
        self.judge_with(KeyPurpose::Attestor, member, kind, streams, occurrence, &[])
    }

    fn judge_with(
        &mut self,
        purpose: KeyPurpose,
        member: &str,
        kind: Kind,
        streams: Vec<Stream>,
        occurrence: u32,
        references: &[StatementId],
    ) -> (StatementId, Outcome) {
        let statement = Statement {
            references: references.to_vec(),
            ..statement(kind, streams, occurrence)
        };
        let before = self.state.records.clone();
        let judged = self.block(vec![(purpose, member, statement)])[0];
        if !matches!(judged.1, Outcome::Recorded(_)) {
            assert_eq!(self.state.records, before, "a refusal changed the state");
        }
        judged
    }

    /// Lets members say things in one block, each in an envelope of its own.
    pub(crate) fn judge_together<'m>(
        &mut self,
        said: impl IntoIterator<Item = (&'m str, Kind, Vec<Stream>, u32)>,
    ) -> Vec<(StatementId, Outcome)> {
        let said = said.into_iter().map(|(member, kind, streams, occurrence)| {
            let statement = statement(kind, streams, occurrence);
            (KeyPurpose::Attestor, member, statement)
        });
        self.block(said.collect())
    }

    fn block(&mut self, said: Vec<(KeyPurpose, &str, Statement)>) -> Vec<(StatementId, Outcome)> {
        self.height += 1;
        let context = BlockContext {
            chain_id: CHAIN,
            height: Height(self.height),
            time_ms: TimeMs(START_MS + self.height * BLOCK_MS),
            first: Sequence(self.size),
        };
        let envelopes: Vec<(KeyPurpose, Envelope)> = said
            .into_iter()
            .map(|(purpose, member, statement)| {
                statement.check_shape().unwrap();
                let envelope = Envelope {
                    version: 1,
                    chain_id: CHAIN,
                    member: MemberId::of(member),
                    key_id: KeyId([0; 16]),
                    nonce: self.height,
                    expires_at_ms: TimeMs(u64::MAX),
                    statements: vec![statement],
                    signature: Signature([0; 64]),
                };
                (purpose, envelope)
            })
            .collect();
        let ordered: Vec<_> = envelopes
            .iter()
            .map(|(purpose, envelope)| (EnvelopeId([0; 32]), envelope, *purpose))
            .collect();
        let execution = match &mut self.tree {
            Some(tree) => tree.execute(context, &ordered, &self.state),
            None => execute(context, &ordered, &self.state).unwrap(),
        };
        self.apply(execution.changes);
        let mut judged = Vec::new();
        for ((_, envelope), outcomes) in envelopes.iter().zip(execution.outcomes) {
            let id = envelope.statements[0].id(&CHAIN, &envelope.member);
            if let Outcome::Recorded(sequence) = outcomes[0] {
                self.state.statements.insert(id, sequence);
                self.size += 1;
            }
            judged.push((id, outcomes[0]));
        }
        judged
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
