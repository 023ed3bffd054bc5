//! Which block is decided at each height, among a validator set: Tendermint as a step function.
//!
//! ```text
//!   Input ──▶ Consensus::step ──▶ Vec<Effect>, to be performed in order
//! ```
//!
//! Malachite's sans-IO core decides; this crate is its host behind our own types. It knows block
//! ids, not blocks; it uses no clock, socket, file, thread or randomness, so the code that ships
//! also runs under the simulator.
//!
//! Invariants:
//! - `Persist` and `Sync` come before the `Send` that they protect;
//! - after a crash, a height is replayed from its log before anything new is signed, and a value
//!   proposed before the crash is proposed again;
//! - a message reaches the core only with a valid signature of a validator of the set;
//! - whatever fails inside the core or the signer stops consensus for good ([`Fatal`]).
//!
//! Sources: arXiv:1807.04938 (Tendermint); `arc-malachitebft-core-consensus` 0.8.2.

mod certificate;
mod context;
mod effect;
mod host;
mod message;
pub mod mutant;
mod record;
mod timeouts;
mod validator_set;

pub use certificate::{CertificateError, CommitCertificate};
pub use effect::{Effect, Fatal, Input, Signer, SignerError, TimerId, TimerKind};
pub use host::Consensus;
pub use jangbu_ledger::equivocation::Equivocation;
pub use message::{ConsensusMessage, MessageError, Proposal, SignedProposal, SignedVote, Vote};
pub use message::{PolkaCertificate, RoundCertificate, RoundVote, VoteType};
pub use timeouts::Timeouts;
pub use validator_set::{VALIDATORS_MAX, Validator, ValidatorSet, ValidatorSetError};
