//! What a correct validator may say, judged by all that was said before.
//!
//! Tendermint once more, as rules over the wire (arXiv:1807.04938, `L` are lines of its
//! Algorithm 1), with no word of the code it judges:
//!
//! - who prevotes for a block was asked to, by the proposer of that round (L22, L28);
//! - who precommits a block was preceded by a quorum of prevotes for it (L36);
//! - who precommitted a block prevotes for another only after a quorum prevoted for that one in
//!   a round not before (L29): the lock;
//! - who speaks in a round came there by a quorum of precommits in the round before (L65), or
//!   by more than a third of the validators that were there first (L55);
//! - who passes a vote on passes on one that was cast;
//! - what is committed bears signatures that verify: a quorum of precommits below each block, a
//!   quorum of cosignatures below each final checkpoint;
//! - who cosigns, cosigns the log that it has on disk.
//!
//! What Byzantine members say is judged by nobody, but their valid signatures count: a vote that
//! any of them signed and sent to anyone is a vote.

use std::collections::{BTreeMap, BTreeSet};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature as DalekSignature, VerifyingKey};
use jangbu_consensus::{
    CommitCertificate, ConsensusMessage, Proposal, RoundCertificate, SignedProposal, SignedVote,
    Vote, VoteType,
};
use jangbu_ledger::id::{BlockId, ChainId, EnvelopeId, Height, KeyId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::signature::{PublicKey, Signature};

use super::oracle::Violation;

/// Ordered only by bodies that liars made of others' headers.
pub(super) const UNBOUND_ENVELOPE: EnvelopeId = EnvelopeId([9; 32]);

/// Who validates, and how they are known.
#[derive(Debug, Clone)]
pub struct Validators {
    /// The ledger.
    pub chain: ChainId,
    /// The log's name.
    pub origin: String,
    /// Keys that vote and keys that cosign, in the validators' order.
    pub keys: Vec<(PublicKey, PublicKey)>,
}

/// What a cosignature says.
#[derive(Debug, Clone, Copy)]
pub struct LogState {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: NodeHash,
    /// Time of the block, in seconds.
    pub time_s: u64,
}

/// All votes and proposals so far.
#[derive(Debug)]
pub struct Conduct {
    validators: Validators,
    prevotes: BTreeMap<(Height, u32, BlockId), BTreeSet<KeyId>>,
    precommits: BTreeMap<(Height, u32), BTreeSet<KeyId>>,
    voters: BTreeMap<(Height, u32), BTreeSet<KeyId>>,
    cast: BTreeSet<Vote>,
    proposed: BTreeSet<(Height, u32, BlockId)>,
    /// The blocks that a validator precommitted at a height, by round.
    locks: BTreeMap<(KeyId, Height), BTreeMap<u32, BlockId>>,
    verified: BTreeSet<(KeyId, Vec<u8>, [u8; 64])>,
}

impl Conduct {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new(validators: Validators) -> Self {
        Self {
            validators,
            prevotes: BTreeMap::new(),
            precommits: BTreeMap::new(),
            voters: BTreeMap::new(),
            cast: BTreeSet::new(),
            proposed: BTreeSet::new(),
            locks: BTreeMap::new(),
            verified: BTreeSet::new(),
        }
    }

    /// A Byzantine member says something to anyone: what is validly signed counts.
    pub fn hears_of_liar(&mut self, message: &ConsensusMessage) {
        let chain = self.validators.chain;
        for SignedVote { vote, signature } in votes_in(message) {
            if self.is_signed(vote.validator, &vote.signing_digest(&chain), &signature) {
                self.note_vote(&vote);
            }
        }
        if let ConsensusMessage::Proposal(SignedProposal {
            proposal,
            signature,
        }) = message
            && self.proposer(proposal.height, proposal.round) == proposal.proposer
            && self.is_signed(
                proposal.proposer,
                &proposal.signing_digest(&chain),
                signature,
            )
        {
            self.note_proposal(proposal);
        }
    }

    /// A Byzantine member says something that is signed rightly throughout: so does a twin.
    pub fn hears_signed(&mut self, message: &ConsensusMessage) {
        for signed in votes_in(message) {
            self.note_vote(&signed.vote);
        }
        if let ConsensusMessage::Proposal(signed) = message {
            self.note_proposal(&signed.proposal);
        }
    }

    /// A correct member says all this in one step, in whatever order.
    ///
    /// # Errors
    ///
    /// [`Violation`] if a correct member does not say that now.
    pub fn hears(&mut self, messages: &[ConsensusMessage]) -> Result<(), Violation> {
        let mut fresh = Vec::new();
        for message in messages {
            match message {
                ConsensusMessage::Vote(signed) if self.note_vote(&signed.vote) => {
                    fresh.push(&signed.vote);
                }
                ConsensusMessage::Proposal(signed) => self.note_proposal(&signed.proposal),
                _ => {}
            }
        }
        fresh
            .into_iter()
            .try_for_each(|vote| self.judge_vote(vote))?;
        messages.iter().try_for_each(|message| match message {
            ConsensusMessage::Vote(_) => Ok(()),
            ConsensusMessage::Proposal(signed) => self.judge_proposal(&signed.proposal),
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => {
                match votes_in(message).find(|signed| !self.cast.contains(&signed.vote)) {
                    Some(signed) => violated(format!("nobody cast {:?}, passed on", signed.vote)),
                    None => Ok(()),
                }
            }
        })
    }

    /// A correct member asks for a block's body.
    ///
    /// # Errors
    ///
    /// [`Violation`] if nobody whose turn it was proposed the block.
    pub fn asks_for_body(&self, id: &BlockId) -> Result<(), Violation> {
        match self.proposed.iter().any(|(_, _, proposed)| proposed == id) {
            true => Ok(()),
            false => violated(format!("someone asks for {id}, proposed out of turn")),
        }
    }

    /// A correct member asks for envelopes.
    ///
    /// # Errors
    ///
    /// [`Violation`] if only bodies that their header does not bind order one of them.
    pub fn asks_for_envelopes(&self, ids: &[EnvelopeId]) -> Result<(), Violation> {
        match ids.contains(&UNBOUND_ENVELOPE) {
            true => violated("someone asks for an envelope that no header binds".into()),
            false => Ok(()),
        }
    }

    /// A member has a block with this certificate.
    ///
    /// # Errors
    ///
    /// [`Violation`] if a signature is not one, or too few precommitted.
    pub fn certified(&mut self, certificate: &CommitCertificate) -> Result<(), Violation> {
        let mut signers = BTreeSet::new();
        for (validator, signature) in &certificate.signatures {
            let vote = Vote {
                vote_type: VoteType::Precommit,
                height: certificate.height,
                round: certificate.round,
                block_id: Some(certificate.block_id),
                validator: *validator,
            };
            let digest = vote.signing_digest(&self.validators.chain);
            if !self.is_signed(*validator, &digest, signature) {
                return violated(format!(
                    "a certificate bears a signature that is none: {vote:?}"
                ));
            }
            signers.insert(*validator);
        }
        if signers.len() < self.quorum() {
            let (height, got) = (certificate.height.0, signers.len());
            return violated(format!(
                "block {height} is certified by {got} validators only"
            ));
        }
        Ok(())
    }

    /// Somebody's cosignature of the log in this state; `by` is a position among the validators.
    ///
    /// # Errors
    ///
    /// [`Violation`] if it is none.
    pub fn cosigned(
        &mut self,
        by: u8,
        log: LogState,
        signature: &Signature,
    ) -> Result<(), Violation> {
        let (LogState { size, root, time_s }, origin) = (log, &self.validators.origin);
        let root = BASE64_STANDARD.encode(root.0);
        let text = format!("cosignature/v1\ntime {time_s}\n{origin}\n{size}\n{root}\n");
        let keys = self.validators.keys.get(usize::from(by));
        let witness = keys.map(|(_, witness)| *witness);
        if witness.is_some_and(|key| self.verifies(key, text.as_bytes(), signature)) {
            return Ok(());
        }
        violated(format!(
            "validator {by} did not cosign the log at size {size}"
        ))
    }

    fn judge_proposal(&self, proposal: &Proposal) -> Result<(), Violation> {
        let (height, round) = (proposal.height, proposal.round);
        if self.proposer(height, round) != proposal.proposer {
            return violated(format!("{proposal:?} is out of turn"));
        }
        self.judge_round(proposal.proposer, height, round)
    }

    fn judge_vote(&self, vote: &Vote) -> Result<(), Violation> {
        let (height, round) = (vote.height, vote.round);
        self.judge_round(vote.validator, height, round)?;
        let Some(id) = vote.block_id else {
            return Ok(());
        };
        if vote.vote_type == VoteType::Precommit {
            return match self.has_polka(height, round, id) {
                true => Ok(()),
                false => violated(format!("no quorum of prevotes precedes {vote:?}")),
            };
        }
        if !self.proposed.contains(&(height, round, id)) {
            return violated(format!(
                "nobody whose turn it was proposed what {vote:?} is for"
            ));
        }
        let locks = self.locks.get(&(vote.validator, height));
        match locks.and_then(|locks| locks.range(..round).next_back()) {
            Some((locked, other))
                if *other != id && !(*locked..round).any(|r| self.has_polka(height, r, id)) =>
            {
                violated(format!("locked on {other} in round {locked}: {vote:?}"))
            }
            _ => Ok(()),
        }
    }

    fn judge_round(&self, speaker: KeyId, height: Height, round: u32) -> Result<(), Violation> {
        let Some(before) = round.checked_sub(1) else {
            return Ok(());
        };
        let count = |votes: Option<&BTreeSet<KeyId>>| votes.map_or(0, BTreeSet::len);
        let ended = count(self.precommits.get(&(height, before))) >= self.quorum();
        let there = self.voters.get(&(height, round));
        let others = count(there) - usize::from(there.is_some_and(|v| v.contains(&speaker)));
        if ended || others > self.validators.keys.len() / 3 {
            return Ok(());
        }
        let height = height.0;
        violated(format!(
            "nothing lets {speaker} enter round {round} of height {height}"
        ))
    }

    /// Whether it is new.
    fn note_vote(&mut self, vote: &Vote) -> bool {
        let (height, round) = (vote.height, vote.round);
        let voters = self.voters.entry((height, round)).or_default();
        voters.insert(vote.validator);
        match (vote.vote_type, vote.block_id) {
            (VoteType::Prevote, Some(id)) => {
                let prevotes = self.prevotes.entry((height, round, id)).or_default();
                prevotes.insert(vote.validator);
            }
            (VoteType::Prevote, None) => {}
            (VoteType::Precommit, id) => {
                let precommits = self.precommits.entry((height, round)).or_default();
                precommits.insert(vote.validator);
                if let Some(id) = id {
                    let locks = self.locks.entry((vote.validator, height)).or_default();
                    locks.insert(round, id);
                }
            }
        }
        self.cast.insert(vote.clone())
    }

    fn note_proposal(&mut self, proposal: &Proposal) {
        let (height, round) = (proposal.height, proposal.round);
        self.proposed.insert((height, round, proposal.block_id));
    }

    fn has_polka(&self, height: Height, round: u32, id: BlockId) -> bool {
        let prevotes = self.prevotes.get(&(height, round, id));
        prevotes.is_some_and(|prevotes| prevotes.len() >= self.quorum())
    }

    /// More than two thirds.
    const fn quorum(&self) -> usize {
        self.validators.keys.len() * 2 / 3 + 1
    }

    /// They take turns.
    fn proposer(&self, height: Height, round: u32) -> KeyId {
        let turn = (height.0 + u64::from(round)) % self.validators.keys.len() as u64;
        let turn = usize::try_from(turn).unwrap_or(0);
        self.validators.keys[turn].0.id()
    }

    fn is_signed(&mut self, by: KeyId, digest: &[u8], signature: &Signature) -> bool {
        let mut keys = self.validators.keys.iter().map(|(key, _)| *key);
        let key = keys.find(|key| key.id() == by);
        key.is_some_and(|key| self.verifies(key, digest, signature))
    }

    /// Verifies each signature once.
    fn verifies(&mut self, key: PublicKey, message: &[u8], signature: &Signature) -> bool {
        let known = (key.id(), message.to_vec(), signature.0);
        if self.verified.contains(&known) {
            return true;
        }
        let parsed = DalekSignature::from_bytes(&signature.0);
        let valid = VerifyingKey::from_bytes(&key.0)
            .is_ok_and(|key| key.verify_strict(message, &parsed).is_ok());
        if valid {
            self.verified.insert(known);
        }
        valid
    }
}

/// Every vote in a message, its certificates unpacked.
pub(super) fn votes_in(message: &ConsensusMessage) -> impl Iterator<Item = SignedVote> + '_ {
    let (one, polka, round) = match message {
        ConsensusMessage::Vote(signed) => (Some(signed.clone()), None, None),
        ConsensusMessage::Proposal(_) => (None, None, None),
        ConsensusMessage::Polka(certificate) => (None, Some(certificate), None),
        ConsensusMessage::Round(certificate) => (None, None, Some(certificate)),
    };
    let polka = polka.into_iter().flat_map(|certificate| {
        certificate
            .signatures
            .iter()
            .map(|(validator, signature)| SignedVote {
                vote: Vote {
                    vote_type: VoteType::Prevote,
                    height: certificate.height,
                    round: certificate.round,
                    block_id: Some(certificate.block_id),
                    validator: *validator,
                },
                signature: *signature,
            })
    });
    let round = round.into_iter().flat_map(round_votes);
    one.into_iter().chain(polka).chain(round)
}

fn round_votes(certificate: &RoundCertificate) -> impl Iterator<Item = SignedVote> + '_ {
    certificate.votes.iter().map(|vote| SignedVote {
        vote: Vote {
            vote_type: vote.vote_type,
            height: certificate.height,
            round: certificate.round,
            block_id: vote.block_id,
            validator: vote.validator,
        },
        signature: vote.signature,
    })
}

fn violated<T>(what: String) -> Result<T, Violation> {
    Err(Violation(what))
}
