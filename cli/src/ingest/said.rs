//! What a document says, before it is committed to.
//!
//! ```text
//!   file ──read──▶ Reading { said, skipped, steps }
//!   Said ──commit with the vault's secret──▶ Statement + Opening
//! ```
//!
//! Reading is pure: the same document read for the same member says the same, in the same
//! order, whenever it is read. That is what makes a second run a repetition, not a new claim.

use std::collections::BTreeMap;
use std::sync::Arc;

use jangbu_ledger::commitment::{Commitment, schema_digest};
use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Party, Step};
use jangbu_ledger::statement::{
    Basis, EventType, Granularity, Kind, Portion, Quantity, RevocationReason, Statement, Stream,
};
use serde::Serialize;
use serde_json::Value;

/// All that one document says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// What the member says.
    pub said: Vec<Said>,
    /// What it does not say, and why.
    pub skipped: Vec<Skipped>,
    /// Steps of a data share between two members.
    pub steps: Vec<SaidStep>,
    /// What a person should look at, though it stops nothing.
    pub notes: Vec<String>,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Where in which document it stands, for people.
    pub label: String,
    /// What is said in public.
    pub what: What,
    /// What stays in the vault.
    pub body: Arc<Body>,
    /// 0, or which repetition this is of a fact that legitimately repeats.
    pub occurrence: u32,
    /// Earlier statements this one is about.
    pub references: Vec<StatementId>,
}

/// The public part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Version 1 of a passport.
    Passport {
        /// The product.
        subject: Identifier,
        /// Item, batch or model.
        granularity: Granularity,
    },
    /// A later version; which one the body says.
    Superseded {
        /// The product.
        subject: Identifier,
    },
    /// The end of a passport.
    Revoked {
        /// The product.
        subject: Identifier,
        /// Why.
        reason: RevocationReason,
    },
    /// Item of a batch or model, or batch of a model.
    PartOf {
        /// The finer product.
        subject: Identifier,
        /// The coarser one.
        part_of: Identifier,
    },
    /// The product contains the component.
    Component {
        /// The product.
        subject: Identifier,
        /// The component.
        child: Identifier,
        /// Built or planned.
        basis: Basis,
        /// How much of it.
        quantity: Option<Quantity>,
    },
    /// The component's company agrees with what the product's company asserted.
    Confirmed {
        /// The product.
        subject: Identifier,
        /// Which of its links.
        link: Link,
    },
    /// Things went into others of the speaker's.
    Transformed {
        /// What went in, at most 16.
        inputs: Vec<Portion>,
        /// What came out, 1 to 16.
        outputs: Vec<Portion>,
    },
    /// Things were put into a container of the speaker's.
    Aggregated {
        /// The container.
        container: Identifier,
        /// What was put in, 1 to 64.
        children: Vec<Identifier>,
    },
    /// Things were taken out of a container of the speaker's.
    Disaggregated {
        /// The container.
        container: Identifier,
        /// What was taken out, 1 to 64.
        children: Vec<Identifier>,
    },
    /// An event; it belongs to these streams.
    Observed {
        /// Which sort of event.
        event: EventType,
        /// 1 to 16 open or claims streams.
        streams: Vec<Stream>,
    },
}

/// Which link of a product is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The statement that asserted it.
    Statement(StatementId),
    /// Looked up on the ledger: another company's statement has an id that only the ledger knows.
    To {
        /// The component.
        child: Identifier,
        /// Built or planned.
        basis: Basis,
    },
}

/// What a statement commits to.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Name of the schema it follows.
    pub schema: String,
    /// Version of a passport; 1 for everything else.
    pub version: u32,
    /// Its parts by name; each can be disclosed without the others.
    pub sections: BTreeMap<String, Value>,
}

/// One step of a data share, as a Dataspace Protocol message says it.
#[derive(Debug, Clone, PartialEq)]
pub struct SaidStep {
    /// Which document, for people.
    pub label: String,
    /// The step.
    pub step: Step,
    /// Who takes it; `None` if either may.
    pub party: Option<Party>,
    /// Name of the share as far as the message knows one.
    pub name: Option<String>,
    /// What data an offer or an agreement is about, as far as the message says.
    pub data: Vec<Identifier>,
    /// The message.
    pub document: Value,
}

/// Something in a document that the member does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Where in which document it stands, for people.
    pub label: String,
    /// Why, for programs.
    pub reason: SkipReason,
    /// Why, for people.
    pub message: String,
}

/// Why something is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is another company's to say.
    OtherCompany,
    /// It says the same as something before it.
    Repeated,
    /// What it builds on is not on the ledger yet; another run will say it.
    Waiting,
    /// It names nothing that the ledger knows an identifier for.
    NoSubject,
    /// It is not a statement: a state report, an error message.
    NotAStatement,
    /// It needs what the document does not hold.
    Incomplete,
}

impl Body {
    /// A document as one section.
    #[must_use]
    pub fn document(schema: impl Into<String>, document: Value) -> Self {
        Self {
            schema: schema.into(),
            version: 1,
            sections: BTreeMap::from([("document".to_owned(), document)]),
        }
    }
}

impl Said {
    /// A fact that does not repeat and refers to nothing said before.
    pub(crate) fn once(label: String, what: What, body: Arc<Body>) -> Self {
        Self {
            label,
            what,
            body,
            occurrence: 0,
            references: Vec::new(),
        }
    }

    /// The identifier whose stream the statement stands in first; the body is bound to it.
    #[must_use]
    pub fn subject(&self) -> Option<&Identifier> {
        match &self.what {
            What::Passport { subject, .. }
            | What::Superseded { subject }
            | What::Revoked { subject, .. }
            | What::PartOf { subject, .. }
            | What::Component { subject, .. }
            | What::Confirmed { subject, .. } => Some(subject),
            What::Aggregated { container, .. } | What::Disaggregated { container, .. } => {
                Some(container)
            }
            What::Transformed { outputs, .. } => outputs.first().map(|output| &output.of),
            What::Observed { streams, .. } => streams.first().and_then(Stream::identifier),
        }
    }

    /// The statement with this commitment. `link` stands in for a link that had to be looked
    /// up; without one, a confirmation that needs it is `None`.
    #[must_use]
    pub fn statement(
        &self,
        commitment: Commitment,
        link: Option<StatementId>,
    ) -> Option<Statement> {
        let schema = schema_digest(&self.body.schema);
        let open = |subject: &Identifier| vec![Stream::Open(subject.clone())];
        let (kind, streams) = match &self.what {
            What::Passport {
                subject,
                granularity,
            } => (
                Kind::PassportIssued {
                    granularity: *granularity,
                    schema,
                },
                open(subject),
            ),
            What::Superseded { subject } => (
                Kind::PassportSuperseded {
                    version: self.body.version,
                    schema,
                },
                open(subject),
            ),
            What::Revoked { subject, reason } => {
                (Kind::PassportRevoked { reason: *reason }, open(subject))
            }
            What::PartOf { subject, part_of } => (
                Kind::GranularityLinked {
                    part_of: part_of.clone(),
                },
                open(subject),
            ),
            What::Component {
                subject,
                child,
                basis,
                quantity,
            } => (
                Kind::ComponentLinked {
                    child: child.clone(),
                    basis: *basis,
                    quantity: quantity.clone(),
                },
                open(subject),
            ),
            What::Confirmed { subject, link: by } => {
                let link = match by {
                    Link::Statement(id) => *id,
                    Link::To { .. } => link?,
                };
                (
                    Kind::ComponentConfirmed { link },
                    vec![Stream::Claims(subject.clone())],
                )
            }
            What::Transformed { inputs, outputs } => (
                Kind::Transformed {
                    inputs: inputs.clone(),
                    outputs: outputs.clone(),
                },
                outputs.iter().flat_map(|output| open(&output.of)).collect(),
            ),
            What::Aggregated {
                container,
                children,
            } => (
                Kind::Aggregated {
                    children: children.clone(),
                },
                open(container),
            ),
            What::Disaggregated {
                container,
                children,
            } => (
                Kind::Disaggregated {
                    children: children.clone(),
                },
                open(container),
            ),
            What::Observed { event, streams } => {
                (Kind::Observed { event: *event }, streams.clone())
            }
        };
        Some(Statement {
            kind,
            occurrence: self.occurrence,
            streams,
            commitment,
            references: self.references.clone(),
            payload: Vec::new(),
        })
    }
}
