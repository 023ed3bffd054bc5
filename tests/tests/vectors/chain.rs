//! Sections 5, 6, 10, 11 and 12: the log, blocks, the founding document, votes, checkpoints.

use jangbu_genesis::{Genesis, TrustAnchor};
use jangbu_ledger::block::{self, Block, Entry, EntryBody, Refusal};
use jangbu_ledger::equivocation::{Equivocation, Evidence};
use jangbu_ledger::id::{BlockId, ChainId, EnvelopeId, Height, Sequence};
use jangbu_ledger::merkle::{Frontier, leaf_hash};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::signature::{PublicKey, sign};
use jangbu_ledger::vote::{Proposal, SignedVote, Vote, VoteType};
use jangbu_tests::world::story::Story;
use jangbu_tests::world::{Key, seed, signing_key};
use serde_json::{Value, json};

use super::{CHAIN, hex_of};

pub(crate) fn log(story: &Story) -> Value {
    let size = story.world.checkpoint().unwrap().checkpoint().size;
    let mut frontier = Frontier::new();
    let mut entries = Vec::new();
    let mut seals = Vec::new();
    for n in 0..size {
        let bytes = story.world.entry_bytes(Sequence(n)).unwrap();
        let leaf = leaf_hash(&bytes);
        let entry = Entry::decode(&bytes).unwrap();
        if let EntryBody::Seal(header) = &entry.body {
            assert_eq!((header.log_size, header.log_root), (n, frontier.root()));
            seals.push(json!({
                "sequence": n,
                "header": hex_of(header.as_ref()),
                "block_id": header.id(),
                "fields": header,
            }));
        }
        frontier.append(leaf).unwrap();
        entries.push(json!({
            "entry": hex::encode(&bytes),
            "leaf_hash": leaf,
            "root_with_it": frontier.root(),
        }));
    }
    let ids = [
        EnvelopeId([1; 32]),
        EnvelopeId([2; 32]),
        EnvelopeId([3; 32]),
    ];
    let refusal = Refusal {
        envelope_id: ids[0],
        index: 7,
        rule: Rule::SlotOnce,
    };
    json!({
        "entries": entries,
        "seals": seals,
        "envelopes_roots": [
            {"ids": [], "root": Block::envelopes_root(&[])},
            {"ids": ids, "root": Block::envelopes_root(&ids)},
        ],
        "refusals_roots": [
            {"refusals": [], "root": block::refusals_root(&[])},
            {"refusals": [hex_of(&refusal)], "root": block::refusals_root(&[refusal])},
        ],
    })
}

pub(crate) fn checkpoint(story: &Story) -> Value {
    let signed = story.world.checkpoint().unwrap();
    let checkpoint = signed.checkpoint();
    let witness = &story.world.anchor.witnesses[0];
    let member = witness.name.as_str().rsplit('/').next().unwrap();
    let key = signing_key(member, Key::Witness).unwrap();
    let cosignature = checkpoint.cosign(witness.name.clone(), &key, 1_700_000_009);
    cosignature.verify(checkpoint).unwrap();
    json!({
        "text": checkpoint.to_string(),
        "witness_seed": hex::encode(seed(member, Key::Witness).unwrap()),
        "witness_vkey": witness.verifier_key().to_string(),
        "time": 1_700_000_009,
        "cosigned_message": hex::encode(checkpoint.cosigned_message(1_700_000_009)),
        "cosignature": cosignature.signature,
        "final_note": signed.to_string(),
        "policy": jangbu_ledger::policy::policy_text(
            &story.world.anchor.origin,
            &story.world.anchor.log_keys,
            &story.world.anchor.witnesses,
            story.world.anchor.quorum,
        )
        .unwrap(),
    })
}

pub(crate) fn vote() -> Value {
    let key = signing_key("hanbit", Key::Consensus).unwrap();
    let validator = PublicKey::of(&key).id();
    let votes: Vec<Value> = [
        (VoteType::Prevote, Some(BlockId([2; 32]))),
        (VoteType::Precommit, None),
    ]
    .into_iter()
    .map(|(vote_type, block_id)| {
        let vote = Vote {
            vote_type,
            height: Height(300),
            round: 1,
            block_id,
            validator,
        };
        let digest = vote.signing_digest(&CHAIN);
        json!({
            "vote": hex_of(&vote),
            "signing_digest": hex::encode(digest),
            "signature": sign(&key, &digest),
        })
    })
    .collect();
    let proposal = Proposal {
        height: Height(300),
        round: 1,
        block_id: BlockId([2; 32]),
        pol_round: Some(0),
        proposer: validator,
    };
    let digest = proposal.signing_digest(&CHAIN);
    json!({
        "chain_id": CHAIN,
        "signing_key_seed": hex::encode(seed("hanbit", Key::Consensus).unwrap()),
        "votes": votes,
        "proposal": {
            "proposal": hex_of(&proposal),
            "signing_digest": hex::encode(digest),
            "signature": sign(&key, &digest),
        },
    })
}

/// Two precommits of one round by hanbit.
pub(crate) fn equivocation(chain: ChainId) -> Equivocation {
    let key = signing_key("hanbit", Key::Consensus).unwrap();
    let [one, other] = [Some(BlockId([2; 32])), None].map(|block_id| {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height: Height(300),
            round: 1,
            block_id,
            validator: PublicKey::of(&key).id(),
        };
        let signature = sign(&key, &vote.signing_digest(&chain));
        SignedVote { vote, signature }
    });
    Equivocation::votes(one, other)
}

/// A file of evidence on the ledger of `genesis.json`.
pub(crate) fn evidence(genesis: &Genesis) -> String {
    let chain = genesis.content.chain_id();
    Evidence::new(chain, equivocation(chain)).to_json().unwrap()
}

pub(crate) fn founding(genesis: &Genesis) -> Value {
    let content = &genesis.content;
    let founding = content.founding();
    let block = founding.genesis_block().unwrap();
    let anchor = TrustAnchor::of(genesis).unwrap();
    json!({
        "document": "genesis.json",
        "content": hex_of(content),
        "chain_id": content.chain_id(),
        "origin": content.origin(),
        "parameters": hex_of(&content.parameters),
        "parameters_hash": content.parameters.hash(),
        "validators": hex_of(&founding.validators),
        "validators_hash": founding.validators.hash(),
        "quorum": anchor.quorum,
        "witnesses": anchor
            .witnesses
            .iter()
            .map(|witness| witness.verifier_key().to_string())
            .collect::<Vec<_>>(),
        "genesis_seal": hex::encode(&block.seal),
        "genesis_block_id": block.block.header.id(),
        "state_root": block.state.root,
    })
}
