//! A trace as a graph for Graphviz.

use std::fmt::Write as _;

use super::Traced;
use super::graph::{Line, Standing};

pub(super) fn draw(traced: &Traced) -> String {
    let graph = traced.graph();
    let mut text = String::from(
        "digraph trace {\n  rankdir=LR;\n  node [shape=box, fontname=\"Helvetica\"];\n",
    );
    for node in &traced.trace.nodes {
        let thing = &node.identifier;
        let warned = graph.passport(thing).is_some_and(|(_, warns)| warns);
        let style = match (warned, graph.standing(thing)) {
            (true, _) | (_, Standing::Contested) => ", color=red",
            (_, Standing::Complete) => ", color=darkgreen",
            (_, Standing::Withheld) => ", style=dashed",
            (_, Standing::Open) => "",
        };
        let label = format!("{thing}\n{}", graph.company(thing));
        let (id, label) = (quoted(thing.as_str()), quoted(&label));
        let _ = writeln!(text, "  {id} [label={label}{style}];");
    }
    for edge in &traced.trace.edges {
        let style = match graph.line(edge) {
            Line::Solid => "style=solid",
            Line::Denied => "style=dashed, color=red",
            Line::Dashed => "style=dashed",
        };
        let _ = writeln!(
            text,
            "  {} -> {} [label={}, {style}];",
            quoted(edge.parent.as_str()),
            quoted(edge.child.as_str()),
            quoted(&graph.label(edge).unwrap_or_default())
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
    use super::super::graph::tests::traced;
    use super::*;
    use crate::client::Direction;

    #[test]
    fn a_graph_quotes_what_strangers_named() {
        let mut traced = traced(Direction::Down);
        traced.trace.nodes[0].owner_name = Some("a\"]; evil [\"".into());
        let text = draw(&traced);
        assert!(text.contains("a\\\"]; evil [\\\""), "{text}");
        assert_eq!(text.matches(" -> ").count(), 4);
        assert_eq!(text.matches("style=dashed").count(), 4);
        assert_eq!(text.matches("color=red").count(), 2, "{text}");
    }
}
