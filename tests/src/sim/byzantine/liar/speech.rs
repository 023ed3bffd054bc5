//! What becomes of what its replica says.

use jangbu_consensus::{ConsensusMessage, SignedVote, VoteType};
use jangbu_ledger::block::Block;
use jangbu_ledger::id::{KeyId, TimeMs};
use jangbu_replica::message::{CosignatureMessage, Message};
use jangbu_replica::replica::{Effect, PeerId};

use super::super::super::conduct::{UNBOUND_ENVELOPE, votes_in};
use super::super::forge::Spot;
use super::super::lie::Lie;
use super::{Liar, height_after, send_all};

impl Liar {
    /// Its replica's effects, perverted.
    pub(super) fn perverted(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let messages: Vec<Option<Message>> = effects.iter().map(broadcast).collect();
        let proposal = messages.iter().flatten().find_map(|message| match message {
            Message::Consensus(ConsensusMessage::Proposal(signed))
                if signed.proposal.pol_round.is_none() =>
            {
                let proposal = &signed.proposal;
                let at = Spot {
                    height: proposal.height,
                    round: proposal.round,
                };
                Some((at, proposal.block_id))
            }
            _ => None,
        });
        if let Some((at, id)) = proposal {
            let bodies = messages.iter().flatten();
            let body = bodies.into_iter().find_map(|message| match message {
                Message::Body(block) if block.header.id() == id => Some((**block).clone()),
                _ => None,
            });
            self.round = at.round;
            if let Some(body) = body
                && let Some(instead) = self.proposes_otherwise(at, body)
            {
                let rest = effects.into_iter().zip(messages);
                let rest = rest.filter(|(_, message)| message.is_none());
                return rest.map(|(effect, _)| effect).chain(instead).collect();
            }
        }
        let mut said = Vec::with_capacity(effects.len());
        for (effect, message) in effects.into_iter().zip(messages) {
            if self.gives_away(&effect) {
                continue;
            }
            match message.and_then(|message| self.says_otherwise(&message)) {
                Some(mut instead) => said.append(&mut instead),
                None => said.push(effect),
            }
        }
        said
    }

    /// Whether this holds its precommit for a block that it keeps from being decided.
    fn gives_away(&self, effect: &Effect) -> bool {
        let (Effect::Broadcast(_, bytes) | Effect::Send(_, _, bytes)) = effect else {
            return false;
        };
        let Ok(Message::Consensus(message)) = Message::decode(bytes) else {
            return false;
        };
        self.precommits_hidden(&message, |by| by == self.forge.own)
    }

    /// Whether this holds a precommit, by one of these, for a block that it keeps from being
    /// decided.
    fn precommits_hidden(&self, said: &ConsensusMessage, by: impl Fn(KeyId) -> bool) -> bool {
        !self.hidden.is_empty()
            && votes_in(said).any(|SignedVote { vote, .. }| {
                by(vote.validator)
                    && vote.vote_type == VoteType::Precommit
                    && vote.block_id.is_some_and(|id| self.hidden.contains(&id))
            })
    }

    /// What it says instead of proposing this block; nothing if it is honest this time.
    fn proposes_otherwise(&mut self, at: Spot, block: Block) -> Option<Vec<Effect>> {
        let (fresh, decided) = self.sorted_envelopes();
        let everyone = self.peers();
        for lie in [
            Lie::WrongState,
            Lie::WrongLog,
            Lie::RepeatedEnvelope,
            Lie::TimeBack,
            Lie::TimeAhead,
        ] {
            if self.dares(lie)
                && let Some(invalid) = self.maker().invalid(lie, &fresh, &decided)
            {
                self.told(lie);
                return Some(send_all(&everyone, &self.for_block(at, invalid, true)));
            }
        }
        if self.dares(Lie::TwoProposals) {
            let later = TimeMs(block.header.time_ms.0 + 1);
            let other = self.maker().valid(later, &[])?;
            self.told(Lie::TwoProposals);
            let (some, rest) = self.camps();
            let mut effects = send_all(&some, &self.for_block(at, block, true));
            effects.extend(send_all(&rest, &self.for_block(at, other, true)));
            return Some(effects);
        }
        if self.dares(Lie::HiddenLock) {
            self.told(Lie::HiddenLock);
            self.hidden.insert(block.header.id());
            let (mut some, mut rest) = self.camps();
            if some.len() < rest.len() {
                std::mem::swap(&mut some, &mut rest);
            }
            return Some(send_all(&some, &self.for_block(at, block, false)));
        }
        if self.dares(Lie::WithheldBody) {
            self.told(Lie::WithheldBody);
            self.withheld.insert(block.header.id());
            let (some, rest) = self.camps();
            let mut messages = self.for_block(at, block, true);
            let mut effects = send_all(&some, &messages);
            messages.retain(|message| !matches!(message, Message::Body(_)));
            effects.extend(send_all(&rest, &messages));
            return Some(effects);
        }
        if self.dares(Lie::OtherEnvelopes) {
            self.told(Lie::OtherEnvelopes);
            let mut forged = block.clone();
            forged.envelopes.push(UNBOUND_ENVELOPE);
            let mut messages = vec![Message::Body(Box::new(forged))];
            messages.extend(self.for_block(at, block, true));
            return Some(send_all(&everyone, &messages));
        }
        None
    }

    /// Body, proposal and votes for a block.
    fn for_block(&self, at: Spot, block: Block, and_precommit: bool) -> Vec<Message> {
        let id = block.header.id();
        let mut messages = vec![
            Message::Body(Box::new(block)),
            Message::Consensus(self.forge.proposal(at, id)),
            Message::Consensus(self.forge.vote(VoteType::Prevote, at, Some(id))),
        ];
        if and_precommit {
            let precommit = self.forge.vote(VoteType::Precommit, at, Some(id));
            messages.push(Message::Consensus(precommit));
        }
        messages
    }

    /// What it says instead of this; nothing if it is honest this time.
    fn says_otherwise(&mut self, message: &Message) -> Option<Vec<Effect>> {
        match message {
            Message::Consensus(ConsensusMessage::Vote(signed)) => {
                let vote = signed.vote.clone();
                self.remember(&ConsensusMessage::Vote(signed.clone()));
                if !self.dares(Lie::TwoVotes) {
                    return None;
                }
                self.told(Lie::TwoVotes);
                let other = match vote.block_id {
                    Some(_) => None,
                    None => self.proposed.last().copied(),
                };
                let at = Spot {
                    height: vote.height,
                    round: vote.round,
                };
                let contrary = self.forge.vote(vote.vote_type, at, other);
                let (some, rest) = self.camps();
                let mut effects = send_all(&some, std::slice::from_ref(message));
                effects.extend(send_all(&rest, &[Message::Consensus(contrary)]));
                Some(effects)
            }
            Message::Tip {
                height,
                cosignature,
            } if self.dares(Lie::FalseTip) => {
                self.told(Lie::FalseTip);
                let height = height_after(*height, self.dice.between((1, 5)));
                let tip = Message::Tip {
                    height,
                    cosignature: *cosignature,
                };
                Some(send_all(&self.peers(), &[tip]))
            }
            Message::Cosignature(own) if self.dares(Lie::WrongCosignature) => {
                self.told(Lie::WrongCosignature);
                let wrong = CosignatureMessage {
                    height: height_after(own.height, self.dice.below(2)),
                    ..*own
                };
                let mut messages = vec![Message::Cosignature(wrong)];
                let mut damaged = *own;
                damaged.signature.0[5] ^= 1;
                messages.push(Message::Cosignature(damaged));
                Some(send_all(&self.peers(), &messages))
            }
            _ => None,
        }
    }

    fn remember(&mut self, message: &ConsensusMessage) {
        if self.said.len() >= super::REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(message.clone());
    }

    /// Whether it does not even let its replica answer this.
    pub(super) fn evades(
        &mut self,
        from: PeerId,
        message: &Message,
        instead: &mut Vec<Effect>,
    ) -> bool {
        match message {
            // It must not find a decision that it would then have to pass on.
            Message::Consensus(said) => self.precommits_hidden(said, |_| true),
            Message::FetchBody(id) => self.withheld.contains(id) || self.hidden.contains(id),
            Message::FetchBlocks(height) => match self.forged_blocks(*height) {
                Some(answer) => {
                    instead.push(super::send(from, &answer));
                    true
                }
                None => false,
            },
            _ => false,
        }
    }
}

/// What an effect says to everyone.
fn broadcast(effect: &Effect) -> Option<Message> {
    match effect {
        Effect::Broadcast(_, bytes) => Message::decode(bytes).ok(),
        _ => None,
    }
}
