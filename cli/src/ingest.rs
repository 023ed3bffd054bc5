//! Reads the documents that companies have, and says what is theirs to say.
//!
//! ```text
//!   bytes ─▶ I-JSON ─▶ which format? ─▶ catenax │ dpp │ epcis │ dsp ─▶ Reading
//! ```
//!
//! Invariants:
//! - pure: no node, no vault, no clock; the same bytes read for the same member say the same;
//! - a document is read whole or refused whole, with the place of the first fault;
//! - what is another company's to say is never said, but counted.

mod catenax;
mod cursor;
mod dpp;
pub mod dsp;
mod epcis;
pub mod lines;
pub mod said;
mod speaker;
#[cfg(test)]
mod tests;

use std::path::Path;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::StatementId;
use jangbu_ledger::json;

pub use cursor::ReadError;
pub use speaker::{Company, Speaker};

use said::{Reading, Said};

/// Reads one JSON document, named `file` for people.
///
/// # Errors
///
/// [`ReadError`] if it is malformed, contradicts itself, names something by an impossible
/// identifier, or is of no format that is known.
pub fn read(file: &str, bytes: &[u8], speaker: &Speaker) -> Result<Reading, ReadError> {
    let document = json::parse(bytes)?;
    let stem = Path::new(file)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let reading = if catenax::is_container(&document) {
        catenax::container(file, &document, speaker)?
    } else if epcis::is_epcis(&document) {
        epcis::read(file, &document, speaker)?
    } else if dsp::is_message(&document) {
        dsp::read(file, &document)?
    } else if let Some(format) = dpp::format(&document) {
        dpp::read(file, &document, format, speaker)?
    } else if let Some(aspect) = catenax::bare_aspect(stem, &document) {
        catenax::aspect(file, &document, aspect)?
    } else {
        return Err(unknown());
    };
    for said in &reading.said {
        check(said)?;
    }
    Ok(reading)
}

/// Reads one line of NDJSON.
///
/// # Errors
///
/// [`ReadError`] if it is no statement.
pub fn read_line(label: String, line: &[u8], speaker: &Speaker) -> Result<Said, ReadError> {
    let said = lines::read(label, line, speaker)?;
    check(&said)?;
    Ok(said)
}

/// What every validator checks without any state is checked before anything is sent.
fn check(said: &Said) -> Result<(), ReadError> {
    // Neither changes the shape: the real ones have the same size.
    let commitment = Commitment::keyed([0; 32]);
    let link = StatementId([0; 32]);
    match said.statement(commitment, Some(link)) {
        Some(statement) => statement
            .check_shape()
            .map_err(|error| ReadError::whole(format!("{}: {error}", said.label))),
        None => Ok(()),
    }
}

fn unknown() -> ReadError {
    ReadError::whole(
        "no format that anchor knows: looked for Catena-X twins and aspects (\"catenaXId\" or \
         \"globalAssetId\"), EPCIS 2.0 events (\"type\"), Dataspace Protocol messages \
         (\"@type\"), product passports (\"oec:granularityLevel\", \"digitalProductPassportId\", \
         \"specVersion\") and NDJSON statements (a .ndjson file, or standard input); to anchor \
         any other document, name its product: jangbu passport issue FILE --product ID",
    )
}
