//! What each validator said first in each round: whoever says something else there contradicts
//! itself.
//!
//! The core keeps evidence of its own, of what it takes in, and hands it over when a height is
//! decided. This sees more, and at once: messages of the next height, second proposals, votes
//! inside certificates. What comes after its height was decided is seen by neither.

use std::collections::{BTreeMap, BTreeSet};

use jangbu_ledger::equivocation::{Equivocation, Offence, SaidTwice};
use jangbu_ledger::id::{Height, KeyId};
use jangbu_ledger::vote::{Proposal, SignedProposal, SignedVote, Vote};

use crate::message::ConsensusMessage;

/// Messages remembered per validator and height; those of the lowest rounds give way.
const PLACES_MAX: usize = 64;
/// Rounds ahead of the running one that are watched: the core takes in no later ones either.
const ROUNDS_AHEAD_MAX: u32 = 10;
/// Offences told of per validator and height: one is proof enough, more help to find out how.
const OFFENCES_MAX: usize = 4;

/// What one validator said in one place.
#[derive(Debug)]
enum Said {
    Vote(SignedVote),
    Proposal(SignedProposal),
}

/// What is remembered of the running height and the next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// By where it was said: what an offence would be.
    heard: BTreeMap<Offence, Said>,
    /// What was told of.
    told: BTreeSet<Offence>,
}

impl Watch {
    /// Whether this very message, signature and all, was noted before: members say a thing again
    /// whenever a link comes back, and what was verified once need not be again.
    pub(super) fn knows(&self, message: &ConsensusMessage) -> bool {
        match message {
            ConsensusMessage::Vote(signed) => {
                let said = self.heard.get(&place_of_vote(&signed.vote));
                matches!(said, Some(Said::Vote(first)) if first == signed)
            }
            ConsensusMessage::Proposal(signed) => {
                let said = self.heard.get(&place_of_proposal(&signed.proposal));
                matches!(said, Some(Said::Proposal(first)) if first == signed)
            }
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => false,
        }
    }

    /// Notes a verified message, while its height is in `round`; returns what it contradicts,
    /// told of or not.
    pub(super) fn note(&mut self, message: &ConsensusMessage, round: u32) -> Vec<Equivocation> {
        let last = round.saturating_add(ROUNDS_AHEAD_MAX);
        let mut found = Vec::new();
        if let ConsensusMessage::Proposal(signed) = message {
            let proposal = &signed.proposal;
            let place = place_of_proposal(proposal);
            match self.heard.get(&place) {
                Some(Said::Proposal(first)) if first.proposal != *proposal => {
                    found.push(Equivocation::proposals(first.clone(), signed.clone()));
                }
                Some(_) => {}
                None => self.remember(place, last, Said::Proposal(signed.clone())),
            }
        }
        for signed in message.votes() {
            let place = place_of_vote(&signed.vote);
            if self.heard.contains_key(&place) {
                found.extend(self.contradicted_by(&signed));
            } else {
                self.remember(place, last, Said::Vote(signed));
            }
        }
        found
    }

    /// What a verified vote contradicts; it is not remembered.
    pub(super) fn contradicted_by(&self, signed: &SignedVote) -> Option<Equivocation> {
        match self.heard.get(&place_of_vote(&signed.vote)) {
            Some(Said::Vote(first)) if first.vote != signed.vote => {
                Some(Equivocation::votes(first.clone(), signed.clone()))
            }
            _ => None,
        }
    }

    /// Whether it was not told of before; it counts as told now.
    pub(super) fn is_news(&mut self, equivocation: &Equivocation) -> bool {
        let offence = equivocation.offence();
        let of_validator = places(offence.validator, offence.height);
        self.told.range(of_validator).count() < OFFENCES_MAX && self.told.insert(offence)
    }

    /// Forgets what was said before this height.
    pub(super) fn forget_before(&mut self, height: Height) {
        self.heard.retain(|place, _| place.height >= height);
        self.told.retain(|place| place.height >= height);
    }

    fn remember(&mut self, place: Offence, last_round: u32, said: Said) {
        if place.round > last_round {
            return;
        }
        let of_validator = places(place.validator, place.height);
        if self.heard.range(of_validator.clone()).count() >= PLACES_MAX
            && let Some(oldest) = self.heard.range(of_validator).next().map(|(p, _)| *p)
        {
            self.heard.remove(&oldest);
        }
        self.heard.insert(place, said);
    }
}

/// All places of one validator at one height.
fn places(validator: KeyId, height: Height) -> std::ops::RangeInclusive<Offence> {
    let place = |round, said_twice| Offence {
        validator,
        height,
        round,
        said_twice,
    };
    place(0, SaidTwice::Prevote)..=place(u32::MAX, SaidTwice::Proposal)
}

const fn place_of_proposal(proposal: &Proposal) -> Offence {
    Offence {
        validator: proposal.proposer,
        height: proposal.height,
        round: proposal.round,
        said_twice: SaidTwice::Proposal,
    }
}

const fn place_of_vote(vote: &Vote) -> Offence {
    Offence {
        validator: vote.validator,
        height: vote.height,
        round: vote.round,
        said_twice: SaidTwice::of(vote.vote_type),
    }
}

#[cfg(test)]
mod tests {
    use jangbu_ledger::id::BlockId;
    use jangbu_ledger::signature::Signature;
    use jangbu_ledger::vote::{Vote, VoteType};

    use super::*;
    use crate::message::PolkaCertificate;

    const WHO: KeyId = KeyId([1; 16]);

    fn prevote(height: u64, round: u32, block: Option<u8>) -> ConsensusMessage {
        ConsensusMessage::Vote(SignedVote {
            vote: Vote {
                vote_type: VoteType::Prevote,
                height: Height(height),
                round,
                block_id: block.map(|n| BlockId([n; 32])),
                validator: WHO,
            },
            signature: Signature([block.unwrap_or(0); 64]),
        })
    }

    /// What is told of upon this message.
    fn tells(watch: &mut Watch, message: &ConsensusMessage, round: u32) -> Vec<Equivocation> {
        let mut found = watch.note(message, round);
        found.retain(|equivocation| watch.is_news(equivocation));
        found
    }

    #[test]
    fn a_second_vote_is_told_of_once_and_the_same_vote_again_never() {
        let mut watch = Watch::default();
        assert!(tells(&mut watch, &prevote(5, 0, Some(1)), 0).is_empty());
        assert!(tells(&mut watch, &prevote(5, 0, Some(1)), 0).is_empty());
        assert!(tells(&mut watch, &prevote(5, 1, Some(2)), 0).is_empty());
        let found = tells(&mut watch, &prevote(5, 0, None), 0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].check_shape(), Ok(()));
        assert!(tells(&mut watch, &prevote(5, 0, Some(3)), 0).is_empty());
        assert!(!watch.is_news(&found[0]), "the core's word for it later");
    }

    #[test]
    fn only_the_very_same_message_is_known() {
        let mut watch = Watch::default();
        let said = prevote(5, 0, Some(1));
        assert!(!watch.knows(&said));
        tells(&mut watch, &said, 0);
        assert!(watch.knows(&said));
        assert!(!watch.knows(&prevote(5, 0, Some(2))));
        let mut forged = said;
        if let ConsensusMessage::Vote(signed) = &mut forged {
            signed.signature = Signature([9; 64]);
        }
        assert!(!watch.knows(&forged), "another signature is to be verified");
    }

    #[test]
    fn a_vote_in_a_certificate_counts_like_one_that_came_alone() {
        let mut watch = Watch::default();
        tells(&mut watch, &prevote(5, 0, None), 0);
        let polka = ConsensusMessage::Polka(PolkaCertificate {
            height: Height(5),
            round: 0,
            block_id: BlockId([7; 32]),
            signatures: vec![(WHO, Signature([7; 64]))],
        });
        assert_eq!(tells(&mut watch, &polka, 0).len(), 1);
    }

    #[test]
    fn a_vote_that_is_only_compared_contradicts_what_was_heard_and_is_not_remembered() {
        let mut watch = Watch::default();
        tells(&mut watch, &prevote(5, 0, None), 0);
        let signed = |height| prevote(height, 0, Some(7)).votes().remove(0);
        assert!(watch.contradicted_by(&signed(5)).is_some());
        assert!(watch.contradicted_by(&signed(6)).is_none());
        assert_eq!(watch.heard.len(), 1);
    }

    #[test]
    fn what_is_remembered_and_told_of_one_validator_is_bounded() {
        let mut watch = Watch::default();
        assert!(tells(&mut watch, &prevote(5, 11, Some(1)), 0).is_empty());
        assert!(
            tells(&mut watch, &prevote(5, 11, Some(2)), 0).is_empty(),
            "too far ahead"
        );
        for round in 0..1_000 {
            tells(&mut watch, &prevote(5, round, Some(1)), round);
        }
        assert_eq!(watch.heard.len(), PLACES_MAX);
        let told = (990..1_000).map(|round| tells(&mut watch, &prevote(5, round, None), 999).len());
        assert_eq!(told.sum::<usize>(), OFFENCES_MAX);
        watch.forget_before(Height(6));
        assert!(watch.heard.is_empty() && watch.told.is_empty());
    }
}
