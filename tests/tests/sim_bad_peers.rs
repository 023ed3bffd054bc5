//! One replica among members that lie: what it takes from them and what it does not.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_consensus::{
    CommitCertificate, ConsensusMessage, Proposal, SignedProposal, SignedVote, Signer, Vote,
    VoteType,
};
use jangbu_ledger::block::Block;
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId, TimeMs};
use jangbu_replica::candidate;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::message::Message;
use jangbu_replica::pool;
use jangbu_replica::replica::{Effect, Input, PeerId, Replica, TimerId, Token};
use jangbu_replica::store::StoredBlock;
use jangbu_tests::sim::{Consortium, START_MS};

const NOW: u64 = START_MS + 10_000;
const ROUND: u32 = 0;
const FIRST: Height = Height(1);

/// A replica of a consortium of four, and the keys of all.
struct Scene {
    consortium: Consortium,
    replica: Replica<MemoryStore>,
    /// Our own position, which is not the first proposer's.
    own: usize,
    /// The proposer of the first height and round.
    proposer: usize,
}

impl Scene {
    fn new(room_in_pool: usize) -> Self {
        let consortium = Consortium::new(4);
        let set = consortium.config(0).chain.validator_set;
        let first = set.proposer(FIRST, ROUND).id();
        let is_first = |n: &usize| consortium.key_id(*n) == Some(first);
        let proposer = (0..4).find(is_first).unwrap();
        let own = (proposer + 1) % 4;
        let mut config = consortium.config(own);
        config.pool.envelopes = room_in_pool;
        let (replica, _) = Replica::new(config, MemoryStore::default(), TimeMs(NOW)).unwrap();
        Self {
            consortium,
            replica,
            own,
            proposer,
        }
    }

    fn signer(&self, n: usize) -> (KeyId, Box<dyn Signer + Send>) {
        let signer = self.consortium.config(n).signer.unwrap();
        (signer.public_key().id(), signer)
    }

    /// The first block as the first proposer makes it at `time`, ordering envelope 1.
    fn block(&self, time: u64) -> (Block, Vec<u8>) {
        let chain = self.consortium.config(self.own).chain;
        let (_, bytes) = self.consortium.envelope(1);
        let (time, store) = (TimeMs(time), self.replica.store());
        let batch = vec![bytes.clone()];
        let verified = pool::verify(&chain.chain_id, time, store, batch)
            .unwrap()
            .remove(0)
            .unwrap();
        let tip = self.replica.tip();
        let waiting = std::iter::once(&verified);
        let by = self.signer(self.proposer).0;
        let candidate =
            candidate::propose(&chain, store, tip, by, time, usize::MAX, waiting).unwrap();
        (candidate.block, bytes)
    }

    fn proposal(&self, block_id: BlockId) -> Message {
        let (proposer, signer) = self.signer(self.proposer);
        let proposal = Proposal {
            height: FIRST,
            round: ROUND,
            block_id,
            pol_round: None,
            proposer,
        };
        let chain = self.consortium.config(0).chain.chain_id;
        let signature = signer.sign(&proposal.signing_digest(&chain)).unwrap();
        Message::Consensus(ConsensusMessage::Proposal(SignedProposal {
            proposal,
            signature,
        }))
    }

    fn vote(&self, n: usize, vote_type: VoteType, block_id: BlockId) -> SignedVote {
        let (validator, signer) = self.signer(n);
        let vote = Vote {
            vote_type,
            height: FIRST,
            round: ROUND,
            block_id: Some(block_id),
            validator,
        };
        let chain = self.consortium.config(0).chain.chain_id;
        let signature = signer.sign(&vote.signing_digest(&chain)).unwrap();
        SignedVote { vote, signature }
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.own;
        (0..4).filter(move |n| *n != own)
    }

    fn certified(&self, block: Block) -> StoredBlock {
        let block_id = block.header.id();
        let votes = self
            .others()
            .map(|n| self.vote(n, VoteType::Precommit, block_id));
        let certificate = CommitCertificate {
            height: FIRST,
            round: ROUND,
            block_id,
            signatures: votes.map(|v| (v.vote.validator, v.signature)).collect(),
        };
        StoredBlock {
            block,
            certificate: Some(certificate),
        }
    }

    fn hears(&mut self, from: usize, message: &Message) -> Vec<Effect> {
        let peer = PeerId(u16::try_from(from).unwrap());
        let input = Input::Received(peer, codec::encode(message));
        self.replica.step(TimeMs(NOW), input).unwrap()
    }
}

impl Scene {
    /// What it asks for when something did not come in a moment.
    fn asks(&mut self) -> Vec<Message> {
        let later = TimeMs(NOW + 100);
        said(
            &self
                .replica
                .step(later, Input::Timer(TimerId::Ask))
                .unwrap(),
        )
    }
}

fn accused(effects: &[Effect]) -> Vec<&str> {
    let mut reasons = Vec::new();
    for effect in effects {
        if let Effect::Misbehaved(_, reason) = effect {
            reasons.push(reason.as_str());
        }
    }
    reasons
}

/// What it says to one member or to all.
fn said(effects: &[Effect]) -> Vec<Message> {
    let mut messages = Vec::new();
    for effect in effects {
        if let Effect::Send(_, _, bytes) | Effect::Broadcast(_, bytes) = effect {
            messages.push(Message::decode(bytes).unwrap());
        }
    }
    messages
}

fn prevotes(effects: &[Effect]) -> Vec<Option<BlockId>> {
    let prevote = |message| match message {
        Message::Consensus(ConsensusMessage::Vote(signed))
            if signed.vote.vote_type == VoteType::Prevote =>
        {
            Some(signed.vote.block_id)
        }
        _ => None,
    };
    said(effects).into_iter().filter_map(prevote).collect()
}

#[test]
fn a_body_with_other_envelopes_than_its_header_says_spoils_nothing() {
    let mut scene = Scene::new(100);
    let (block, envelope) = scene.block(NOW);
    let (id, liar, proposer) = (block.header.id(), (scene.own + 1) % 4, scene.proposer);
    let mut forged = block.clone();
    forged.envelopes.push(EnvelopeId([9; 32]));
    let effects = scene.hears(liar, &Message::Body(Box::new(forged)));
    assert_eq!(accused(&effects).len(), 1);

    scene.hears(proposer, &Message::Envelopes(vec![envelope]));
    scene.hears(proposer, &Message::Body(Box::new(block)));
    let effects = scene.hears(proposer, &scene.proposal(id));
    assert_eq!(prevotes(&effects), [Some(id)]);
}

#[test]
fn a_caught_up_block_with_other_envelopes_is_the_peers_fault_and_the_true_one_is_taken() {
    let mut scene = Scene::new(100);
    let (block, envelope) = scene.block(NOW);
    let (liar, honest) = (scene.proposer, (scene.own + 1) % 4);
    let ahead = Message::Tip {
        height: Height(5),
        cosignature: None,
    };
    let effects = scene.hears(liar, &ahead);
    assert!(said(&effects).contains(&Message::FetchBlocks(FIRST)));
    let mut forged = scene.certified(block.clone());
    forged.block.envelopes.clear();
    let effects = scene.hears(liar, &Message::Blocks(vec![(forged, Vec::new())]));
    assert_eq!(accused(&effects).len(), 1);
    assert_eq!(scene.replica.tip().height, Height(0));

    scene.hears(honest, &ahead);
    let stored = scene.certified(block);
    let effects = scene.hears(honest, &Message::Blocks(vec![(stored, vec![envelope])]));
    assert!(accused(&effects).is_empty());
    assert_eq!(scene.replica.tip().height, FIRST);
}

#[test]
fn a_caught_up_block_without_a_quorum_is_not_taken() {
    let mut scene = Scene::new(100);
    let (block, envelope) = scene.block(NOW);
    let liar = scene.proposer;
    let ahead = Message::Tip {
        height: Height(5),
        cosignature: None,
    };
    scene.hears(liar, &ahead);
    let mut stored = scene.certified(block);
    stored.certificate.as_mut().unwrap().signatures.pop();
    let effects = scene.hears(liar, &Message::Blocks(vec![(stored, vec![envelope])]));
    assert_eq!(accused(&effects).len(), 1);
    assert_eq!(scene.replica.tip().height, Height(0));
}

#[test]
fn a_peer_that_claims_a_height_it_does_not_have_holds_nobody_up() {
    let mut scene = Scene::new(100);
    let liar = (scene.own + 1) % 4;
    let ahead = Message::Tip {
        height: Height(1_000),
        cosignature: None,
    };
    scene.hears(liar, &ahead);
    let (block, envelope) = scene.block(NOW);
    let (id, proposer) = (block.header.id(), scene.proposer);
    scene.hears(proposer, &Message::Envelopes(vec![envelope]));
    scene.hears(proposer, &Message::Body(Box::new(block)));
    let effects = scene.hears(proposer, &scene.proposal(id));
    assert_eq!(prevotes(&effects), [Some(id)]);
}

#[test]
fn a_full_pool_keeps_no_block_from_being_executed() {
    let mut scene = Scene::new(0);
    let (block, envelope) = scene.block(NOW);
    let (id, proposer) = (block.header.id(), scene.proposer);
    let submit = Input::Submit(vec![(Token(1), envelope.clone())]);
    let effects = scene.replica.step(TimeMs(NOW), submit).unwrap();
    assert!(matches!(
        effects.as_slice(),
        [Effect::Answer(_, Err(_)), ..]
    ));

    scene.hears(proposer, &Message::Body(Box::new(block)));
    scene.hears(proposer, &scene.proposal(id));
    let ids = vec![scene.consortium.envelope(1).0];
    assert!(scene.asks().contains(&Message::Fetch(ids)));
    let effects = scene.hears(proposer, &Message::Envelopes(vec![envelope]));
    assert_eq!(prevotes(&effects), [Some(id)]);
}

#[test]
fn a_body_that_did_not_come_is_asked_for() {
    let mut scene = Scene::new(100);
    let (block, envelope) = scene.block(NOW);
    let (id, proposer) = (block.header.id(), scene.proposer);
    scene.hears(proposer, &Message::Envelopes(vec![envelope]));
    scene.hears(proposer, &scene.proposal(id));
    assert!(scene.asks().contains(&Message::FetchBody(id)));
    let effects = scene.hears(proposer, &Message::Body(Box::new(block)));
    assert_eq!(prevotes(&effects), [Some(id)]);
}

#[test]
fn a_block_of_another_time_is_withheld_until_a_quorum_vouches_for_it() {
    let mut scene = Scene::new(100);
    let (block, envelope) = scene.block(NOW - 9_000);
    let (id, proposer) = (block.header.id(), scene.proposer);
    scene.hears(proposer, &Message::Envelopes(vec![envelope]));
    scene.hears(proposer, &Message::Body(Box::new(block)));
    let effects = scene.hears(proposer, &scene.proposal(id));
    assert_eq!(prevotes(&effects), []);
    let mut last = Vec::new();
    for n in scene.others() {
        assert_eq!(prevotes(&last), []);
        let vote = ConsensusMessage::Vote(scene.vote(n, VoteType::Prevote, id));
        last = scene.hears(n, &Message::Consensus(vote));
    }
    assert_eq!(prevotes(&last), [Some(id)]);
}
