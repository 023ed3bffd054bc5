//! What members ask of each other, and how a member that was away catches up.

use jangbu_consensus as consensus;
use jangbu_consensus::mutant::{self, Mutant};
use jangbu_ledger::block::Block;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::id::{EnvelopeId, Height};

use super::allowance::Verdict;
use super::{Effect, Fatal, PeerId, Replica, TimerId};
use crate::candidate::{self, CandidateError};
use crate::catchup::{ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX};
use crate::message::{FETCH_MAX, Message};
use crate::pool::{self, Verified};
use crate::store::{Store, StoredBlock};

impl<S: Store> Replica<S> {
    pub(super) fn receive(&mut self, peer: PeerId, message: Message) -> Result<(), Fatal> {
        match message {
            Message::Consensus(message) => {
                let height = message.height();
                if height > self.tip.height.next() {
                    // The sender decided what we have not; its tip says from where to ask.
                    self.catch_up.heard(peer, Height(height.0 - 1));
                }
                self.drive(consensus::Input::Message(message))
            }
            Message::Body(block) => {
                self.receive_body(peer, *block);
                Ok(())
            }
            Message::Envelopes(envelopes) => self.receive_envelopes(peer, envelopes),
            Message::Fetch(_)
            | Message::FetchBody(_)
            | Message::Repeat(_)
            | Message::FetchBlocks(_) => self.answer(peer, message),
            Message::Tip {
                height,
                cosignature,
            } => {
                if height > self.tip.height {
                    self.catch_up.heard(peer, height);
                }
                if self.links.is_validator(peer) {
                    self.standing.heard(peer, height);
                }
                match cosignature {
                    Some(cosignature) => self.receive(peer, Message::Cosignature(cosignature)),
                    None => Ok(()),
                }
            }
            Message::Cosignature(cosignature) => {
                let complete = self
                    .cosigner
                    .add(&self.chain, self.tip.height, peer, cosignature);
                self.finalise(complete)
            }
            Message::Blocks(blocks) => self.receive_blocks(peer, blocks),
        }
    }

    /// Answers a request, if the member may still ask.
    fn answer(&mut self, peer: PeerId, request: Message) -> Result<(), Fatal> {
        let items = match &request {
            Message::Fetch(ids) => ids.len(),
            _ => 1,
        };
        match self.allowances.asks(peer, items, self.now) {
            Verdict::Answer => {}
            Verdict::Drop => return Ok(()),
            Verdict::DropAndName => {
                let reason = "it asks for more than a correct member needs".to_owned();
                self.accuse(peer, reason);
                return Ok(());
            }
        }
        let before = self.effects.len();
        match request {
            Message::Fetch(ids) => self.answer_fetch(peer, ids)?,
            Message::FetchBlocks(from) => self.answer_blocks(peer, from)?,
            Message::FetchBody(id) => {
                if let Some(body) = self.body(&id) {
                    self.send(peer, &body);
                }
            }
            Message::Repeat(height) if height == self.tip.height.next() => self.resend_to(peer),
            _ => {}
        }
        let sent = self.effects.iter().skip(before).map(Effect::bytes_sent);
        self.allowances.was_sent(peer, sent.sum());
        Ok(())
    }

    fn answer_fetch(&mut self, peer: PeerId, ids: Vec<EnvelopeId>) -> Result<(), Fatal> {
        let mut found = Vec::new();
        let mut size = 0;
        for id in ids.into_iter().take(FETCH_MAX) {
            let bytes = match self.pool.get(&id) {
                Some(verified) => Some(verified.bytes.clone()),
                None => self.store.envelope(&id)?,
            };
            let Some(bytes) = bytes else { continue };
            if size + bytes.len() > ANSWER_BYTES_MAX && !found.is_empty() {
                self.send(peer, &Message::Envelopes(std::mem::take(&mut found)));
                size = 0;
            }
            size += bytes.len();
            found.push(bytes.to_vec());
        }
        if !found.is_empty() {
            self.send(peer, &Message::Envelopes(found));
        }
        Ok(())
    }

    fn answer_blocks(&mut self, peer: PeerId, from: Height) -> Result<(), Fatal> {
        let mut blocks = Vec::new();
        let mut size = 0;
        let mut height = from;
        while height <= self.tip.height && blocks.len() < ANSWER_BLOCKS_MAX {
            let Some(stored) = self.store.block(height)? else {
                break;
            };
            let mut envelopes = Vec::new();
            for id in &stored.block.envelopes {
                if let Some(bytes) = self.store.envelope(id)? {
                    size += bytes.len();
                    envelopes.push(bytes.to_vec());
                }
            }
            if size > ANSWER_BYTES_MAX && !blocks.is_empty() {
                break;
            }
            blocks.push((stored, envelopes));
            height = height.next();
        }
        self.send(peer, &Message::Blocks(blocks));
        Ok(())
    }

    /// Applies blocks in order, each only with a certificate of a quorum.
    fn receive_blocks(
        &mut self,
        peer: PeerId,
        blocks: Vec<(StoredBlock, Vec<Vec<u8>>)>,
    ) -> Result<(), Fatal> {
        if !self.catch_up.answered(peer) {
            return Ok(());
        }
        self.effects.push(Effect::CancelTimer(TimerId::CatchUp));
        let before = self.tip.height;
        for (stored, envelopes) in blocks {
            if stored.block.header.height != self.tip.height.next() {
                continue;
            }
            if let Err(reason) = self.apply(stored, envelopes)? {
                self.catch_up.forget(peer);
                self.accuse(peer, reason);
                return Ok(());
            }
        }
        let next = self.tip.height.next();
        if self.tip.height == before {
            // Nothing we could use, whatever it claims to have.
            self.catch_up.forget(peer);
        } else if !self.catch_up.anyone_at(next) {
            // Arrived: the others may have said what they had to say before we could hear it.
            self.broadcast(&Message::Repeat(next));
        }
        Ok(())
    }

    /// Applies one caught-up block; the inner error names what the peer did wrong.
    fn apply(
        &mut self,
        stored: StoredBlock,
        envelopes: Vec<Vec<u8>>,
    ) -> Result<Result<(), String>, Fatal> {
        let StoredBlock { block, certificate } = stored;
        let id = block.header.id();
        let Some(certificate) = certificate else {
            return Ok(Err("a block without its certificate".into()));
        };
        let its_own = certificate.height == block.header.height && certificate.block_id == id;
        if !its_own && !mutant::is(Mutant::CertificateOfAnotherBlock) {
            return Ok(Err("a certificate of another block".into()));
        }
        if let Err(error) = certificate.verify(&self.chain.chain_id, &self.chain.validator_set) {
            return Ok(Err(error.to_string()));
        }
        let found = self.consensus.contradictions_in(&certificate);
        let evidence = found.into_iter().map(|e| Effect::Evidence(Box::new(e)));
        self.effects.extend(evidence);
        if self.consensus.has_forgotten(&certificate) {
            self.follow("our key signed a block that is not in our log")?;
        }
        // From here on the header is certified, and whatever it binds.
        if let Some(candidate) = self.candidates.remove(&id) {
            self.abandon_height(block.header.height);
            return self.commit(candidate, certificate).map(Ok);
        }
        let bound = block.header.envelopes_root == Block::envelopes_root(&block.envelopes)
            && envelopes
                .iter()
                .map(|bytes| Envelope::id_of(bytes))
                .eq(block.envelopes.iter().copied());
        if !bound && !mutant::is(Mutant::CaughtUpUnbound) {
            return Ok(Err("a block with other envelopes than it orders".into()));
        }
        let certified_but_invalid = |reason: String| Fatal::CertifiedButInvalid {
            height: block.header.height,
            block: id,
            reason,
        };
        let time = block.header.time_ms;
        let verified: Vec<Verified> =
            pool::verify(&self.chain.chain_id, time, &self.store, envelopes)?
                .into_iter()
                .collect::<Result<_, _>>()
                .map_err(|error| certified_but_invalid(error.to_string()))?;
        let list: Vec<&Verified> = verified.iter().collect();
        match candidate::check(&self.chain, &self.store, &self.tip, &block, &list) {
            Ok(candidate) => {
                self.abandon_height(block.header.height);
                self.commit(candidate, certificate).map(Ok)
            }
            Err(CandidateError::Invalid(reason)) => Err(certified_but_invalid(reason.to_string())),
            Err(CandidateError::Panicked(panicked)) => {
                Err(certified_but_invalid(panicked.to_string()))
            }
            Err(CandidateError::Store(error)) => Err(error.into()),
        }
    }

    /// A height was decided elsewhere: its timers mean nothing any more.
    fn abandon_height(&mut self, height: Height) {
        for id in self.consensus.advance(height) {
            self.effects
                .push(Effect::CancelTimer(TimerId::Consensus(id)));
        }
    }
}
