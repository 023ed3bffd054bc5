//! What data was used for: what went in under which agreements, what was run, and what came out.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::deed::check_codes;
use super::{DeedError, Fingerprint, Sent, UseCode};
use crate::content;
use crate::id::Digest;
use crate::identifier::Identifier;

/// Most inputs or outputs of one use.
pub const USED_MAX: usize = 16;
/// Most runs of chunks of one input.
pub const SPANS_MAX: usize = 32;

/// What was done with data.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// What for: `ai-training`, say.
    pub activity: UseCode,
    /// Further codes that the use must be permitted under, sorted, at most
    /// [`super::CODES_MAX`].
    pub codes: Vec<UseCode>,
    /// What went in, 1 to [`USED_MAX`].
    pub inputs: Vec<Input>,
    /// What was made: versions of models, datasets; at most [`USED_MAX`].
    pub outputs: Vec<Output>,
    /// The code that ran.
    pub code: Option<Fingerprint>,
    /// What it ran in: a container image, a lock file.
    pub environment: Option<Fingerprint>,
}

/// Data that went into a use.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Which: a dataset, a model; the agreement itself, if only its document says which.
    pub data: Identifier,
    /// The agreement that it came under; none for data of the user's own.
    pub agreement: Option<Identifier>,
    /// What of it; all of it, if nothing is said.
    pub part: Option<Part>,
}

/// Content that was sent, or some of its chunks.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Root that the delivery started with: of its records, or of plain bytes.
    pub root: Digest,
    /// Which chunks: at most [`SPANS_MAX`] runs, in order, none next to another; none means all.
    pub chunks: Vec<Span>,
}

/// A run of chunks of [`content::CHUNK_BYTES`] bytes.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Its first chunk, from 0.
    pub first: u64,
    /// Its last chunk.
    pub last: u64,
}

/// What was made.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name: that of a version, which does not change any more.
    pub made: Identifier,
    /// What its files are.
    pub content: Option<Fingerprint>,
}

/// Why a use is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// No input, too many, or the same data under the same agreement twice.
    #[error("a use names 1 to {USED_MAX} inputs, each once under one agreement")]
    Inputs,
    /// Too many outputs, or one twice.
    #[error("a use names at most {USED_MAX} outputs, each once")]
    Outputs,
    /// Chunks that are not in order, or too many runs of them.
    #[error("an input names at most {SPANS_MAX} runs of chunks, in order, none next to another")]
    Chunks,
}

impl Usage {
    /// A use of which neither code nor environment is known.
    #[must_use]
    pub const fn new(activity: UseCode, inputs: Vec<Input>, outputs: Vec<Output>) -> Self {
        Self {
            activity,
            codes: Vec::new(),
            inputs,
            outputs,
            code: None,
            environment: None,
        }
    }

    /// Everything that an agreement must permit.
    pub fn purposes(&self) -> impl Iterator<Item = &UseCode> {
        std::iter::once(&self.activity).chain(&self.codes)
    }

    /// Every identifier that it names: data, agreements and what was made; some more than once.
    pub fn named(&self) -> impl Iterator<Item = &Identifier> {
        let inputs = self.inputs.iter();
        inputs
            .flat_map(|input| std::iter::once(&input.data).chain(&input.agreement))
            .chain(self.outputs.iter().map(|output| &output.made))
    }

    /// What it says was made.
    #[must_use]
    pub fn made(&self) -> BTreeSet<&Identifier> {
        self.outputs.iter().map(|output| &output.made).collect()
    }

    /// What it says went in: data, and the agreements that it came under.
    #[must_use]
    pub fn took(&self) -> BTreeSet<&Identifier> {
        let inputs = self.inputs.iter();
        inputs
            .flat_map(|input| std::iter::once(&input.data).chain(&input.agreement))
            .collect()
    }

    pub(super) fn check(&self) -> Result<(), DeedError> {
        self.activity.check()?;
        check_codes(&self.codes)?;
        let inputs = self
            .inputs
            .iter()
            .map(|input| (&input.data, &input.agreement));
        let distinct = inputs.collect::<BTreeSet<_>>().len() == self.inputs.len();
        if !distinct || !(1..=USED_MAX).contains(&self.inputs.len()) {
            return Err(UsageError::Inputs.into());
        }
        let made: BTreeSet<_> = self.outputs.iter().map(|output| &output.made).collect();
        if made.len() != self.outputs.len() || made.len() > USED_MAX {
            return Err(UsageError::Outputs.into());
        }
        let parts = self.inputs.iter().filter_map(|input| input.part.as_ref());
        for part in parts {
            part.check()?;
        }
        Ok(())
    }
}

impl Input {
    /// All the data that an agreement is about, whatever it is.
    #[must_use]
    pub fn under(agreement: Identifier) -> Self {
        Self {
            data: agreement.clone(),
            agreement: Some(agreement),
            part: None,
        }
    }

    /// Whether a contract that lists this data is about it. One that lists none leaves that to
    /// its document, and whoever names no data but the contract means what it is about.
    pub(super) fn is_of(&self, listed: &[Identifier]) -> bool {
        listed.is_empty()
            || listed.contains(&self.data)
            || self.agreement.as_ref() == Some(&self.data)
    }
}

impl Part {
    /// Whether a chunk is of it.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        let mut spans = self.chunks.iter();
        self.chunks.is_empty() || spans.any(|span| (span.first..=span.last).contains(&index))
    }

    fn check(&self) -> Result<(), UsageError> {
        let forward = self.chunks.iter().all(|span| span.first <= span.last);
        let apart = |pair: &[Span]| pair[0].last < pair[1].first.saturating_sub(1);
        if forward && self.chunks.windows(2).all(apart) && self.chunks.len() <= SPANS_MAX {
            Ok(())
        } else {
            Err(UsageError::Chunks)
        }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.agreement {
            Some(agreement) if *agreement == self.data => write!(f, "what {agreement} is about")?,
            Some(agreement) => write!(f, "{} under {agreement}", self.data)?,
            None => write!(f, "{}", self.data)?,
        }
        match &self.part {
            Some(part) => write!(f, " {part}"),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.chunks.is_empty() {
            return write!(f, "all of {}", self.root);
        }
        f.write_str("chunks ")?;
        for (n, span) in self.chunks.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            if span.first == span.last {
                write!(f, "{comma}{}", span.first)?;
            } else {
                write!(f, "{comma}{}-{}", span.first, span.last)?;
            }
        }
        write!(f, " of {}", self.root)
    }
}

impl Sent {
    /// Whether it is, or contains, the part. How long something plain is, the ledger does not
    /// know.
    pub(super) fn has(&self, part: &Part) -> bool {
        let chunks = self
            .sealing
            .as_ref()
            .map(|sealing| content::chunks(sealing.bytes));
        let last = part.chunks.last().map(|span| span.last);
        self.root == part.root
            && match (chunks, last) {
                (Some(chunks), Some(last)) => last < chunks,
                _ => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Identifier {
        Identifier::uuid([n; 16])
    }

    fn made(n: u8) -> Output {
        Output {
            made: id(n),
            content: None,
        }
    }

    fn used(inputs: Vec<Input>, outputs: Vec<Output>) -> Result<(), DeedError> {
        Usage::new(UseCode::parse("x").unwrap(), inputs, outputs).check()
    }

    #[test]
    fn a_use_has_bounds_and_names_each_thing_once() {
        let input = |n| Input::under(id(n));
        assert_eq!(used(vec![input(1)], vec![made(1)]), Ok(()));
        let free = Input {
            agreement: None,
            ..input(1)
        };
        assert_eq!(used(vec![input(1), free], Vec::new()), Ok(()));
        let wrong = Err(UsageError::Inputs.into());
        assert_eq!(used(Vec::new(), Vec::new()), wrong);
        assert_eq!(used(vec![input(1), input(1)], Vec::new()), wrong);
        assert_eq!(used((0..17).map(input).collect(), Vec::new()), wrong);
        let wrong = Err(UsageError::Outputs.into());
        assert_eq!(used(vec![input(1)], vec![made(2), made(2)]), wrong);
        assert_eq!(used(vec![input(1)], (0..17).map(made).collect()), wrong);
    }

    #[test]
    fn chunks_are_named_in_one_way() {
        let chunks = |spans: &[(u64, u64)]| {
            let chunks = spans.iter().map(|&(first, last)| Span { first, last });
            let part = Part {
                root: Digest([1; 32]),
                chunks: chunks.collect(),
            };
            let input = Input {
                part: Some(part),
                ..Input::under(id(1))
            };
            used(vec![input], Vec::new())
        };
        assert_eq!(chunks(&[]), Ok(()));
        assert_eq!(chunks(&[(0, 0), (2, 811), (900, u64::MAX)]), Ok(()));
        let many: Vec<_> = (0..33).map(|n| (3 * n, 3 * n)).collect();
        for bad in [
            &[(1, 0)][..],
            &[(0, 1), (1, 2)],
            &[(0, 1), (2, 3)],
            &[(5, 6), (0, 1)],
            &many,
        ] {
            assert_eq!(chunks(bad), Err(UsageError::Chunks.into()), "{bad:?}");
        }
    }
}
