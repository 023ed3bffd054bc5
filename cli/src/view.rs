//! A recorded statement as it is shown: to programs whole, to people what they ask about.

use std::fmt::Write as _;
use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::block::Entry;
use jangbu_ledger::id::{EnvelopeId, Height, KeyId, Sequence, StatementId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, Statement, Stream};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::client::{printable, recorded};

/// A recorded statement.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// The statement.
    pub statement_id: StatementId,
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// That block's time, RFC 3339.
    pub time: String,
    /// Who said it.
    pub member: String,
    /// With which key.
    pub key_id: KeyId,
    /// In which envelope.
    pub envelope_id: EnvelopeId,
    /// What was said.
    pub statement: Statement,
    /// That in a line.
    #[serde(skip)]
    pub says: String,
}

impl View {
    /// The statement of an entry; `None` for a seal.
    #[must_use]
    pub fn of(entry: &Entry, anchor: &TrustAnchor) -> Option<Self> {
        let said = recorded(entry)?;
        Some(Self {
            statement_id: said.statement.id(&anchor.chain_id, &said.member),
            sequence: entry.sequence,
            height: entry.height,
            time: rfc3339(entry.time_ms),
            member: anchor.name_of(&said.member),
            key_id: said.key_id,
            envelope_id: said.envelope_id,
            statement: said.statement.clone(),
            says: sentence(&said.statement, anchor),
        })
    }

    /// One line: place, time, who, what.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:>7}  {}  {:<12}  {}",
            self.sequence, self.time, self.member, self.says
        )
    }
}

/// A statement in one line, fit for a terminal: a node may show one that no ledger would take.
#[must_use]
pub fn sentence(statement: &Statement, anchor: &TrustAnchor) -> String {
    printable(&said(statement, anchor))
}

fn said(statement: &Statement, anchor: &TrustAnchor) -> String {
    // Who became a member later has no name here.
    let name = |id| {
        let member = anchor.member(id);
        member.map_or_else(|| short(id), |member| member.name.clone())
    };
    let subject = statement
        .subject()
        .map_or_else(String::new, ToString::to_string);
    match &statement.kind {
        Kind::PassportIssued { granularity, .. } => {
            format!("issues the passport of {subject} ({})", lower(granularity))
        }
        Kind::PassportSuperseded { version, .. } => {
            format!("issues version {version} of the passport of {subject}")
        }
        Kind::PassportRevoked { reason } => {
            format!("revokes the passport of {subject} ({})", lower(reason))
        }
        Kind::GranularityLinked { part_of } => format!("{subject} is of {part_of}"),
        Kind::ComponentLinked {
            child, quantity, ..
        } => {
            let amount = quantity
                .as_ref()
                .map_or_else(String::new, |quantity| format!("{quantity} of "));
            format!("{subject} contains {amount}{child}")
        }
        Kind::ComponentConfirmed { link } => {
            format!("confirms a component of {subject} (link {})", short(link))
        }
        Kind::Observed { event } => {
            format!(
                "observed an event ({}) of {}",
                lower(event),
                about(statement, &subject)
            )
        }
        Kind::Sealed => "says something sealed".to_owned(),
        Kind::KeyRevoked { key } => format!("revokes its key {key}"),
        Kind::PassportSuspended => format!("suspends the passport of {subject}"),
        Kind::PassportReinstated => format!("reinstates the passport of {subject}"),
        Kind::PassportEnded { fate } => {
            format!("closes the passport of {subject}: {}", lower(fate))
        }
        Kind::PassportRegistered { version, .. } => {
            format!("registered version {version} of the passport of {subject}")
        }
        Kind::PassportEndorsed {
            version,
            expires_at_ms,
            ..
        } => {
            let until = expires_at_ms.map_or_else(String::new, |expires| {
                format!(" until {}", rfc3339(expires))
            });
            format!("endorses version {version} of the passport of {subject}{until}")
        }
        Kind::EndorsementWithdrawn { endorsement } => {
            format!(
                "withdraws its endorsement {} of {subject}",
                short(endorsement)
            )
        }
        Kind::Derived { predecessors, by } => {
            let first = predecessors
                .first()
                .map_or_else(String::new, ToString::to_string);
            let mut line = format!("made {subject} of {first} ({})", lower(by));
            if predecessors.len() > 1 {
                let _ = write!(line, " and {} more", predecessors.len() - 1);
            }
            line
        }
        Kind::HandoverOffered { of, to } => {
            format!("offers {} of {subject} to {}", lower(of), name(to))
        }
        Kind::HandoverAccepted { offer } => {
            format!("takes {subject} over (offer {})", short(offer))
        }
        Kind::HandoverEnded { offer } => {
            format!("ends the offer {} of {subject}", short(offer))
        }
        Kind::ComponentContested { link } => {
            format!("denies a component of {subject} (link {})", short(link))
        }
        Kind::CompositionClosed { links } => {
            format!("states that all {links} components of {subject} are linked")
        }
        Kind::NoticeIssued { sort } => {
            format!("warns of {} ({})", about(statement, &subject), lower(sort))
        }
        Kind::ProfilePublished { version, digest } => {
            format!("publishes {subject} {version} (digest {})", short(digest))
        }
        Kind::NoticeLifted { notice } => {
            format!(
                "lifts its notice {} about {}",
                short(notice),
                about(statement, &subject)
            )
        }
        Kind::Transformed { inputs, .. } if inputs.is_empty() => {
            format!("states how much there is of {}", about(statement, &subject))
        }
        Kind::Transformed { inputs, .. } => {
            let first = inputs.first().map_or("", |input| input.of.as_str());
            format!(
                "{} came out of {}",
                about(statement, &subject),
                and_more(first, inputs.len())
            )
        }
        Kind::InputConfirmed {
            transformation,
            input,
        } => format!(
            "confirms that {input} went into {subject} (transformation {})",
            short(transformation)
        ),
        Kind::InputContested {
            transformation,
            input,
        } => format!(
            "denies that {input} went into {subject} (transformation {})",
            short(transformation)
        ),
        Kind::Aggregated { children } => {
            let first = children.first().map_or("", Identifier::as_str);
            format!("put {} into {subject}", and_more(first, children.len()))
        }
        Kind::Disaggregated { children } => {
            let first = children.first().map_or("", Identifier::as_str);
            format!("took {} out of {subject}", and_more(first, children.len()))
        }
        Kind::ShareStep { with, deed } => {
            let step = deed.step().name().replace('_', " ");
            format!("in the data share {subject} with {}: {step}", name(with))
        }
        Kind::EvidenceRecorded { equivocation } => {
            let offence = equivocation.offence();
            format!(
                "proves that validator {} signed two {}s at height {}, round {}",
                offence.validator,
                offence.said_twice.name(),
                offence.height,
                offence.round
            )
        }
    }
}

/// The first of the statement's subjects, and how many more there are.
fn about(statement: &Statement, first: &str) -> String {
    and_more(first, statement.streams.len())
}

fn and_more(first: &str, all: usize) -> String {
    match all {
        0 | 1 => first.to_owned(),
        many => format!("{first} and {} more", many - 1),
    }
}

/// The streams a statement belongs to, each in words.
pub fn streams(statement: &Statement) -> impl Iterator<Item = String> {
    statement.streams.iter().map(|stream| match stream {
        Stream::Open(identifier) => format!("{identifier}"),
        Stream::Claims(identifier) => format!("{identifier} (claims of others)"),
        Stream::Sealed(slot) => format!("sealed slot {slot}"),
    })
}

/// The first digits of an id: enough to recognise it by.
#[must_use]
pub fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(12).collect()
}

/// How a file that was written is verified, as a row of a table.
#[must_use]
pub fn verify_row(file: &Path) -> (&'static str, String) {
    let how = format!(
        "jangbu verify {} --genesis genesis.json   (needs no network)",
        file.display()
    );
    ("verify", how)
}

/// Name and value, one below another.
#[must_use]
pub fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<width$}  {value}");
        text
    })
}

/// A block's time for people and programs: RFC 3339 in UTC, always with milliseconds.
#[must_use]
pub fn rfc3339(time: TimeMs) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        ),
        Err(_) => format!("{} ms", time.0),
    }
}

/// Reads a time as an argument: RFC 3339, or a date, which is its first moment in UTC.
///
/// # Errors
///
/// What is expected instead.
pub fn instant(text: &str) -> Result<TimeMs, String> {
    let expected = "expected YYYY-MM-DD, or a time as in 2027-01-31T09:00:00Z";
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    let at = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|_| expected.to_owned())?;
    let ms = at.unix_timestamp_nanos() / 1_000_000;
    u64::try_from(ms)
        .map(TimeMs)
        .map_err(|_| expected.to_owned())
}

/// The name that a fieldless variant has in JSON.
fn lower(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_whatever_a_node_says() {
        assert_eq!(rfc3339(TimeMs(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            rfc3339(TimeMs(1_700_000_000_123)),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(rfc3339(TimeMs(u64::MAX)), format!("{} ms", u64::MAX));
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for time in [0, 1_700_000_000_123, 4_102_444_800_000] {
            assert_eq!(instant(&rfc3339(TimeMs(time))), Ok(TimeMs(time)));
        }
        assert_eq!(instant("1970-01-02"), Ok(TimeMs(86_400_000)));
        assert_eq!(instant("1970-01-01T01:00:00+01:00"), Ok(TimeMs(0)));
        for bad in [
            "",
            "tomorrow",
            "2027-13-01",
            "1969-12-31",
            "2027-01-01T25:00:00Z",
        ] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = [("a", "1".to_owned()), ("long", "2".to_owned())];
        assert_eq!(table(&rows), "a     1\nlong  2\n");
    }
}
