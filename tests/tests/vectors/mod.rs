//! What the vector files hold, computed.

pub(crate) mod basic;
pub(crate) mod chain;
pub(crate) mod said;
pub(crate) mod share;
pub(crate) mod tree;

use jangbu_ledger::codec;
use jangbu_ledger::commitment::{Commitment, schema_digest};
use jangbu_ledger::id::{ChainId, Digest, MemberId, StatementId, TimeMs};
use jangbu_ledger::statement::{
    Basis, EventType, Fate, Granularity, Handed, Kind, NoticeSort, Portion, Quantity,
    RevocationReason, SecondLife, Statement, Stream,
};
use jangbu_tests::world::story::{self, BATCH, PART, PRODUCT};

use share::SHARE;

/// The chain that the examples are of.
pub(crate) const CHAIN: ChainId = ChainId([7; 32]);

/// A value's canonical bytes in hexadecimal.
pub(crate) fn hex_of<T: bincode::Encode>(value: &T) -> String {
    hex::encode(codec::encode(value))
}

/// One statement of each kind.
pub(crate) fn statements() -> Vec<Statement> {
    let id = |text: &str| story::identifier(text).unwrap();
    let open = |text: &str| vec![Stream::Open(id(text))];
    let schema = schema_digest(story::SCHEMA);
    let kinds = [
        (
            Kind::PassportIssued {
                granularity: Granularity::Item,
                schema,
            },
            open(PRODUCT),
        ),
        (
            Kind::PassportSuperseded {
                version: 300,
                schema,
            },
            open(PRODUCT),
        ),
        (
            Kind::PassportRevoked {
                reason: RevocationReason::Withdrawn,
            },
            open(PRODUCT),
        ),
        (
            Kind::GranularityLinked { part_of: id(BATCH) },
            open(PRODUCT),
        ),
        (
            Kind::ComponentLinked {
                child: id(PART),
                basis: Basis::AsPlanned,
                quantity: Quantity::parse("2.5", "KGM"),
            },
            open(PRODUCT),
        ),
        (
            Kind::ComponentConfirmed {
                link: StatementId([5; 32]),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::Observed {
                event: EventType::Transformation,
            },
            vec![Stream::Open(id(BATCH)), Stream::Claims(id(PART))],
        ),
        (Kind::PassportSuspended, open(PRODUCT)),
        (Kind::PassportReinstated, vec![Stream::Claims(id(PRODUCT))]),
        (
            Kind::PassportEnded {
                fate: Fate::Exported,
            },
            open(PRODUCT),
        ),
        (
            Kind::PassportRegistered {
                version: 2,
                registry: Digest([3; 32]),
            },
            open(PRODUCT),
        ),
        (
            Kind::PassportEndorsed {
                version: 2,
                scheme: Digest([4; 32]),
                expires_at_ms: Some(TimeMs(1_800_000_000_000)),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::EndorsementWithdrawn {
                endorsement: StatementId([5; 32]),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::Derived {
                predecessors: vec![id(BATCH), id(PART)],
                by: SecondLife::Repurposed,
            },
            open(PRODUCT),
        ),
        (
            Kind::HandoverOffered {
                of: Handed::Custody,
                to: MemberId([6; 32]),
            },
            open(PRODUCT),
        ),
        (
            Kind::HandoverAccepted {
                offer: StatementId([7; 32]),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::HandoverEnded {
                offer: StatementId([7; 32]),
            },
            open(PRODUCT),
        ),
        (
            Kind::ComponentContested {
                link: StatementId([5; 32]),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (Kind::CompositionClosed { links: 300 }, open(PRODUCT)),
        (
            Kind::NoticeIssued {
                sort: NoticeSort::MarketHold,
            },
            vec![Stream::Claims(id(PRODUCT)), Stream::Claims(id(PART))],
        ),
        (
            Kind::NoticeLifted {
                notice: StatementId([8; 32]),
            },
            vec![Stream::Claims(id(PRODUCT)), Stream::Claims(id(PART))],
        ),
        (
            Kind::ShareStep {
                with: MemberId([6; 32]),
                deed: Box::new(share::started()),
            },
            open(SHARE),
        ),
        (
            Kind::ProfilePublished {
                version: "1.0".into(),
                digest: Digest([10; 32]),
            },
            open("profile:eu-battery/ev"),
        ),
        (
            Kind::Transformed {
                inputs: vec![
                    Portion {
                        of: id(BATCH),
                        quantity: Quantity::parse("2.5", "KGM"),
                    },
                    Portion {
                        of: id(PART),
                        quantity: None,
                    },
                ],
                outputs: vec![Portion {
                    of: id(PRODUCT),
                    quantity: Quantity::parse("300", "unit:piece"),
                }],
            },
            open(PRODUCT),
        ),
        (
            Kind::InputConfirmed {
                transformation: StatementId([5; 32]),
                input: id(PART),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::InputContested {
                transformation: StatementId([5; 32]),
                input: id(PART),
            },
            vec![Stream::Claims(id(PRODUCT))],
        ),
        (
            Kind::Aggregated {
                children: vec![id(PART), id(PRODUCT)],
            },
            open(BATCH),
        ),
        (
            Kind::Disaggregated {
                children: vec![id(PART)],
            },
            vec![Stream::Claims(id(BATCH))],
        ),
    ];
    let mut all: Vec<Statement> = kinds
        .into_iter()
        .map(|(kind, streams)| Statement {
            kind,
            occurrence: 1,
            streams,
            commitment: Commitment::keyed([9; 32]),
            references: vec![StatementId([6; 32])],
            payload: vec![1, 2, 3],
        })
        .collect();
    let key = jangbu_ledger::sealed::StreamKey::from_bytes([8; 32]);
    all.push(story::sealed_step(&key).unwrap());
    all.push(Statement {
        kind: Kind::KeyRevoked {
            key: jangbu_ledger::id::KeyId([4; 16]),
        },
        occurrence: 0,
        streams: Vec::new(),
        commitment: Commitment::NOTHING,
        references: Vec::new(),
        payload: Vec::new(),
    });
    all.push(Statement {
        kind: Kind::EvidenceRecorded {
            equivocation: Box::new(chain::equivocation(CHAIN)),
        },
        occurrence: 0,
        streams: Vec::new(),
        commitment: Commitment::NOTHING,
        references: Vec::new(),
        payload: Vec::new(),
    });
    let mut names: Vec<&str> = Vec::new();
    for statement in &all {
        statement.check_shape().unwrap();
        names.push(statement.kind.name());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::NAMES.len(), "a kind without an example");
    all
}
