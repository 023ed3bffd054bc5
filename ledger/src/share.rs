//! The life of a data share between a provider and a consumer.
//!
//! ```text
//!   contract   requested ⇄ offered ─ accepted ─ agreed ─ verified ─ finalized ─ retired ─ closed
//!   transfer                requested ─ started ⇄ suspended ─ completed
//!   delivery                             sent ─ received ─ key released ─ confirmed | rejected
//!   beside it                                        used · deleted · disputed · resolved
//! ```
//!
//! The tables of [`table`] say who may take which step when; here is what a step must state.
//! The same functions judge open streams in validators and sealed ones in whoever holds the
//! stream's key.
//!
//! Invariants:
//! - data moves only under a final contract, and nothing new begins once it has ended;
//! - a key is released for what was received, and received is exactly what was sent;
//! - evidence of a use is never refused; [`Covered`] says whether it was covered.

mod course;
mod covered;
mod deed;
mod fingerprint;
mod step;
pub mod table;
mod usage;

#[cfg(test)]
mod tests;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::identifier::Identifier;
use crate::rules::Rule;

pub use course::{Course, Spoken, Taken};
pub use covered::{Covered, User};
pub use deed::{
    CODES_MAX, DATA_MAX, Deed, DeedError, Rejection, Sealing, Sent, UseCode, WrappedKey,
};
pub use fingerprint::{Fingerprint, FingerprintError, GitCommit};
pub use step::{Party, Sender, Step};
pub use table::{Contract, Delivery, Dispute, Holding, Phase, Stand, Transfer};
pub use usage::{Input, Output, Part, SPANS_MAX, Span, USED_MAX, Usage, UsageError};

use table::Refused;

/// A data share so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Share {
    /// Where its machines stand.
    #[serde(flatten)]
    pub stand: Stand,
    /// What the provider last said it sends.
    pub sent: Option<Sent>,
    /// The uses that the contract permits; none listed means that its document alone says.
    pub permits: Vec<UseCode>,
    /// What data the contract is about; none listed means that its document alone says.
    pub data: Vec<Identifier>,
}

/// Why a step may not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// It is somebody else's step.
    #[error("share.party: it is not the {}'s to say that the share is {}", .0.name(), .1.name())]
    Party(Sender, Step),
    /// The contract has ended, and this is no closing step.
    #[error(
        "share.closed: the share cannot be {} any more: its contract is {}", .0.name(),
        contract(*.1)
    )]
    Closed(Step, Contract),
    /// Not now.
    #[error(
        "share.order: the {} may not say that it is {} while {}", .by.name(), .step.name(),
        standing(.stand)
    )]
    Order {
        /// Who tried.
        by: Sender,
        /// What.
        step: Step,
        /// Where everything stood.
        stand: Box<Stand>,
    },
    /// A transfer starts without saying of what.
    #[error("share.root: the provider must name the root of what it sends")]
    RootMissing,
    /// Only the provider says what it sends.
    #[error("share.root: what is sent is the provider's to say")]
    RootForeign,
    /// What was received is not what was sent.
    #[error("share.root: what was received is not what the provider said it sent")]
    RootDiffers,
    /// There is no key to release, or it was not released yet.
    #[error("share.key: {0}")]
    Key(&'static str),
    /// A rejection for a reason that cannot be.
    #[error("share.rejection: {0}")]
    Rejection(&'static str),
}

impl ShareError {
    /// The rule that is broken.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::Party(..) => Rule::ShareParty,
            Self::Closed(..) => Rule::ShareClosed,
            Self::Order { .. } => Rule::ShareOrder,
            Self::RootMissing | Self::RootForeign | Self::RootDiffers => Rule::ShareRoot,
            Self::Key(_) => Rule::ShareKey,
            Self::Rejection(_) => Rule::ShareRejection,
        }
    }
}

fn contract(contract: Contract) -> &'static str {
    match contract {
        Contract::Terminated => "terminated",
        _ => "retired",
    }
}

fn standing(stand: &Stand) -> String {
    let lower = |text: String| text.to_lowercase();
    format!(
        "the contract is at {}, the transfer at {} and the delivery at {}{}",
        lower(format!("{:?}", stand.contract)),
        lower(format!("{:?}", stand.transfer)),
        lower(format!("{:?}", stand.delivery)),
        match stand.dispute {
            Dispute::None => "",
            Dispute::ByProvider => ", and the provider disputes it",
            Dispute::ByConsumer => ", and the consumer disputes it",
        }
    )
}

impl Share {
    /// The share after one more step.
    ///
    /// # Errors
    ///
    /// [`ShareError`] if the step is not this sender's to take now, or states what cannot be.
    pub fn after(&self, by: impl Into<Sender>, deed: &Deed) -> Result<Self, ShareError> {
        let (by, step) = (by.into(), deed.step());
        let stand = self
            .stand
            .after(by, step)
            .map_err(|refused| match refused {
                Refused::Sender => ShareError::Party(by, step),
                Refused::Closed => ShareError::Closed(step, self.stand.contract),
                Refused::Order => ShareError::Order {
                    by,
                    step,
                    stand: Box::new(self.stand),
                },
            })?;
        let mut next = Self {
            stand,
            ..self.clone()
        };
        match deed {
            Deed::Agreed { permits, data } => {
                next.permits.clone_from(permits);
                next.data.clone_from(data);
            }
            Deed::TransferRequested => next.sent = None,
            Deed::TransferStarted { sent } => next.start(by, sent.as_ref())?,
            Deed::Received { root } if self.root() != Some(*root) => {
                return Err(ShareError::RootDiffers);
            }
            Deed::KeyReleased { .. } if self.sealing().is_none() => {
                return Err(ShareError::Key("what was sent has no key to be released"));
            }
            Deed::Confirmed => {
                let waits = self.stand.delivery == Delivery::Received && self.sealing().is_some();
                if waits {
                    return Err(ShareError::Key("its key was not released yet"));
                }
            }
            Deed::Rejected { reason } => self.check_rejection(*reason)?,
            _ => {}
        }
        Ok(next)
    }

    /// What the provider committed to, if the key of what it sent is to be released.
    #[must_use]
    pub fn sealing(&self) -> Option<&Sealing> {
        self.sent.as_ref().and_then(|sent| sent.sealing.as_ref())
    }

    /// Root of what the provider last said it sends.
    #[must_use]
    pub fn root(&self) -> Option<crate::id::Digest> {
        self.sent.as_ref().map(|sent| sent.root)
    }

    /// A start by the provider that names what is sent begins a delivery.
    fn start(&mut self, by: Sender, sent: Option<&Sent>) -> Result<(), ShareError> {
        match (by, sent) {
            (Sender::Provider, Some(sent)) => {
                self.sent = Some(sent.clone());
                self.stand.delivery = Delivery::Sent;
                Ok(())
            }
            (_, Some(_)) => Err(ShareError::RootForeign),
            (_, None) if self.sent.is_none() => Err(ShareError::RootMissing),
            (_, None) => Ok(()),
        }
    }

    fn check_rejection(&self, reason: Rejection) -> Result<(), ShareError> {
        let delivery = self.stand.delivery;
        let (holds, otherwise) = match reason {
            Rejection::Differs { root } => (
                delivery == Delivery::Sent && self.root() != Some(root),
                "what arrived is what was sent, or was received before",
            ),
            Rejection::NoKey => (
                delivery == Delivery::Received && self.sealing().is_some(),
                "no key is owed now",
            ),
            Rejection::WrongKey | Rejection::WrongChunk { .. } => (
                delivery == Delivery::Released,
                "no key was released to find that with",
            ),
            Rejection::Unfit => (true, ""),
        };
        if holds {
            Ok(())
        } else {
            Err(ShareError::Rejection(otherwise))
        }
    }
}
