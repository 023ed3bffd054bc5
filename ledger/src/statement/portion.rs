//! What goes into a transformation and comes out of it, or into a container and out again.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Quantity, STREAMS_MAX, ShapeError, Stream};
use crate::identifier::Identifier;

/// Most things that one statement puts into a container or takes out of it.
pub const THINGS_MAX: usize = 64;
/// Most things that go into one transformation.
const INPUTS_MAX: usize = 16;

/// Some of a thing: a lot, a batch, an item.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Portion {
    /// The thing.
    pub of: Identifier,
    /// How much of it, when stated.
    pub quantity: Option<Quantity>,
}

/// Checks what a transformation states: each thing once, and what comes out is what the streams
/// are of.
pub(super) fn check_transformation(
    inputs: &[Portion],
    outputs: &[Portion],
    streams: &[Stream],
) -> Result<(), ShapeError> {
    let things = inputs.iter().chain(outputs).map(|portion| &portion.of);
    let distinct: BTreeSet<&Identifier> = things.collect();
    let fits = inputs.len() <= INPUTS_MAX
        && (1..=STREAMS_MAX).contains(&outputs.len())
        && distinct.len() == inputs.len() + outputs.len();
    if !fits {
        return Err(ShapeError::Portions);
    }
    let mut amounts = inputs
        .iter()
        .chain(outputs)
        .filter_map(|p| p.quantity.as_ref());
    if !amounts.all(Quantity::is_canonical) {
        return Err(ShapeError::Quantity);
    }
    let spoken_of = |(output, stream): (&Portion, &Stream)| matches!(stream, Stream::Open(of) if *of == output.of);
    if outputs.len() == streams.len() && outputs.iter().zip(streams).all(spoken_of) {
        Ok(())
    } else {
        Err(ShapeError::OutputStreams)
    }
}

/// Checks what a container gets or loses.
pub(super) fn check_contents(
    children: &[Identifier],
    container: &Identifier,
) -> Result<(), ShapeError> {
    if children.contains(container) {
        return Err(ShapeError::SelfLink);
    }
    let distinct: BTreeSet<&Identifier> = children.iter().collect();
    if (1..=THINGS_MAX).contains(&children.len()) && distinct.len() == children.len() {
        Ok(())
    } else {
        Err(ShapeError::Contents)
    }
}
