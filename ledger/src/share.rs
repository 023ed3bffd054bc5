//! The life of a data share between a provider and a consumer, as tables.
//!
//! Eclipse Dataspace Protocol 2025-1: contract negotiation, then a transfer, in its own names;
//! and `Received`, which it lacks. The same functions judge open streams in validators and
//! sealed ones in whoever holds the stream's key.
//!
//! Source: Dataspace Protocol 2025-1, sections 7.3 and 9.3 (state machines).

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// Who takes a step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Has the data.
    Provider,
    /// Gets the data.
    Consumer,
}

/// One step of a data share.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The consumer asks for a contract (`ContractRequestMessage`).
    Requested,
    /// The provider offers one (`ContractOfferMessage`).
    Offered,
    /// The consumer accepts (`ContractNegotiationEventMessage`, ACCEPTED).
    Accepted,
    /// The provider agrees (`ContractAgreementMessage`).
    Agreed,
    /// The consumer verifies (`ContractAgreementVerificationMessage`).
    Verified,
    /// The provider finalizes (`ContractNegotiationEventMessage`, FINALIZED).
    Finalized,
    /// Either ends the negotiation (`ContractNegotiationTerminationMessage`).
    Terminated,
    /// The consumer asks for the data (`TransferRequestMessage`).
    TransferRequested,
    /// The provider sends it (`TransferStartMessage`), naming the ciphertext's root.
    TransferStarted,
    /// The consumer states the root of what it received.
    Received,
    /// Either pauses the transfer (`TransferSuspensionMessage`).
    TransferSuspended,
    /// Either says all is sent (`TransferCompletionMessage`).
    TransferCompleted,
    /// Either ends the transfer (`TransferTerminationMessage`).
    TransferTerminated,
}

impl Party {
    /// Its name as JSON and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Consumer => "consumer",
        }
    }
}

impl Step {
    /// Its name as JSON and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Agreed => "agreed",
            Self::Verified => "verified",
            Self::Finalized => "finalized",
            Self::Terminated => "terminated",
            Self::TransferRequested => "transfer_requested",
            Self::TransferStarted => "transfer_started",
            Self::Received => "received",
            Self::TransferSuspended => "transfer_suspended",
            Self::TransferCompleted => "transfer_completed",
            Self::TransferTerminated => "transfer_terminated",
        }
    }

    /// The party whose step it always is; `None` if either may take it.
    #[must_use]
    pub fn only_by(self) -> Option<Party> {
        let by = |party| {
            NEGOTIATION
                .iter()
                .any(|(_, by, step, _)| (*by, *step) == (party, self))
                || TRANSFER
                    .iter()
                    .any(|(_, by, step, _)| (*by, *step) == (party, self))
        };
        match (by(Party::Provider), by(Party::Consumer)) {
            (true, false) => Some(Party::Provider),
            (false, true) => Some(Party::Consumer),
            _ => None,
        }
    }
}

/// Where the negotiation of a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Negotiation {
    /// Nothing was said.
    #[default]
    None,
    /// See [`Step::Requested`].
    Requested,
    /// See [`Step::Offered`].
    Offered,
    /// See [`Step::Accepted`].
    Accepted,
    /// See [`Step::Agreed`].
    Agreed,
    /// See [`Step::Verified`].
    Verified,
    /// See [`Step::Finalized`].
    Finalized,
    /// See [`Step::Terminated`].
    Terminated,
}

/// Where the transfer of the data stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transfer {
    /// Nothing was said.
    #[default]
    None,
    /// See [`Step::TransferRequested`].
    Requested,
    /// See [`Step::TransferStarted`].
    Started,
    /// See [`Step::TransferSuspended`].
    Suspended,
    /// See [`Step::TransferCompleted`].
    Completed,
    /// See [`Step::TransferTerminated`].
    Terminated,
}

/// A data share so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// The contract.
    pub negotiation: Negotiation,
    /// The data.
    pub transfer: Transfer,
    /// Root of the ciphertext that the provider last said it sends.
    pub started_root: Option<Digest>,
    /// Whether the consumer stated that it received exactly that.
    pub received: bool,
}

/// Why a step may not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The state machine has no such transition for this party.
    #[error(
        "share.order: the {} may not say that it is {} while the negotiation is at {negotiation:?} \
         and the transfer at {transfer:?}", .party.name(), .step.name()
    )]
    Order {
        /// Who tried.
        party: Party,
        /// What.
        step: Step,
        /// Where the negotiation stood.
        negotiation: Negotiation,
        /// Where the transfer stood.
        transfer: Transfer,
    },
    /// A transfer starts or is received without saying of what.
    #[error("share.root: {} must name the root of what is sent", .0.name())]
    RootMissing(Step),
    /// What was received is not what was sent.
    #[error("share.root: what was received is not what the provider said it sent")]
    RootDiffers,
}

/// Legal steps of the negotiation: from, by whom, step, to.
const NEGOTIATION: &[(Negotiation, Party, Step, Negotiation)] = {
    use Negotiation as N;
    use Party::{Consumer as C, Provider as P};
    &[
        (N::None, C, Step::Requested, N::Requested),
        (N::None, P, Step::Offered, N::Offered),
        (N::Requested, P, Step::Offered, N::Offered),
        (N::Requested, P, Step::Agreed, N::Agreed),
        (N::Requested, P, Step::Terminated, N::Terminated),
        (N::Requested, C, Step::Terminated, N::Terminated),
        (N::Offered, C, Step::Requested, N::Requested),
        (N::Offered, C, Step::Accepted, N::Accepted),
        (N::Offered, P, Step::Terminated, N::Terminated),
        (N::Offered, C, Step::Terminated, N::Terminated),
        (N::Accepted, P, Step::Agreed, N::Agreed),
        (N::Accepted, P, Step::Terminated, N::Terminated),
        (N::Agreed, C, Step::Verified, N::Verified),
        (N::Agreed, C, Step::Terminated, N::Terminated),
        (N::Verified, P, Step::Finalized, N::Finalized),
        (N::Verified, P, Step::Terminated, N::Terminated),
    ]
};

/// Legal steps of the transfer: from, by whom, step, to.
const TRANSFER: &[(Transfer, Party, Step, Transfer)] = {
    use Party::{Consumer as C, Provider as P};
    use Transfer as T;
    &[
        (T::None, C, Step::TransferRequested, T::Requested),
        (T::Requested, P, Step::TransferStarted, T::Started),
        (T::Requested, P, Step::TransferTerminated, T::Terminated),
        (T::Requested, C, Step::TransferTerminated, T::Terminated),
        (T::Started, C, Step::Received, T::Started),
        (T::Started, P, Step::TransferSuspended, T::Suspended),
        (T::Started, C, Step::TransferSuspended, T::Suspended),
        (T::Started, P, Step::TransferCompleted, T::Completed),
        (T::Started, C, Step::TransferCompleted, T::Completed),
        (T::Started, P, Step::TransferTerminated, T::Terminated),
        (T::Started, C, Step::TransferTerminated, T::Terminated),
        (T::Suspended, P, Step::TransferStarted, T::Started),
        (T::Suspended, C, Step::TransferStarted, T::Started),
        (T::Suspended, P, Step::TransferTerminated, T::Terminated),
        (T::Suspended, C, Step::TransferTerminated, T::Terminated),
        (T::Completed, C, Step::Received, T::Completed),
    ]
};

impl ShareError {
    /// The id of the rule that is broken, as `docs/rules.md` lists it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Order { .. } => "share.order",
            Self::RootMissing(_) | Self::RootDiffers => "share.root",
        }
    }
}

impl Share {
    /// The share after one more step.
    ///
    /// # Errors
    ///
    /// [`ShareError`] if the step is not this party's to take now.
    pub fn after(
        &self,
        party: Party,
        step: Step,
        root: Option<Digest>,
    ) -> Result<Self, ShareError> {
        let order = ShareError::Order {
            party,
            step,
            negotiation: self.negotiation,
            transfer: self.transfer,
        };
        let mut next = self.clone();
        if let Some((.., to)) = NEGOTIATION
            .iter()
            .find(|(from, by, taken, _)| (*from, *by, *taken) == (self.negotiation, party, step))
        {
            next.negotiation = *to;
            return Ok(next);
        }
        let Some((.., to)) = TRANSFER
            .iter()
            .find(|(from, by, taken, _)| (*from, *by, *taken) == (self.transfer, party, step))
        else {
            return Err(order);
        };
        // Data moves only under a finalized contract.
        if self.negotiation != Negotiation::Finalized {
            return Err(order);
        }
        match step {
            Step::TransferStarted if party == Party::Provider => {
                next.started_root = Some(root.ok_or(ShareError::RootMissing(step))?);
                next.received = false;
            }
            Step::Received => {
                let root = root.ok_or(ShareError::RootMissing(step))?;
                if self.started_root != Some(root) {
                    return Err(ShareError::RootDiffers);
                }
                if self.received {
                    return Err(order);
                }
                next.received = true;
            }
            _ => {}
        }
        next.transfer = *to;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_path_of_the_dataspace_protocol_is_legal() {
        use Party::{Consumer as C, Provider as P};
        let root = Some(Digest([1; 32]));
        let mut share = Share::default();
        for (party, step, root) in [
            (C, Step::Requested, None),
            (P, Step::Offered, None),
            (C, Step::Accepted, None),
            (P, Step::Agreed, None),
            (C, Step::Verified, None),
            (P, Step::Finalized, None),
            (C, Step::TransferRequested, None),
            (P, Step::TransferStarted, root),
            (C, Step::Received, root),
        ] {
            let wrong = if party == C { P } else { C };
            if !matches!(step, Step::Offered) {
                assert!(
                    share.after(wrong, step, root).is_err(),
                    "{step:?} by {wrong:?}"
                );
            }
            share = share.after(party, step, root).unwrap();
        }
        assert!(share.received);
        assert!(
            share.after(C, Step::Received, root).is_err(),
            "received once"
        );
    }

    #[test]
    fn nothing_moves_before_the_contract_is_final() {
        let share = Share {
            negotiation: Negotiation::Verified,
            ..Share::default()
        };
        assert!(
            share
                .after(Party::Consumer, Step::TransferRequested, None)
                .is_err()
        );
    }

    #[test]
    fn what_is_received_must_be_what_was_sent() {
        let share = Share {
            negotiation: Negotiation::Finalized,
            transfer: Transfer::Started,
            started_root: Some(Digest([1; 32])),
            received: false,
        };
        assert_eq!(
            share.after(Party::Consumer, Step::Received, Some(Digest([2; 32]))),
            Err(ShareError::RootDiffers)
        );
    }
}
