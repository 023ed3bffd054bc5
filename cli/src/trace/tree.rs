//! A trace as a tree for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jangbu_ledger::identifier::Identifier;

use super::Traced;
use super::graph::{Graph, Standing, amount, witnesses};
use crate::client::{Direction, TraceEdge};

/// Most levels that are drawn: deeper ones have no room on a page, and a chain without end would
/// take the square of its length. What is below is in the other formats.
const LEVELS_MAX: usize = 64;

/// One thing to print: the link that leads to it, the lines to its left, its level, whether it is
/// the last.
struct Branch<'a> {
    edge: &'a TraceEdge,
    indent: String,
    level: usize,
    is_last: bool,
}

pub(super) fn draw(traced: &Traced) -> String {
    let graph = traced.graph();
    let root = graph.root;
    let mut lines: Vec<(String, String)> = vec![(root.to_string(), about(&graph, root))];
    let mut shown = BTreeSet::from([root]);
    // A stack, not recursion: a node decides how deep this goes.
    let mut open = branches(&graph, root, "", 1);
    while let Some(Branch {
        edge,
        indent,
        level,
        is_last,
    }) = open.pop()
    {
        let (corner, bar) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let thing = graph.far(edge);
        let amount = amount(edge).map_or_else(String::new, |amount| format!("{amount}  "));
        let mut about = about(&graph, thing);
        let _ = write!(about, "  [{}]", witnesses(edge));
        let leads_on = !graph.from(thing).is_empty();
        if level == LEVELS_MAX && leads_on {
            about.push_str("  (deeper levels are not drawn)");
        } else if shown.insert(thing) {
            let indent = format!("{indent}{bar}");
            open.extend(branches(&graph, thing, &indent, level + 1));
        } else if leads_on {
            about.push_str("  (see above)");
        }
        lines.push((format!("{indent}{corner}{amount}{thing}"), about));
    }
    let width = lines.iter().map(|(left, _)| left.chars().count()).max();
    let mut text = String::new();
    for (left, right) in &lines {
        let _ = writeln!(text, "{left:<width$}  {right}", width = width.unwrap_or(0));
    }
    text.push_str(&totals(traced));
    text
}

/// The branches beyond a thing, last first, as a stack takes them.
fn branches<'a>(
    graph: &Graph<'a>,
    thing: &Identifier,
    indent: &str,
    level: usize,
) -> Vec<Branch<'a>> {
    let edges = graph.from(thing);
    let branch = |(at, edge): (usize, &&'a TraceEdge)| Branch {
        edge,
        indent: indent.to_owned(),
        level,
        is_last: at + 1 == edges.len(),
    };
    edges.iter().enumerate().map(branch).rev().collect()
}

/// Company, passport and standing of a thing; that nobody called it complete needs no word.
fn about(graph: &Graph<'_>, thing: &Identifier) -> String {
    let mut text = graph.company(thing);
    if let Some((passport, _)) = graph.passport(thing) {
        let _ = write!(text, ", {passport}");
    }
    match graph.standing(thing) {
        Standing::Complete => text.push_str(", complete"),
        Standing::Contested => text.push_str(", CONTESTED"),
        Standing::Open | Standing::Withheld => {}
    }
    text
}

fn totals(traced: &Traced) -> String {
    let counts = traced.counts;
    let mut text = format!(
        "\nthings {}, companies {}, links {} ({} confirmed, {} asserted",
        counts.things, counts.companies, counts.links, counts.confirmed, counts.asserted
    );
    if counts.contested > 0 {
        let _ = write!(text, ", {} of them contested", counts.contested);
    }
    text.push_str(")\n");
    if traced.direction == Direction::Down {
        let _ = writeln!(
            text,
            "all parts linked, says the company: {} of {} things; nothing openly recorded: {}",
            counts.complete, counts.things, counts.withheld
        );
    }
    if traced.trace.truncated {
        text.push_str("There is more beyond: the depth or a bound left it out.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::traced;
    use super::*;

    #[test]
    fn a_tree_shows_each_link_once_and_ends_in_spite_of_circles() {
        let text = draw(&traced(Direction::Down));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("https://example.com/car"), "{text}");
        assert!(lines[0].ends_with("oem-a, CONTESTED"), "{text}");
        assert!(
            lines[1].starts_with("├─ 2 unit:piece  https://example.com/door"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("│  └─ 2 unit:piece  https://example.com/lock"),
            "{text}"
        );
        assert!(
            lines[3].starts_with("│     └─ 2 unit:piece  https://example.com/car"),
            "{text}"
        );
        assert!(
            lines[4].starts_with("└─ 2 unit:piece  https://example.com/lock"),
            "{text}"
        );
        let totals =
            "things 3, companies 2, links 4 (1 confirmed, 3 asserted, 1 of them contested)";
        assert!(text.contains(totals), "{text}");
        assert!(
            text.contains("1 of 3 things; nothing openly recorded: 1"),
            "{text}"
        );
        assert!(text.contains("[oem-a + tier1]"), "{text}");
        assert!(
            text.contains("[asserted by oem-a, DENIED by smith]"),
            "{text}"
        );
    }

    #[test]
    fn a_chain_without_end_is_drawn_to_a_depth() {
        let mut traced = traced(Direction::Down);
        let link = traced.trace.edges[0].clone();
        let name = |n: u32| format!("https://example.com/{n}").parse().unwrap();
        traced.trace.root = name(0);
        traced.trace.edges = (0..30_000)
            .map(|n| TraceEdge {
                parent: name(n),
                child: name(n + 1),
                ..link.clone()
            })
            .collect();
        let text = draw(&traced);
        assert!(text.len() < 64 * 1024, "{} bytes", text.len());
        assert_eq!(text.matches("deeper levels are not drawn").count(), 1);
        assert!(text.contains("https://example.com/64 "), "{text}");
        assert!(!text.contains("https://example.com/65 "), "{text}");
    }

    #[test]
    fn a_tree_upwards_starts_at_the_part() {
        let text = draw(&traced(Direction::Up));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("https://example.com/lock"), "{text}");
        assert!(lines[1].contains("https://example.com/door"), "{text}");
        assert!(!text.contains("all parts linked"), "{text}");
    }
}
