//! Section 8: what each step of a data share states.

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::{Digest, MemberId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::sealed::{SealedBody, StreamKey};
use jangbu_ledger::share::{
    Deed, Fingerprint, GitCommit, Input, Output, Part, Party, Rejection, Sealing, Sent, Span, Step,
    Usage, UseCode, WrappedKey,
};
use serde_json::{Value, json};

use super::hex_of;

/// The identifier of an open share.
pub(crate) const SHARE: &str = "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44";

/// A start that names what is sent.
pub(crate) fn started() -> Deed {
    Deed::TransferStarted {
        sent: Some(Sent {
            root: Digest([1; 32]),
            sealing: Some(Sealing {
                content_root: Digest([2; 32]),
                wrap: Digest([3; 32]),
                bytes: 1 << 30,
            }),
        }),
    }
}

/// A training that states everything: one agreement's data whole, some of another's, own data.
fn used() -> Usage {
    let name = |text: &str| Identifier::parse(text).unwrap();
    let chunks = [(0, 811), (815, 815)].map(|(first, last)| Span { first, last });
    Usage {
        activity: UseCode::parse(UseCode::AI_TRAINING).unwrap(),
        codes: vec![UseCode::parse("analytics").unwrap()],
        inputs: vec![
            Input::under(name(SHARE)),
            Input {
                data: name("dataset:example.com/cells/7"),
                agreement: Some(name("https://example.com/agreements/9")),
                part: Some(Part {
                    root: Digest([1; 32]),
                    chunks: chunks.to_vec(),
                }),
            },
            Input {
                data: name("dataset:example.org/own"),
                agreement: None,
                part: None,
            },
        ],
        outputs: vec![Output {
            made: name("model:example.com/ageing/3"),
            content: Some(Fingerprint::Blake3(Digest([6; 32]))),
        }],
        code: Some(Fingerprint::GitCommit(GitCommit([7; 20]))),
        environment: Some(Fingerprint::Sha256(Digest([8; 32]))),
    }
}

/// One deed of each step, those with more than one form twice.
fn deeds() -> Vec<Deed> {
    let code = |text: &str| UseCode::parse(text).unwrap();
    let root = Digest([1; 32]);
    let permits = vec![code("ai-training"), code("analytics")];
    let rejected = |reason| Deed::Rejected { reason };
    vec![
        Deed::Requested,
        Deed::Offered {
            permits: permits.clone(),
            data: Vec::new(),
        },
        Deed::Accepted,
        Deed::Agreed {
            permits,
            data: vec![Identifier::parse("dataset:example.com/cells/7").unwrap()],
        },
        Deed::Verified,
        Deed::Finalized,
        Deed::Terminated,
        Deed::TransferRequested,
        started(),
        Deed::TransferStarted { sent: None },
        Deed::Received { root },
        Deed::TransferSuspended,
        Deed::TransferCompleted,
        Deed::TransferTerminated,
        Deed::KeyReleased {
            wrapped: WrappedKey([4; 72]),
        },
        Deed::Confirmed,
        rejected(Rejection::Differs { root }),
        rejected(Rejection::NoKey),
        rejected(Rejection::WrongKey),
        rejected(Rejection::WrongChunk { index: 300 }),
        rejected(Rejection::Unfit),
        Deed::Used(used()),
        Deed::Retired,
        Deed::RetirementAcknowledged,
        Deed::DeletionConfirmed,
        Deed::Disputed,
        Deed::Resolved,
        Deed::Granted {
            to: MemberId([5; 32]),
        },
    ]
}

/// Each deed's bytes, and one of them sealed and shown.
pub(crate) fn share() -> Value {
    let all: Vec<Value> = deeds()
        .iter()
        .map(|deed| json!({"deed": deed, "bytes": hex_of(deed)}))
        .collect();
    for step in Step::ALL {
        assert!(deeds().iter().any(|deed| deed.step() == step), "{step:?}");
    }
    let key = StreamKey::from_bytes([8; 32]);
    let body = SealedBody {
        party: Party::Provider,
        deed: started(),
        occurrence: 0,
        document: Commitment::keyed([12; 32]),
        references: Vec::new(),
    };
    let statement = key.seal(&body, 0).unwrap();
    let shown = key.show(&statement).unwrap();
    assert_eq!(shown.verify(&statement).unwrap(), body);
    json!({
        "deeds": all,
        "stream_key": hex::encode(key.expose()),
        "statement": statement,
        "shown": shown,
    })
}
