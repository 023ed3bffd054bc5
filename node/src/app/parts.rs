//! What the parts of a node start from.

use ed25519_dalek::{Signer as _, SigningKey};
use jangbu_consensus::{Signer, SignerError};
use jangbu_genesis::Keystore;
use jangbu_genesis::document::ValidatorKeys;
use jangbu_genesis::key_file::{Purpose, SecretKey};
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_replica::pool::PoolLimits;
use jangbu_replica::replica::{Config as ReplicaConfig, PeerId};

use super::{AppError, shown};
use crate::config::Config;
use crate::consortium::{Founded, timeouts};
use crate::mesh::{self, MeshConfig, MeshLimits};

/// How much waits for a block. Bytes count twice in memory: encoded and decoded.
const POOL: PoolLimits = PoolLimits {
    envelopes: 16_384,
    bytes: 64 * 1024 * 1024,
    envelopes_per_member: 4_096,
};
/// Under load, the next block no sooner than this after the last: a block costs four nodes about
/// 15 ms of processor time whatever is in it, so that at 50 ms a quarter of one processor went
/// into empty agreement. A single envelope after a rest does not wait for it.
const BLOCK_INTERVAL_MS: u64 = 100;
/// Signs votes with the member's consensus key.
struct KeySigner(SigningKey);

impl Signer for KeySigner {
    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        Ok(Signature(self.0.sign(digest).to_bytes()))
    }

    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
}

/// The keys a node uses.
pub(super) struct Keys {
    consensus: SigningKey,
    witness: SigningKey,
    /// Signs the node's own copy of the log.
    pub(super) log: SigningKey,
    /// Names the node to its peers.
    pub(super) peer: SecretKey,
}

/// The node's keys, each checked to be the one that the founding document names.
pub(super) fn unlock(config: &Config, founded: &Founded) -> Result<Keys, AppError> {
    let passphrase = config.passphrase()?;
    let keystore = Keystore::at(&config.keystore);
    let key = |purpose: Purpose, named: PublicKey| {
        let secret = keystore.unlock(purpose, &passphrase)?;
        if secret.public(purpose) == named.0 {
            Ok(secret)
        } else {
            Err(AppError::OtherKey {
                keystore: shown(&config.keystore),
                purpose,
                member: config.member.clone(),
            })
        }
    };
    let named = &founded.own_keys;
    Ok(Keys {
        consensus: key(Purpose::Consensus, named.consensus)?.signing(),
        witness: key(Purpose::Witness, named.witness)?.signing(),
        log: key(Purpose::Log, named.log)?.signing(),
        peer: key(Purpose::Peer, named.peer)?,
    })
}

/// What the replica starts from.
pub(super) fn replica_config(
    founded: &Founded,
    keys: &Keys,
    restored: bool,
) -> Result<ReplicaConfig, AppError> {
    let behind = |(n, (_, keys)): (u16, (&str, &ValidatorKeys))| (PeerId(n), keys.consensus.id());
    let parameters = &founded.content.parameters;
    Ok(ReplicaConfig {
        chain: founded.chain.clone(),
        genesis: founded.content.founding().genesis_block()?,
        signer: Some(Box::new(KeySigner(keys.consensus.clone()))),
        restored,
        peers: (0..).zip(founded.peers()).map(behind).collect(),
        witness: founded
            .own_position()
            .map(|position| (position, keys.witness.clone())),
        timeouts: timeouts(parameters),
        max_idle_ms: parameters.max_idle_ms,
        max_drift_ms: parameters.max_drift_ms,
        block_interval_ms: BLOCK_INTERVAL_MS,
        pool: POOL,
    })
}

/// What the mesh starts from.
pub(super) fn mesh_config(
    config: &Config,
    founded: &Founded,
    key: &SecretKey,
) -> Result<MeshConfig, AppError> {
    let mut members = Vec::new();
    for (name, keys) in founded.peers() {
        let addresses = match config.peer_addresses.get(name) {
            Some(addresses) => addresses.clone(),
            None => keys
                .addresses
                .iter()
                .map(|address| {
                    address.parse().map_err(|_| AppError::PeerAddress {
                        member: name.to_owned(),
                        address: address.clone(),
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        members.push(mesh::Member {
            peer_id: mesh::peer_id_of(&keys.peer.0)?,
            addresses,
        });
    }
    // The copy is wiped by `identity_of`.
    let mut secret = *key.expose();
    Ok(MeshConfig {
        identity: mesh::identity_of(&mut secret)?,
        listen: config.peer_listen.clone(),
        members,
        protocol: format!("/jangbu/1/{}", founded.chain.chain_id),
        limits: MeshLimits::default(),
    })
}
