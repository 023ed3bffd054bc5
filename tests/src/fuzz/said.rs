//! What members say: envelopes, statements, sealed bodies.

use jangbu_ledger::codec;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use jangbu_ledger::id::{ChainId, MemberId};
use jangbu_ledger::sealed::{SealedBody, StreamKey};
use jangbu_ledger::share::Deed;
use jangbu_ledger::signature::PublicKey;
use jangbu_ledger::statement::{STATEMENT_BYTES_MAX, Statement};

use super::known::{unhex, vector_json};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::{Key, signing_key};

/// The chain that the examples of envelopes are of.
const CHAIN: ChainId = ChainId([7; 32]);

/// An envelope has one encoding, and holds only with what its author signed.
pub(super) fn envelope(bytes: &[u8]) -> Seen {
    let decoded = frugal(bytes.len(), ENVELOPE, || Envelope::decode(bytes, &CHAIN));
    let envelope = match decoded {
        Ok(envelope) => envelope,
        Err(error) => return refused(error),
    };
    assert!(bytes.len() <= ENVELOPE_BYTES_MAX);
    assert_eq!(codec::encode(&envelope), bytes);
    for statement in &envelope.statements {
        assert_eq!(statement.check_shape(), Ok(()));
    }
    let key = PublicKey::of(&signing_key("amperia", Key::Attestor).unwrap());
    let header = envelope.header();
    assert_eq!(header.count as usize, envelope.statements.len());
    if key
        .verify(&header.signing_digest(), &envelope.signature)
        .is_err()
    {
        return Seen::Read;
    }
    let signed = unhex(&vector_json("envelope.json")["header"]);
    assert_eq!(codec::encode(&header), signed, "nobody signed that");
    Seen::Held
}

/// An envelope, and what tells whether two of its statements are the same.
const ENVELOPE: Allowance = Allowance {
    per_byte: 8 * 32 + 96,
    base: 16 * 1024,
};

pub(super) fn envelopes() -> Vec<Seed> {
    let signed = unhex(&vector_json("envelope.json")["bytes"]);
    let decoded = Envelope::decode(&signed, &CHAIN).unwrap();
    let changed = |name: &str, seen, change: fn(&mut Envelope)| {
        let mut envelope = decoded.clone();
        change(&mut envelope);
        Seed::new(name, codec::encode(&envelope), seen)
    };
    let (read, no) = (Seen::Read, Seen::Refused);
    vec![
        Seed::new("signed", signed, Seen::Held),
        changed("another-nonce", read, |e| e.nonce = u64::MAX),
        changed("expires-never", read, |e| e.expires_at_ms.0 = u64::MAX),
        changed("another-member", read, |e| e.member = MemberId([0; 32])),
        changed("one-statement", read, |e| e.statements.truncate(1)),
        changed("no-statement", no, |e| e.statements.clear()),
        changed("said-twice", no, |e| {
            e.statements.push(e.statements[0].clone());
        }),
        changed("another-chain", no, |e| e.chain_id.0[0] ^= 1),
        changed("another-version", no, |e| e.version = 2),
        changed("a-payload-too-long", no, |e| {
            e.statements[0].payload = vec![0; 513];
        }),
    ]
}

/// A statement has one encoding; well formed, its JSON says the same.
pub(super) fn statement(bytes: &[u8]) -> Seen {
    let decoded = frugal(bytes.len(), Allowance::CANONICAL, || {
        codec::decode::<Statement>(bytes, STATEMENT_BYTES_MAX)
    });
    let statement = match decoded {
        Ok(statement) => statement,
        Err(error) => return refused(error),
    };
    assert_eq!(codec::encode(&statement), bytes);
    let id = statement.id(&CHAIN, &MemberId::of("amperia"));
    if let Err(error) = statement.check_shape() {
        refused(error);
        return Seen::Read;
    }
    let json = serde_json::to_string(&statement).unwrap();
    let again: Statement = serde_json::from_str(&json).unwrap();
    assert_eq!(again, statement, "{json}");
    assert_eq!(again.id(&CHAIN, &MemberId::of("amperia")), id);
    Seen::Held
}

pub(super) fn statements() -> Vec<Seed> {
    let examples = vector_json("statements.json");
    let all = examples["statements"].as_array().unwrap();
    let mut seeds: Vec<Seed> = all
        .iter()
        .enumerate()
        .map(|(n, example)| {
            let kind = example["statement"]["kind"]["kind"].as_str().unwrap();
            Seed::new(
                format!("{n:02}-{kind}"),
                unhex(&example["bytes"]),
                Seen::Held,
            )
        })
        .collect();
    let first: Statement = codec::decode(&seeds[0].bytes, STATEMENT_BYTES_MAX).unwrap();
    let repeated = Statement {
        streams: vec![first.streams[0].clone(); 17],
        ..first
    };
    seeds.push(Seed::new(
        "one-stream-often",
        codec::encode(&repeated),
        Seen::Read,
    ));
    seeds
}

/// A sealed body has one encoding, opens to what was sealed, and to nothing once it is changed.
pub(super) fn sealed(bytes: &[u8]) -> Seen {
    let decoded = frugal(bytes.len(), Allowance::CANONICAL, || {
        codec::decode::<SealedBody>(bytes, 472)
    });
    let key = StreamKey::from_bytes([8; 32]);
    let body = match decoded {
        Ok(body) => body,
        Err(error) => {
            // As a payload it opens nothing.
            let mut statement = crate::world::story::sealed_step(&key).unwrap();
            statement.payload = bytes.to_vec();
            assert!(key.open(&statement).is_err());
            return refused(error);
        }
    };
    assert_eq!(codec::encode(&body), bytes);
    let n = u64::from(body.occurrence);
    let statement = match key.seal(&body, n) {
        Ok(statement) => statement,
        Err(error) => {
            refused(error);
            return Seen::Read;
        }
    };
    assert_eq!(statement.check_shape(), Ok(()));
    assert_eq!(key.open(&statement), Ok(body));
    let mut changed = statement.clone();
    let at = bytes.len() % changed.payload.len();
    changed.payload[at] ^= 1;
    assert!(key.open(&changed).is_err());
    let mut another = statement;
    another.commitment.digest.0[at % 32] ^= 1;
    assert!(key.open(&another).is_err());
    Seen::Held
}

pub(super) fn sealed_bodies() -> Vec<Seed> {
    let example = vector_json("sealed.json");
    let body = unhex(&example["body"]);
    let mut decoded: SealedBody = codec::decode(&body, 472).unwrap();
    decoded.references = vec![jangbu_ledger::id::StatementId([4; 32]); 12];
    let many = codec::encode(&decoded);
    decoded.references.clear();
    decoded.occurrence = u32::MAX;
    decoded.deed = Deed::TransferStarted { sent: None };
    vec![
        Seed::new("requested", body, Seen::Held),
        Seed::new("goes-on", codec::encode(&decoded), Seen::Held),
        Seed::new("many-references", many, Seen::Read),
        Seed::new("nothing", Vec::new(), Seen::Refused),
    ]
}
