//! What a Byzantine member may do, and how often it did.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// One way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// One vote to some, another to the rest.
    TwoVotes,
    /// One proposal to some, another, as valid, to the rest.
    TwoProposals,
    /// A proposal whose body only some get, and nobody on asking.
    WithheldBody,
    /// A proposal and prevote for some, and no precommit: a lock without a decision.
    HiddenLock,
    /// A block whose header claims a state that executing it does not give.
    WrongState,
    /// A block that claims a log that executing it does not give.
    WrongLog,
    /// A block that orders what is on the ledger already.
    RepeatedEnvelope,
    /// A block that is not later than the one before.
    TimeBack,
    /// A block of a time that no clock has reached.
    TimeAhead,
    /// A body with other envelopes than its header binds, ahead of the true one.
    OtherEnvelopes,
    /// A proposal in another's turn.
    OutOfTurn,
    /// Votes in others' names, for this height.
    OthersVotes,
    /// Votes in others' names, for the next height.
    OthersFutureVotes,
    /// Own votes of decided heights, said again or changed.
    StaleVotes,
    /// Own votes of heights and rounds to come.
    FutureVotes,
    /// A certificate of prevotes that nobody cast.
    UncastPolka,
    /// A certificate of prevotes that counts its maker three times.
    RepeatedPolka,
    /// Votes that nobody cast, to justify a round.
    UncastRound,
    /// One vote, to justify a round.
    SkipAlone,
    /// Prevotes, to justify the round after.
    PrevotesAsPrecommits,
    /// A height that it does not have.
    FalseTip,
    /// A caught-up block with too few precommits.
    SmallCertificate,
    /// A caught-up block with its own precommit, many times.
    RepeatedCertificate,
    /// A caught-up block with precommits that nobody signed.
    UnsignedCertificate,
    /// A caught-up block with the certificate of another.
    BorrowedCertificate,
    /// A decided block with other envelopes.
    CaughtUpOtherwise,
    /// A cosignature in another's place.
    OthersCosignature,
    /// Its own cosignature of another log.
    WrongCosignature,
    /// More envelopes than a pool holds.
    ManyEnvelopes,
    /// Envelopes that their member did not sign.
    UnsignedEnvelopes,
    /// More bodies than anyone should keep.
    ManyBodies,
    /// Questions without end.
    ManyQuestions,
    /// Bytes that mean nothing.
    Garbage,
    /// Nothing at all, for a while.
    Silence,
    /// It forgets what it said at this height, and says it anew.
    Amnesia,
}

impl Lie {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::TwoVotes,
        Self::TwoProposals,
        Self::WithheldBody,
        Self::HiddenLock,
        Self::WrongState,
        Self::WrongLog,
        Self::RepeatedEnvelope,
        Self::TimeBack,
        Self::TimeAhead,
        Self::OtherEnvelopes,
        Self::OutOfTurn,
        Self::OthersVotes,
        Self::OthersFutureVotes,
        Self::StaleVotes,
        Self::FutureVotes,
        Self::UncastPolka,
        Self::RepeatedPolka,
        Self::UncastRound,
        Self::SkipAlone,
        Self::PrevotesAsPrecommits,
        Self::FalseTip,
        Self::SmallCertificate,
        Self::RepeatedCertificate,
        Self::UnsignedCertificate,
        Self::BorrowedCertificate,
        Self::CaughtUpOtherwise,
        Self::OthersCosignature,
        Self::WrongCosignature,
        Self::ManyEnvelopes,
        Self::UnsignedEnvelopes,
        Self::ManyBodies,
        Self::ManyQuestions,
        Self::Garbage,
        Self::Silence,
        Self::Amnesia,
    ];
}

/// How often each lie was told, shared by all who tell them.
#[derive(Debug, Clone, Default)]
pub struct Told(Rc<RefCell<BTreeMap<Lie, u64>>>);

impl Told {
    pub(super) fn told(&self, lie: Lie) {
        *self.0.borrow_mut().entry(lie).or_default() += 1;
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Lie, u64> {
        self.0.borrow().clone()
    }
}
