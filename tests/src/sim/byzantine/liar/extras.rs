//! What it makes up.

use std::sync::{Arc, OnceLock};

use jangbu_consensus::{CommitCertificate, ConsensusMessage, VoteType};
use jangbu_ledger::block::Block;
use jangbu_ledger::id::{BlockId, Digest, EnvelopeId, Height, KeyId};
use jangbu_ledger::signature::Signature;
use jangbu_replica::message::{Class, CosignatureMessage, Message};
use jangbu_replica::replica::Effect;
use jangbu_replica::store::{Store, StoredBlock};

use super::super::super::conduct::UNBOUND_ENVELOPE;
use super::super::super::consortium::Consortium;
use super::super::forge::Spot;
use super::super::lie::Lie;
use super::{Liar, height_after, send, send_all};

/// Envelopes of a flood: more than a pool takes.
const FLOOD: u64 = 1_200;
/// Numbers of its envelopes start here.
const OWN_NUMBERS: u64 = 1 << 40;
/// Bodies of a flood.
const BODIES: u8 = 40;
/// Questions of a flood.
const QUESTIONS: usize = 60;
/// How long it may say nothing.
const SILENCE_MS: (u64, u64) = (100, 3_000);

impl Liar {
    /// What it adds on hearing something.
    pub(super) fn adds_to(&mut self, message: &Message, out: &mut Vec<Effect>) {
        match message {
            Message::Consensus(_) => self.adds_to_agreement(out),
            Message::Body(block) if self.dares(Lie::OtherEnvelopes) => {
                self.told(Lie::OtherEnvelopes);
                let mut forged = block.clone();
                forged.envelopes.push(UNBOUND_ENVELOPE);
                out.extend(send_all(&self.peers(), &[Message::Body(forged)]));
            }
            Message::Cosignature(heard) if self.dares(Lie::OthersCosignature) => {
                self.told(Lie::OthersCosignature);
                for validator in 0..u8::try_from(self.consortium.size()).unwrap_or(0) {
                    let forged = CosignatureMessage {
                        height: height_after(heard.height, self.dice.below(2)),
                        validator,
                        signature: Signature([3; 64]),
                    };
                    out.extend(send_all(&self.peers(), &[Message::Cosignature(forged)]));
                }
            }
            _ => {}
        }
    }

    fn adds_to_agreement(&mut self, out: &mut Vec<Effect>) {
        let (at, everyone, others) = (self.spot(), self.peers(), self.forge.others());
        let mut all = others.clone();
        all.push(self.forge.own);
        let some_block = self.proposed.last().copied();
        let id = some_block.unwrap_or(BlockId([5; 32]));
        let mut say = Vec::new();
        if self.dares(Lie::OthersVotes) {
            self.told(Lie::OthersVotes);
            say.extend(self.in_their_names(&others, at, some_block));
        }
        if self.dares(Lie::OthersFutureVotes) {
            self.told(Lie::OthersFutureVotes);
            let next = Spot {
                height: at.height.next(),
                round: 0,
            };
            say.extend(self.in_their_names(&others, next, None));
        }
        if self.dares(Lie::UncastPolka) {
            self.told(Lie::UncastPolka);
            say.push(self.forge.polka(at, id, &all));
        }
        if self.dares(Lie::RepeatedPolka) {
            self.told(Lie::RepeatedPolka);
            let quorum = self.forge.set.quorum();
            say.push(self.forge.polka(at, id, &vec![self.forge.own; quorum]));
        }
        say.extend(self.rounds(at, &all));
        if !self.forge.is_our_turn(at)
            && self.dares(Lie::OutOfTurn)
            && let Some(block) = self.maker().valid(self.now, &[])
        {
            self.told(Lie::OutOfTurn);
            let id = block.header.id();
            if self.dice.chance(500) {
                out.extend(send_all(&everyone, &[Message::Body(Box::new(block))]));
            }
            say.push(self.forge.proposal(at, id));
            say.push(self.forge.vote(VoteType::Prevote, at, Some(id)));
        }
        let messages: Vec<Message> = say.into_iter().map(Message::Consensus).collect();
        out.extend(send_all(&everyone, &messages));
    }

    fn in_their_names(
        &self,
        others: &[KeyId],
        at: Spot,
        id: Option<BlockId>,
    ) -> Vec<ConsensusMessage> {
        let kinds = [VoteType::Prevote, VoteType::Precommit];
        let vote = |kind, of: &KeyId| ConsensusMessage::Vote(self.forge.vote_of(*of, kind, at, id));
        let votes = |kind| others.iter().map(move |of| vote(kind, of));
        kinds.into_iter().flat_map(votes).collect()
    }

    /// Certificates that justify no round.
    fn rounds(&mut self, at: Spot, all: &[KeyId]) -> Vec<ConsensusMessage> {
        let mut say = Vec::new();
        let later = Spot {
            round: at.round + 2,
            ..at
        };
        let vote = |liar: &Self, of: &KeyId, kind, at| liar.forge.vote_of(*of, kind, at, None);
        if self.dares(Lie::UncastRound) {
            self.told(Lie::UncastRound);
            let precommits = all.iter().map(|of| vote(self, of, VoteType::Precommit, at));
            let precommits: Vec<_> = precommits.collect();
            say.push(self.forge.round(at, false, &precommits));
            let prevotes = all
                .iter()
                .map(|of| vote(self, of, VoteType::Prevote, later));
            let prevotes: Vec<_> = prevotes.collect();
            say.push(self.forge.round(later, true, &prevotes));
        }
        if self.dares(Lie::SkipAlone) {
            self.told(Lie::SkipAlone);
            let own = self.forge.own;
            let once = vote(self, &own, VoteType::Prevote, later);
            let again = vote(self, &own, VoteType::Precommit, later);
            say.push(self.forge.round(later, true, std::slice::from_ref(&once)));
            say.push(self.forge.round(later, true, &[once, again]));
        }
        if self.dares(Lie::PrevotesAsPrecommits) {
            let heard = self.votes.iter().filter(|signed| {
                signed.vote.vote_type == VoteType::Prevote && signed.vote.round == at.round
            });
            let mut prevotes = vec![vote(self, &self.forge.own, VoteType::Prevote, at)];
            for signed in heard {
                if prevotes
                    .iter()
                    .all(|p| p.vote.validator != signed.vote.validator)
                {
                    prevotes.push(signed.clone());
                }
            }
            if prevotes.len() >= self.forge.set.quorum() {
                self.told(Lie::PrevotesAsPrecommits);
                say.push(self.forge.round(at, false, &prevotes));
            }
        }
        say
    }

    /// What it does once a second.
    pub(super) fn ticks(&mut self, out: &mut Vec<Effect>) {
        let (at, everyone) = (self.spot(), self.peers());
        let mut say = Vec::new();
        if self.dares(Lie::StaleVotes) && !self.said.is_empty() {
            self.told(Lie::StaleVotes);
            for message in &self.said {
                say.push(Message::Consensus(message.clone()));
                if let ConsensusMessage::Vote(signed) = message {
                    let (kind, spot) = (
                        signed.vote.vote_type,
                        spot_of(signed.vote.height, signed.vote.round),
                    );
                    say.push(Message::Consensus(self.forge.vote(kind, spot, None)));
                }
            }
        }
        if self.dares(Lie::FutureVotes) {
            self.told(Lie::FutureVotes);
            for (more, round) in [
                (0, 3),
                (0, 11),
                (0, u32::MAX),
                (1, 0),
                (1, 40),
                (2, 0),
                (1 << 40, 0),
            ] {
                let spot = spot_of(height_after(at.height, more), round);
                for id in [None, Some(BlockId([6; 32]))] {
                    let vote = self.forge.vote(VoteType::Prevote, spot, id);
                    say.push(Message::Consensus(vote));
                }
            }
        }
        if self.dares(Lie::ManyEnvelopes) {
            self.told(Lie::ManyEnvelopes);
            say.extend(flood().iter().cloned());
        }
        if self.dares(Lie::UnsignedEnvelopes) {
            self.told(Lie::UnsignedEnvelopes);
            let number = OWN_NUMBERS + FLOOD + self.dice.below(1_000);
            let (_, mut bytes) = self.consortium.envelope(number);
            // The signature is what comes last.
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            say.push(Message::Envelopes(vec![bytes]));
        }
        if self.dares(Lie::ManyBodies)
            && let Some(block) = self.maker().valid(self.now, &[])
        {
            self.told(Lie::ManyBodies);
            for n in 0..BODIES {
                let mut body = block.clone();
                body.header.refusals_root = Digest([n; 32]);
                say.push(Message::Body(Box::new(body)));
            }
        }
        if self.dares(Lie::ManyQuestions) {
            self.told(Lie::ManyQuestions);
            for _ in 0..QUESTIONS {
                say.push(Message::FetchBlocks(Height(0)));
                say.push(Message::FetchBody(BlockId([8; 32])));
                say.push(Message::Fetch(vec![EnvelopeId([8; 32]); 8]));
                say.push(Message::Repeat(at.height));
            }
        }
        out.extend(send_all(&everyone, &say));
        if self.dares(Lie::Garbage) {
            self.told(Lie::Garbage);
            for to in &everyone {
                let noise: Vec<u8> = (0..200).map(|_| self.noise()).collect();
                out.push(Effect::Send(*to, Class::Agreement, noise.into()));
                let cut: Arc<[u8]> = match send(*to, &Message::Body(Box::new(self.some_block()))) {
                    Effect::Send(_, _, bytes) => bytes[..bytes.len() / 2].into(),
                    _ => continue,
                };
                out.push(Effect::Send(*to, Class::Bulk, cut));
            }
        }
        if self.dares(Lie::Silence) {
            self.told(Lie::Silence);
            self.silent_until.0 = self.now.0 + self.dice.between(SILENCE_MS);
        }
        if self.dares(Lie::Amnesia) && self.before.tip() == self.replica.store().tip() {
            self.told(Lie::Amnesia);
            let reborn = self.reborn(self.before.clone());
            out.extend(self.perverted(reborn));
        }
    }

    fn noise(&mut self) -> u8 {
        u8::try_from(self.dice.below(256)).unwrap_or(0)
    }

    fn some_block(&self) -> Block {
        self.consortium.config(self.n).genesis.block
    }

    /// An answer to who asks for blocks from this height on, if it is to be a lie.
    pub(super) fn forged_blocks(&mut self, height: Height) -> Option<Message> {
        let next = self.replica.tip().height.next();
        let at = spot_of(height, 0);
        if height < next {
            return self.decided_otherwise(height);
        }
        if height > next {
            return None;
        }
        let (own, quorum) = (self.forge.own, self.forge.set.quorum());
        let round = self.round;
        if self.dares(Lie::SmallCertificate)
            && let Some(answer) = self.small_certificate(spot_of(height, round))
        {
            self.told(Lie::SmallCertificate);
            return Some(answer);
        }
        let block = self.maker().valid(self.now, &[])?;
        let id = block.header.id();
        let certificate = if self.dares(Lie::RepeatedCertificate) {
            self.told(Lie::RepeatedCertificate);
            self.forge.certificate(at, id, &vec![own; quorum])
        } else if self.dares(Lie::UnsignedCertificate) {
            self.told(Lie::UnsignedCertificate);
            self.forge.certificate(at, id, &self.forge.others())
        } else if self.dares(Lie::BorrowedCertificate) {
            let before = self.replica.store().block(self.replica.tip().height);
            let certificate = before.ok().flatten()?.certificate?;
            self.told(Lie::BorrowedCertificate);
            certificate
        } else {
            return None;
        };
        Some(blocks(block, certificate, Vec::new()))
    }

    /// A proposed block with all the precommits that there are, if they do not make a quorum.
    fn small_certificate(&self, at: Spot) -> Option<Message> {
        let quorum = self.forge.set.quorum();
        for (id, block) in &self.bodies {
            let mut certificate = self.forge.certificate(at, *id, &[self.forge.own]);
            for signed in self.precommits_for(*id, at.round) {
                let by = signed.vote.validator;
                let counted = certificate.signatures.iter().any(|(known, _)| *known == by);
                if !counted && certificate.signatures.len() + 1 < quorum {
                    certificate.signatures.push((by, signed.signature));
                }
            }
            let envelopes = block.envelopes.iter();
            let envelopes = envelopes.map(|id| {
                let known = self.envelopes.iter().find(|verified| verified.id == *id);
                known.map(|verified| verified.bytes.to_vec())
            });
            if let Some(envelopes) = envelopes.collect()
                && certificate.signatures.len() + 1 == quorum
            {
                return Some(blocks(block.clone(), certificate, envelopes));
            }
        }
        None
    }

    /// A decided block, without the envelopes that it orders.
    fn decided_otherwise(&mut self, height: Height) -> Option<Message> {
        let stored = self.replica.store().block(height).ok().flatten()?;
        let certificate = stored.certificate?;
        if stored.block.envelopes.is_empty() || !self.dares(Lie::CaughtUpOtherwise) {
            return None;
        }
        self.told(Lie::CaughtUpOtherwise);
        let mut block = stored.block;
        block.envelopes.clear();
        Some(blocks(block, certificate, Vec::new()))
    }
}

fn blocks(block: Block, certificate: CommitCertificate, envelopes: Vec<Vec<u8>>) -> Message {
    let stored = StoredBlock {
        block,
        certificate: Some(certificate),
    };
    Message::Blocks(vec![(stored, envelopes)])
}

const fn spot_of(height: Height, round: u32) -> Spot {
    Spot { height, round }
}

/// More valid envelopes than a pool takes: made once, for they are the same for everyone.
fn flood() -> &'static [Message] {
    static FLOODED: OnceLock<Vec<Message>> = OnceLock::new();
    FLOODED.get_or_init(|| {
        let consortium = Consortium::new(1);
        let numbers: Vec<u64> = (OWN_NUMBERS..OWN_NUMBERS + FLOOD).collect();
        let envelopes = |chunk: &[u64]| chunk.iter().map(|n| consortium.envelope(*n).1).collect();
        numbers
            .chunks(400)
            .map(|chunk| Message::Envelopes(envelopes(chunk)))
            .collect()
    })
}
