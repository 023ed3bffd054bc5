//! Final checkpoints: enough witnesses, each counted once.

use std::collections::BTreeSet;
use std::fmt;

use crate::note::{KeyKind, KeyName, Note, NoteError, SignatureLine, VerifierKey};
use crate::signature::PublicKey;

use super::{Checkpoint, CheckpointError, Cosignature, cosigned_message, verify_strict};

/// A witness that a verifier knows: for a ledger, a validator's witness key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct Witness {
    /// Name under which it cosigns.
    pub name: KeyName,
    /// Its Ed25519 key, used for nothing else.
    pub key: PublicKey,
}

impl Witness {
    /// The witness's key as C2SP tools take it.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            kind: KeyKind::CosignatureV1,
            key: self.key,
        }
    }
}

/// A checkpoint together with the quorum that vouched for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalCheckpoint {
    /// What was cosigned.
    pub checkpoint: Checkpoint,
    /// One verified cosignature for each witness that signed, in the note's order.
    pub cosignatures: Vec<Cosignature>,
}

/// Why a note does not make its checkpoint final for this verifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A signed note of something else.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another log.
    #[error("the checkpoint is of log {got}, not {expected}")]
    OtherOrigin {
        /// The log the verifier asked about.
        expected: KeyName,
        /// The log the checkpoint names.
        got: KeyName,
    },
    /// A line by a known witness key does not verify: somebody changed the note.
    #[error("the cosignature of {name} does not verify")]
    BadCosignature {
        /// The witness that the line names.
        name: KeyName,
    },
    /// Fewer distinct witnesses than asked for.
    #[error("{got} known witnesses cosigned, {need} are needed")]
    BelowQuorum {
        /// Distinct witnesses with a valid cosignature.
        got: usize,
        /// Distinct witnesses asked for.
        need: usize,
    },
    /// The verifier's own demand cannot be met: a quorum of 0, or of more than the witnesses.
    #[error("a quorum of {quorum} among {witnesses} distinct witnesses makes no sense")]
    Demand {
        /// What was asked for.
        quorum: usize,
        /// Distinct witness keys given.
        witnesses: usize,
    },
}

impl QuorumError {
    /// Whether the note cannot be read at all, as opposed to: it can, and does not hold.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Note(_) | Self::Checkpoint(_))
    }
}

/// Checks that `note_text` is a checkpoint of `origin` that at least `quorum` distinct
/// `witnesses` cosigned. Lines by unknown keys, the log's own among them, are ignored.
///
/// # Errors
///
/// [`QuorumError`]; [`is_malformed`](QuorumError::is_malformed) tells bad form from false claim.
pub fn verify_quorum(
    note_text: &str,
    origin: &KeyName,
    witnesses: &[Witness],
    quorum: usize,
) -> Result<FinalCheckpoint, QuorumError> {
    verify_quorum_of(
        &Note::parse(note_text.as_bytes())?,
        origin,
        witnesses,
        quorum,
    )
}

/// [`verify_quorum`] for a note that is parsed already.
///
/// # Errors
///
/// As [`verify_quorum`].
pub fn verify_quorum_of(
    note: &Note,
    origin: &KeyName,
    witnesses: &[Witness],
    quorum: usize,
) -> Result<FinalCheckpoint, QuorumError> {
    let distinct = witnesses
        .iter()
        .map(|w| w.key)
        .collect::<BTreeSet<_>>()
        .len();
    if quorum == 0 || quorum > distinct {
        return Err(QuorumError::Demand {
            quorum,
            witnesses: distinct,
        });
    }
    let checkpoint: Checkpoint = note.text().parse()?;
    if checkpoint.origin != *origin {
        let (expected, got) = (origin.clone(), checkpoint.origin);
        return Err(QuorumError::OtherOrigin { expected, got });
    }
    let known: Vec<(&Witness, VerifierKey)> = witnesses
        .iter()
        .map(|witness| (witness, witness.verifier_key()))
        .collect();
    let mut counted = BTreeSet::new();
    let mut cosignatures = Vec::new();
    for line in note.signatures() {
        let Some((witness, _)) = known.iter().find(|(_, key)| key.is_named_by(line)) else {
            continue;
        };
        let bad = || QuorumError::BadCosignature {
            name: line.name.clone(),
        };
        let cosignature = Cosignature::from_line(witness, line).ok_or_else(bad)?;
        let message = cosigned_message(note.text(), cosignature.timestamp_s);
        verify_strict(&cosignature.key, &message, &cosignature.signature).map_err(|_| bad())?;
        if counted.insert(cosignature.key) {
            cosignatures.push(cosignature);
        }
    }
    if cosignatures.len() < quorum {
        return Err(QuorumError::BelowQuorum {
            got: cosignatures.len(),
            need: quorum,
        });
    }
    Ok(FinalCheckpoint {
        checkpoint,
        cosignatures,
    })
}

/// A checkpoint as it is published: the log's line, then exactly a quorum of cosignatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// Why a checkpoint cannot be published yet, or at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Not enough distinct witnesses cosigned.
    #[error("{got} distinct witnesses cosigned, {need} are needed")]
    BelowQuorum {
        /// Distinct witnesses.
        got: usize,
        /// How many a published checkpoint carries.
        need: usize,
    },
    /// The outcome would not be a note: too many lines.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl SignedCheckpoint {
    /// Puts the note together from a log line and the first `quorum` distinct cosignatures,
    /// which the caller has verified.
    ///
    /// # Errors
    ///
    /// [`AssembleError`] if there are too few cosignatures, or more lines than a note has.
    pub fn assemble(
        checkpoint: Checkpoint,
        log_line: SignatureLine,
        cosignatures: &[Cosignature],
        quorum: usize,
    ) -> Result<Self, AssembleError> {
        let mut keys = BTreeSet::new();
        let mut lines = vec![log_line];
        let distinct = cosignatures
            .iter()
            .filter(|cosignature| keys.insert(cosignature.key));
        lines.extend(distinct.take(quorum).map(Cosignature::to_line));
        let got = lines.len() - 1;
        if got < quorum {
            return Err(AssembleError::BelowQuorum { got, need: quorum });
        }
        let note = Note::new(checkpoint.to_string(), lines)?;
        Ok(Self { checkpoint, note })
    }

    /// What was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed note.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }
}

/// The note's bytes, as `/checkpoint` serves them.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}
