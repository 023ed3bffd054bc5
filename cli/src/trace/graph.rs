//! The things and links of a trace, to be looked up, and how each thing stands.

use std::collections::{BTreeMap, BTreeSet};

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Basis;
use serde::Serialize;

use super::told::{Thing, Told};
use crate::client::{Direction, Relation, TraceAnswer, TraceEdge, TraceNode, printable};

/// How far what is said of a thing's components can be relied on to be all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// Its company said that all of them are linked, and so many are.
    Complete,
    /// Nobody said so: there may be more.
    Open,
    /// A component's company denies a link.
    Contested,
    /// Its company says nothing openly: what there is may be sealed.
    Withheld,
}

impl Standing {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Open => "open",
            Self::Contested => "contested",
            Self::Withheld => "withheld",
        }
    }
}

/// How a link is drawn, from what nobody denies to what somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// Both companies stand by it.
    Solid,
    /// One of them says so.
    Dashed,
    /// The other one denies it.
    Denied,
}

/// What there is in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Different things, the product included.
    pub(super) things: usize,
    /// Companies that own any of the things.
    pub(super) companies: usize,
    /// Links between them.
    pub(super) links: usize,
    /// Links that the component's company agrees with.
    pub(super) confirmed: usize,
    /// Links that one company asserts, whatever the other says.
    pub(super) asserted: usize,
    /// Links that the component's company denies.
    pub(super) contested: usize,
    /// Things of which all components are linked.
    pub(super) complete: usize,
    /// Things of which nobody said so.
    pub(super) open: usize,
    /// Things about which nothing is openly recorded.
    pub(super) withheld: usize,
}

/// The nodes and edges of a trace.
pub(super) struct Graph<'a> {
    pub(super) root: &'a Identifier,
    direction: Direction,
    nodes: BTreeMap<&'a Identifier, &'a TraceNode>,
    edges: &'a [TraceEdge],
    /// Links by the end that is nearer to the root.
    onwards: BTreeMap<&'a Identifier, Vec<&'a TraceEdge>>,
    contested: BTreeSet<&'a Identifier>,
    /// Other words than those of component links.
    told: Option<&'a Told>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(trace: &'a TraceAnswer, direction: Direction) -> Self {
        let mut onwards: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for edge in &trace.edges {
            onwards.entry(near(edge, direction)).or_default().push(edge);
        }
        Self {
            root: &trace.root,
            direction,
            nodes: trace.nodes.iter().map(|n| (&n.identifier, n)).collect(),
            edges: &trace.edges,
            onwards,
            contested: trace
                .edges
                .iter()
                .filter(|edge| edge.contested_by.is_some())
                .map(|edge| &edge.parent)
                .collect(),
            told: None,
        }
    }

    /// The same in other words.
    pub(super) fn in_words(self, told: Option<&'a Told>) -> Self {
        Self { told, ..self }
    }

    /// The links that lead on from a thing.
    pub(super) fn from(&self, thing: &Identifier) -> &[&'a TraceEdge] {
        self.onwards.get(thing).map_or(&[], Vec::as_slice)
    }

    /// The thing that a link leads to.
    pub(super) const fn far(&self, edge: &'a TraceEdge) -> &'a Identifier {
        match self.direction {
            Direction::Down => &edge.child,
            Direction::Up => &edge.parent,
        }
    }

    pub(super) fn node(&self, thing: &Identifier) -> Option<&'a TraceNode> {
        self.nodes.get(thing).copied()
    }

    /// How a thing stands. That nothing else contains it nobody can say: upwards none is complete.
    pub(super) fn standing(&self, thing: &Identifier) -> Standing {
        if let Some(known) = self.thing(thing) {
            return known.standing;
        }
        match self.node(thing) {
            Some(node) if !node.known => Standing::Withheld,
            None => Standing::Withheld,
            Some(_) if self.contested.contains(thing) => Standing::Contested,
            Some(node) if node.closed && self.direction == Direction::Down => Standing::Complete,
            Some(_) => Standing::Open,
        }
    }

    /// [`Graph::standing`] in a word.
    pub(super) fn word(&self, thing: &Identifier) -> &'static str {
        self.thing(thing)
            .map_or_else(|| self.standing(thing).name(), |known| known.word)
    }

    fn thing(&self, thing: &Identifier) -> Option<&'a Thing> {
        self.told.and_then(|told| told.thing(thing))
    }

    /// A thing's company, for people.
    pub(super) fn company(&self, thing: &Identifier) -> String {
        if let Some(known) = self.thing(thing) {
            return known.company.clone();
        }
        let owner = self.node(thing).and_then(|node| node.owner_name.as_deref());
        printable(owner.unwrap_or("not on the ledger"))
    }

    /// What is to be said of a thing's passport, and whether that is a warning.
    pub(super) fn passport(&self, thing: &Identifier) -> Option<(String, bool)> {
        let passport = self.node(thing)?.passport.as_ref()?;
        let version = format!("passport v{}", passport.version);
        Some(match passport.life.warning() {
            Some(warning) => (format!("{version} {warning}"), true),
            None => (version, false),
        })
    }

    /// How a link is drawn.
    pub(super) fn line(&self, edge: &TraceEdge) -> Line {
        let told = self.told.and_then(|told| told.link(edge));
        match (told, &edge.confirmed_by, &edge.contested_by) {
            (Some(link), ..) => link.line,
            (None, Some(_), _) => Line::Solid,
            (None, None, Some(_)) => Line::Denied,
            (None, None, None) => Line::Dashed,
        }
    }

    /// Who stands by a link, or what an agreement said, for people.
    pub(super) fn says(&self, edge: &TraceEdge) -> String {
        let told = self.told.and_then(|told| told.link(edge));
        told.map_or_else(|| witnesses(edge), |link| link.says.clone())
    }

    /// What stands beside a link in a picture.
    pub(super) fn label(&self, edge: &TraceEdge) -> Option<String> {
        let told = self.told.and_then(|told| told.link(edge));
        told.map_or_else(|| label(edge), |link| Some(link.label.clone()))
    }

    pub(super) fn counts(&self) -> Counts {
        let edges = self.edges;
        let confirmed = edges.iter().filter(|e| e.confirmed_by.is_some()).count();
        let owners = self.nodes.values().filter_map(|n| n.owner_name.as_deref());
        let companies: BTreeSet<&str> = owners.collect();
        let standing = |wanted: Standing| {
            let things = self.nodes.keys();
            things.filter(|id| self.standing(id) == wanted).count()
        };
        Counts {
            things: self.nodes.len(),
            companies: companies.len(),
            links: edges.len(),
            confirmed,
            asserted: edges.len() - confirmed,
            contested: edges.iter().filter(|e| e.contested_by.is_some()).count(),
            complete: standing(Standing::Complete),
            open: standing(Standing::Open),
            withheld: standing(Standing::Withheld),
        }
    }
}

const fn near(edge: &TraceEdge, direction: Direction) -> &Identifier {
    match direction {
        Direction::Down => &edge.parent,
        Direction::Up => &edge.child,
    }
}

/// Who stands by a link, for people.
pub(super) fn witnesses(edge: &TraceEdge) -> String {
    let sort = match (edge.relation, edge.basis) {
        (Relation::IsOf, _) => ", one of it",
        (Relation::MadeOf, _) => ", made of it",
        (Relation::WentIn, _) => ", went in",
        (Relation::Holds, _) => ", packed in it",
        (Relation::Contains, Basis::AsPlanned) => ", as planned",
        (Relation::Contains, Basis::AsBuilt) => "",
    };
    let by = &edge.asserted_by;
    printable(&match (&edge.confirmed_by, &edge.contested_by) {
        (None, Some(other)) => format!("asserted by {by}{sort}, DENIED by {other}"),
        (None, None) => format!("asserted by {by}{sort}"),
        (Some(other), _) if other == by => format!("by {other} alone{sort}"),
        (Some(other), _) => format!("{by} + {other}{sort}"),
    })
}

/// What stands beside a link in a picture: how much, and how it came there if not as a component.
fn label(edge: &TraceEdge) -> Option<String> {
    let sort = match edge.relation {
        Relation::Contains => None,
        Relation::IsOf => Some("one of it"),
        Relation::MadeOf => Some("made of it"),
        Relation::WentIn => Some("went in"),
        Relation::Holds => Some("packed in"),
    };
    match (amount(edge), sort) {
        (Some(amount), Some(sort)) => Some(format!("{amount} {sort}")),
        (amount, sort) => amount.or_else(|| sort.map(str::to_owned)),
    }
}

/// How much of the component a link states.
pub(super) fn amount(edge: &TraceEdge) -> Option<String> {
    let quantity = edge.quantity.as_ref()?;
    Some(printable(&quantity.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Traced;
    use super::*;

    fn node(name: &str, owner: Option<&str>) -> TraceNode {
        TraceNode {
            identifier: format!("https://example.com/{name}").parse().unwrap(),
            known: owner.is_some(),
            owner_name: owner.map(str::to_owned),
            passport: None,
            closed: name == "door",
            depth: 0,
        }
    }

    fn edge(parent: &str, child: &str, answers: [Option<&str>; 2]) -> TraceEdge {
        let [confirmed_by, contested_by] = answers.map(|name| name.map(str::to_owned));
        TraceEdge {
            parent: format!("https://example.com/{parent}").parse().unwrap(),
            child: format!("https://example.com/{child}").parse().unwrap(),
            relation: Relation::Contains,
            statement_id: jangbu_ledger::id::StatementId([0; 32]),
            sequence: jangbu_ledger::id::Sequence(1),
            basis: Basis::AsBuilt,
            quantity: jangbu_ledger::statement::Quantity::parse("2", "unit:piece"),
            status: "asserted".into(),
            asserted_by: "oem-a".into(),
            confirmed_by,
            contested_by,
        }
    }

    /// A car with a door with a lock, which somebody says contains the car.
    pub(in super::super) fn traced(direction: Direction) -> Traced {
        let root = match direction {
            Direction::Down => "car",
            Direction::Up => "lock",
        };
        let trace = TraceAnswer {
            root: format!("https://example.com/{root}").parse().unwrap(),
            nodes: vec![
                node("car", Some("oem-a")),
                node("door", Some("tier1")),
                node("lock", None),
            ],
            edges: vec![
                edge("car", "door", [Some("tier1"), None]),
                edge("door", "lock", [None, None]),
                edge("car", "lock", [None, Some("smith")]),
                // Asserted links may go in circles.
                edge("lock", "car", [None, None]),
            ],
            truncated: false,
            next: None,
        };
        Traced::new(trace, direction)
    }

    #[test]
    fn a_thing_stands_as_its_company_and_its_components_companies_say() {
        let traced = traced(Direction::Down);
        let graph = traced.graph();
        let standing = |name: &str| {
            let thing = format!("https://example.com/{name}").parse().unwrap();
            graph.standing(&thing)
        };
        assert_eq!(standing("car"), Standing::Contested);
        assert_eq!(standing("door"), Standing::Complete);
        assert_eq!(standing("lock"), Standing::Withheld);
        assert_eq!(standing("never-heard-of"), Standing::Withheld);
    }
}
