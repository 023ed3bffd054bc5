//! What goes into consensus, and what it asks for.

use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::id::{BlockId, Height};
use jangbu_ledger::signature::{PublicKey, Signature};

use crate::certificate::CommitCertificate;
use crate::message::{ConsensusMessage, MessageError};

/// What happens to consensus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Begin the height after the last decided one.
    StartHeight {
        /// Its log from before a crash, in order; empty when it begins for the first time.
        log: Vec<Vec<u8>>,
    },
    /// A message from a peer, not verified.
    Message(ConsensusMessage),
    /// A proposed block was received and executed: the answer to [`Effect::NeedBlock`].
    Value {
        /// Its height.
        height: Height,
        /// Its id.
        block_id: BlockId,
        /// Whether executing it led where its header says.
        valid: bool,
    },
    /// The answer to [`Effect::GetValue`].
    ProposeValue {
        /// The height asked for.
        height: Height,
        /// The round asked for.
        round: u32,
        /// The block, whose body is on disk.
        block_id: BlockId,
    },
    /// A timer rang.
    Timeout(TimerId),
}

/// What the caller must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append to the height's log.
    Persist(Height, Vec<u8>),
    /// All records, and the bodies of all blocks fed or proposed, are on disk before going on.
    Sync,
    /// Send to all peers.
    Send(ConsensusMessage),
    /// Propose a block for this round, if at all soon: [`Input::ProposeValue`].
    GetValue {
        /// The height.
        height: Height,
        /// The round.
        round: u32,
    },
    /// A proposal names this block: get its body, execute it, and say [`Input::Value`]. Asked
    /// again for every proposal that names it until then.
    NeedBlock {
        /// The height.
        height: Height,
        /// The block.
        block_id: BlockId,
    },
    /// Send the body of this block again, ahead of its proposal in a later round.
    Restream(BlockId),
    /// Ring after so many milliseconds.
    ScheduleTimer {
        /// Which timer; a second of the same id replaces the first.
        id: TimerId,
        /// After how long.
        after_ms: u64,
    },
    /// Ring no more.
    CancelTimer(TimerId),
    /// This block is final.
    Decide(CommitCertificate),
    /// A message was dropped.
    Reject(MessageError),
    /// A validator contradicted itself. Told once for each offence, and of a few per validator
    /// and height.
    Evidence(Equivocation),
    /// Our key signed a message of this height, or the next, that we know nothing of: what we
    /// said was lost with our log, or something else signs with our key. Voting on could
    /// contradict it; see [`crate::Consensus::set_voting`].
    Forgotten(Height),
}

/// A timer of one height and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: u32,
    /// What it waits for.
    pub kind: TimerKind,
}

/// What a timer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// A proposal.
    Propose,
    /// Prevotes that agree.
    Prevote,
    /// Precommits that agree.
    Precommit,
    /// Anything: say our last votes again.
    Rebroadcast,
}

/// Why consensus stopped for good; only a restart from the log goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// The signer did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signer failed: {0}")]
pub struct SignerError(pub String);

/// Signs votes and proposals. Asked again after a crash, it signs the same bytes.
pub trait Signer {
    /// Signs 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SignerError`] if it cannot or will not; consensus then stops.
    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError>;

    /// The key it signs with.
    fn public_key(&self) -> PublicKey;
}
