//! What a member may send: messages of replicas, of consensus, certificates.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jangbu_consensus::{
    CommitCertificate, ConsensusMessage, PolkaCertificate, Proposal, RoundCertificate, RoundVote,
    SignedProposal, SignedVote, Vote, VoteType,
};
use jangbu_ledger::block::Block;
use jangbu_ledger::codec;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId, TimeMs};
use jangbu_ledger::signature::Signature;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::message::{CosignatureMessage, Message};
use jangbu_replica::replica::Replica;
use jangbu_replica::store::StoredBlock;
use jangbu_replica::{candidate, pool};

use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::sim::{Consortium, START_MS};

/// Four validators; the clock that all of this happens at.
pub(super) const NOW: u64 = START_MS + 10_000;
const FIRST: Height = Height(1);

/// What three of four validators ever signed: of height 1, in the first two rounds.
pub(super) struct Said {
    pub(super) consortium: Consortium,
    /// Whose replica hears all this: a validator that never signed any of it, nor proposes.
    pub(super) own: usize,
    /// The first block, and the envelope in it.
    pub(super) block: Block,
    pub(super) envelope: Vec<u8>,
    votes: Vec<SignedVote>,
    proposals: Vec<SignedProposal>,
}

pub(super) fn said() -> &'static Said {
    static SAID: OnceLock<Said> = OnceLock::new();
    SAID.get_or_init(Said::new)
}

impl Said {
    fn new() -> Self {
        let consortium = Consortium::new(4);
        let chain = consortium.config(0).chain;
        let proposer = |round| Some(chain.validator_set.proposer(FIRST, round).id());
        let is_free = |n: &usize| (0..2).all(|round| proposer(round) != consortium.key_id(*n));
        let own = (0..4).find(is_free).unwrap();
        let first = proposer(0).unwrap();
        let store = MemoryStore::default();
        let (replica, _) = Replica::new(consortium.config(own), store, TimeMs(NOW)).unwrap();
        let (_, envelope) = consortium.envelope(1);
        let (time, store) = (TimeMs(NOW), replica.store());
        let verified = pool::verify(&chain.chain_id, time, store, vec![envelope.clone()])
            .unwrap()
            .remove(0)
            .unwrap();
        let waiting = std::iter::once(&verified);
        let tip = replica.tip();
        let candidate =
            candidate::propose(&chain, store, tip, first, time, usize::MAX, waiting).unwrap();
        let block = candidate.block;
        let (mut votes, mut proposals) = (Vec::new(), Vec::new());
        for n in (0..4).filter(|n| *n != own) {
            let signer = consortium.config(n).signer.unwrap();
            let validator = signer.public_key().id();
            let sign = |digest: [u8; 32]| signer.sign(&digest).unwrap();
            for (vote_type, round, block_id) in [
                (VoteType::Prevote, 0, Some(block.header.id())),
                (VoteType::Precommit, 0, Some(block.header.id())),
                (VoteType::Prevote, 1, None),
                (VoteType::Precommit, 1, None),
            ] {
                let vote = Vote {
                    vote_type,
                    height: FIRST,
                    round,
                    block_id,
                    validator,
                };
                let signature = sign(vote.signing_digest(&chain.chain_id));
                votes.push(SignedVote { vote, signature });
            }
            for round in 0..2 {
                if chain.validator_set.proposer(FIRST, round).id() != validator {
                    continue;
                }
                let proposal = Proposal {
                    height: FIRST,
                    round,
                    block_id: block.header.id(),
                    pol_round: round.checked_sub(1),
                    proposer: validator,
                };
                let signature = sign(proposal.signing_digest(&chain.chain_id));
                proposals.push(SignedProposal {
                    proposal,
                    signature,
                });
            }
        }
        Self {
            consortium,
            own,
            block,
            envelope,
            votes,
            proposals,
        }
    }

    fn of(&self, vote_type: VoteType, round: u32) -> impl Iterator<Item = &SignedVote> {
        let is_it = move |s: &&SignedVote| s.vote.vote_type == vote_type && s.vote.round == round;
        self.votes.iter().filter(is_it)
    }

    fn signatures(&self, vote_type: VoteType) -> Vec<(KeyId, Signature)> {
        let pair = |signed: &SignedVote| (signed.vote.validator, signed.signature);
        self.of(vote_type, 0).take(3).map(pair).collect()
    }

    /// The certificate of the first block.
    pub(super) fn certificate(&self) -> CommitCertificate {
        CommitCertificate {
            height: FIRST,
            round: 0,
            block_id: self.block.header.id(),
            signatures: self.signatures(VoteType::Precommit),
        }
    }

    /// One consensus message of each sort.
    pub(super) fn consensus(&self) -> Vec<(&'static str, ConsensusMessage)> {
        let vote = |vote_type, round| {
            let signed = self.of(vote_type, round).next().unwrap();
            ConsensusMessage::Vote(signed.clone())
        };
        let polka = PolkaCertificate {
            height: FIRST,
            round: 0,
            block_id: self.block.header.id(),
            signatures: self.signatures(VoteType::Prevote),
        };
        let of_round = |signed: &SignedVote| RoundVote {
            vote_type: signed.vote.vote_type,
            block_id: signed.vote.block_id,
            validator: signed.vote.validator,
            signature: signed.signature,
        };
        let round = |round, skip, count| {
            let votes = self.of(VoteType::Precommit, round).take(count);
            ConsensusMessage::Round(RoundCertificate {
                height: FIRST,
                round,
                skip,
                votes: votes.map(of_round).collect(),
            })
        };
        vec![
            ("prevote", vote(VoteType::Prevote, 0)),
            ("precommit", vote(VoteType::Precommit, 0)),
            ("nil", vote(VoteType::Precommit, 1)),
            (
                "proposal",
                ConsensusMessage::Proposal(self.proposals[0].clone()),
            ),
            (
                "proposed-again",
                ConsensusMessage::Proposal(self.proposals[1].clone()),
            ),
            ("polka", ConsensusMessage::Polka(polka)),
            ("round", round(1, false, 3)),
            ("skip", round(1, true, 2)),
        ]
    }

    /// Whether someone signed this vote.
    fn is_signed(&self, vote: &Vote) -> bool {
        self.votes.iter().any(|signed| signed.vote == *vote)
    }

    /// Whether each thing in a message that verifies was signed.
    fn check(&self, message: &ConsensusMessage) {
        let vote = |vote_type, height, round, block_id, validator| Vote {
            vote_type,
            height,
            round,
            block_id,
            validator,
        };
        match message {
            ConsensusMessage::Vote(signed) => assert!(self.is_signed(&signed.vote), "{signed:?}"),
            ConsensusMessage::Proposal(signed) => {
                let is_it = |known: &SignedProposal| known.proposal == signed.proposal;
                assert!(self.proposals.iter().any(is_it), "{signed:?}");
            }
            ConsensusMessage::Polka(polka) => {
                for (validator, _) in &polka.signatures {
                    let block = Some(polka.block_id);
                    let (height, round) = (polka.height, polka.round);
                    let prevote = vote(VoteType::Prevote, height, round, block, *validator);
                    assert!(self.is_signed(&prevote), "{prevote:?}");
                }
            }
            ConsensusMessage::Round(certificate) => {
                for v in &certificate.votes {
                    let (height, round) = (certificate.height, certificate.round);
                    let counted = vote(v.vote_type, height, round, v.block_id, v.validator);
                    assert!(self.is_signed(&counted), "{counted:?}");
                }
            }
        }
    }

    fn verify(&self, message: &ConsensusMessage) -> Seen {
        let chain = self.consortium.config(0).chain;
        match message.verify(&chain.chain_id, &chain.validator_set) {
            Ok(()) => {
                self.check(message);
                Seen::Held
            }
            Err(error) => {
                refused(error);
                Seen::Read
            }
        }
    }

    fn verify_certificate(&self, certificate: &CommitCertificate) -> Seen {
        let chain = self.consortium.config(0).chain;
        match certificate.verify(&chain.chain_id, &chain.validator_set) {
            Ok(()) => {
                let signers: BTreeSet<KeyId> =
                    certificate.signatures.iter().map(|(id, _)| *id).collect();
                assert!(signers.len() >= 3, "{certificate:?}");
                for validator in signers {
                    let precommit = Vote {
                        vote_type: VoteType::Precommit,
                        height: certificate.height,
                        round: certificate.round,
                        block_id: Some(certificate.block_id),
                        validator,
                    };
                    assert!(self.is_signed(&precommit), "{precommit:?}");
                }
                Seen::Held
            }
            Err(error) => {
                refused(error);
                Seen::Read
            }
        }
    }

    /// One message of each sort.
    pub(super) fn messages(&self) -> Vec<(String, Message)> {
        let stored = StoredBlock {
            block: self.block.clone(),
            certificate: Some(self.certificate()),
        };
        let id = EnvelopeId([3; 32]);
        let cosignature = CosignatureMessage {
            height: FIRST,
            validator: 2,
            signature: Signature([5; 64]),
        };
        let others = [
            ("body", Message::Body(Box::new(self.block.clone()))),
            ("envelopes", Message::Envelopes(vec![self.envelope.clone()])),
            ("fetch", Message::Fetch(vec![id, id])),
            ("fetch-body", Message::FetchBody(self.block.header.id())),
            (
                "tip",
                Message::Tip {
                    height: Height(5),
                    cosignature: Some(cosignature),
                },
            ),
            (
                "tip-alone",
                Message::Tip {
                    height: Height(u64::MAX),
                    cosignature: None,
                },
            ),
            ("cosignature", Message::Cosignature(cosignature)),
            ("repeat", Message::Repeat(FIRST)),
            ("fetch-blocks", Message::FetchBlocks(Height(0))),
            (
                "blocks",
                Message::Blocks(vec![(stored, vec![self.envelope.clone()])]),
            ),
        ];
        let consensus = self.consensus().into_iter();
        consensus
            .map(|(name, message)| (name, Message::Consensus(message)))
            .chain(others)
            .map(|(name, message)| (name.to_owned(), message))
            .collect()
    }
}

/// A message between replicas has one encoding, and what it carries is what was signed.
pub(super) fn message(bytes: &[u8]) -> Seen {
    let said = said();
    let message = match frugal(bytes.len(), Allowance::CANONICAL, || Message::decode(bytes)) {
        Ok(message) => message,
        Err(error) => return refused(error),
    };
    assert_eq!(codec::encode(&message), bytes);
    match &message {
        Message::Consensus(message) => said.verify(message),
        Message::Blocks(blocks) => {
            let mut seen = Seen::Read;
            for (stored, _) in blocks {
                if let Some(certificate) = &stored.certificate {
                    seen = seen.max(said.verify_certificate(certificate));
                }
            }
            seen
        }
        Message::Envelopes(envelopes) => {
            let chain = said.consortium.config(0).chain.chain_id;
            let mut seen = Seen::Read;
            for bytes in envelopes {
                match Envelope::decode(bytes, &chain) {
                    Ok(_) if said.consortium.is_attested(bytes) => {
                        assert_eq!(*bytes, said.envelope);
                        seen = Seen::Held;
                    }
                    Ok(_) => {}
                    Err(error) => drop(refused(error)),
                }
            }
            seen
        }
        _ => Seen::Read,
    }
}

/// A message of consensus has one encoding, and verifies only if its parts were signed.
pub(super) fn consensus(bytes: &[u8]) -> Seen {
    let decoded = frugal(bytes.len(), Allowance::CANONICAL, || {
        codec::decode::<ConsensusMessage>(bytes, 64 * 1024)
    });
    match decoded {
        Ok(message) => {
            assert_eq!(codec::encode(&message), bytes);
            said().verify(&message)
        }
        Err(error) => refused(error),
    }
}

/// A certificate has one encoding, and verifies only if a quorum signed for its block.
pub(super) fn certificate(bytes: &[u8]) -> Seen {
    let decoded = frugal(bytes.len(), Allowance::CANONICAL, || {
        codec::decode::<CommitCertificate>(bytes, 64 * 1024)
    });
    match decoded {
        Ok(certificate) => {
            assert_eq!(codec::encode(&certificate), bytes);
            said().verify_certificate(&certificate)
        }
        Err(error) => refused(error),
    }
}

/// Lists that claim more than they hold.
fn claims(tag: u8) -> Vec<Seed> {
    let claim = |name: &str, length: &[u8]| {
        let bytes = [&[tag][..], length].concat();
        Seed::new(format!("claims-{name}"), bytes, Seen::Refused)
    };
    vec![
        claim("a-million", &[252, 64, 66, 15, 0]),
        claim("thirty-mebibytes", &[252, 0, 0, 224, 1]),
        claim("four-gibibytes", &[252, 255, 255, 255, 255]),
        claim("all", &[253, 255, 255, 255, 255, 255, 255, 255, 255]),
    ]
}

pub(super) fn messages() -> Vec<Seed> {
    let seen = |message: &Message| match message {
        Message::Consensus(_) | Message::Envelopes(_) | Message::Blocks(_) => Seen::Held,
        _ => Seen::Read,
    };
    let messages = said().messages();
    let mut seeds: Vec<Seed> = messages
        .iter()
        .map(|(name, message)| Seed::new(name, codec::encode(message), seen(message)))
        .collect();
    let nobody = BlockId([0; 32]);
    let empty = Message::Envelopes(vec![Vec::new(); 300]);
    seeds.push(Seed::new(
        "empty-envelopes",
        codec::encode(&empty),
        Seen::Read,
    ));
    seeds.push(Seed::new(
        "body-of-nobody",
        codec::encode(&Message::FetchBody(nobody)),
        Seen::Read,
    ));
    seeds.push(Seed::new("no-such-message", vec![10, 0, 0], Seen::Refused));
    // Message::Envelopes, and Message::Fetch.
    seeds.extend(claims(2));
    let fetch = claims(3).into_iter().map(|seed| Seed {
        name: format!("fetch-{}", seed.name),
        ..seed
    });
    seeds.extend(fetch);
    seeds
}

pub(super) fn votes() -> Vec<Seed> {
    let consensus = said().consensus();
    let mut seeds: Vec<Seed> = consensus
        .iter()
        .map(|(name, message)| Seed::new(*name, codec::encode(message), Seen::Held))
        .collect();
    let mut twice = said().certificate();
    twice.signatures[1] = twice.signatures[0];
    let polka = ConsensusMessage::Polka(PolkaCertificate {
        height: twice.height,
        round: twice.round,
        block_id: twice.block_id,
        signatures: twice.signatures,
    });
    seeds.push(Seed::new(
        "precommits-as-prevotes",
        codec::encode(&polka),
        Seen::Read,
    ));
    seeds
}

pub(super) fn certificates() -> Vec<Seed> {
    let good = said().certificate();
    let mut short = good.clone();
    short.signatures.pop();
    let mut twice = good.clone();
    twice.signatures[1] = twice.signatures[0];
    let mut later = good.clone();
    later.round = 1;
    vec![
        Seed::new("quorum", codec::encode(&good), Seen::Held),
        Seed::new("too-few", codec::encode(&short), Seen::Read),
        Seed::new("counted-twice", codec::encode(&twice), Seen::Read),
        Seed::new("another-round", codec::encode(&later), Seen::Read),
    ]
}
