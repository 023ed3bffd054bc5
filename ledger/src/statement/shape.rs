//! What makes a statement well formed, whatever the state says.

use std::collections::BTreeSet;

use super::portion::{check_contents, check_transformation};
use super::{
    Kind, PAYLOAD_BYTES_MAX, REFERENCES_MAX, STATEMENT_BYTES_MAX, STREAMS_MAX, Statement, Stream,
    THINGS_MAX,
};
use crate::codec;
use crate::equivocation::EquivocationError;
use crate::identifier::Identifier;
use crate::profile::is_version;
use crate::share::{Deed, DeedError};

/// Why a statement is not even well formed. Whoever signed it made the mistake; no state is
/// needed to see it, so an envelope that holds one is never admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Longer than [`STATEMENT_BYTES_MAX`].
    #[error("the statement has {0} bytes; at most {STATEMENT_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The number or sort of streams does not fit the kind.
    #[error("{kind} belongs to {expected}")]
    Streams {
        /// The kind's name.
        kind: &'static str,
        /// What it needs instead.
        expected: &'static str,
    },
    /// The same stream twice.
    #[error("a statement names the same stream twice")]
    RepeatedStream,
    /// More than [`REFERENCES_MAX`], or any on a sealed statement.
    #[error("{0} references; at most {REFERENCES_MAX} are allowed, and none when sealed")]
    References(usize),
    /// Over the limit, or not the fixed size of a sealed statement.
    #[error("the payload has {0} bytes; at most {PAYLOAD_BYTES_MAX} (sealed: exactly as many)")]
    Payload(usize),
    /// A quantity with trailing zeros, too many places or an overlong unit.
    #[error("the quantity is not canonical: no trailing zeros, at most 9 places, unit <= 32 bytes")]
    Quantity,
    /// A component or a coarser product that is the subject itself.
    #[error("a subject cannot be linked to itself")]
    SelfLink,
    /// A sealed statement that counts occurrences in the clear.
    #[error("a sealed statement carries its occurrence inside")]
    SealedOccurrence,
    /// No predecessor, too many, or one twice.
    #[error("a product derives from 1 to {PREDECESSORS_MAX} others, each named once")]
    Predecessors,
    /// Nothing comes out, too much goes in or comes out, or a thing is named twice.
    #[error(
        "at most 16 things go into a transformation and 1 to 16 come out, each named once among all"
    )]
    Portions,
    /// A transformation in other streams than those of what comes out.
    #[error("a transformation stands in the open streams of what comes out, in the same order")]
    OutputStreams,
    /// Nothing, too much, or a thing twice.
    #[error("1 to {THINGS_MAX} things are put into a container or taken out, each named once")]
    Contents,
    /// A step that states what cannot be.
    #[error("the step of the data share is malformed: {0}")]
    Deed(#[from] DeedError),
    /// There is no key of an open stream to give away.
    #[error("everyone reads an open stream; only a sealed one is granted")]
    OpenGrant,
    /// A version of a profile that is none.
    #[error(
        "a profile's version has 1 to 32 lower-case letters, digits, dots and hyphens, not {0:?}"
    )]
    ProfileVersion(String),
    /// Two messages that prove nothing, whoever signed them.
    #[error("the evidence shows nothing: {0}")]
    Evidence(#[from] EquivocationError),
}

/// Most things that one product is made of the remains of.
const PREDECESSORS_MAX: usize = 16;

fn check_predecessors(predecessors: &[Identifier], subject: &Identifier) -> Result<(), ShapeError> {
    if predecessors.contains(subject) {
        return Err(ShapeError::SelfLink);
    }
    let distinct: BTreeSet<&Identifier> = predecessors.iter().collect();
    let fits = (1..=PREDECESSORS_MAX).contains(&predecessors.len());
    if fits && distinct.len() == predecessors.len() {
        Ok(())
    } else {
        Err(ShapeError::Predecessors)
    }
}

impl Statement {
    /// Checks everything that needs no state.
    ///
    /// # Errors
    ///
    /// [`ShapeError`], the first found.
    pub fn check_shape(&self) -> Result<(), ShapeError> {
        let bytes = codec::encode(self).len();
        if bytes > STATEMENT_BYTES_MAX {
            return Err(ShapeError::TooLong(bytes));
        }
        let sealed = matches!(self.kind, Kind::Sealed);
        if self.references.len() > if sealed { 0 } else { REFERENCES_MAX } {
            return Err(ShapeError::References(self.references.len()));
        }
        if self.payload.len() > PAYLOAD_BYTES_MAX
            || (sealed && self.payload.len() != PAYLOAD_BYTES_MAX)
        {
            return Err(ShapeError::Payload(self.payload.len()));
        }
        if sealed && self.occurrence != 0 {
            return Err(ShapeError::SealedOccurrence);
        }
        self.check_streams()?;
        match (&self.kind, self.subject()) {
            (Kind::ComponentLinked { child: other, .. }, Some(subject))
            | (Kind::GranularityLinked { part_of: other }, Some(subject))
                if other == subject =>
            {
                return Err(ShapeError::SelfLink);
            }
            (
                Kind::ComponentLinked {
                    quantity: Some(quantity),
                    ..
                },
                _,
            ) if !quantity.is_canonical() => {
                return Err(ShapeError::Quantity);
            }
            (Kind::EvidenceRecorded { equivocation }, _) => equivocation.check_shape()?,
            (Kind::ProfilePublished { version, .. }, _) if !is_version(version) => {
                return Err(ShapeError::ProfileVersion(
                    version.chars().take(80).collect(),
                ));
            }
            (Kind::Derived { predecessors, .. }, Some(subject)) => {
                check_predecessors(predecessors, subject)?;
            }
            (Kind::Transformed { inputs, outputs }, _) => {
                check_transformation(inputs, outputs, &self.streams)?;
            }
            (Kind::Aggregated { children } | Kind::Disaggregated { children }, Some(container)) => {
                check_contents(children, container)?;
            }
            (Kind::ShareStep { deed, .. }, _) => {
                deed.check()?;
                if matches!(**deed, Deed::Granted { .. }) {
                    return Err(ShapeError::OpenGrant);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_streams(&self) -> Result<(), ShapeError> {
        let mut sorted: Vec<&Stream> = self.streams.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ShapeError::RepeatedStream);
        }
        let (fits, expected) = match (&self.kind, self.streams.as_slice()) {
            (
                Kind::PassportIssued { .. }
                | Kind::PassportSuperseded { .. }
                | Kind::GranularityLinked { .. }
                | Kind::ComponentLinked { .. }
                | Kind::PassportEnded { .. }
                | Kind::PassportRegistered { .. }
                | Kind::Derived { .. }
                | Kind::CompositionClosed { .. }
                | Kind::Aggregated { .. },
                streams,
            ) => (
                matches!(streams, [Stream::Open(_)]),
                "exactly one open stream, its subject's",
            ),
            (
                Kind::ComponentConfirmed { .. }
                | Kind::ComponentContested { .. }
                | Kind::PassportEndorsed { .. }
                | Kind::EndorsementWithdrawn { .. },
                streams,
            ) => (
                matches!(streams, [Stream::Claims(_)]),
                "exactly one claims stream, the product's",
            ),
            (
                Kind::PassportRevoked { .. }
                | Kind::PassportSuspended
                | Kind::PassportReinstated
                | Kind::HandoverOffered { .. }
                | Kind::HandoverAccepted { .. }
                | Kind::HandoverEnded { .. }
                | Kind::Disaggregated { .. }
                | Kind::ShareStep { .. },
                streams,
            ) => (
                matches!(streams, [Stream::Open(_) | Stream::Claims(_)]),
                "exactly one stream, its subject's: open if that is the author's, else claims",
            ),
            (
                Kind::Observed { .. }
                | Kind::NoticeIssued { .. }
                | Kind::NoticeLifted { .. }
                | Kind::InputConfirmed { .. }
                | Kind::InputContested { .. },
                streams,
            ) => (
                (1..=STREAMS_MAX).contains(&streams.len())
                    && !streams.iter().any(|s| matches!(s, Stream::Sealed(_))),
                "1 to 16 open or claims streams",
            ),
            (Kind::Transformed { .. }, streams) => (
                (1..=STREAMS_MAX).contains(&streams.len())
                    && streams.iter().all(|s| matches!(s, Stream::Open(_))),
                "the open streams of what comes out, 1 to 16",
            ),
            (Kind::ProfilePublished { .. }, streams) => (
                matches!(streams, [Stream::Open(name)] if name.is_profile()),
                "exactly one open stream, that of profile:NAME",
            ),
            (Kind::Sealed, streams) => (matches!(streams, [Stream::Sealed(_)]), "exactly one slot"),
            (Kind::KeyRevoked { .. } | Kind::EvidenceRecorded { .. }, streams) => {
                (streams.is_empty(), "no stream")
            }
        };
        // Else whoever issues something else under a profile's name first would own the name.
        let published = matches!(self.kind, Kind::ProfilePublished { .. });
        let of_profile =
            |stream: &Stream| matches!(stream, Stream::Open(name) if name.is_profile());
        if !published && self.streams.iter().any(of_profile) {
            return Err(ShapeError::Streams {
                kind: self.kind.name(),
                expected: "streams of things: that of a profile takes profile_published only",
            });
        }
        if fits {
            Ok(())
        } else {
            Err(ShapeError::Streams {
                kind: self.kind.name(),
                expected,
            })
        }
    }
}
