//! The machines of a data share, as tables that one can read.
//!
//! Five machines move side by side: the contract, the transfer, the delivery of what is
//! transferred, what the consumer holds, and a dispute. A sender may take a step if
//! - the contract's phase allows the step ([`PHASES`]),
//! - some machine has a row for it from where it stands, and
//! - no machine that has rows for this sender and step lacks one from where it stands.
//!
//! [`NOTES`] are steps that move nothing.
//!
//! Sources: Dataspace Protocol 2025-1, sections 7.3 and 9.3, for the contract up to
//! `Finalized` and for the transfer; the rest is what the protocol lacks.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::{Sender, Step};

/// Where the contract stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode, Serialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Contract {
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
    /// The negotiation ended without a contract.
    Terminated,
    /// The provider retired the contract; the consumer has not acknowledged it.
    ProviderRetired,
    /// The consumer retired the contract; the provider has not acknowledged it.
    ConsumerRetired,
    /// Retired, and both know.
    Closed,
}

/// Where the transfer of the data stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode, Serialize,
)]
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

/// Where the delivery of what the provider sends stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode, Serialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Delivery {
    /// Nothing was sent.
    #[default]
    None,
    /// The provider named what it sends.
    Sent,
    /// See [`Step::Received`].
    Received,
    /// See [`Step::KeyReleased`].
    Released,
    /// See [`Step::Confirmed`].
    Confirmed,
    /// See [`Step::Rejected`].
    Rejected,
}

/// Whether the consumer has data of the provider's, by its own word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode, Serialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Holding {
    /// It never received any, or deleted it.
    #[default]
    Nothing,
    /// It received some.
    Data,
}

/// Whether something is disputed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Encode, Decode, Serialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Dispute {
    /// Nothing is.
    #[default]
    None,
    /// The provider disputes something.
    ByProvider,
    /// The consumer disputes something.
    ByConsumer,
}

/// What a contract's state allows in general.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing was said.
    Nothing,
    /// A contract is negotiated.
    Negotiating,
    /// A contract is in force.
    InForce,
    /// A contract was in force and is retired: what is left to say is said.
    Closing,
    /// The negotiation failed.
    Over,
}

/// A machine's legal step: from, by whom, step, to.
pub type Row<State> = (State, Sender, Step, State);

/// The contract. What ends it when depends on whose turn it is.
pub const CONTRACT: &[Row<Contract>] = {
    use Contract as S;
    use Sender::{Consumer as C, Provider as P};
    &[
        (S::None, C, Step::Requested, S::Requested),
        (S::None, P, Step::Offered, S::Offered),
        (S::Requested, P, Step::Offered, S::Offered),
        (S::Requested, P, Step::Agreed, S::Agreed),
        (S::Requested, P, Step::Terminated, S::Terminated),
        (S::Requested, C, Step::Terminated, S::Terminated),
        (S::Offered, C, Step::Requested, S::Requested),
        (S::Offered, C, Step::Accepted, S::Accepted),
        (S::Offered, P, Step::Terminated, S::Terminated),
        (S::Offered, C, Step::Terminated, S::Terminated),
        (S::Accepted, P, Step::Agreed, S::Agreed),
        (S::Accepted, P, Step::Terminated, S::Terminated),
        (S::Agreed, C, Step::Verified, S::Verified),
        (S::Agreed, C, Step::Terminated, S::Terminated),
        (S::Verified, P, Step::Finalized, S::Finalized),
        (S::Verified, P, Step::Terminated, S::Terminated),
        // From here on it is ours.
        (S::Finalized, P, Step::Retired, S::ProviderRetired),
        (S::Finalized, C, Step::Retired, S::ConsumerRetired),
        (
            S::ProviderRetired,
            C,
            Step::RetirementAcknowledged,
            S::Closed,
        ),
        (
            S::ConsumerRetired,
            P,
            Step::RetirementAcknowledged,
            S::Closed,
        ),
    ]
};

/// The transfer. `Received` and `KeyReleased` are ours: they need something that was sent.
pub const TRANSFER: &[Row<Transfer>] = {
    use Sender::{Consumer as C, Provider as P};
    use Transfer as S;
    &[
        (S::None, C, Step::TransferRequested, S::Requested),
        (S::Requested, P, Step::TransferStarted, S::Started),
        (S::Requested, P, Step::TransferTerminated, S::Terminated),
        (S::Requested, C, Step::TransferTerminated, S::Terminated),
        (S::Started, C, Step::Received, S::Started),
        (S::Started, P, Step::KeyReleased, S::Started),
        (S::Started, P, Step::TransferSuspended, S::Suspended),
        (S::Started, C, Step::TransferSuspended, S::Suspended),
        (S::Started, P, Step::TransferCompleted, S::Completed),
        (S::Started, C, Step::TransferCompleted, S::Completed),
        (S::Started, P, Step::TransferTerminated, S::Terminated),
        (S::Started, C, Step::TransferTerminated, S::Terminated),
        (S::Suspended, P, Step::TransferStarted, S::Started),
        (S::Suspended, C, Step::TransferStarted, S::Started),
        (S::Suspended, P, Step::TransferTerminated, S::Terminated),
        (S::Suspended, C, Step::TransferTerminated, S::Terminated),
        (S::Completed, C, Step::Received, S::Completed),
        (S::Completed, P, Step::KeyReleased, S::Completed),
        // Another transfer process under the same contract.
        (S::Completed, C, Step::TransferRequested, S::Requested),
        (S::Terminated, C, Step::TransferRequested, S::Requested),
    ]
};

/// The delivery. A start that names what is sent begins one, wherever the last one stands.
///
/// Who received owes an answer before it asks for more.
pub const DELIVERY: &[Row<Delivery>] = {
    use Delivery as S;
    use Sender::{Consumer as C, Provider as P};
    &[
        (S::None, C, Step::TransferRequested, S::None),
        (S::Sent, C, Step::TransferRequested, S::None),
        (S::Confirmed, C, Step::TransferRequested, S::None),
        (S::Rejected, C, Step::TransferRequested, S::None),
        (S::Sent, C, Step::Received, S::Received),
        (S::Sent, C, Step::Rejected, S::Rejected),
        (S::Received, P, Step::KeyReleased, S::Released),
        (S::Received, C, Step::Confirmed, S::Confirmed),
        (S::Received, C, Step::Rejected, S::Rejected),
        (S::Released, C, Step::Confirmed, S::Confirmed),
        (S::Released, C, Step::Rejected, S::Rejected),
    ]
};

/// What the consumer holds.
pub const HOLDING: &[Row<Holding>] = {
    use Holding as S;
    use Sender::Consumer as C;
    &[
        (S::Nothing, C, Step::Received, S::Data),
        (S::Data, C, Step::Received, S::Data),
        (S::Data, C, Step::DeletionConfirmed, S::Nothing),
    ]
};

/// A dispute: whoever raised it settles it, or an arbiter does.
pub const DISPUTE: &[Row<Dispute>] = {
    use Dispute as S;
    use Sender::{Arbiter as A, Consumer as C, Provider as P};
    &[
        (S::None, P, Step::Disputed, S::ByProvider),
        (S::None, C, Step::Disputed, S::ByConsumer),
        (S::ByProvider, P, Step::Resolved, S::None),
        (S::ByProvider, A, Step::Resolved, S::None),
        (S::ByConsumer, C, Step::Resolved, S::None),
        (S::ByConsumer, A, Step::Resolved, S::None),
    ]
};

/// Steps that move no machine, and who takes them. Evidence of a use is never refused.
pub const NOTES: &[(Sender, Step)] = {
    use Sender::{Arbiter as A, Consumer as C, Other as O, Provider as P};
    &[
        (P, Step::Used),
        (C, Step::Used),
        (A, Step::Used),
        (O, Step::Used),
        (P, Step::Granted),
        (C, Step::Granted),
    ]
};

/// In which phases of the contract a step may be taken; those that are not listed move the
/// contract itself, whose own table says.
pub const PHASES: &[(Step, &[Phase])] = {
    use Phase::{Closing, InForce, Negotiating, Nothing, Over};
    &[
        (Step::TransferRequested, &[InForce]),
        (Step::TransferStarted, &[InForce]),
        (Step::TransferSuspended, &[InForce]),
        (Step::Received, &[InForce]),
        (Step::KeyReleased, &[InForce]),
        (Step::TransferCompleted, &[InForce, Closing]),
        (Step::TransferTerminated, &[InForce, Closing]),
        (Step::Confirmed, &[InForce, Closing]),
        (Step::Rejected, &[InForce, Closing]),
        (Step::DeletionConfirmed, &[InForce, Closing]),
        (Step::Disputed, &[InForce, Closing]),
        (Step::Resolved, &[InForce, Closing]),
        (Step::Granted, &[Negotiating, InForce, Closing, Over]),
        (Step::Used, &[Nothing, Negotiating, InForce, Closing, Over]),
    ]
};

/// Where all machines of a share stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Stand {
    /// The contract.
    pub contract: Contract,
    /// The transfer.
    pub transfer: Transfer,
    /// What the last start sent.
    pub delivery: Delivery,
    /// What the consumer has.
    pub holding: Holding,
    /// A dispute.
    pub dispute: Dispute,
}

/// Why a table has no such step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is never this sender's step.
    Sender,
    /// The contract is terminated or retired, and this is no closing step.
    Closed,
    /// Not now.
    Order,
}

impl Contract {
    /// What it allows in general.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::None => Phase::Nothing,
            Self::Requested | Self::Offered | Self::Accepted | Self::Agreed | Self::Verified => {
                Phase::Negotiating
            }
            Self::Finalized => Phase::InForce,
            Self::ProviderRetired | Self::ConsumerRetired | Self::Closed => Phase::Closing,
            Self::Terminated => Phase::Over,
        }
    }
}

impl Stand {
    /// Where it stands after one more step.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the tables have no such step.
    pub fn after(self, by: Sender, step: Step) -> Result<Self, Refused> {
        if !senders(step).any(|sender| sender == by) {
            return Err(Refused::Sender);
        }
        let phase = self.contract.phase();
        let ended = matches!(phase, Phase::Closing | Phase::Over);
        let phases = PHASES.iter().find(|(of, _)| *of == step);
        if phases.is_some_and(|(_, phases)| !phases.contains(&phase)) {
            return Err(if ended {
                Refused::Closed
            } else {
                Refused::Order
            });
        }
        let moved = || {
            Some(Self {
                contract: moved(CONTRACT, self.contract, by, step)?,
                transfer: moved(TRANSFER, self.transfer, by, step)?,
                delivery: moved(DELIVERY, self.delivery, by, step)?,
                holding: moved(HOLDING, self.holding, by, step)?,
                dispute: moved(DISPUTE, self.dispute, by, step)?,
            })
        };
        moved().ok_or(match phases {
            // The contract's own steps, when there is no contract to move any more.
            None if ended && step != Step::RetirementAcknowledged => Refused::Closed,
            _ => Refused::Order,
        })
    }
}

/// Where a machine stands after the step: where it stood if it has no such step by this sender,
/// `None` if it has one but not from here.
fn moved<S: Copy + PartialEq>(table: &[Row<S>], from: S, by: Sender, step: Step) -> Option<S> {
    let mut concerned = false;
    for (at, sender, taken, to) in table {
        if (*sender, *taken) == (by, step) {
            if *at == from {
                return Some(*to);
            }
            concerned = true;
        }
    }
    (!concerned).then_some(from)
}

/// Everyone who ever takes the step, in the order of the tables; some more than once.
pub fn senders(step: Step) -> impl Iterator<Item = Sender> {
    fn of<S>(table: &'static [Row<S>], step: Step) -> impl Iterator<Item = Sender> {
        table
            .iter()
            .filter(move |(_, _, taken, _)| *taken == step)
            .map(|(_, by, ..)| *by)
    }
    let notes = NOTES.iter().filter(move |(_, noted)| *noted == step);
    of(CONTRACT, step)
        .chain(of(TRANSFER, step))
        .chain(of(DELIVERY, step))
        .chain(of(HOLDING, step))
        .chain(of(DISPUTE, step))
        .chain(notes.map(|(by, _)| *by))
}
