//! Digital Product Passports: openEPCIS JSON-LD, EN 18223, and the Catena-X passports.
//!
//! Sources: openEPCIS DPP core vocabulary (`oec:granularityLevel`), EN 18223:2026, Catena-X
//! `battery_pass` 6.1.0 and `digital_product_passport` 7.0.0.

use std::sync::Arc;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Granularity;
use serde_json::{Value, json};

use super::cursor::{At, ReadError};
use super::said::{Body, Reading, Said, What};
use super::speaker::Speaker;
use crate::passport::SCHEMA_PART_OF;

/// Which passport format a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// openEPCIS DPP, JSON-LD.
    OpenEpcis,
    /// EN 18223.
    En18223,
    /// Catena-X battery pass or generic digital product passport.
    CatenaX,
}

/// Recognises a passport.
pub(super) fn format(document: &Value) -> Option<Format> {
    let spec = |value: &Value| {
        value["specVersion"].as_str().is_some_and(|spec| {
            spec.starts_with("urn:io.catenax.battery.battery_pass")
                || spec.starts_with("urn:io.catenax.generic.digital_product_passport")
        })
    };
    if document.get("oec:granularityLevel").is_some() {
        Some(Format::OpenEpcis)
    } else if document.get("digitalProductPassportId").is_some() {
        Some(Format::En18223)
    } else if spec(document) || spec(&document["metadata"]) {
        Some(Format::CatenaX)
    } else {
        None
    }
}

/// Reads a passport, and which batch or model the product is of where the document says so.
pub(super) fn read(
    file: &str,
    document: &Value,
    format: Format,
    speaker: &Speaker,
) -> Result<Reading, ReadError> {
    let root = At::root(document);
    let (subject, granularity, schema) = match format {
        Format::OpenEpcis => open_epcis(&root)?,
        Format::En18223 => (
            root.need("uniqueProductIdentifier")?.identifier()?,
            level(&root.need("granularity")?)?,
            root.need("dppSchemaVersion")?.text()?.to_owned(),
        ),
        Format::CatenaX => catena_x(&root)?,
    };
    let label = format!("{file}: {subject}");
    let mut reading = Reading::default();
    if !speaker.may_issue(&subject) {
        reading.skipped.push(speaker.leave(label, &subject));
        return Ok(reading);
    }
    let lot = root.get("gs1:hasBatchLotNumber");
    let part_of = match granularity {
        Granularity::Batch => model_of(&subject),
        Granularity::Item => lot
            .map(|lot| batch_of(&subject, &lot))
            .transpose()?
            .flatten(),
        Granularity::Model => None,
    };
    reading.said.push(Said::once(
        label,
        What::Passport {
            subject: subject.clone(),
            granularity,
        },
        Arc::new(Body::document(schema, document.clone())),
    ));
    if let Some(part_of) = part_of {
        reading.said.push(belongs(file, subject, part_of));
    }
    Ok(reading)
}

/// Says which batch or model a product is of: alike whether its passport says so, an event or
/// `jangbu passport issue --part-of`, so that all make one statement.
pub(super) fn belongs(file: &str, subject: Identifier, part_of: Identifier) -> Said {
    Said::once(
        format!("{file}: {subject} is of {part_of}"),
        What::PartOf { subject, part_of },
        Arc::new(Body::document(SCHEMA_PART_OF, json!({}))),
    )
}

fn open_epcis(root: &At<'_>) -> Result<(Identifier, Granularity, String), ReadError> {
    let id = root.need("id")?;
    let subject = id.identifier()?;
    let granularity = level(&root.need("oec:granularityLevel")?)?;
    fits(&id, &subject, granularity)?;
    if let Some(gtin) = root.get("gs1:gtin")
        && let Some(named) = gtin_of(&subject)
        && format!("{:0>14}", gtin.text()?) != named
    {
        return Err(gtin.wrong(format!("another GTIN than that of the id {subject}")));
    }
    // The last context is the most specific vocabulary.
    let context = root
        .value()
        .get("@context")
        .and_then(|context| match context {
            Value::Array(list) => list.iter().rev().find_map(Value::as_str),
            context => context.as_str(),
        });
    let schema = context.unwrap_or("https://ref.openepcis.io/extensions/common/core/");
    Ok((subject, granularity, schema.to_owned()))
}

fn catena_x(root: &At<'_>) -> Result<(Identifier, Granularity, String), ReadError> {
    let metadata = root.need("metadata")?;
    let spec = match root.get("specVersion") {
        Some(spec) => spec,
        None => metadata.need("specVersion")?,
    };
    let identification = root.need("identification")?;
    // The battery pass nests the identification once more.
    let inner = identification.get("identification");
    let names = |keys: [&str; 2]| {
        [Some(&identification), inner.as_ref()]
            .into_iter()
            .flatten()
            .any(|at| keys.iter().any(|key| at.get(key).is_some()))
    };
    let granularity = if names(["serial", "serialInformation"]) {
        Granularity::Item
    } else if names(["batch", "batchInformation"]) {
        Granularity::Batch
    } else {
        Granularity::Model
    };
    let subject = metadata.need("passportIdentifier")?.identifier()?;
    Ok((subject, granularity, spec.text()?.to_owned()))
}

fn level(at: &At<'_>) -> Result<Granularity, ReadError> {
    match at.text()? {
        "item" => Ok(Granularity::Item),
        "batch" => Ok(Granularity::Batch),
        "model" => Ok(Granularity::Model),
        other => Err(at.wrong(format!(
            "{other:?} is no granularity; write \"item\", \"batch\" or \"model\""
        ))),
    }
}

/// A GS1 identifier says by itself how coarse the thing is.
fn fits(id: &At<'_>, subject: &Identifier, granularity: Granularity) -> Result<(), ReadError> {
    let Some(qualifier) = qualifier(subject) else {
        return Ok(());
    };
    let named = match qualifier {
        "" => Granularity::Model,
        "10" => Granularity::Batch,
        _ => Granularity::Item,
    };
    if named == granularity {
        Ok(())
    } else {
        Err(id.wrong(format!(
            "{subject} names a {}, the passport says it is of a {}",
            name(named),
            name(granularity)
        )))
    }
}

const fn name(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Item => "single item",
        Granularity::Batch => "batch",
        Granularity::Model => "model",
    }
}

const GTIN: &str = "https://id.gs1.org/01/";

/// The GTIN of a canonical identifier.
fn gtin_of(subject: &Identifier) -> Option<&str> {
    subject.as_str().strip_prefix(GTIN)?.split('/').next()
}

/// `10`, `21` or nothing: what follows a canonical identifier's GTIN.
fn qualifier(subject: &Identifier) -> Option<&str> {
    let rest = subject.as_str().strip_prefix(GTIN)?;
    Some(rest.split('/').nth(1).unwrap_or_default())
}

/// The model of a batch or item under a GTIN.
fn model_of(subject: &Identifier) -> Option<Identifier> {
    let model = Identifier::parse(&format!("{GTIN}{}", gtin_of(subject)?)).ok()?;
    (model != *subject).then_some(model)
}

/// The batch of an item under a GTIN, by the lot number at this place.
///
/// # Errors
///
/// If the lot number is none.
pub(super) fn batch_of(item: &Identifier, lot: &At<'_>) -> Result<Option<Identifier>, ReadError> {
    if qualifier(item) != Some("21") {
        return Ok(None);
    }
    let Some(gtin) = gtin_of(item) else {
        return Ok(None);
    };
    Identifier::parse(&format!("{GTIN}{gtin}/10/{}", lot.text()?))
        .map(Some)
        .map_err(|error| lot.wrong(error.to_string()))
}
