//! Catena-X: digital twins of several companies in one container, and single aspects.
//!
//! ```text
//!   twin    ─▶ passport, one section for each aspect      by the twin's company
//!   bill of material, each child ─▶ component link        by the product's company
//!   usage, each parent ─▶ confirmation of such a link     by the component's company
//! ```
//!
//! A company confirms what its own data says: that its part is in that product. A bill of
//! material that the part's usage does not answer stays asserted.
//!
//! Sources: Tractus-X `TestDataContainer` 1.0.0; aspect models `serial_part`, `batch`,
//! `just_in_sequence_part`, `part_as_planned`, `single_level_bom_*`, `single_level_usage_*`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Basis, Granularity, Quantity};
use serde_json::Value;

use super::cursor::{At, ReadError};
use super::said::{Body, Link, Reading, Said, What};
use super::speaker::Speaker;

/// Beginning of the key under which a container holds its twins.
const CONTAINER: &str = "https://catenax.io/schema/TestDataContainer/";
/// Schema of a twin that has no aspect which says what the thing is.
const TWIN: &str = "https://catenax.io/schema/TestDataContainer/1.0.0";

/// What an aspect tells about its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    /// What the thing is.
    Thing(Granularity),
    /// What it is made of.
    Bom(Basis),
    /// What it is in.
    Usage(Basis),
    /// Anything else.
    Other,
}

impl Aspect {
    /// Reads an aspect's name: `SerialPart`, or the whole URN that ends in `#SerialPart`.
    fn named(name: &str) -> Self {
        match name.rsplit('#').next().unwrap_or(name) {
            "SerialPart" | "JustInSequencePart" => Self::Thing(Granularity::Item),
            "Batch" => Self::Thing(Granularity::Batch),
            "PartAsPlanned" => Self::Thing(Granularity::Model),
            "SingleLevelBomAsBuilt" => Self::Bom(Basis::AsBuilt),
            "SingleLevelBomAsPlanned" => Self::Bom(Basis::AsPlanned),
            "SingleLevelUsageAsBuilt" => Self::Usage(Basis::AsBuilt),
            "SingleLevelUsageAsPlanned" => Self::Usage(Basis::AsPlanned),
            _ => Self::Other,
        }
    }
}

/// Whether the document is a container of twins, or one twin.
pub(super) fn is_container(document: &Value) -> bool {
    let Some(map) = document.as_object() else {
        return false;
    };
    map.keys().any(|key| key.starts_with(CONTAINER))
        || (map.contains_key("catenaXId") && map.keys().any(|key| key.starts_with("urn:samm:")))
}

/// Reads a container, or one twin.
pub(super) fn container(
    file: &str,
    document: &Value,
    speaker: &Speaker,
) -> Result<Reading, ReadError> {
    let root = At::root(document);
    let key = root
        .object()?
        .keys()
        .find(|key| key.starts_with(CONTAINER))
        .cloned();
    let twins = match key {
        Some(key) => root.list(&key)?,
        None => vec![root],
    };
    let mut reading = Reading::default();
    let mut seen = BTreeSet::new();
    for twin in &twins {
        let id = twin.need("catenaXId")?;
        if !seen.insert(id.identifier()?) {
            return Err(id.wrong("this twin stands in the file twice; keep one of them"));
        }
        read_twin(file, twin, speaker, &mut reading)?;
    }
    // Issue before linking, link before confirming.
    reading.said.sort_by_key(|said| match said.what {
        What::Passport { .. } => 0,
        What::Component { .. } => 1,
        _ => 2,
    });
    Ok(reading)
}

fn read_twin(
    file: &str,
    twin: &At<'_>,
    speaker: &Speaker,
    reading: &mut Reading,
) -> Result<(), ReadError> {
    let subject = twin.need("catenaXId")?.identifier()?;
    let company = twin.need("bpnl")?;
    let mut said = Vec::new();
    let mut sections = BTreeMap::new();
    let mut thing: Option<(Granularity, &str)> = None;
    for (name, value) in twin.object()? {
        if name == "catenaXId" || name == "bpnl" {
            continue;
        }
        sections.insert(name.clone(), value.clone());
        let aspect = Aspect::named(name);
        if let Aspect::Thing(granularity) = aspect
            && thing.is_none_or(|(known, _)| granularity < known)
        {
            thing = Some((granularity, name));
        }
        let payloads = twin.need(name)?;
        let payloads = match value {
            Value::Array(_) => payloads.items()?.collect(),
            _ => vec![payloads],
        };
        for payload in &payloads {
            if let Some((place, named)) = other_than(payload, &subject)? {
                let differs = format!("the aspect is of {named}, its twin is {subject}");
                // What an aspect says of other things must not be said of the wrong one.
                if matches!(aspect, Aspect::Bom(_) | Aspect::Usage(_)) {
                    return Err(place.wrong(differs));
                }
                let note = place.wrong(format!("{differs}; anchored with its twin as it is"));
                reading.notes.push(format!("{file}: {note}"));
            }
            links(file, payload, aspect, name, &subject, &mut said)?;
        }
    }
    // A twin that does not say what it is stands for one thing.
    let (granularity, schema) = thing.unwrap_or((Granularity::Item, TWIN));
    said.insert(
        0,
        Said::once(
            format!("{file}: {subject}"),
            What::Passport {
                subject,
                granularity,
            },
            Arc::new(Body {
                schema: schema.to_owned(),
                version: 1,
                sections,
            }),
        ),
    );
    if speaker.is(&company)? {
        reading.said.append(&mut said);
    } else {
        for said in said {
            reading
                .skipped
                .push(speaker.leave_to(said.label, &company)?);
        }
    }
    Ok(())
}

/// Where an aspect names another thing than its twin, and which.
fn other_than<'a>(
    payload: &At<'a>,
    subject: &Identifier,
) -> Result<Option<(At<'a>, Identifier)>, ReadError> {
    for key in ["catenaXId", "globalAssetId"] {
        if let Some(id) = payload.get(key) {
            let named = id.identifier()?;
            if named != *subject {
                return Ok(Some((id, named)));
            }
        }
    }
    Ok(None)
}

/// Reads what an aspect says about other things.
fn links(
    file: &str,
    payload: &At<'_>,
    aspect: Aspect,
    schema: &str,
    subject: &Identifier,
    said: &mut Vec<Said>,
) -> Result<(), ReadError> {
    match aspect {
        Aspect::Bom(basis) => {
            for item in payload.list("childItems")? {
                let child = other(&item)?;
                said.push(Said::once(
                    format!("{file}: {subject} contains {child}"),
                    What::Component {
                        subject: subject.clone(),
                        child,
                        basis,
                        quantity: quantity(&item)?,
                    },
                    Arc::new(Body::document(schema, item.value().clone())),
                ));
            }
        }
        Aspect::Usage(basis) => {
            let mut parents = payload.list("parentItems")?;
            parents.extend(payload.list("parentParts")?);
            for item in parents {
                // "Potential" means: one of several lots, of which perhaps none is in there.
                if item.value().get("isOnlyPotentialParent") == Some(&Value::Bool(true)) {
                    continue;
                }
                let parent = other(&item)?;
                said.push(Said::once(
                    format!("{file}: {subject} is in {parent}"),
                    What::Confirmed {
                        subject: parent,
                        link: Link::To {
                            child: subject.clone(),
                            basis,
                        },
                    },
                    Arc::new(Body::document(schema, item.value().clone())),
                ));
            }
        }
        Aspect::Thing(_) | Aspect::Other => {}
    }
    Ok(())
}

/// The thing a bill of material or a usage names, under any of the names that versions of the
/// models have for it.
fn other(item: &At<'_>) -> Result<Identifier, ReadError> {
    [
        "catenaXId",
        "globalAssetId",
        "parentCatenaXId",
        "childCatenaXId",
    ]
    .iter()
    .find_map(|key| item.get(key))
    .ok_or_else(|| item.wrong("\"globalAssetId\" (or \"catenaXId\") is missing"))?
    .identifier()
}

fn quantity(item: &At<'_>) -> Result<Option<Quantity>, ReadError> {
    let Some(quantity) = item.get("quantity") else {
        return Ok(None);
    };
    let number = ["value", "quantityNumber"]
        .iter()
        .find_map(|key| quantity.get(key))
        .ok_or_else(|| quantity.wrong("\"value\" is missing"))?;
    let unit = match ["unit", "measurementUnit"]
        .iter()
        .find_map(|key| quantity.get(key))
    {
        Some(unit) => unit.text()?,
        None => "",
    };
    number.amount(unit).map(Some)
}

/// What sort of aspect a bare payload is; `None` if it is none that says something of a thing
/// with an identifier. Bare payloads do not name their model, so `stem`, the file's name without
/// extension, decides where two models look alike.
pub(super) fn bare_aspect(stem: &str, document: &Value) -> Option<(Aspect, &'static str)> {
    let has = |key: &str| document.get(key).is_some();
    let id = has("globalAssetId") || has("catenaXId");
    let planned = |list: &str| {
        stem.ends_with("AsPlanned")
            || document[list]
                .as_array()
                .is_some_and(|items| items.iter().any(|i| i.get("validityPeriod").is_some()))
    };
    let local = |key: &str| {
        document["localIdentifiers"]
            .as_array()
            .is_some_and(|ids| ids.iter().any(|id| id["key"] == key))
    };
    let name = if id && has("childItems") {
        match planned("childItems") {
            true => "urn:samm:io.catenax.single_level_bom_as_planned#SingleLevelBomAsPlanned",
            false => "urn:samm:io.catenax.single_level_bom_as_built#SingleLevelBomAsBuilt",
        }
    } else if id && has("parentItems") {
        match planned("parentItems") {
            true => "urn:samm:io.catenax.single_level_usage_as_planned#SingleLevelUsageAsPlanned",
            false => "urn:samm:io.catenax.single_level_usage_as_built#SingleLevelUsageAsBuilt",
        }
    } else if id && has("partTypeInformation") {
        if has("validityPeriod") || stem == "PartAsPlanned" {
            "urn:samm:io.catenax.part_as_planned#PartAsPlanned"
        } else if local("batchId") || stem == "Batch" {
            "urn:samm:io.catenax.batch#Batch"
        } else if local("jisNumber") || stem == "JustInSequencePart" {
            "urn:samm:io.catenax.just_in_sequence_part#JustInSequencePart"
        } else {
            "urn:samm:io.catenax.serial_part#SerialPart"
        }
    } else {
        return None;
    };
    Some((Aspect::named(name), name))
}

/// Reads a bare aspect: what it says is the speaker's, for it names no other company.
pub(super) fn aspect(
    file: &str,
    document: &Value,
    (aspect, schema): (Aspect, &str),
) -> Result<Reading, ReadError> {
    let root = At::root(document);
    let id = match root.get("globalAssetId") {
        Some(id) => id,
        None => root.need("catenaXId")?,
    };
    let subject = id.identifier()?;
    let mut reading = Reading::default();
    if let Aspect::Thing(granularity) = aspect {
        reading.said.push(Said::once(
            format!("{file}: {subject}"),
            What::Passport {
                subject: subject.clone(),
                granularity,
            },
            Arc::new(Body::document(schema, document.clone())),
        ));
    }
    links(file, &root, aspect, schema, &subject, &mut reading.said)?;
    Ok(reading)
}
