//! EPCIS 2.0 events: one statement each, in the streams of the things it happened to.
//!
//! What went into the speaker's things is a transformation, what was put into a container of the
//! speaker's or taken out of it is that (see [`material`]). Any other event is observed: it stands in the streams of the speaker's own things; one that names only things of
//! others is what the speaker says about those, in their claims. An event of more than 16 things
//! takes several statements. Places, parties and devices stay in the body.
//!
//! Source: EPCIS 2.0, section 7.4 (event types), GS1 JSON-LD binding.

mod material;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{EventType, STREAMS_MAX, Stream};
use serde_json::Value;

use super::cursor::{At, ReadError};
use super::dpp;
use super::said::{Body, Reading, Said, SkipReason, Skipped, What};
use super::speaker::Speaker;

/// Schema of an event's body.
const SCHEMA: &str = "https://ref.gs1.org/standards/epcis/2.0";

/// Most things of one event: 64 statements.
const THINGS_MAX: usize = 64 * STREAMS_MAX;

/// Members that hold identifiers of single things.
const SINGLE: [&str; 4] = ["epcList", "childEPCs", "inputEPCList", "outputEPCList"];
/// Members that hold amounts of a class of things.
const CLASSES: [&str; 4] = [
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputQuantityList",
];
/// Names of the lot number in an event's lot master data.
const LOT: [&str; 4] = [
    "gs1:hasBatchLotNumber",
    "cbvmda:lotNumber",
    "lotNumber",
    "gs1:batchLotNumber",
];

/// Whether the document is an EPCIS document or one event.
pub(super) fn is_epcis(document: &Value) -> bool {
    document["type"].as_str().is_some_and(|name| {
        matches!(name, "EPCISDocument" | "EPCISQueryDocument") || event_type(name).is_some()
    })
}

/// Reads all events of a document.
pub(super) fn read(file: &str, document: &Value, speaker: &Speaker) -> Result<Reading, ReadError> {
    let root = At::root(document);
    let context = root.get("@context").map(|context| context.value().clone());
    let events = match root.need("type")?.text()? {
        "EPCISDocument" => root.need("epcisBody")?.need("eventList")?,
        "EPCISQueryDocument" => root
            .need("epcisBody")?
            .need("queryResults")?
            .need("resultsBody")?
            .need("eventList")?,
        _ => return one(file, 1, &root, context.as_ref(), speaker),
    };
    let mut reading = Reading::default();
    for (index, event) in events.items()?.enumerate() {
        let mut more = one(file, index + 1, &event, context.as_ref(), speaker)?;
        reading.said.append(&mut more.said);
        reading.skipped.append(&mut more.skipped);
    }
    Ok(reading)
}

fn one(
    file: &str,
    number: usize,
    event: &At<'_>,
    context: Option<&Value>,
    speaker: &Speaker,
) -> Result<Reading, ReadError> {
    let kind = event.need("type")?;
    let name = kind.text()?;
    let event_type = event_type(name).ok_or_else(|| {
        kind.wrong(format!(
            "{name:?} is no EPCIS event; expected ObjectEvent, AggregationEvent, \
             TransformationEvent, TransactionEvent or AssociationEvent"
        ))
    })?;
    event.need("eventTime")?.text()?;
    let label = format!("{file}: event {number}, {name}");
    let mut reading = Reading::default();
    let streams = streams(event, speaker)?;
    let material = material::read(event_type, event, speaker)?;
    if material.is_empty() && streams.is_empty() {
        reading.skipped.push(Skipped {
            label,
            reason: SkipReason::NoSubject,
            message: "the event names no thing by an identifier that this ledger knows".to_owned(),
        });
        return Ok(reading);
    }
    if streams.len() > THINGS_MAX {
        return Err(event.wrong(format!(
            "the event names {} things; at most {THINGS_MAX} are allowed, split it",
            streams.len()
        )));
    }
    let mut sections = BTreeMap::from([("event".to_owned(), event.value().clone())]);
    if let Some(context) = context {
        // Short names in the event mean what the document's context says.
        sections.insert("context".to_owned(), context.clone());
    }
    let body = Arc::new(Body {
        schema: SCHEMA.to_owned(),
        version: 1,
        sections,
    });
    let observed = |streams: &[Stream]| What::Observed {
        event: event_type,
        streams: streams.to_vec(),
    };
    let parts: Vec<What> = match material.is_empty() {
        true => streams.chunks(STREAMS_MAX).map(observed).collect(),
        false => material,
    };
    let count = parts.len();
    for (index, part) in parts.into_iter().enumerate() {
        let label = match count {
            1 => label.clone(),
            _ => format!("{label}, part {} of {count}", index + 1),
        };
        reading
            .said
            .push(Said::once(label, part, Arc::clone(&body)));
    }
    lots(file, event, speaker, &mut reading)?;
    Ok(reading)
}

fn event_type(name: &str) -> Option<EventType> {
    match name {
        "ObjectEvent" => Some(EventType::Object),
        "AggregationEvent" => Some(EventType::Aggregation),
        "TransformationEvent" => Some(EventType::Transformation),
        "TransactionEvent" => Some(EventType::Transaction),
        "AssociationEvent" => Some(EventType::Association),
        _ => None,
    }
}

/// The streams an event belongs to, in the order of the document.
fn streams(event: &At<'_>, speaker: &Speaker) -> Result<Vec<Stream>, ReadError> {
    let mut things = Vec::new();
    let mut seen = BTreeSet::new();
    let mut places = Vec::new();
    places.extend(event.get("parentID"));
    for key in SINGLE {
        places.extend(event.list(key)?);
    }
    for key in CLASSES {
        for amount in event.list(key)? {
            places.push(amount.need("epcClass")?);
        }
    }
    for place in places {
        if let Some(thing) = thing(&place)?
            && seen.insert(thing.clone())
        {
            things.push(thing);
        }
    }
    let (own, others): (Vec<_>, Vec<_>) =
        things.into_iter().partition(|thing| speaker.holds(thing));
    Ok(if own.is_empty() {
        others.into_iter().map(Stream::Claims).collect()
    } else {
        own.into_iter().map(Stream::Open).collect()
    })
}

/// The identifier at a place; `None` if it is of a scheme that this ledger has no rules for.
fn thing(place: &At<'_>) -> Result<Option<Identifier>, ReadError> {
    const KNOWN: [&str; 13] = [
        "https://id.gs1.org/01/",
        "https://id.gs1.org/00/",
        "https://id.gs1.org/414/",
        "https://id.gs1.org/417/",
        "https://id.gs1.org/8003/",
        "https://id.gs1.org/8004/",
        "urn:epc:id:sgtin:",
        "urn:epc:id:sscc:",
        "urn:epc:id:sgln:",
        "urn:epc:id:giai:",
        "urn:epc:class:lgtin:",
        "urn:epc:idpat:sgtin:",
        "urn:uuid:",
    ];
    let text = place.text()?;
    if KNOWN.iter().any(|scheme| text.starts_with(scheme)) {
        place.identifier().map(Some)
    } else {
        // Any other text may be an identifier (a DID, an own domain) or may not.
        Ok(Identifier::parse(text).ok())
    }
}

/// An event that makes things states their lot: they are of that batch.
fn lots(
    file: &str,
    event: &At<'_>,
    speaker: &Speaker,
    reading: &mut Reading,
) -> Result<(), ReadError> {
    let Some(master_data) = event.get("ilmd") else {
        return Ok(());
    };
    let Some(lot) = LOT.iter().find_map(|key| master_data.get(key)) else {
        return Ok(());
    };
    let mut made = event.list("outputEPCList")?;
    made.extend(event.list("epcList")?);
    for item in made {
        if let Some(item) = thing(&item)?
            && speaker.holds(&item)
            && let Some(batch) = dpp::batch_of(&item, &lot)?
        {
            reading.said.push(dpp::belongs(file, item, batch));
        }
    }
    Ok(())
}
