//! Statements as NDJSON, one a line: what scripts hand over when no format fits.
//!
//! ```text
//!   {"kind":"passport_issued","subject":"urn:uuid:…","granularity":"item","document":{…}}
//!   {"kind":"component_linked","subject":"…","child":"…","quantity":{"value":"2.5","unit":"L"}}
//!   {"kind":"component_confirmed","subject":"…","child":"…"}
//!   {"kind":"transformed","inputs":[{"of":"…","quantity":{"value":"2","unit":"KGM"}}],"outputs":[{"of":"…"}]}
//!   {"kind":"aggregated","subject":"…","children":["…"]}
//!   {"kind":"observed","event":"object","subjects":["…"],"document":{…}}
//! ```

use std::sync::Arc;

use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::json;
use jangbu_ledger::statement::{
    Basis, EventType, Granularity, Portion, Quantity, RevocationReason, STREAMS_MAX, Stream,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::cursor::ReadError;
use super::said::{Body, Link, Said, What};
use super::speaker::Speaker;

/// Longest line in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Schema of a body that names none.
const SCHEMA: &str = "jangbu/document/v1";

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    PassportIssued {
        subject: Identifier,
        granularity: Granularity,
    },
    PassportSuperseded {
        subject: Identifier,
        version: u32,
    },
    PassportRevoked {
        subject: Identifier,
        reason: RevocationReason,
    },
    GranularityLinked {
        subject: Identifier,
        part_of: Identifier,
    },
    ComponentLinked {
        subject: Identifier,
        child: Identifier,
        basis: Option<Basis>,
        quantity: Option<Amount>,
    },
    ComponentConfirmed {
        subject: Identifier,
        child: Option<Identifier>,
        basis: Option<Basis>,
        link: Option<StatementId>,
    },
    Transformed {
        #[serde(default)]
        inputs: Vec<Part>,
        outputs: Vec<Part>,
    },
    Aggregated {
        subject: Identifier,
        children: Vec<Identifier>,
    },
    Disaggregated {
        subject: Identifier,
        children: Vec<Identifier>,
    },
    Observed {
        event: EventType,
        subjects: Vec<Identifier>,
    },
}

/// Some of a thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    of: Identifier,
    quantity: Option<Amount>,
}

/// Members of [`Rest`].
const REST: [&str; 4] = ["schema", "document", "occurrence", "references"];

/// What every line may have besides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    schema: Option<String>,
    document: Option<Value>,
    #[serde(default)]
    occurrence: u32,
    #[serde(default)]
    references: Vec<StatementId>,
}

/// A quantity as people write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    value: Value,
    unit: String,
}

/// Reads one line.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(label: String, line: &[u8], speaker: &Speaker) -> Result<Said, ReadError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(ReadError::whole(format!(
            "the line has {} bytes; at most {LINE_BYTES_MAX} are allowed",
            line.len()
        )));
    }
    let Value::Object(mut map) = json::parse(line)? else {
        return Err(ReadError::whole("expected an object with \"kind\""));
    };
    let mut rest = Map::new();
    for key in REST {
        if let Some(value) = map.shift_remove(key) {
            rest.insert(key.to_owned(), value);
        }
    }
    let rest: Rest = from(Value::Object(rest))?;
    let (what, version) = what(from(Value::Object(map))?, speaker)?;
    let schema = rest.schema.unwrap_or_else(|| SCHEMA.to_owned());
    let document = rest.document.unwrap_or_else(|| Value::Object(Map::new()));
    Ok(Said {
        label,
        what,
        body: Arc::new(Body {
            version,
            ..Body::document(schema, document)
        }),
        occurrence: rest.occurrence,
        references: rest.references,
    })
}

fn from<T: DeserializeOwned>(value: Value) -> Result<T, ReadError> {
    serde_json::from_value(value).map_err(|error| ReadError::whole(error.to_string()))
}

fn what(line: Line, speaker: &Speaker) -> Result<(What, u32), ReadError> {
    let mut version = 1;
    let what = match line {
        Line::PassportIssued {
            subject,
            granularity,
        } => What::Passport {
            subject,
            granularity,
        },
        Line::PassportSuperseded {
            subject,
            version: next,
        } => {
            version = next;
            What::Superseded { subject }
        }
        Line::PassportRevoked { subject, reason } => What::Revoked { subject, reason },
        Line::GranularityLinked { subject, part_of } => What::PartOf { subject, part_of },
        Line::ComponentLinked {
            subject,
            child,
            basis,
            quantity,
        } => What::Component {
            subject,
            child,
            basis: basis.unwrap_or(Basis::AsBuilt),
            quantity: quantity.map(amount).transpose()?,
        },
        Line::ComponentConfirmed {
            subject,
            child,
            basis,
            link,
        } => {
            let link = match (link, child) {
                (Some(link), None) => Link::Statement(link),
                (None, Some(child)) => Link::To {
                    child,
                    basis: basis.unwrap_or(Basis::AsBuilt),
                },
                _ => return Err(ReadError::whole("name either \"link\" or \"child\"")),
            };
            What::Confirmed { subject, link }
        }
        Line::Transformed { inputs, outputs } => What::Transformed {
            inputs: portions(inputs)?,
            outputs: portions(outputs)?,
        },
        Line::Aggregated { subject, children } => What::Aggregated {
            container: subject,
            children,
        },
        Line::Disaggregated { subject, children } => What::Disaggregated {
            container: subject,
            children,
        },
        Line::Observed { event, subjects } => {
            if !(1..=STREAMS_MAX).contains(&subjects.len()) {
                return Err(ReadError::whole(format!(
                    "{} subjects; name 1 to {STREAMS_MAX}",
                    subjects.len()
                )));
            }
            let stream = |subject| match speaker.holds(&subject) {
                true => Stream::Open(subject),
                false => Stream::Claims(subject),
            };
            What::Observed {
                event,
                streams: subjects.into_iter().map(stream).collect(),
            }
        }
    };
    Ok((what, version))
}

fn portions(parts: Vec<Part>) -> Result<Vec<Portion>, ReadError> {
    let portion = |part: Part| {
        Ok(Portion {
            of: part.of,
            quantity: part.quantity.map(amount).transpose()?,
        })
    };
    parts.into_iter().map(portion).collect()
}

fn amount(amount: Amount) -> Result<Quantity, ReadError> {
    let digits = match &amount.value {
        Value::String(digits) => digits.clone(),
        other => other.to_string(),
    };
    Quantity::parse(&digits, &amount.unit).ok_or_else(|| {
        ReadError::whole(format!(
            "quantity: {digits} {} is no amount this ledger holds: a decimal number from 0 with \
             at most 9 places, and a unit of at most 32 bytes",
            amount.unit
        ))
    })
}
