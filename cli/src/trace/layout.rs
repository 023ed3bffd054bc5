//! Where each thing of a trace stands in a picture: a column for each level, no two in one row
//! of a column, each thing beside the middle of what it leads to.

use std::collections::BTreeMap;

use jangbu_ledger::identifier::Identifier;

use super::graph::Graph;

/// A thing's place, in columns and half rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) column: usize,
    /// Twice the row.
    pub(super) half_row: usize,
}

/// The places of all things that the root leads to; each has one, where it is met first.
pub(super) fn places<'a>(graph: &Graph<'a>) -> BTreeMap<&'a Identifier, Place> {
    // In the order of a walk in depth, with the place in this list of the thing before.
    let mut order: Vec<(&Identifier, usize, Option<usize>)> = Vec::new();
    let mut met = BTreeMap::new();
    let mut open = vec![(graph.root, 0, None)];
    while let Some((thing, column, before)) = open.pop() {
        if met.contains_key(thing) {
            continue;
        }
        let at = order.len();
        met.insert(thing, at);
        order.push((thing, column, before));
        let next = graph.from(thing).iter().rev();
        open.extend(next.map(|edge| (graph.far(edge), column + 1, Some(at))));
    }
    // Last things first: rows of the ends, then the middle of what each leads to.
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; order.len()];
    let mut rows = vec![0; order.len()];
    let mut row = order.len();
    for (at, (_, _, before)) in order.iter().enumerate().rev() {
        let half_row = match spans.get(at).copied().flatten() {
            Some((first, last)) => usize::midpoint(first, last),
            None => {
                row -= 1;
                2 * row
            }
        };
        if let Some(slot) = rows.get_mut(at) {
            *slot = half_row;
        }
        if let Some(span) = before.and_then(|before| spans.get_mut(before)) {
            let last = span.map_or(half_row, |(_, last)| last);
            *span = Some((half_row, last));
        }
    }
    // The first row that is used becomes row 0.
    order
        .iter()
        .zip(rows)
        .map(|((thing, column, _), half_row)| {
            let place = Place {
                column: *column,
                half_row: half_row.saturating_sub(2 * row),
            };
            (*thing, place)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::traced;
    use super::*;
    use crate::client::Direction;

    #[test]
    fn things_stand_in_columns_by_level_and_no_two_in_one_place() {
        let traced = traced(Direction::Down);
        let places = places(&traced.graph());
        let at = |name: &str| {
            let thing: Identifier = format!("https://example.com/{name}").parse().unwrap();
            places[&thing]
        };
        assert_eq!(places.len(), 3);
        assert_eq!(at("car").column, 0);
        assert_eq!(at("door").column, 1);
        assert_eq!(at("lock").column, 2);
        assert_eq!(at("lock").half_row, 0);
    }
}
