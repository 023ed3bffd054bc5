//! What both parties of a sealed stream said, in log order, judged by the rules of `share`.
//!
//! A statement that breaks a rule does not count: it changes nothing. Neither does one whose slot
//! was filled before the slot before it, so nothing can hide behind a gap.

use super::{SealedBody, SealedError, StreamKey};
use crate::id::Sequence;
use crate::identifier::Identifier;
use crate::rules::Rule;
use crate::share::{Covered, Deed, Input, Party, Share, ShareError, Usage, User};
use crate::statement::{Statement, Stream};

/// A used slot of one of the parties.
#[derive(Debug, Clone)]
pub struct Filled {
    /// Where in the log.
    pub sequence: Sequence,
    /// What is there.
    pub statement: Statement,
}

/// One statement of the stream, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Where in the log.
    pub sequence: Sequence,
    /// Whose slot.
    pub party: Party,
    /// The party's how-manieth, from 0.
    pub slot: u64,
    /// What it says; `None` if it does not open as a statement of this stream.
    pub body: Option<SealedBody>,
    /// Why it does not count.
    pub broken: Option<Broken>,
    /// For a use: how it stood to each agreement that it names.
    pub covered: Vec<Covered>,
}

/// Why a statement of a sealed stream does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It does not open.
    #[error("sealed.opens: {0}")]
    Unreadable(#[from] SealedError),
    /// The slot's party is not the one that the body names.
    #[error("sealed.opens: it speaks as the other party")]
    OtherParty,
    /// It stands in another slot than the one looked at, or in several.
    #[error("sealed.opens: it is not in this slot")]
    OtherSlot,
    /// It was said before the slot before it.
    #[error("slot.order: it was said before the slot before it")]
    Gap,
    /// It breaks a rule of data shares.
    #[error(transparent)]
    Rule(#[from] ShareError),
}

/// The agreement of an input beside the one that is judged, as it was at a place in the log, and
/// what the user is in it: of data of its own, that names none, the provider. `None` if it is not
/// known.
pub type OtherShares<'a> = dyn Fn(&Input, Sequence) -> Option<(Share, User)> + 'a;

/// Everything said so far.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// In log order.
    pub steps: Vec<Judged>,
    /// What the steps that count add up to.
    pub share: Share,
}

impl Broken {
    /// The rule that is broken.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::Unreadable(_) | Self::OtherParty | Self::OtherSlot => Rule::SealedOpens,
            Self::Gap => Rule::SlotOrder,
            Self::Rule(error) => error.rule(),
        }
    }
}

impl History {
    /// Judges the used slots of both parties, each from slot 0 up to the first that is empty.
    ///
    /// `others` knows agreements beside this one as they were at a place in the log, for uses
    /// that name them.
    #[must_use]
    pub fn judge(
        key: &StreamKey,
        provider: &[Filled],
        consumer: &[Filled],
        others: &OtherShares<'_>,
    ) -> Self {
        let mut steps = opened(key, Party::Provider, provider);
        steps.extend(opened(key, Party::Consumer, consumer));
        steps.sort_by_key(|step| step.sequence);
        let mut history = Self {
            steps,
            share: Share::default(),
        };
        let own = key.subject();
        for step in &mut history.steps {
            let Some(body) = step.body.as_ref().filter(|_| step.broken.is_none()) else {
                continue;
            };
            match history.share.after(step.party, &body.deed) {
                Ok(next) => history.share = next,
                Err(error) => {
                    step.broken = Some(error.into());
                    continue;
                }
            }
            if let Deed::Used(usage) = &body.deed {
                let own = (&own, &history.share, step.party);
                step.covered = covered(usage, own, &|input| others(input, step.sequence));
            }
        }
        history
    }

    /// The first slot that a party has not used.
    #[must_use]
    pub fn next_slot(&self, party: Party) -> u64 {
        let used = self.steps.iter().filter(|step| step.party == party).count();
        used as u64
    }
}

fn opened(key: &StreamKey, party: Party, filled: &[Filled]) -> Vec<Judged> {
    let mut latest = None;
    (0u64..)
        .zip(filled)
        .map(|(slot, filled)| {
            let before = latest;
            latest = latest.max(Some(filled.sequence));
            let (body, broken) = match key.open(&filled.statement) {
                Err(error) => (None, Some(error.into())),
                Ok(body) => {
                    let here = [Stream::Sealed(key.slot(party, slot))];
                    let broken = if filled.statement.streams != here {
                        Some(Broken::OtherSlot)
                    } else if body.party != party {
                        Some(Broken::OtherParty)
                    } else if before > Some(filled.sequence) {
                        Some(Broken::Gap)
                    } else {
                        None
                    };
                    (Some(body), broken)
                }
            };
            Judged {
                sequence: filled.sequence,
                party,
                slot,
                body,
                broken,
                covered: Vec::new(),
            }
        })
        .collect()
}

fn covered(
    usage: &Usage,
    (own, share, party): (&Identifier, &Share, Party),
    others: &dyn Fn(&Input) -> Option<(Share, User)>,
) -> Vec<Covered> {
    let user = match party {
        Party::Provider => User::Provider,
        Party::Consumer => User::Consumer,
    };
    usage
        .inputs
        .iter()
        .map(|input| {
            if input.agreement.as_ref() == Some(own) {
                return Covered::of(usage, input, Some((share, user)));
            }
            let other = others(input);
            let other = other.as_ref().map(|(share, user)| (share, *user));
            Covered::of(usage, input, other)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commitment::Commitment;
    use crate::id::Digest;
    use crate::share::{Contract, Sealing, Sent, UseCode};

    const KEY: StreamKey = StreamKey::from_bytes([5; 32]);

    fn said(party: Party, deed: Deed, slot: u64, sequence: u64) -> Filled {
        let body = SealedBody {
            party,
            deed,
            occurrence: 0,
            document: Commitment::keyed([1; 32]),
            references: Vec::new(),
        };
        Filled {
            sequence: Sequence(sequence),
            statement: KEY.seal(&body, slot).unwrap(),
        }
    }

    fn judge(provider: &[Filled], consumer: &[Filled]) -> History {
        History::judge(&KEY, provider, consumer, &|_, _| None)
    }

    fn broken(history: &History) -> Vec<Option<Rule>> {
        let rule = |step: &Judged| step.broken.as_ref().map(Broken::rule);
        history.steps.iter().map(rule).collect()
    }

    use Party::{Consumer as C, Provider as P};

    fn offered() -> Deed {
        Deed::Offered {
            permits: Vec::new(),
            data: Vec::new(),
        }
    }

    #[test]
    fn a_step_out_of_order_is_shown_and_does_not_count() {
        let consumer = [
            said(C, Deed::Requested, 0, 1),
            said(C, Deed::Accepted, 1, 2),
        ];
        let history = judge(&[said(P, offered(), 0, 3)], &consumer);
        assert_eq!(broken(&history), [None, Some(Rule::ShareOrder), None]);
        assert_eq!(history.share.stand.contract, Contract::Offered);
        assert_eq!(history.next_slot(C), 2);
        assert_eq!(history.next_slot(P), 1);
    }

    #[test]
    fn nothing_hides_behind_a_skipped_slot() {
        // The provider filled slot 1 first and slot 0 when it suited it.
        let provider = [said(P, offered(), 0, 9), said(P, offered(), 1, 2)];
        let history = judge(&provider, &[said(C, Deed::Requested, 0, 1)]);
        assert_eq!(broken(&history), [None, Some(Rule::SlotOrder), None]);
        assert_eq!(history.steps[2].slot, 0);
        // Nor behind two: what counts is the latest of all slots before.
        let provider = [
            said(P, offered(), 0, 9),
            said(P, offered(), 1, 2),
            said(P, offered(), 2, 3),
        ];
        let history = judge(&provider, &[said(C, Deed::Requested, 0, 1)]);
        let gap = Some(Rule::SlotOrder);
        assert_eq!(broken(&history), [None, gap, gap, None]);
    }

    #[test]
    fn what_speaks_as_another_or_stands_elsewhere_does_not_count() {
        let as_other = said(P, offered(), 0, 1);
        let history = judge(&[], std::slice::from_ref(&as_other));
        assert_eq!(broken(&history), [Some(Rule::SealedOpens)]);
        let elsewhere = said(P, offered(), 7, 1);
        let history = judge(&[elsewhere], &[]);
        assert_eq!(broken(&history), [Some(Rule::SealedOpens)]);
        let mut changed = as_other;
        changed.statement.payload[60] ^= 1;
        let history = judge(&[changed], &[]);
        assert_eq!(history.steps[0].body, None);
        assert_eq!(broken(&history), [Some(Rule::SealedOpens)]);
    }

    #[test]
    fn a_use_is_judged_where_it_was_said() {
        let other = Identifier::uuid([9; 16]);
        let used = |sequence, slot| {
            let inputs = [KEY.subject(), other.clone()].map(Input::under);
            let training = UseCode::parse(UseCode::AI_TRAINING).unwrap();
            let usage = Usage::new(training, inputs.to_vec(), Vec::new());
            said(C, Deed::Used(usage), slot, sequence)
        };
        let root = Digest([1; 32]);
        let sealing = Some(Sealing {
            content_root: root,
            wrap: root,
            bytes: 3,
        });
        let sent = Some(Sent { root, sealing });
        let provider = [
            said(P, offered(), 0, 2),
            said(
                P,
                Deed::Agreed {
                    permits: Vec::new(),
                    data: Vec::new(),
                },
                1,
                3,
            ),
            said(P, Deed::Finalized, 2, 5),
            said(P, Deed::TransferStarted { sent }, 3, 7),
            said(P, Deed::Retired, 4, 10),
        ];
        let consumer = [
            said(C, Deed::Requested, 0, 1),
            said(C, Deed::Verified, 1, 4),
            said(C, Deed::TransferRequested, 2, 6),
            said(C, Deed::Received { root }, 3, 8),
            used(9, 4),
            used(11, 5),
        ];
        // Offered, then agreed without being accepted: not the protocol's way.
        let early = judge(&provider, &consumer);
        assert_eq!(
            early.steps[2].broken.as_ref().map(Broken::rule),
            Some(Rule::ShareOrder)
        );
        let mut provider = provider;
        provider[0] = said(
            P,
            Deed::Agreed {
                permits: Vec::new(),
                data: Vec::new(),
            },
            0,
            2,
        );
        provider[1] = said(P, Deed::Disputed, 1, 3);
        let history = History::judge(&KEY, &provider, &consumer, &|_, at| {
            (at > Sequence(9)).then(|| (Share::default(), User::Stranger))
        });
        let uses: Vec<_> = history
            .steps
            .iter()
            .filter(|step| !step.covered.is_empty())
            .collect();
        assert_eq!(uses[0].covered, [Covered::Permitted, Covered::Unknown]);
        assert_eq!(uses[1].covered, [Covered::Ended, Covered::Foreign]);
        assert_eq!(history.share.stand.contract, Contract::ProviderRetired);
    }
}
