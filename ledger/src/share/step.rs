//! Who takes which steps, by name.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::table;
use crate::id::MemberId;

/// A side of a data share.
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

/// Who takes a step, as the tables see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Has the data.
    Provider,
    /// Gets the data.
    Consumer,
    /// An auditor or a regulator, no party.
    Arbiter,
    /// Any other member, no party.
    Other,
}

/// One step of a data share. Its number is part of the format: add at the end only.
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
    /// A party ends the negotiation (`ContractNegotiationTerminationMessage`).
    Terminated,
    /// The consumer asks for the data (`TransferRequestMessage`).
    TransferRequested,
    /// The provider sends it (`TransferStartMessage`), naming the ciphertext's root; or a party
    /// resumes.
    TransferStarted,
    /// The consumer states the root of what it received.
    Received,
    /// A party pauses the transfer (`TransferSuspensionMessage`).
    TransferSuspended,
    /// A party says all is sent (`TransferCompletionMessage`).
    TransferCompleted,
    /// A party ends the transfer (`TransferTerminationMessage`).
    TransferTerminated,
    /// The provider gives the consumer the key of what it received.
    KeyReleased,
    /// The consumer has what was promised.
    Confirmed,
    /// The consumer has not, and says why.
    Rejected,
    /// Somebody used data.
    Used,
    /// A party ends a contract that was in force.
    Retired,
    /// The other party knows.
    RetirementAcknowledged,
    /// The consumer deleted what it held.
    DeletionConfirmed,
    /// A party disputes something.
    Disputed,
    /// The dispute is over.
    Resolved,
    /// A party gave the sealed stream's key to another member.
    Granted,
}

impl Party {
    /// Which of the two parties of a share this member is, if it is one.
    #[must_use]
    pub fn among(member: &MemberId, provider: &MemberId, consumer: &MemberId) -> Option<Self> {
        if member == provider {
            Some(Self::Provider)
        } else if member == consumer {
            Some(Self::Consumer)
        } else {
            None
        }
    }

    /// Its name as JSON and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Consumer => "consumer",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Provider => Self::Consumer,
            Self::Consumer => Self::Provider,
        }
    }
}

impl From<Party> for Sender {
    fn from(party: Party) -> Self {
        match party {
            Party::Provider => Self::Provider,
            Party::Consumer => Self::Consumer,
        }
    }
}

impl Sender {
    /// Who somebody is in a share: a party, one who settles disputes, or another.
    #[must_use]
    pub fn of(party: Option<Party>, settles_disputes: bool) -> Self {
        match party {
            Some(party) => party.into(),
            None if settles_disputes => Self::Arbiter,
            None => Self::Other,
        }
    }

    /// Everyone.
    pub const ALL: [Self; 4] = [Self::Provider, Self::Consumer, Self::Arbiter, Self::Other];

    /// Its name as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Consumer => "consumer",
            Self::Arbiter => "arbiter",
            Self::Other => "other member",
        }
    }
}

impl Step {
    /// All steps, in the order of their numbers.
    pub const ALL: [Self; 23] = [
        Self::Requested,
        Self::Offered,
        Self::Accepted,
        Self::Agreed,
        Self::Verified,
        Self::Finalized,
        Self::Terminated,
        Self::TransferRequested,
        Self::TransferStarted,
        Self::Received,
        Self::TransferSuspended,
        Self::TransferCompleted,
        Self::TransferTerminated,
        Self::KeyReleased,
        Self::Confirmed,
        Self::Rejected,
        Self::Used,
        Self::Retired,
        Self::RetirementAcknowledged,
        Self::DeletionConfirmed,
        Self::Disputed,
        Self::Resolved,
        Self::Granted,
    ];

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
            Self::KeyReleased => "key_released",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Used => "used",
            Self::Retired => "retired",
            Self::RetirementAcknowledged => "retirement_acknowledged",
            Self::DeletionConfirmed => "deletion_confirmed",
            Self::Disputed => "disputed",
            Self::Resolved => "resolved",
            Self::Granted => "granted",
        }
    }

    /// The party whose step it always is; `None` if it is not one party's alone.
    #[must_use]
    pub fn only_by(self) -> Option<Party> {
        let by = |sender| table::senders(self).all(|one| one == sender);
        match (by(Sender::Provider), by(Sender::Consumer)) {
            (true, _) => Some(Party::Provider),
            (_, true) => Some(Party::Consumer),
            _ => None,
        }
    }
}
