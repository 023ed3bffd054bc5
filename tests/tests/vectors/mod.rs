//! What the vector files hold, computed.

pub(crate) mod basic;
pub(crate) mod chain;
pub(crate) mod said;
pub(crate) mod tree;

use jangbu_ledger::codec;
use jangbu_ledger::commitment::{Commitment, schema_digest};
use jangbu_ledger::id::{ChainId, StatementId};
use jangbu_ledger::statement::{
    Basis, EventType, Granularity, Kind, Quantity, RevocationReason, Statement, Stream,
};
use jangbu_tests::world::story::{self, BATCH, PART, PRODUCT};

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
    for statement in &all {
        statement.check_shape().unwrap();
    }
    all
}
