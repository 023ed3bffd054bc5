//! Faults on purpose, one at a time: each breaks one rule that agreement rests on, and some test
//! must notice. They exist only with the feature `mutants`, which nothing that ships turns on;
//! without it [`is`] is `false` where it is compiled.
//!
//! A mutant is chosen per thread, so one build holds them all and many worlds run side by side.

#[cfg(feature = "mutants")]
use std::cell::Cell;

macro_rules! mutants {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// What is broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $text])+ $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it breaks, in a line.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($text,)+),)+
                }
            }
        }
    };
}

mutants! {
    /// A quorum is one less than more than two thirds.
    QuorumMinusOne,
    /// A commit certificate from a peer needs one signature less than a quorum.
    CertificateTooSmall,
    /// A commit certificate may count a validator several times.
    CertificateCountsTwice,
    /// The signatures of a commit certificate are not verified.
    CertificateUnverified,
    /// A commit certificate may be of another block than the one it comes with.
    CertificateOfAnotherBlock,
    /// The signatures of votes and proposals are not verified.
    SignatureUnverified,
    /// The votes in a certificate of prevotes are not verified: the lock rule's evidence.
    PolkaUnverified,
    /// The votes in a certificate that justifies a round are not verified.
    RoundUnverified,
    /// A validator counts as often as it stands in a certificate of prevotes or of a round.
    VoteCountedTwice,
    /// One vote of a later round is enough to skip to it.
    SkipByOne,
    /// Whoever proposes is taken for the proposer.
    ProposerUnchecked,
    /// Messages of the next height are kept unverified.
    FutureUnverified,
    /// A decided height is begun once more.
    HeightReused,
    /// Time-outs grow without end.
    TimeoutUncapped,
    /// After a crash the height's log is not replayed: locks and votes are forgotten.
    LogNotReplayed,
    /// Votes, our own and others', are not in the log.
    VotesNotLogged,
    /// Time-outs are not in the log.
    TimeoutsNotLogged,
    /// The validity of blocks is not in the log.
    ValuesNotLogged,
    /// After a crash a block is proposed anew.
    ProposedAnew,
    /// Messages leave before the log is synced.
    SentBeforeSynced,
    /// The block is not on disk when we vote for it.
    BlockNotKept,
    /// The block's envelopes are not on disk when we vote for it.
    EnvelopesNotKept,
    /// Our own clock judges also what a quorum has prevoted for: the proposal of an earlier round.
    DriftOfReproposal,
    /// No clock judges a proposal's time.
    DriftUnchecked,
    /// A block's time need not be later than that of the block before.
    TimeGoesBack,
    /// Whatever a proposal names is valid, without being executed.
    NotExecuted,
    /// Where executing a block leads is not compared with its header.
    RootsUnchecked,
    /// A block may order an envelope that is on the ledger already.
    EnvelopeRepeated,
    /// A body need not order the envelopes that its header binds.
    BodyUnbound,
    /// A caught-up block need not come with the envelopes that its header binds.
    CaughtUpUnbound,
    /// The signatures of envelopes are not verified.
    EnvelopeUnverified,
    /// What is on the ledger stays in the pool.
    CommittedStaysInPool,
    /// The pool is not bounded.
    PoolUnbounded,
    /// The bodies a peer may have us keep are not bounded.
    BodiesUnbounded,
    /// A checkpoint is cosigned when its block was executed, not when it is on disk.
    CosignedBeforeDurable,
    /// A checkpoint is cosigned at a wrong size.
    CosignedAtWrongSize,
    /// Cosignatures of peers are not verified.
    CosignatureUnverified,
}

#[cfg(feature = "mutants")]
thread_local! {
    static ACTIVE: Cell<(Option<Mutant>, u64)> = const { Cell::new((None, 0)) };
}

/// Whether this fault is on in this thread.
#[cfg(feature = "mutants")]
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    ACTIVE.with(|active| {
        let (chosen, reached) = active.get();
        let on = chosen == Some(mutant);
        active.set((chosen, reached + u64::from(on)));
        on
    })
}

/// Whether this fault is on: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}

/// Turns a fault on in this thread, and any other off.
#[cfg(feature = "mutants")]
pub fn set(mutant: Option<Mutant>) {
    ACTIVE.set((mutant, 0));
}

/// How often the running code has come past the fault since it was turned on.
#[cfg(feature = "mutants")]
#[must_use]
pub fn reached() -> u64 {
    ACTIVE.get().1
}
