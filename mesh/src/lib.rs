//! The full mesh of members: one connection to each, two ordered streams each way.
//!
//! ```text
//!                      ┌────────── endpoint ──────────┐
//!   MeshHandle ──────▶ │ listen · dial · roster       │
//!      │ send          └──────┬───────────────────────┘
//!      ▼                      ▼ one per connection
//!   outbox ── agreement ──▶ link ◀──▶ TCP · Noise (gate) · Yamux ◀──▶ member
//!          └─ bulk ───────▶   │
//!                             ▼
//!   MeshEvents ◀── Connected, Frame…, Disconnected
//! ```
//!
//! Invariants:
//! - a peer that is no member gets no byte beyond the Noise handshake;
//! - per peer, events alternate `Connected`, `Disconnected`; what is sent in
//!   between on one class arrives in that order, or the connection ends. Frames
//!   of a lost connection are lost: upon `Connected` the caller sends again
//!   what the peer needs;
//! - `Agreement` never waits for `Bulk`, neither on the way out nor in;
//! - every queue, buffer and wait has a bound. If the events are not taken,
//!   reading from the peers pauses;
//! - a member that breaks the protocol, floods or keeps connecting is cut off,
//!   named, counted and kept out for a while that ends by itself.
//!
//! We use libp2p's transport and multiplexer without its `Swarm`: that one
//! ignores streams of unknown protocols and opens streams on any of several
//! connections, and neither is what we promise above.

mod conduct;
mod dial;
mod endpoint;
mod events;
pub mod frame;
mod gate;
mod handle;
mod handshake;
mod link;
mod outbox;
mod pace;
mod refusals;
mod roster;

use std::{io, time::Duration};

use libp2p::identity::ed25519;
pub use libp2p::{Multiaddr, PeerId, identity::Keypair};

pub use self::{
    events::{MeshEvent, MeshEvents},
    handle::{Mesh, MeshHandle},
    pace::Rate,
    refusals::Refusal,
};

/// How long a connection may take from TCP to open streams, either side.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a frame is for. Each class has its own stream and its own queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Votes, proposals, block bodies, cosignatures, catch-up requests.
    Agreement,
    /// Envelopes and block transfers: they may wait, agreement may not.
    Bulk,
}

impl Class {
    /// Both classes.
    pub const ALL: [Self; 2] = [Self::Agreement, Self::Bulk];

    /// Largest frame in bytes.
    ///
    /// Agreement: a block's body is a list of 32-byte envelope ids; 1 MiB holds
    /// 32,000 of them. Bulk: a block transfer of 8 MiB of envelopes, and a MiB
    /// for its certificate and framing.
    #[must_use]
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Self::Agreement => 1024 * 1024,
            Self::Bulk => 9 * 1024 * 1024,
        }
    }

    /// Most bytes waiting for one peer. Agreement: eight of the largest frames,
    /// hence many heights of votes. Bulk: four of the largest frames.
    #[must_use]
    pub const fn queue_bytes_max(self) -> usize {
        match self {
            Self::Agreement => 8 * Self::Agreement.frame_bytes_max(),
            Self::Bulk => 4 * Self::Bulk.frame_bytes_max(),
        }
    }

    /// Most frames waiting for one peer: bounds the overhead of small ones.
    #[must_use]
    pub const fn queue_frames_max(self) -> usize {
        match self {
            Self::Agreement | Self::Bulk => 4_096,
        }
    }

    /// Frames that one peer may send us, signs of life included. A correct
    /// member says some hundred things a second at the most; what it could not
    /// say while the line was slow comes at once, hence the burst, four full
    /// queues.
    #[must_use]
    pub const fn frame_rate(self) -> Rate {
        match self {
            Self::Agreement | Self::Bulk => Rate {
                per_second: 4_000,
                burst: 16_384,
            },
        }
    }

    /// The name that opens a stream of this class.
    fn preamble(self, protocol: &str) -> String {
        match self {
            Self::Agreement => format!("{protocol}/agreement"),
            Self::Bulk => format!("{protocol}/bulk"),
        }
    }
}

/// A peer we keep a connection to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whom we expect there: see [`peer_id_of`].
    pub peer_id: PeerId,
    /// Where to dial, tried in turn; `/ip4`, `/ip6` and `/dns*`, then `/tcp`.
    /// Empty: we wait for the peer to dial us.
    pub addresses: Vec<Multiaddr>,
}

/// What bounds the mesh as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshLimits {
    /// Inbound connections in their handshake at a time.
    pub pending_inbound: usize,
    /// Of these, from one IP address.
    pub pending_inbound_per_ip: usize,
    /// Events waiting to be taken, for agreement and for bulk each.
    pub events: usize,
    /// Bytes of frames waiting to be taken, for agreement and for bulk each;
    /// raised to the largest frame.
    pub event_bytes: usize,
    /// How long the opening of a stream, or the next 64 KiB of a begun frame,
    /// may take.
    pub stall: Duration,
    /// After how long without a frame on its agreement stream a peer counts as
    /// gone; a sign of life is due every 5 s.
    pub silence: Duration,
    /// Bytes that one peer may send us on its agreement stream.
    pub agreement_volume: Rate,
    /// Bytes that one peer may send us on its bulk stream.
    pub bulk_volume: Rate,
}

impl MeshLimits {
    /// Bytes that one peer may send us on its stream of a class.
    const fn volume(&self, class: Class) -> Rate {
        match class {
            Class::Agreement => self.agreement_volume,
            Class::Bulk => self.bulk_volume,
        }
    }
}

impl Default for MeshLimits {
    /// 64 handshakes, 16 of one address (members behind one NAT restart
    /// together); 1,024 events; 64 MiB; 30 s to stall, which only has to tell a
    /// dead peer from a line of 20 kbit/s; 20 s of silence, four missed signs
    /// of life. Volume, agreement: six times what a proposer of the largest
    /// blocks needs; bulk: more than we can execute while catching up, and an
    /// answer comes only when it is asked for.
    fn default() -> Self {
        const MIB: u32 = 1024 * 1024;
        Self {
            pending_inbound: 64,
            pending_inbound_per_ip: 16,
            events: 1_024,
            event_bytes: 64 * 1024 * 1024,
            stall: Duration::from_secs(30),
            silence: Duration::from_secs(20),
            agreement_volume: Rate {
                per_second: 32 * MIB,
                burst: 128 * MIB,
            },
            bulk_volume: Rate {
                per_second: 128 * MIB,
                burst: 512 * MIB,
            },
        }
    }
}

/// What a mesh starts from.
#[derive(Debug)]
pub struct MeshConfig {
    /// Our identity: see [`identity_of`]. Its `Debug` shows the public half only.
    pub identity: Keypair,
    /// Where to listen; port 0 lets the system choose.
    pub listen: Multiaddr,
    /// The other members; our own entry, if present, is skipped.
    pub members: Vec<Member>,
    /// Prefix of the stream names, with version and chain id, such as
    /// `/jangbu/1/<chain id in hex>`: two ledgers never mistake each other.
    /// At most 200 bytes.
    pub protocol: String,
    /// Bounds.
    pub limits: MeshLimits,
}

/// What became of a frame given to [`MeshHandle::send`].
#[must_use = "a frame that is not queued is not sent"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It will be written, unless the connection ends before.
    Queued,
    /// The queue is full. Bulk: try later. Agreement: the connection is being
    /// closed; send again what is needed upon `Connected`.
    Full,
    /// There is no connection to that peer now.
    NotConnected,
    /// Empty, or above [`Class::frame_bytes_max`]: never sent.
    BadSize,
}

/// Why we refused or closed a connection; always the other side's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The peer proved an identity that is not a member's.
    #[error("not a member")]
    NotAMember,
    /// Another member than the expected one answered at a configured address.
    #[error("expected {expected} at this address")]
    WrongPeer {
        /// Whom the configuration puts there.
        expected: PeerId,
    },
    /// No secure connection came about: not our protocol, or a broken line.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The handshake, or the opening of the streams, took too long.
    #[error("handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    HandshakeTimeout,
    /// Too many connections are in their handshake, or come, from one address,
    /// or are open for one peer.
    #[error("too many connections at a time")]
    TooManyConnections,
    /// A stream named a protocol or a chain that is not ours (escaped ASCII).
    #[error("stream of unknown protocol \"{0}\"")]
    UnknownProtocol(String),
    /// More streams than one for each class.
    #[error("more streams than one for each class")]
    TooManyStreams,
    /// A frame was announced above the class's limit.
    #[error("frame of {bytes} bytes announced on the {class:?} stream")]
    Oversize {
        /// The stream's class.
        class: Class,
        /// The announced length.
        bytes: u32,
    },
    /// A frame or a stream's opening stopped half-way.
    #[error("stalled within a frame")]
    Stalled,
    /// Not even a sign of life came within its time.
    #[error("silent")]
    Silent,
    /// More frames or bytes than any correct member sends.
    #[error("flood on the {class:?} stream")]
    Flood {
        /// The stream's class.
        class: Class,
    },
    /// It connects again and again.
    #[error("connects too often")]
    ConnectsTooOften,
    /// It is kept out for a while, for an earlier fault or by our owner's order.
    #[error("kept out for now")]
    KeptOut,
}

impl Fault {
    /// One word for it, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAMember => "not_a_member",
            Self::WrongPeer { .. } => "wrong_peer",
            Self::Handshake(_) => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::TooManyConnections => "too_many_connections",
            Self::UnknownProtocol(_) => "unknown_protocol",
            Self::TooManyStreams => "too_many_streams",
            Self::Oversize { .. } => "oversize",
            Self::Stalled => "stalled",
            Self::Silent => "silent",
            Self::Flood { .. } => "flood",
            Self::ConnectsTooOften => "connects_too_often",
            Self::KeptOut => "kept_out",
        }
    }

    /// Whether it keeps the member out for a while. The others may befall a
    /// correct node on a bad line, or end nothing that it would gain by.
    const fn is_offence(&self) -> bool {
        matches!(
            self,
            Self::UnknownProtocol(_)
                | Self::TooManyStreams
                | Self::Oversize { .. }
                | Self::Flood { .. }
                | Self::ConnectsTooOften
        )
    }
}

/// Why a mesh did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The key cannot be used.
    #[error("the node key is unusable: {0}")]
    Identity(String),
    /// The protocol prefix is empty or above 200 bytes.
    #[error("the protocol prefix has {0} bytes, needs 1 to 200")]
    Protocol(usize),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The configured address.
        address: Multiaddr,
        /// The system's reason.
        cause: io::Error,
    },
}

/// The mesh identity of a raw Ed25519 secret (32 bytes). Wipes `secret`.
///
/// # Errors
///
/// [`MeshError::Identity`] if the library refuses the key.
pub fn identity_of(secret: &mut [u8; 32]) -> Result<Keypair, MeshError> {
    Keypair::ed25519_from_bytes(secret).map_err(|error| MeshError::Identity(error.to_string()))
}

/// The peer id of a raw Ed25519 public key (32 bytes).
///
/// # Errors
///
/// [`MeshError::Identity`] if the bytes are no point of the curve.
pub fn peer_id_of(public: &[u8; 32]) -> Result<PeerId, MeshError> {
    let key = ed25519::PublicKey::try_from_bytes(public)
        .map_err(|error| MeshError::Identity(error.to_string()))?;
    Ok(libp2p::identity::PublicKey::from(key).to_peer_id())
}
