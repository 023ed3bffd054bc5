//! Passports with documents that can be opened, and the real ones of the test data.

use std::collections::BTreeMap;
use std::path::Path;

use jangbu_ledger::commitment::{DocumentKey, Opening, schema_digest};
use jangbu_ledger::id::StatementId;
use jangbu_ledger::json;
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};
use serde_json::Value;

use super::story::{identifier, statement};
use super::{World, WorldError};

/// A schema's name.
pub const SCHEMA: &str = "https://ref.openepcis.io/extensions/eu/battery/";
/// The model, the batch and the item of the Amperia test data, by the end of the file's name.
pub const AMPERIA: [(&str, &str, Granularity); 3] = [
    (
        "model",
        "https://id.gs1.org/01/09521234002000",
        Granularity::Model,
    ),
    (
        "batch",
        "https://id.gs1.org/01/09521234002000/10/LOT-2026-AMP01",
        Granularity::Batch,
    ),
    (
        "item",
        "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001",
        Granularity::Item,
    ),
];

fn made(error: impl std::fmt::Display) -> WorldError {
    WorldError::Made(error.to_string())
}

/// A document of the test data.
///
/// # Errors
///
/// [`WorldError`] if there is no such file.
pub fn example(name: &str) -> Result<Value, WorldError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/openepcis-dpp-ready/examples")
        .join(name);
    json::parse(&std::fs::read(path).map_err(made)?).map_err(made)
}

/// What opens a version of a passport.
///
/// # Errors
///
/// [`WorldError`] if the identifier is none.
pub fn opening(
    subject: &str,
    version: u32,
    sections: BTreeMap<String, Value>,
) -> Result<Opening, WorldError> {
    let mut key = [version.to_le_bytes()[0]; 32];
    for (at, byte) in subject.bytes().enumerate() {
        key[at % 31] ^= byte;
    }
    Ok(Opening {
        subject: identifier(subject).map_err(made)?,
        version,
        schema: SCHEMA.into(),
        key: DocumentKey::from_bytes(key),
        sections,
    })
}

/// The statement that issues a version.
///
/// # Errors
///
/// [`WorldError`] if the document cannot be committed to.
pub fn issues(opening: &Opening, granularity: Granularity) -> Result<Statement, WorldError> {
    let schema = schema_digest(&opening.schema);
    let kind = match opening.version {
        1 => Kind::PassportIssued {
            granularity,
            schema,
        },
        version => Kind::PassportSuperseded { version, schema },
    };
    Ok(Statement {
        commitment: opening.commitment().map_err(made)?,
        ..statement(kind, vec![Stream::Open(opening.subject.clone())], 0)
    })
}

impl World {
    /// Records a version of a passport of amperia's.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if a rule refuses it.
    pub fn issue(
        &mut self,
        opening: &Opening,
        granularity: Granularity,
    ) -> Result<StatementId, WorldError> {
        let said = self.say("amperia", vec![issues(opening, granularity)?])?;
        said.first()
            .copied()
            .ok_or_else(|| made("nothing was said"))
    }

    /// Records that a product of amperia's is of another.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if a rule refuses it.
    pub fn part_of(&mut self, finer: &str, coarser: &str) -> Result<(), WorldError> {
        let kind = Kind::GranularityLinked {
            part_of: identifier(coarser).map_err(made)?,
        };
        let streams = vec![Stream::Open(identifier(finer).map_err(made)?)];
        self.say("amperia", vec![statement(kind, streams, 0)])
            .map(|_| ())
    }
}
