//! The shapes of a node's answers. Fields that a later node adds are passed over.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::block::{Entry, EntryBody, RecordedStatement};
use jangbu_ledger::id::{
    BlockId, ChainId, Digest, EnvelopeId, Height, MemberId, Sequence, StatementId, SubjectId,
    TimeMs,
};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::passport::Life;
use jangbu_ledger::statement::{Basis, Granularity, Handed, Quantity};
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// Whether something is recorded for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// The node has not heard of it.
    Unknown,
    /// On its way.
    Pending,
    /// A quorum has it on disk.
    Final,
    /// It broke a rule; that, too, is final.
    Refused,
}

impl Finality {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Final => "final",
            Self::Refused => "refused",
        }
    }
}

/// Where a node stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// The ledger it serves.
    pub chain_id: ChainId,
    /// The log's name.
    pub origin: String,
    /// The consortium's name.
    pub consortium: String,
    /// Whose node it is.
    pub member: String,
    /// Its version.
    pub version: String,
    /// Its last block.
    pub height: Height,
    /// That block's id.
    pub block_id: BlockId,
    /// That block's time.
    pub time_ms: TimeMs,
    /// Entries in its log.
    pub log_size: u64,
    /// The last checkpoint that a quorum cosigned.
    #[serde(rename = "final")]
    pub finality: Option<FinalStatus>,
    /// Number of validators.
    pub validators: usize,
    /// The other validators.
    pub peers: Vec<PeerStatus>,
    /// What waits to be recorded.
    pub pool: PoolStatus,
}

/// The last final checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FinalStatus {
    /// Its block.
    pub height: Height,
    /// Entries in the log then.
    pub size: u64,
    /// Root of the log then.
    pub root: NodeHash,
}

/// Another validator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its name.
    pub member: String,
    /// Whether the node is connected to it.
    pub connected: bool,
}

/// Envelopes that wait.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PoolStatus {
    /// How many.
    pub envelopes: u64,
    /// Their size together.
    pub bytes: u64,
}

/// The members.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MembersAnswer {
    /// Sorted by name.
    pub members: Vec<MemberAnswer>,
}

/// One member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberAnswer {
    /// Its name.
    pub name: String,
    /// All else the node says of it.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// What became of an envelope.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnvelopeAnswer {
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// Where it stands.
    pub status: Finality,
    /// What became of each statement, once that is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Vec<OutcomeAnswer>>,
}

/// What became of one statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutcomeAnswer {
    /// The statement.
    pub statement_id: StatementId,
    /// Final or refused.
    pub status: Finality,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// Its place in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// The rule it broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What that rule means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its receipt's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// What is known of a statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatementAnswer {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it stands.
    pub status: Finality,
    /// Its place in the log.
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// Its entry's canonical bytes, base64.
    #[serde(default)]
    pub entry_bytes: Option<String>,
    /// Whether it still applies, for offers, endorsements and notices: not answered, not
    /// withdrawn, not lifted.
    #[serde(default)]
    pub in_force: Option<bool>,
}

/// An entry of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// Its place.
    pub sequence: Sequence,
    /// Its canonical bytes, base64.
    pub entry_bytes: String,
}

impl Item {
    /// The entry, read from its canonical bytes: what a node says beside them does not count.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the bytes are not those of an entry at this place.
    pub fn entry(&self) -> Result<Entry, CliError> {
        entry_at(self.sequence, &self.entry_bytes)
    }
}

impl StatementAnswer {
    /// The entry that records it, if one does.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the node shows another statement than was asked for.
    pub fn entry(&self, chain: &ChainId) -> Result<Option<Entry>, CliError> {
        let (Some(sequence), Some(bytes)) = (self.sequence, &self.entry_bytes) else {
            return Ok(None);
        };
        let entry = entry_at(sequence, bytes)?;
        match recorded(&entry) {
            Some(said) if said.statement.id(chain, &said.member) == self.statement_id => {
                Ok(Some(entry))
            }
            _ => Err(lie(sequence, "it is another statement than was asked for")
                .hint("does the node serve the ledger of your genesis file?")),
        }
    }
}

/// The statement of an entry, unless it is a seal.
#[must_use]
pub fn recorded(entry: &Entry) -> Option<&RecordedStatement> {
    match &entry.body {
        EntryBody::Statement(recorded) => Some(recorded),
        EntryBody::Seal(_) => None,
    }
}

fn entry_at(sequence: Sequence, base64: &str) -> Result<Entry, CliError> {
    let bytes = BASE64_STANDARD
        .decode(base64)
        .map_err(|error| lie(sequence, &error.to_string()))?;
    let entry = Entry::decode(&bytes).map_err(|error| lie(sequence, &error.to_string()))?;
    if entry.sequence != sequence {
        return Err(lie(sequence, "its bytes name another place"));
    }
    Ok(entry)
}

fn lie(sequence: Sequence, reason: &str) -> CliError {
    CliError::unreachable(format!("the node shows entry {sequence} wrongly: {reason}"))
}

/// A page of entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    /// In log order.
    pub items: Vec<Item>,
    /// Where to go on, if there is more: for the log the next place, for a stream the last one.
    pub next: Option<Sequence>,
}

/// What is known of a subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubjectAnswer {
    /// The subject.
    pub identifier: Identifier,
    /// Its id.
    pub subject_id: SubjectId,
    /// Whether anything is recorded.
    pub known: bool,
    /// The member it belongs to.
    #[serde(default)]
    pub owner: Option<MemberId>,
    /// That member's name.
    #[serde(default)]
    pub owner_name: Option<String>,
    /// What its owner says.
    #[serde(default)]
    pub open: Option<StreamAnswer>,
    /// What others say.
    #[serde(default)]
    pub claims: Option<StreamAnswer>,
    /// Its passport.
    #[serde(default)]
    pub passport: Option<PassportAnswer>,
    /// The batch or model it belongs to.
    #[serde(default)]
    pub part_of: Option<SubjectId>,
    /// How many confirmed components it has.
    #[serde(default)]
    pub components: Option<u32>,
    /// How many component links it has, confirmed or not.
    #[serde(default)]
    pub links: Option<u32>,
    /// Whether its company says that these are all.
    #[serde(default)]
    pub closed: Option<bool>,
    /// Who has it, if not its company.
    #[serde(default)]
    pub custodian_name: Option<String>,
    /// The last offers to hand it over.
    #[serde(default)]
    pub offers: Vec<OfferAnswer>,
    /// What it is in, if who has it put it there.
    #[serde(default)]
    pub container: Option<Identifier>,
    /// How much of it was made and went into other things, unit by unit.
    #[serde(default)]
    pub balance: Vec<BalanceAnswer>,
    /// The block that the answer is of.
    pub height: Height,
}

/// How much of a thing there is in one unit, as far as stated by those who had it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BalanceAnswer {
    /// The unit.
    pub unit: String,
    /// How much was made: a decimal number.
    pub produced: Option<String>,
    /// How much went into other things: a decimal number.
    pub consumed: String,
}

/// The last offer of one sort to hand a subject over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfferAnswer {
    /// The statement that offers it.
    pub offer: StatementId,
    /// What is offered.
    pub of: Handed,
    /// By whom.
    pub from: MemberId,
    /// To whom.
    pub to: MemberId,
    /// Whether it awaits an answer.
    pub open: bool,
}

/// One stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamAnswer {
    /// How many statements.
    pub count: u64,
    /// Head of their hash chain.
    pub head: Digest,
}

/// A passport as rules see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PassportAnswer {
    /// How coarse.
    pub granularity: Granularity,
    /// Its version.
    pub version: u32,
    /// Whether it may be relied on.
    pub life: Life,
}

/// Whether a slot is used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlotAnswer {
    /// Whether it is.
    pub used: bool,
    /// By which entry.
    #[serde(default)]
    pub item: Option<Item>,
}

/// What a product is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceAnswer {
    /// The product.
    pub root: Identifier,
    /// It and all that is in it, nearest first.
    pub nodes: Vec<TraceNode>,
    /// What contains what.
    pub edges: Vec<TraceEdge>,
    /// Whether a bound left something out.
    pub truncated: bool,
    /// Where the next part begins, if there is one.
    #[serde(default, skip_serializing)]
    pub next: Option<String>,
}

/// One thing in a trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceNode {
    /// The thing.
    pub identifier: Identifier,
    /// Whether its own company has said anything about it.
    pub known: bool,
    /// Its company.
    pub owner_name: Option<String>,
    /// Its passport.
    pub passport: Option<PassportAnswer>,
    /// Whether its company says that all that is in it is linked.
    #[serde(default)]
    pub closed: bool,
    /// How far from the product.
    pub depth: u32,
}

/// What the parent of a link has to do with the child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It contains it.
    #[default]
    Contains,
    /// It is an item or a batch of it.
    IsOf,
    /// It was made of it, used.
    MadeOf,
    /// It came out of what it went into.
    WentIn,
    /// It is a container that it is in.
    Holds,
}

impl Relation {
    /// Whether the company of the one thing may confirm or contest it.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Contains | Self::WentIn)
    }
}

/// Which way a trace goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To what the product contains.
    #[default]
    Down,
    /// To what contains or holds it, is one of it or was made of it.
    Up,
}

impl Direction {
    /// The name a node takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// One link in a trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceEdge {
    /// What contains.
    pub parent: Identifier,
    /// What is contained.
    pub child: Identifier,
    /// What the one has to do with the other.
    #[serde(default)]
    pub relation: Relation,
    /// The statement that says so.
    pub statement_id: StatementId,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Built or planned.
    pub basis: Basis,
    /// How much.
    pub quantity: Option<Quantity>,
    /// `asserted`, `confirmed` or `contested`.
    pub status: String,
    /// Who says so.
    pub asserted_by: String,
    /// The component's company, if it agrees.
    pub confirmed_by: Option<String>,
    /// The component's company, while it denies it.
    #[serde(default)]
    pub contested_by: Option<String>,
}
