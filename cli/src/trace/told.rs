//! A lineage as a trace's pictures show it: what was made, and the data it came from.

use std::collections::BTreeMap;

use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{Direction, Lineage, Source, Standing as Stands, Use};
use jangbu_ledger::share::Covered;
use jangbu_ledger::statement::Basis;

use super::Traced;
use super::graph::{Line, Standing};
use crate::client::{self, Relation, TraceAnswer, TraceEdge, TraceNode, printable};

/// The words of a picture, where they are not those of component links.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) heading: String,
    pub(super) summary: String,
    things: BTreeMap<Identifier, Thing>,
    links: BTreeMap<(StatementId, Identifier, Identifier), Link>,
}

/// What is said of a thing.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) standing: Standing,
    /// In a word.
    pub(super) word: &'static str,
    pub(super) company: String,
}

/// What is said of a use's way from data to what was made.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) line: Line,
    pub(super) label: String,
    pub(super) says: String,
}

impl Told {
    /// What is known of a thing.
    pub(super) fn thing(&self, thing: &Identifier) -> Option<&Thing> {
        self.things.get(thing)
    }

    /// What is known of a link.
    pub(super) fn link(&self, edge: &TraceEdge) -> Option<&Link> {
        let at = (edge.statement_id, edge.parent.clone(), edge.child.clone());
        self.links.get(&at)
    }

    /// What the bars of the cards mean.
    pub(super) const LEGEND: [(Standing, &'static str, &'static str); 4] = [
        (Standing::Complete, "stands", "permitted, in force"),
        (Standing::Contested, "falls", "not so: make it again"),
        (Standing::Withheld, "unknown", "not read here"),
        (Standing::Open, "data", "what was used"),
    ];
    /// The columns of the table.
    pub(super) const COLUMNS: [&'static str; 5] =
        ["Made", "From", "For", "Under which agreement", "Entry"];
    /// What a page says at its end.
    pub(super) const NOTE: &'static str = "As one node answered. For a proof that no open use was \
        left out, which anyone verifies offline: <code>jangbu prove lineage</code>. The ledger \
        shows who said what, not whether it is true.";
}

/// The picture of a lineage.
pub(super) fn of(lineage: &Lineage) -> Traced {
    let mut things: BTreeMap<Identifier, Thing> = BTreeMap::new();
    let mut links: BTreeMap<(StatementId, Identifier, Identifier), Link> = BTreeMap::new();
    let mut edges = Vec::new();
    let data = |source: &Source| Thing {
        standing: Standing::Open,
        word: "data",
        company: owner(source),
    };
    for used in &lineage.uses {
        for source in &used.sources {
            let thing = things.entry(source.data.clone());
            thing.or_insert_with(|| data(source));
        }
    }
    for used in &lineage.uses {
        for output in &used.outputs {
            things.insert(output.made.clone(), made(lineage, used, &output.made));
            for source in &used.sources {
                let at = (used.statement_id, output.made.clone(), source.data.clone());
                let link = link(source, used);
                if let Some(known) = links.get_mut(&at) {
                    known.line = known.line.max(link.line);
                    known.says = format!("{}; {}", known.says, link.says);
                    continue;
                }
                links.insert(at, link);
                edges.push(edge(used, &output.made, &source.data));
            }
        }
    }
    things.entry(lineage.root.clone()).or_insert(Thing {
        standing: Standing::Open,
        word: "data",
        company: String::new(),
    });
    let nodes = things.keys().map(|thing| TraceNode {
        identifier: thing.clone(),
        known: true,
        owner_name: None,
        passport: None,
        closed: false,
        depth: 0,
    });
    let trace = TraceAnswer {
        root: lineage.root.clone(),
        nodes: nodes.collect(),
        edges,
        truncated: lineage.truncated,
        next: None,
    };
    let (direction, heading) = match lineage.direction {
        Direction::Back => (
            client::Direction::Down,
            format!("What {} was made from", lineage.root),
        ),
        Direction::Forward => (
            client::Direction::Up,
            format!("What was made from {}", lineage.root),
        ),
    };
    let told = Told {
        heading,
        summary: summary(lineage),
        things,
        links,
    };
    Traced::told(trace, direction, told)
}

fn summary(lineage: &Lineage) -> String {
    let sources = || lineage.uses.iter().flat_map(|used| &used.sources);
    let permitted = sources().filter(|source| source.permitted).count();
    let again = lineage
        .made
        .iter()
        .filter(|made| made.standing == Stands::Retrain)
        .count();
    let made = match lineage.direction {
        Direction::Back => String::new(),
        Direction::Forward => format!("; made {}, to make again {again}", lineage.made.len()),
    };
    format!(
        "uses {}, inputs {}: permitted when used {permitted}, not {}{made}",
        lineage.uses.len(),
        sources().count(),
        sources().count() - permitted
    )
}

/// How something stands that a use made: forward by all that is known of it, back by that use.
fn made(lineage: &Lineage, used: &Use, thing: &Identifier) -> Thing {
    let known = lineage.made.iter().find(|made| made.identifier == *thing);
    let worst = used.sources.iter().map(line).max();
    let (standing, word) = match (known.map(|made| made.standing), worst) {
        (Some(Stands::Retrain), _) | (None, Some(Line::Denied)) => (Standing::Contested, "falls"),
        (Some(Stands::Unknown), _) | (None, Some(Line::Dashed)) => (Standing::Withheld, "unknown"),
        (Some(Stands::Stands), _) | (None, _) => (Standing::Complete, "stands"),
    };
    Thing {
        standing,
        word,
        company: printable(&format!("made by {}", used.by)),
    }
}

fn owner(source: &Source) -> String {
    let known = source
        .agreement
        .as_ref()
        .and_then(|agreement| agreement.known.as_ref());
    printable(&match (known, &source.agreement) {
        (Some(known), _) => format!("of {}", known.provider),
        (None, Some(_)) => "under an agreement not read here".to_owned(),
        (None, None) => "under no agreement".to_owned(),
    })
}

/// How a line is drawn: permitted and in force, not known, or not permitted or ended.
fn line(source: &Source) -> Line {
    let known = source
        .agreement
        .as_ref()
        .and_then(|agreement| agreement.known.as_ref());
    let ended = known.is_some_and(|known| known.ended_at.is_some());
    match source.then {
        Covered::Permitted if !ended => Line::Solid,
        Covered::Unknown => Line::Dashed,
        _ => Line::Denied,
    }
}

fn link(source: &Source, used: &Use) -> Link {
    let agreement = source.agreement.as_ref();
    let known = agreement.and_then(|agreement| agreement.known.as_ref());
    let under = agreement.map_or_else(
        || "no agreement".to_owned(),
        |agreement| match known {
            Some(known) => format!("{} with {}", known.name, known.provider),
            None => agreement.identifier.to_string(),
        },
    );
    let ended = known.and_then(|known| known.ended_at);
    let ended = ended.map_or_else(String::new, |height| format!("; ended in block {height}"));
    Link {
        line: line(source),
        label: used.activity.to_string(),
        says: printable(&format!("{under}: {}{ended}", source.then.words())),
    }
}

fn edge(used: &Use, made: &Identifier, data: &Identifier) -> TraceEdge {
    TraceEdge {
        parent: made.clone(),
        child: data.clone(),
        relation: Relation::MadeOf,
        statement_id: used.statement_id,
        sequence: used.sequence,
        basis: Basis::AsBuilt,
        quantity: None,
        status: "asserted".into(),
        asserted_by: used.by.clone(),
        confirmed_by: None,
        contested_by: None,
    }
}
