//! A whole node: puts the parts together, waits for a reason to stop, stops in order.
//!
//! ```text
//!   configuration ─▶ genesis ─▶ keys ─▶ store ─▶ replica ─▶ mesh ─▶ driver's thread ─▶ API
//! ```

mod parts;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jangbu_genesis::key_file::Purpose;
use jangbu_genesis::keystore::KeystoreError;
use jangbu_ledger::founding::GenesisBlock;
use jangbu_ledger::id::Height;
use jangbu_ledger::state_tree::StateTreeError;
use jangbu_replica::founding;
use jangbu_replica::replica::{Fatal, Replica};
use jangbu_replica::store::{Store as _, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::api::{self, Node};
use crate::config::{Config, ConfigError};
use crate::consortium::{Founded, FoundingError};
use crate::descriptors::{self, TooFewDescriptors};
use crate::driver::{Driver, Surroundings, now};
use crate::evidence::EvidenceFiles;
use crate::health::Health;
use crate::inbox::Inbox;
use crate::links::Links;
use crate::mesh::{self, Mesh, MeshError, MeshHandle};
use crate::metrics::Metrics;
use crate::notary::Notary;
use crate::store::{Audited, Rebuilt, RocksStore};
use crate::waiters::{FinalMark, Waiters};

use parts::Keys;

/// How long requests may go on after a signal to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the API says why, after the replica had to stop.
const LINGER: Duration = Duration::from_secs(3);
/// Name of the database's directory inside `data_dir`.
const DATABASE: &str = "ledger";
/// Name of the directory inside `data_dir` in which [`check`] executes the blocks again.
const SCRATCH: &str = "ledger.check";

/// Why a node did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The founding document.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// The genesis block cannot be made.
    #[error("the genesis block cannot be made: {0}")]
    GenesisBlock(#[from] StateTreeError),
    /// The keys.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A key is not the one that the founding document names.
    #[error(
        "{keystore}: the {purpose:?} key is not the one that the genesis file names for {member}; \
         use that member's keystore"
    )]
    OtherKey {
        /// The directory.
        keystore: String,
        /// Which key.
        purpose: Purpose,
        /// The configured member.
        member: String,
    },
    /// The database, with where it is.
    #[error("{directory}: {source}")]
    Store {
        /// The database's directory.
        directory: String,
        /// What is wrong.
        source: StoreError,
    },
    /// The data directory cannot be made or written.
    #[error("{directory}: {source}; check that it exists and that this user may write there")]
    Directory {
        /// The directory.
        directory: String,
        /// What the system said.
        source: io::Error,
    },
    /// The replica had to stop.
    #[error("the replica stopped: {0}")]
    Replica(Fatal),
    /// The replica's thread ended without saying why.
    #[error("the replica's thread ended unexpectedly; this is a bug, see the lines above")]
    ReplicaThread,
    /// The mesh.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// An address of the founding document or the configuration.
    #[error("the address {address:?} of {member} is no multiaddress; fix it in peers.addresses")]
    PeerAddress {
        /// Whose.
        member: String,
        /// As written.
        address: String,
    },
    /// The API's address is taken.
    #[error("api.listen = {address}: {source}; stop what listens there or use another port")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The limit on open files.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The runtime or a signal handler.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

/// Makes the data directory and its genesis block, or checks that they fit the founding
/// document. Needs no keys.
///
/// # Errors
///
/// [`AppError`] naming what does not fit.
pub fn init(config: &Config) -> Result<(), AppError> {
    let founded = Founded::load(&config.genesis, &config.member)?;
    let genesis = founded.content.founding().genesis_block()?;
    let mut store = open_store(config, &founded)?;
    found(&mut store, genesis).map_err(|source| store_error(config, source))
}

/// Checks the whole database of a node that does not run: reads all of it, executes every block
/// again in a directory beside it, which is removed afterwards, and compares. Needs no keys.
///
/// # Errors
///
/// [`AppError`] naming the first thing that is not in order.
pub fn check(config: &Config) -> Result<Rebuilt, AppError> {
    let founded = Founded::load(&config.genesis, &config.member)?;
    let genesis = founded.content.founding().genesis_block()?;
    let store = open_store(config, &founded)?;
    beside(config, |scratch| {
        store.rebuild(&founded.chain, genesis, scratch)
    })
}

/// Makes everything again that follows from the blocks of a node that does not run, in a directory
/// beside it, which is removed afterwards. Needs no keys.
///
/// # Errors
///
/// [`AppError`] naming the block that cannot be executed again.
pub fn reindex(config: &Config) -> Result<Rebuilt, AppError> {
    let founded = Founded::load(&config.genesis, &config.member)?;
    let genesis = founded.content.founding().genesis_block()?;
    let directory = config.data_dir.join(DATABASE);
    beside(config, |scratch| {
        RocksStore::reindex(&directory, &founded.chain, genesis, scratch)
    })
}

/// Works with an empty directory in the data directory.
fn beside<T>(
    config: &Config,
    work: impl FnOnce(&Path) -> Result<T, StoreError>,
) -> Result<T, AppError> {
    let scratch = config.data_dir.join(SCRATCH);
    let at_scratch = |source| AppError::Directory {
        directory: shown(&scratch),
        source,
    };
    // What an earlier check left behind that was interrupted.
    remove_if_there(&scratch).map_err(at_scratch)?;
    std::fs::create_dir(&scratch).map_err(at_scratch)?;
    let worked = work(&scratch);
    remove_if_there(&scratch).map_err(at_scratch)?;
    worked.map_err(|source| store_error(config, source))
}

/// Reads the log of a node that does not run and derives every root again. Needs no keys, and no
/// room.
///
/// # Errors
///
/// [`AppError`] naming the first position or height that is not in order.
pub fn fsck(config: &Config) -> Result<Audited, AppError> {
    let founded = Founded::load(&config.genesis, &config.member)?;
    let store = open_store(config, &founded)?;
    store
        .fsck(&founded.chain)
        .map_err(|source| store_error(config, source))
}

fn remove_if_there(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes or checks the first block. To found a ledger is to say that this validator never voted
/// on it before.
fn found(store: &mut RocksStore, genesis: GenesisBlock) -> Result<(), StoreError> {
    let tip = founding::found(store, genesis)?;
    if tip.height == Height(0) && store.is_following()? {
        store.set_following(false)?;
    }
    Ok(())
}

/// Threads for what blocks beside reads of the database: name look-ups of the mesh.
const OTHER_BLOCKING_THREADS: usize = 4;

/// Runs a node until it is told to stop. One that is `restored`, from a backup or without its
/// database, follows without voting at first.
///
/// # Errors
///
/// [`AppError`] if it cannot start, or had to stop by itself.
pub fn run(config: &Config, restored: bool) -> Result<(), AppError> {
    descriptors::allow_enough()?;
    let founded = Founded::load(&config.genesis, &config.member)?;
    let keys = parts::unlock(config, &founded)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(api::reads_max() + OTHER_BLOCKING_THREADS)
        .build()?;
    let outcome = runtime.block_on(run_until_told(config, founded, keys, restored));
    runtime.shutdown_timeout(DRAIN);
    outcome
}

/// A node at work.
struct Running {
    api: JoinHandle<()>,
    api_address: SocketAddr,
    stop_api: watch::Sender<bool>,
    inbox: Arc<Inbox>,
    health: Arc<Health>,
    mesh: MeshHandle,
    replica_ended: oneshot::Receiver<Result<(), Fatal>>,
}

async fn run_until_told(
    config: &Config,
    founded: Founded,
    keys: Keys,
    restored: bool,
) -> Result<(), AppError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut running = start(config, founded, keys, restored).await?;
    tracing::info!(
        api = %running.api_address,
        peers = ?running.mesh.listen_addresses(),
        "the node runs"
    );
    tokio::select! {
        _ = terminate.recv() => running.stop(config).await,
        _ = interrupt.recv() => running.stop(config).await,
        ended = &mut running.replica_ended => running.give_up(config, ended).await,
    }
}

async fn start(
    config: &Config,
    founded: Founded,
    keys: Keys,
    restored: bool,
) -> Result<Running, AppError> {
    let store = open_store(config, &founded)?;
    let gone = store
        .tip()
        .map_err(|source| store_error(config, source))?
        .is_none();
    if gone {
        tracing::warn!(
            data_dir = %shown(&config.data_dir),
            "there is no database: if this node voted before, what it signed is lost with it, so \
             it follows without voting at first; if it never ran before, stop it, run \
             `jangbu-node init` and start it again"
        );
    }
    let reader = store.reader();
    let listener = TcpListener::bind(config.api_listen)
        .await
        .map_err(|source| AppError::Listen {
            address: config.api_listen.to_string(),
            source,
        })?;

    let api_address = listener.local_addr()?;

    let (mesh, events) = Mesh::start(parts::mesh_config(config, &founded, &keys.peer)?).await?;
    let peers: Vec<mesh::PeerId> = founded
        .peers()
        .map(|(_, keys)| mesh::peer_id_of(&keys.peer.0))
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = founded.peers().map(|(name, _)| name.to_owned()).collect();
    let links = Links::new(
        mesh.clone(),
        peers.iter().copied().zip(names.iter().map(String::as_str)),
    );

    let notary = Notary::new(reader.clone(), &founded.consortium, keys.log.clone());
    let replica_config = parts::replica_config(&founded, &keys, restored || gone)?;
    drop(keys);
    let (replica, first) =
        Replica::new(replica_config, store, now()).map_err(|fatal| fatal_error(config, fatal))?;
    let last = reader
        .last_final_checkpoint()
        .map_err(|source| store_error(config, source))?
        .map(|last| FinalMark {
            height: last.height,
            size: last.size,
        });

    let inbox = Arc::new(Inbox::default());
    let waiters = Arc::new(Waiters::new(last));
    let health = Arc::new(Health::new(names));
    let metrics = Arc::new(Metrics::default());
    metrics.height.set(replica.tip().height.0);
    metrics
        .final_height
        .set(last.map_or(0, |last| last.height.0));
    let driver = Driver::new(
        replica,
        Surroundings {
            inbox: Arc::clone(&inbox),
            waiters: Arc::clone(&waiters),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            mesh: mesh.clone(),
            peers,
            evidence: EvidenceFiles::under(&config.data_dir, founded.chain.chain_id),
            validators: founded.validator_names(),
        },
    );
    let (ended, replica_ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("replica".into())
        .spawn(move || {
            // The receiver outlives the thread, unless the node is gone already.
            let _gone = ended.send(driver.run(first));
        })?;
    links.carry(events, Arc::clone(&inbox))?;

    let (stop_api, stopping) = watch::channel(false);
    let node = Node::new(
        founded.consortium,
        notary,
        Arc::clone(&inbox),
        waiters,
        Arc::clone(&health),
        metrics,
        links,
        config.stream_patience,
    );
    let api = tokio::spawn(api::serve(listener, Arc::new(node), until_set(stopping)));

    Ok(Running {
        api,
        api_address,
        stop_api,
        inbox,
        health,
        mesh,
        replica_ended,
    })
}

impl Running {
    /// Told to stop: requests that run get their answers while the replica still works.
    async fn stop(self, config: &Config) -> Result<(), AppError> {
        tracing::info!("told to stop");
        self.stop_api.send_replace(true);
        let abort = self.api.abort_handle();
        if tokio::time::timeout(DRAIN, self.api).await.is_err() {
            tracing::info!("requests that still waited were cut off");
            abort.abort();
        }
        self.inbox.stop();
        let outcome = replica_outcome(config, self.replica_ended.await);
        self.mesh.shutdown().await;
        outcome
    }

    /// The replica had to stop: say why for a while, then end.
    async fn give_up(
        self,
        config: &Config,
        ended: Result<Result<(), Fatal>, oneshot::error::RecvError>,
    ) -> Result<(), AppError> {
        let outcome = replica_outcome(config, ended);
        let reason = match &outcome {
            Ok(()) => "the node is stopping".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::error!(%reason, "the replica stopped");
        self.health.stop(reason);
        self.inbox.stop();
        discard(&self.inbox);
        tokio::time::sleep(LINGER).await;
        self.stop_api.send_replace(true);
        self.api.abort();
        self.mesh.shutdown().await;
        outcome
    }
}

/// Drops what waits for a replica that is gone, so that clients get their answers.
fn discard(inbox: &Inbox) {
    while !inbox.take(Duration::ZERO).stop {}
}

fn replica_outcome(
    config: &Config,
    ended: Result<Result<(), Fatal>, oneshot::error::RecvError>,
) -> Result<(), AppError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fatal)) => Err(fatal_error(config, fatal)),
        Err(_) => Err(AppError::ReplicaThread),
    }
}

async fn until_set(mut flag: watch::Receiver<bool>) {
    // An error means that the sender is gone, and the node with it.
    let _set_or_gone = flag.wait_for(|set| *set).await;
}

fn open_store(config: &Config, founded: &Founded) -> Result<RocksStore, AppError> {
    let directory = config.data_dir.join(DATABASE);
    std::fs::create_dir_all(&directory).map_err(|source| AppError::Directory {
        directory: shown(&directory),
        source,
    })?;
    RocksStore::open(&directory, &founded.chain.chain_id)
        .map_err(|source| store_error(config, source))
}

fn store_error(config: &Config, source: StoreError) -> AppError {
    AppError::Store {
        directory: shown(&config.data_dir),
        source,
    }
}

/// A full or failing disk is named with its directory.
fn fatal_error(config: &Config, fatal: Fatal) -> AppError {
    match fatal {
        Fatal::Store(source) => store_error(config, source),
        other => AppError::Replica(other),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
