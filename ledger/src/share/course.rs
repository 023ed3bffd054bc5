//! The course that a share took: its steps that count, and how it stood at any place of the log.

use super::{Deed, Sender, Share, User};
use crate::id::{Height, MemberId, Sequence, StatementId};
use crate::statement::{Kind, Statement};

/// A step that counts, and who took it where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// Who took it.
    pub member: MemberId,
    /// What that member is in the share.
    pub by: Sender,
    /// The step, with what it states.
    pub deed: Deed,
}

/// The parties of a share and the steps that count, in log order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Whose data it is.
    pub provider: MemberId,
    /// Who gets it.
    pub consumer: MemberId,
    /// The steps, in log order, each with how the share stood after it. Without uses: those move
    /// nothing, and there may be many.
    steps: Vec<(Taken, Share)>,
}

/// A statement about an open share, with its place.
#[derive(Debug, Clone, Copy)]
pub struct Spoken<'a> {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// Who said it.
    pub member: MemberId,
    /// What was said.
    pub statement: &'a Statement,
}

impl Course {
    /// The course of a share between two members.
    #[must_use]
    pub const fn new(provider: MemberId, consumer: MemberId) -> Self {
        Self {
            provider,
            consumer,
            steps: Vec::new(),
        }
    }

    /// The course of an open share, of all that the ledger recorded about its identifier, in log
    /// order; `None` if that begins no share. `arbiter` tells which members, who are no party,
    /// settle disputes: of what the ledger recorded, whoever settled one does.
    pub fn of<'a>(
        spoken: impl IntoIterator<Item = Spoken<'a>>,
        arbiter: impl Fn(&MemberId) -> bool,
    ) -> Option<Self> {
        let mut course: Option<Self> = None;
        for said in spoken {
            let Kind::ShareStep { with, deed } = &said.statement.kind else {
                continue;
            };
            let course = match &mut course {
                Some(course) => course,
                none => none.insert(match deed.as_ref() {
                    Deed::Requested => Self::new(*with, said.member),
                    Deed::Offered { .. } => Self::new(said.member, *with),
                    _ => return None,
                }),
            };
            let by = match course.user(&said.member) {
                User::Provider => Sender::Provider,
                User::Consumer => Sender::Consumer,
                User::Stranger if arbiter(&said.member) => Sender::Arbiter,
                User::Stranger => Sender::Other,
            };
            course.take(Taken {
                statement_id: said.statement_id,
                sequence: said.sequence,
                height: said.height,
                member: said.member,
                by,
                deed: deed.as_ref().clone(),
            });
        }
        course
    }

    /// Goes one step on: the next in log order.
    pub fn take(&mut self, taken: Taken) {
        if matches!(taken.deed, Deed::Used(_)) {
            return;
        }
        let before = self.now();
        let after = before.after(taken.by, &taken.deed).unwrap_or(before);
        self.steps.push((taken, after));
    }

    /// The share after all steps before a place in the log.
    #[must_use]
    pub fn at(&self, at: Sequence) -> Share {
        let last = self.until(at).last();
        last.map(|(_, share)| share.clone()).unwrap_or_default()
    }

    /// The share as it is.
    #[must_use]
    pub fn now(&self) -> Share {
        let last = self.steps.last();
        last.map(|(_, share)| share.clone()).unwrap_or_default()
    }

    /// The share before a place in the log, and what `member` is in it; `None` if nothing had been
    /// said in it there.
    #[must_use]
    pub fn before(&self, at: Sequence, member: &MemberId) -> Option<(Share, User)> {
        let share = self.at(at);
        (share != Share::default()).then(|| (share, self.user(member)))
    }

    /// The step that stated the terms which the contract had at a place in the log.
    #[must_use]
    pub fn agreed_before(&self, at: Sequence) -> Option<&Taken> {
        let mut steps = self.until(at).iter().map(|(taken, _)| taken);
        steps.rfind(|taken| matches!(taken.deed, Deed::Agreed { .. }))
    }

    /// The step by which somebody ended the contract, if anybody did.
    #[must_use]
    pub fn ended(&self) -> Option<&Taken> {
        let mut steps = self.steps.iter().map(|(taken, _)| taken);
        steps.find(|taken| matches!(taken.deed, Deed::Retired | Deed::Terminated))
    }

    /// What a member is in it.
    #[must_use]
    pub fn user(&self, member: &MemberId) -> User {
        if *member == self.provider {
            User::Provider
        } else if *member == self.consumer {
            User::Consumer
        } else {
            User::Stranger
        }
    }

    fn until(&self, at: Sequence) -> &[(Taken, Share)] {
        let before = self.steps.partition_point(|(taken, _)| taken.sequence < at);
        self.steps.get(..before).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_covers_nothing_before_something_was_said_in_it() {
        let [provider, consumer, other] = ["hanbit", "soyu", "tarn"].map(MemberId::of);
        let mut course = Course::new(provider, consumer);
        course.take(Taken {
            statement_id: StatementId([1; 32]),
            sequence: Sequence(5),
            height: Height(2),
            member: consumer,
            by: Sender::Consumer,
            deed: Deed::Requested,
        });
        let user = |at, member| course.before(Sequence(at), &member).map(|(_, user)| user);
        for member in [provider, consumer, other] {
            assert_eq!(user(5, member), None, "not even to whose data it is");
        }
        assert_eq!(user(6, provider), Some(User::Provider));
        assert_eq!(user(6, consumer), Some(User::Consumer));
        assert_eq!(user(6, other), Some(User::Stranger));
    }
}
