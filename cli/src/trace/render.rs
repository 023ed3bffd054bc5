//! A trace as a tree for people and as a graph for Graphviz.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Basis;

use super::Traced;
use crate::client::{TraceEdge, TraceNode, printable};

/// The nodes and edges of a trace, to be looked up.
struct Graph<'a> {
    nodes: BTreeMap<&'a Identifier, &'a TraceNode>,
    below: BTreeMap<&'a Identifier, Vec<&'a TraceEdge>>,
}

/// One thing to print: the link that leads to it, the lines to its left, whether it is the last.
struct Branch<'a> {
    edge: &'a TraceEdge,
    indent: String,
    is_last: bool,
}

pub(super) fn tree(traced: &Traced) -> String {
    let trace = &traced.trace;
    let mut graph = Graph {
        nodes: trace.nodes.iter().map(|n| (&n.identifier, n)).collect(),
        below: BTreeMap::new(),
    };
    for edge in &trace.edges {
        graph.below.entry(&edge.parent).or_default().push(edge);
    }
    let mut lines: Vec<(String, String)> = vec![(trace.root.to_string(), graph.about(&trace.root))];
    let mut shown = BTreeSet::from([&trace.root]);
    // A stack, not recursion: a node decides how deep this goes.
    let mut open = graph.branches(&trace.root, "");
    while let Some(Branch {
        edge,
        indent,
        is_last,
    }) = open.pop()
    {
        let (corner, bar) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let amount = edge
            .quantity
            .as_ref()
            .map_or_else(String::new, |quantity| printable(&format!("{quantity}  ")));
        let mut about = graph.about(&edge.child);
        let _ = write!(about, "  {}", link(edge));
        if shown.insert(&edge.child) {
            open.extend(graph.branches(&edge.child, &format!("{indent}{bar}")));
        } else if graph.below.contains_key(&edge.child) {
            about.push_str("  (its parts: above)");
        }
        lines.push((format!("{indent}{corner}{amount}{}", edge.child), about));
    }
    let width = lines.iter().map(|(left, _)| left.chars().count()).max();
    let mut text = String::new();
    for (left, right) in &lines {
        let _ = writeln!(text, "{left:<width$}  {right}", width = width.unwrap_or(0));
    }
    let counts = traced.counts;
    let _ = writeln!(
        text,
        "\nthings {}, companies {}, links {} ({} confirmed, {} asserted)",
        counts.things, counts.companies, counts.links, counts.confirmed, counts.asserted
    );
    if trace.truncated {
        text.push_str("There is more below: the depth or a bound left it out.\n");
    }
    text
}

impl<'a> Graph<'a> {
    /// The branches below a thing, last first, as a stack takes them.
    fn branches(&self, parent: &Identifier, indent: &str) -> Vec<Branch<'a>> {
        let edges = self.below.get(parent).map_or(&[][..], Vec::as_slice);
        let branch = |(at, edge): (usize, &&'a TraceEdge)| Branch {
            edge,
            indent: indent.to_owned(),
            is_last: at + 1 == edges.len(),
        };
        edges.iter().enumerate().map(branch).rev().collect()
    }

    /// Company and passport of a thing.
    fn about(&self, identifier: &Identifier) -> String {
        let Some(node) = self.nodes.get(identifier) else {
            return String::new();
        };
        let mut text = printable(node.owner_name.as_deref().unwrap_or("not on the ledger"));
        if let Some(passport) = &node.passport {
            let _ = write!(text, ", passport v{}", passport.version);
            if let Some(warning) = passport.life.warning() {
                let _ = write!(text, " {warning}");
            }
        }
        text
    }
}

fn link(edge: &TraceEdge) -> String {
    let planned = match edge.basis {
        Basis::AsBuilt => "",
        Basis::AsPlanned => ", as planned",
    };
    let by = match &edge.confirmed_by {
        None => format!("[asserted by {}{planned}]", edge.asserted_by),
        Some(other) if *other == edge.asserted_by => format!("[by {other} alone{planned}]"),
        Some(other) => format!("[{} + {other}{planned}]", edge.asserted_by),
    };
    printable(&by)
}

pub(super) fn dot(traced: &Traced) -> String {
    let mut text = String::from(
        "digraph trace {\n  rankdir=LR;\n  node [shape=box, fontname=\"Helvetica\"];\n",
    );
    for node in &traced.trace.nodes {
        let owner = node.owner_name.as_deref().unwrap_or("not on the ledger");
        let warned = node
            .passport
            .as_ref()
            .is_some_and(|passport| passport.life.warning().is_some());
        let style = if warned { ", color=red" } else { "" };
        let label = format!("{}\n{owner}", node.identifier);
        let _ = writeln!(
            text,
            "  {} [label={}{style}];",
            quoted(node.identifier.as_str()),
            quoted(&label)
        );
    }
    for edge in &traced.trace.edges {
        let style = match edge.confirmed_by {
            Some(_) => "solid",
            None => "dashed",
        };
        let amount = edge
            .quantity
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let _ = writeln!(
            text,
            "  {} -> {} [label={}, style={style}];",
            quoted(edge.parent.as_str()),
            quoted(edge.child.as_str()),
            quoted(&amount)
        );
    }
    text.push_str("}\n");
    text
}

/// A string as Graphviz reads it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::{Counts, Traced};
    use super::*;
    use crate::client::TraceAnswer;

    fn node(name: &str, owner: Option<&str>) -> TraceNode {
        TraceNode {
            identifier: format!("https://example.com/{name}").parse().unwrap(),
            known: owner.is_some(),
            owner_name: owner.map(str::to_owned),
            passport: None,
            depth: 0,
        }
    }

    fn edge(parent: &str, child: &str, confirmed_by: Option<&str>) -> TraceEdge {
        TraceEdge {
            parent: format!("https://example.com/{parent}").parse().unwrap(),
            child: format!("https://example.com/{child}").parse().unwrap(),
            statement_id: jangbu_ledger::id::StatementId([0; 32]),
            sequence: jangbu_ledger::id::Sequence(1),
            basis: Basis::AsBuilt,
            quantity: jangbu_ledger::statement::Quantity::parse("2", "unit:piece"),
            status: "asserted".into(),
            asserted_by: "oem-a".into(),
            confirmed_by: confirmed_by.map(str::to_owned),
        }
    }

    fn traced() -> Traced {
        let trace = TraceAnswer {
            root: "https://example.com/car".parse().unwrap(),
            nodes: vec![
                node("car", Some("oem-a")),
                node("door", Some("tier1")),
                node("lock", None),
            ],
            edges: vec![
                edge("car", "door", Some("tier1")),
                edge("door", "lock", None),
                edge("car", "lock", None),
                // Asserted links may go in circles.
                edge("lock", "car", None),
            ],
            truncated: false,
        };
        Traced {
            counts: Counts::of(&trace),
            trace,
        }
    }

    #[test]
    fn a_tree_shows_each_link_once_and_ends_in_spite_of_circles() {
        let text = tree(&traced());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("https://example.com/car"), "{text}");
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
        assert!(
            text.contains("things 3, companies 2, links 4 (1 confirmed, 3 asserted)"),
            "{text}"
        );
        assert!(text.contains("[oem-a + tier1]"), "{text}");
    }

    #[test]
    fn a_graph_quotes_what_strangers_named() {
        let mut traced = traced();
        traced.trace.nodes[0].owner_name = Some("a\"]; evil [\"".into());
        let text = dot(&traced);
        assert!(text.contains("a\\\"]; evil [\\\""), "{text}");
        assert_eq!(text.matches(" -> ").count(), 4);
        assert_eq!(text.matches("style=dashed").count(), 3);
    }
}
