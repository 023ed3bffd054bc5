//! A member that signs envelopes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jangbu_ledger::codec;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::envelope::{ENVELOPE_VERSION, Envelope};
use jangbu_ledger::id::{ChainId, Digest, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::signature::{PublicKey, Signature, SigningKey};
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};

/// How long a test's envelope is good for, in milliseconds.
const LIFETIME_MS: u64 = 60 * 60 * 1000;

/// Makes every envelope of this process another one.
static NONCE: AtomicU64 = AtomicU64::new(0);

/// A member with its keys.
#[derive(Debug, Clone)]
pub struct Author {
    /// Its name.
    pub name: String,
    /// Its id on the ledger.
    pub member: MemberId,
    /// Signs its statements.
    pub attestor: SigningKey,
    /// Signs changes of its keys.
    pub admin: SigningKey,
    chain: ChainId,
}

impl Author {
    pub(super) fn new(chain: ChainId, name: &str, attestor: SigningKey, admin: SigningKey) -> Self {
        Self {
            name: name.to_owned(),
            member: MemberId::of(name),
            attestor,
            admin,
            chain,
        }
    }

    /// An envelope that is not signed yet, to be changed before it is.
    #[must_use]
    pub fn draft(&self, statements: Vec<Statement>) -> Envelope {
        Envelope {
            version: ENVELOPE_VERSION,
            chain_id: self.chain,
            member: self.member,
            key_id: KeyId([0; 16]),
            nonce: NONCE.fetch_add(1, Ordering::Relaxed),
            expires_at_ms: TimeMs(now_ms() + LIFETIME_MS),
            statements,
            signature: Signature([0; 64]),
        }
    }

    /// A signed envelope's bytes.
    #[must_use]
    pub fn envelope(&self, statements: Vec<Statement>) -> Vec<u8> {
        let mut envelope = self.draft(statements);
        envelope.sign(&self.attestor);
        codec::encode(&envelope)
    }

    /// The bytes of an envelope, signed by the admin key, that revokes the attestor key.
    #[must_use]
    pub fn revocation(&self) -> Vec<u8> {
        let key = PublicKey::of(&self.attestor).id();
        let mut envelope = self.draft(vec![statement(Kind::KeyRevoked { key }, Vec::new())]);
        envelope.sign(&self.admin);
        codec::encode(&envelope)
    }
}

/// An item whose identifier nobody holds a prefix of: it belongs to who issues it first.
#[must_use]
pub fn item(number: u64) -> Identifier {
    Identifier::parse(&format!("urn:uuid:00000000-0000-4000-8000-{number:012x}")).unwrap()
}

/// The first passport of an item.
#[must_use]
pub fn issue(item: Identifier) -> Statement {
    let kind = Kind::PassportIssued {
        granularity: Granularity::Item,
        schema: Digest([1; 32]),
    };
    statement(kind, vec![Stream::Open(item)])
}

/// A statement of any kind.
#[must_use]
pub fn statement(kind: Kind, streams: Vec<Stream>) -> Statement {
    Statement {
        kind,
        occurrence: 0,
        streams,
        commitment: Commitment::keyed([2; 32]),
        references: Vec::new(),
        payload: Vec::new(),
    }
}

/// The wall clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
