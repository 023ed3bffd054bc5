//! What a node answered, from its bytes to the words that commands print: one way through what is
//! otherwise behind an HTTP client, so that it can be held against any bytes whatever.
//!
//! Invariants, whatever a node says:
//! - an error or words, never a panic; memory in proportion to the answer;
//! - words are lines of text: nothing in them moves a terminal's cursor.

use jangbu_genesis::TrustAnchor;

use crate::client::{
    self, Direction, EnvelopeAnswer, Item, MembersAnswer, Page, SlotAnswer, StatementAnswer,
    StatusAnswer, SubjectAnswer,
};
use crate::error::CliError;
use crate::view::View;
use crate::{node, show, trace};

/// What a node was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Where it stands.
    Status,
    /// The members.
    Members,
    /// What became of an envelope.
    Envelope,
    /// What is known of a statement.
    Statement,
    /// Entries of the log.
    Page,
    /// What is known of a subject.
    Subject,
    /// Whether a slot is used.
    Slot,
    /// What a product is made of.
    TraceDown,
    /// What contains it.
    TraceUp,
    /// The log as it goes on.
    Stream,
    /// Anything, and it says what is wrong.
    Problem,
}

impl Asked {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Status,
        Self::Members,
        Self::Envelope,
        Self::Statement,
        Self::Page,
        Self::Subject,
        Self::Slot,
        Self::TraceDown,
        Self::TraceUp,
        Self::Problem,
        Self::Stream,
    ];

    /// Reads an answer and puts it in words, in each form that a command prints it in.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the bytes are no such answer, or show an entry that is none.
    pub fn heard(self, bytes: &[u8], anchor: &TrustAnchor) -> Result<Vec<String>, CliError> {
        Ok(match self {
            Self::Status => {
                let status: StatusAnswer = client::read_answer(bytes)?;
                vec![node::status_text(&status), node::peers_text(&status)]
            }
            Self::Members => {
                let members: MembersAnswer = client::read_answer(bytes)?;
                let names = members.members.iter();
                names.map(|m| client::printable(&m.name)).collect()
            }
            Self::Envelope => {
                let answer: EnvelopeAnswer = client::read_answer(bytes)?;
                vec![show::envelope_text(&answer, None)]
            }
            Self::Statement => {
                let answer: StatementAnswer = client::read_answer(bytes)?;
                let entry = answer.entry(&anchor.chain_id)?;
                let view = entry.and_then(|entry| View::of(&entry, anchor));
                view.iter().map(View::line).collect()
            }
            Self::Page => {
                let page: Page = client::read_answer(bytes)?;
                lines(&page.items, anchor)?
            }
            Self::Stream => lines(&client::read_stream(bytes)?, anchor)?,
            Self::Subject => {
                let subject: SubjectAnswer = client::read_answer(bytes)?;
                vec![show::subject_text(subject)]
            }
            Self::Slot => {
                let slot: SlotAnswer = client::read_answer(bytes)?;
                let entry = slot.item.map(|item| item.entry()).transpose()?;
                let view = entry.and_then(|entry| View::of(&entry, anchor));
                view.iter().map(View::line).collect()
            }
            Self::TraceDown => trace::drawn(client::read_answer(bytes)?, Direction::Down)?,
            Self::TraceUp => trace::drawn(client::read_answer(bytes)?, Direction::Up)?,
            Self::Problem => client::read_problem(bytes)?,
        })
    }
}

/// A line for each statement among the entries.
fn lines(items: &[Item], anchor: &TrustAnchor) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    for item in items {
        let view = View::of(&item.entry()?, anchor);
        lines.extend(view.as_ref().map(View::line));
    }
    Ok(lines)
}
