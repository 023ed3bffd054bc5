//! What happened, as a hash over all of it and as lines to read.

use std::collections::VecDeque;

use jangbu_consensus::{ConsensusMessage, VoteType};
use jangbu_ledger::id::BlockId;
use jangbu_replica::message::Message;

/// Takes each line of a trace.
pub type Sink = Box<dyn FnMut(&str)>;

/// Lines kept for a failure's report.
const LAST_MAX: usize = 40;

/// A run's events.
pub(super) struct Trace {
    hasher: blake3::Hasher,
    sink: Option<Sink>,
    last: VecDeque<String>,
}

impl Trace {
    pub(super) fn new(sink: Option<Sink>) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            sink,
            last: VecDeque::new(),
        }
    }

    /// Makes bytes part of the hash.
    pub(super) fn hash(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Adds a line, if anyone reads it; every line is part of the hash through what it tells of.
    pub(super) fn tell(&mut self, now_us: u64, line: impl FnOnce() -> String) {
        let Some(sink) = &mut self.sink else {
            return;
        };
        let (s, us) = (now_us / 1_000_000, now_us % 1_000_000);
        let line = format!("{s:>3}.{us:06} {}", line());
        sink(&line);
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}

/// A message in a few words.
pub(super) fn in_words(bytes: &[u8]) -> String {
    let Ok(message) = Message::decode(bytes) else {
        return format!("{} bytes that do not decode", bytes.len());
    };
    match message {
        Message::Consensus(message) => said(&message),
        Message::Body(block) => format!(
            "body of {} at height {}, {} envelopes",
            short(&block.header.id()),
            block.header.height.0,
            block.envelopes.len()
        ),
        Message::Envelopes(list) => format!("{} envelopes", list.len()),
        Message::Fetch(ids) => format!("asks for {} envelopes", ids.len()),
        Message::FetchBody(id) => format!("asks for the body of {}", short(&id)),
        Message::Tip { height, .. } => format!("tip {}", height.0),
        Message::Cosignature(cosignature) => format!("cosignature at {}", cosignature.height.0),
        Message::Repeat(height) => format!("asks to repeat height {}", height.0),
        Message::FetchBlocks(height) => format!("asks for blocks from {}", height.0),
        Message::Blocks(blocks) => {
            let first = blocks.first().map(|(stored, _)| stored.block.header.height);
            format!("{} blocks from {}", blocks.len(), first.map_or(0, |h| h.0))
        }
    }
}

fn said(message: &ConsensusMessage) -> String {
    match message {
        ConsensusMessage::Vote(signed) => {
            let vote = &signed.vote;
            let kind = match vote.vote_type {
                VoteType::Prevote => "prevote",
                VoteType::Precommit => "precommit",
            };
            let block = vote.block_id.as_ref().map_or("nil".into(), short);
            format!("{kind} {}/{} for {block}", vote.height.0, vote.round)
        }
        ConsensusMessage::Proposal(signed) => {
            let proposal = &signed.proposal;
            let locked = proposal
                .pol_round
                .map_or(String::new(), |round| format!(", locked in round {round}"));
            format!(
                "proposal {}/{} of {}{locked}",
                proposal.height.0,
                proposal.round,
                short(&proposal.block_id)
            )
        }
        ConsensusMessage::Polka(certificate) => format!(
            "polka {}/{} for {}",
            certificate.height.0,
            certificate.round,
            short(&certificate.block_id)
        ),
        ConsensusMessage::Round(certificate) => format!(
            "round certificate {}/{}",
            certificate.height.0, certificate.round
        ),
    }
}

fn short(id: &BlockId) -> String {
    id.0.iter()
        .take(3)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
