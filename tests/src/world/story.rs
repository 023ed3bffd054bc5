//! What is recorded in the small ledger: a product of three companies, a sealed step, events.

use std::collections::BTreeMap;

use jangbu_ledger::bundle::Bundle;
use jangbu_ledger::commitment::{Commitment, DocumentKey, Opening, schema_digest};
use jangbu_ledger::id::{MemberId, Slot, StatementId};
use jangbu_ledger::identifier::{Identifier, IdentifierError};
use jangbu_ledger::sealed::{SealedBody, SealedError, StreamKey};
use jangbu_ledger::share::{Deed, Party};
use jangbu_ledger::statement::{Basis, EventType, Granularity, Kind, Quantity, Statement, Stream};
use serde_json::json;

use super::{World, WorldError};

/// The top product, an item of amperia.
pub const PRODUCT: &str = "https://id.gs1.org/01/09521234002000/21/STAX1";
/// Its batch.
pub const BATCH: &str = "https://id.gs1.org/01/09521234002000/10/B7";
/// A part by nordwind, which confirms that it is in the product.
pub const PART: &str = "https://nordwind.example/parts/7";
/// A part of that part by cml1, not confirmed.
pub const CELL: &str = "urn:uuid:7eeeac86-7b69-444d-81e6-655d0f1513bd";
/// A part of which nothing is recorded.
pub const UNKNOWN: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
/// The schema of the documents.
pub const SCHEMA: &str = "test-passport/1";

/// What was recorded.
#[derive(Debug)]
pub struct Story {
    /// The ledger.
    pub world: World,
    /// The product's passport, version 1.
    pub passport: StatementId,
    /// What opens it.
    pub opening: Opening,
    /// The sealed step.
    pub sealed: StatementId,
    /// Who said it.
    pub sealed_by: MemberId,
    /// Its slot.
    pub used: Slot,
    /// The slot after it.
    pub empty: Slot,
}

fn made(error: impl std::fmt::Display) -> WorldError {
    WorldError::Made(error.to_string())
}

/// Reads an identifier.
///
/// # Errors
///
/// [`IdentifierError`] if it is none.
pub fn identifier(text: &str) -> Result<Identifier, IdentifierError> {
    Identifier::parse(text)
}

/// A statement with a commitment to nothing in particular.
#[must_use]
pub fn statement(kind: Kind, streams: Vec<Stream>, salt: u8) -> Statement {
    Statement {
        kind,
        occurrence: 0,
        streams,
        commitment: Commitment::keyed([salt; 32]),
        references: Vec::new(),
        payload: Vec::new(),
    }
}

fn issued(granularity: Granularity) -> Kind {
    Kind::PassportIssued {
        granularity,
        schema: schema_digest(SCHEMA),
    }
}

fn linked(child: &str) -> Result<Kind, WorldError> {
    Ok(Kind::ComponentLinked {
        child: identifier(child).map_err(made)?,
        basis: Basis::AsBuilt,
        quantity: Quantity::parse("2.5", "KGM"),
    })
}

impl Story {
    /// Founds a ledger and records everything.
    ///
    /// # Errors
    ///
    /// [`WorldError`], which a test stops at.
    pub fn tell() -> Result<Self, WorldError> {
        let mut world = World::found()?;
        let open = |text: &str| -> Result<Vec<Stream>, WorldError> {
            Ok(vec![Stream::Open(identifier(text).map_err(made)?)])
        };
        let claims = |text: &str| -> Result<Vec<Stream>, WorldError> {
            Ok(vec![Stream::Claims(identifier(text).map_err(made)?)])
        };
        let opening = Opening {
            subject: identifier(PRODUCT).map_err(made)?,
            version: 1,
            schema: SCHEMA.into(),
            key: DocumentKey::from_bytes([4; 32]),
            sections: BTreeMap::from([
                ("public".into(), json!({"name": "StaxWall", "kWh": 10.24})),
                ("authority".into(), json!({"cells": ["a", "b"]})),
            ]),
        };
        let passport = Statement {
            commitment: opening.commitment().map_err(made)?,
            ..statement(issued(Granularity::Item), open(PRODUCT)?, 0)
        };
        let first = world.say(
            "amperia",
            vec![
                statement(issued(Granularity::Batch), open(BATCH)?, 1),
                passport,
                statement(
                    Kind::GranularityLinked {
                        part_of: identifier(BATCH).map_err(made)?,
                    },
                    open(PRODUCT)?,
                    2,
                ),
            ],
        )?;
        let part = statement(issued(Granularity::Item), open(PART)?, 3);
        world.say("nordwind", vec![part])?;
        let cell = statement(issued(Granularity::Item), open(CELL)?, 4);
        world.say("cml1", vec![cell])?;
        let link = world.say("amperia", vec![statement(linked(PART)?, open(PRODUCT)?, 5)])?;
        world.say(
            "nordwind",
            vec![
                statement(
                    Kind::ComponentConfirmed { link: link[0] },
                    claims(PRODUCT)?,
                    6,
                ),
                statement(linked(CELL)?, open(PART)?, 7),
                statement(linked(UNKNOWN)?, open(PART)?, 8),
            ],
        )?;
        let both = [open(PRODUCT)?, open(BATCH)?].concat();
        let event = Kind::Observed {
            event: EventType::Object,
        };
        world.say("amperia", vec![statement(event.clone(), both, 9)])?;
        world.say("cml1", vec![statement(event, claims(PRODUCT)?, 10)])?;
        let superseded = Kind::PassportSuperseded {
            version: 2,
            schema: schema_digest(SCHEMA),
        };
        world.say("amperia", vec![statement(superseded, open(PRODUCT)?, 11)])?;

        let key = StreamKey::from_bytes([8; 32]);
        let step = sealed_step(&key).map_err(made)?;
        let sealed = world.say("cml1", vec![step])?;
        Ok(Self {
            world,
            passport: first[1],
            opening,
            sealed: sealed[0],
            sealed_by: MemberId::of("cml1"),
            used: key.slot(Party::Consumer, 0),
            empty: key.slot(Party::Consumer, 1),
        })
    }
}

/// A product with `count` statements: its passport, events by its company, and in three of ten by
/// another, each signed in an envelope of its own; the bundle that proves that these are all.
///
/// # Errors
///
/// [`WorldError`], which a test stops at.
pub fn typical(count: u8) -> Result<(World, Bundle), WorldError> {
    let mut world = World::found()?;
    let product = identifier(PRODUCT).map_err(made)?;
    let own = || vec![Stream::Open(product.clone())];
    world.say(
        "amperia",
        vec![statement(issued(Granularity::Item), own(), 0)],
    )?;
    for salt in 1..count {
        let event = Kind::Observed {
            event: EventType::Object,
        };
        let (who, streams) = match salt % 10 {
            3 | 6 | 9 => ("cml1", vec![Stream::Claims(product.clone())]),
            _ => ("amperia", own()),
        };
        world.say(who, vec![statement(event, streams, salt)])?;
    }
    let mut builder = world.builder()?;
    builder.subject(&product)?;
    let bundle = builder.finish();
    Ok((world, bundle))
}

/// The first step of a data share, in the consumer's slot 0.
///
/// # Errors
///
/// [`SealedError`] if it cannot be sealed.
pub fn sealed_step(key: &StreamKey) -> Result<Statement, SealedError> {
    let body = SealedBody {
        party: Party::Consumer,
        deed: Deed::Requested,
        occurrence: 0,
        document: Commitment::keyed([12; 32]),
        references: Vec::new(),
    };
    key.seal(&body, 0)
}
