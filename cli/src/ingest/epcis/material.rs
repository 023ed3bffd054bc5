//! Events that say what is in what: things that went into others, and what is in containers.
//!
//! An event that says more or less than such a statement holds stays an event that was observed.
//!
//! Source: EPCIS 2.0, sections 7.4.3 (aggregation) and 7.4.5 (transformation).

use std::collections::BTreeSet;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{EventType, Portion, STREAMS_MAX, THINGS_MAX};

use super::super::cursor::{At, ReadError};
use super::super::said::What;
use super::super::speaker::Speaker;
use super::thing;

/// Most things that go into one transformation.
const INPUTS_MAX: usize = 16;
/// Unit of an amount that names none: EPCIS counts things then.
const PIECE: &str = "unit:piece";

/// What an event says of this sort; nothing if it says none.
pub(super) fn read(
    event_type: EventType,
    event: &At<'_>,
    speaker: &Speaker,
) -> Result<Vec<What>, ReadError> {
    match event_type {
        EventType::Transformation => Ok(transformed(event, speaker)?.into_iter().collect()),
        EventType::Aggregation => packed(event, speaker),
        _ => Ok(Vec::new()),
    }
}

fn transformed(event: &At<'_>, speaker: &Speaker) -> Result<Option<What>, ReadError> {
    let inputs = portions(event, "inputEPCList", "inputQuantityList")?;
    let outputs = portions(event, "outputEPCList", "outputQuantityList")?;
    let (Some(inputs), Some(outputs)) = (inputs, outputs) else {
        return Ok(None);
    };
    let things = inputs.iter().chain(&outputs).map(|portion| &portion.of);
    let distinct: BTreeSet<&Identifier> = things.collect();
    let fits = inputs.len() <= INPUTS_MAX
        && (1..=STREAMS_MAX).contains(&outputs.len())
        && distinct.len() == inputs.len() + outputs.len()
        && outputs.iter().all(|output| speaker.holds(&output.of));
    Ok(fits.then_some(What::Transformed { inputs, outputs }))
}

/// Single things and amounts of classes; `None` if one has a name that this ledger does not know.
fn portions(
    event: &At<'_>,
    single: &str,
    classes: &str,
) -> Result<Option<Vec<Portion>>, ReadError> {
    let mut found = Vec::new();
    for place in event.list(single)? {
        let Some(of) = thing(&place)? else {
            return Ok(None);
        };
        found.push(Portion { of, quantity: None });
    }
    for amount in event.list(classes)? {
        let Some(of) = thing(&amount.need("epcClass")?)? else {
            return Ok(None);
        };
        let unit = amount.get("uom");
        let unit = unit.as_ref().map_or(Ok(PIECE), At::text)?;
        let quantity = amount.get("quantity");
        let quantity = quantity.map(|number| number.amount(unit)).transpose()?;
        found.push(Portion { of, quantity });
    }
    Ok(Some(found))
}

fn packed(event: &At<'_>, speaker: &Speaker) -> Result<Vec<What>, ReadError> {
    let Some(parent) = event.get("parentID") else {
        return Ok(Vec::new());
    };
    let container = thing(&parent)?.filter(|container| speaker.holds(container));
    let (Some(container), true) = (container, event.list("childQuantityList")?.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut children = Vec::new();
    for place in event.list("childEPCs")? {
        match thing(&place)? {
            Some(child) if child != container && !children.contains(&child) => children.push(child),
            // A name that is unknown here, the container itself, or one named twice.
            _ => return Ok(Vec::new()),
        }
    }
    let action = event.need("action")?;
    let container = || container.clone();
    let parts = children.chunks(THINGS_MAX).map(<[Identifier]>::to_vec);
    Ok(match action.text()? {
        "ADD" => parts
            .map(|children| What::Aggregated {
                container: container(),
                children,
            })
            .collect(),
        "DELETE" => parts
            .map(|children| What::Disaggregated {
                container: container(),
                children,
            })
            .collect(),
        _ => Vec::new(),
    })
}
