//! A member's node of which a test holds the keys: real libp2p, real signatures, no rules.

use std::sync::Arc;
use std::time::Duration;

use jangbu_consensus::ConsensusMessage;
use jangbu_genesis::key_file::{Purpose, SecretKey};
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, ChainId, Height};
use jangbu_ledger::signature::{PublicKey, SigningKey, sign};
use jangbu_ledger::vote::{Proposal, SignedProposal, SignedVote, Vote, VoteType};
use jangbu_mesh::{
    Class, Member, Mesh, MeshConfig, MeshEvent, MeshEvents, MeshHandle, MeshLimits, PeerId,
    SendOutcome, identity_of, peer_id_of,
};
use jangbu_replica::message::Message;
use tokio::runtime::Runtime;

use super::{Wire, expect};
use crate::cluster::{Cluster, PASSPHRASE};

/// Takes the place of a member whose own node is stopped.
#[derive(Debug)]
pub struct Impostor {
    runtime: Runtime,
    mesh: MeshHandle,
    events: MeshEvents,
    peers: Vec<(usize, PeerId)>,
    consensus: SigningKey,
    chain_id: ChainId,
}

impl Impostor {
    /// With the keys of the node at `position`, connected to the nodes at `towards`.
    #[must_use]
    pub fn of(cluster: &Cluster, position: usize, towards: &[usize]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let chain_id = cluster.consortium.anchor.chain_id;
        let peers: Vec<(usize, Member)> = towards
            .iter()
            .map(|node| (*node, member(cluster, *node)))
            .collect();
        let mut secret = *key(cluster, position, Purpose::Peer).expose();
        let config = MeshConfig {
            identity: identity_of(&mut secret).unwrap(),
            listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            members: peers.iter().map(|(_, member)| member.clone()).collect(),
            protocol: format!("/jangbu/1/{chain_id}"),
            limits: MeshLimits::default(),
        };
        let (mesh, events) = runtime.block_on(Mesh::start(config)).unwrap();
        let mut impostor = Self {
            runtime,
            mesh,
            events,
            peers: peers.iter().map(|(node, m)| (*node, m.peer_id)).collect(),
            consensus: key(cluster, position, Purpose::Consensus).signing(),
            chain_id,
        };
        impostor.meet();
        impostor
    }

    fn meet(&mut self) {
        let mut missing: Vec<PeerId> = self.peers.iter().map(|(_, peer)| *peer).collect();
        self.runtime.block_on(expect("links to the nodes", async {
            while !missing.is_empty() {
                if let MeshEvent::Connected(peer) = self.events.recv().await.unwrap() {
                    missing.retain(|other| *other != peer);
                }
            }
        }));
    }

    /// Sends these bytes to a node.
    pub fn send(&self, node: usize, bytes: &[u8]) {
        let sent = self
            .mesh
            .send(self.peer(node), Class::Agreement, Arc::from(bytes));
        assert_eq!(sent, SendOutcome::Queued);
    }

    /// Says something to a node.
    pub fn say(&self, node: usize, message: &ConsensusMessage) {
        self.send(node, &codec::encode(&Message::Consensus(message.clone())));
    }

    /// A precommit that the member's key signed for a block that does not exist.
    #[must_use]
    pub fn precommit(&self, height: Height, round: u32, block: u8) -> ConsensusMessage {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height,
            round,
            block_id: Some(BlockId([block; 32])),
            validator: PublicKey::of(&self.consensus).id(),
        };
        let signature = sign(&self.consensus, &vote.signing_digest(&self.chain_id));
        ConsensusMessage::Vote(SignedVote { vote, signature })
    }

    /// A proposal that the member's key signed, of a block that does not exist.
    #[must_use]
    pub fn proposal(&self, height: Height, round: u32, block: u8) -> ConsensusMessage {
        let proposal = Proposal {
            height,
            round,
            block_id: BlockId([block; 32]),
            pol_round: None,
            proposer: PublicKey::of(&self.consensus).id(),
        };
        let signature = sign(&self.consensus, &proposal.signing_digest(&self.chain_id));
        ConsensusMessage::Proposal(SignedProposal {
            proposal,
            signature,
        })
    }

    /// Waits until a node has closed the link.
    pub fn until_cut_off(&mut self, node: usize) {
        let closed = MeshEvent::Disconnected(self.peer(node));
        self.runtime.block_on(expect("the link is closed", async {
            while self.events.recv().await.unwrap() != closed {}
        }));
    }

    fn peer(&self, node: usize) -> PeerId {
        let known = self.peers.iter().find(|(at, _)| *at == node);
        known.expect("it was told to connect there").1
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.runtime.block_on(self.mesh.shutdown());
    }
}

impl Wire {
    /// Dials the node at `towards` with the key of the one at `position`, each stream in our own
    /// hand. After an offence that member is kept out for a while, which ends by itself.
    pub async fn of_member(cluster: &Cluster, position: usize, towards: usize) -> Self {
        let mut secret = *key(cluster, position, Purpose::Peer).expose();
        let identity = identity_of(&mut secret).unwrap();
        let address = member(cluster, towards).addresses.remove(0);
        let protocol = format!("/jangbu/1/{}", cluster.consortium.anchor.chain_id);
        expect("the member is let in", async {
            loop {
                match Self::dial(&identity, address.clone(), &protocol).await {
                    Ok(wire) => return wire,
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        })
        .await
    }
}

fn key(cluster: &Cluster, position: usize, purpose: Purpose) -> SecretKey {
    let home = cluster.consortium.home(&cluster.nodes[position].name);
    let passphrase = Passphrase::new(PASSPHRASE.into());
    Keystore::at(home.join("keys"))
        .unlock(purpose, &passphrase)
        .unwrap()
}

/// Where the node at a position is reached, and whom to expect there.
fn member(cluster: &Cluster, position: usize) -> Member {
    let members = &cluster.consortium.genesis.content.members;
    let name = &cluster.nodes[position].name;
    let found = members.iter().find(|member| member.name == *name).unwrap();
    let keys = found.validator.as_ref().unwrap();
    Member {
        peer_id: peer_id_of(&keys.peer.0).unwrap(),
        addresses: keys.addresses.iter().map(|a| a.parse().unwrap()).collect(),
    }
}
