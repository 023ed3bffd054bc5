//! The links to the other members, by their names: their events carried to the inbox, and what
//! was held against whom.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use jangbu_replica::replica::PeerId;

use crate::inbox::{Inbox, PeerEvent};
use crate::mesh::{self, MeshEvent, MeshEvents, MeshHandle};

/// How a peer that is no member stands in the log and in the metrics.
const STRANGER: &str = "stranger";

/// The mesh, with the members' names.
#[derive(Debug, Clone)]
pub struct Links {
    mesh: MeshHandle,
    members: Arc<BTreeMap<mesh::PeerId, (PeerId, String)>>,
}

impl Links {
    /// The links of this mesh; `peers` are the other members, in the replica's order.
    #[must_use]
    pub fn new<'a>(
        mesh: MeshHandle,
        peers: impl IntoIterator<Item = (mesh::PeerId, &'a str)>,
    ) -> Self {
        let numbered = (0..=u16::MAX).zip(peers);
        let members = numbered
            .map(|(number, (id, name))| (id, (PeerId(number), name.to_owned())))
            .collect();
        Self {
            mesh,
            members: Arc::new(members),
        }
    }

    fn name(&self, peer: Option<&mesh::PeerId>) -> &str {
        peer.and_then(|peer| self.members.get(peer))
            .map_or(STRANGER, |(_, name)| name)
    }

    /// Starts a thread that carries the mesh's events to the inbox, waiting for room: a full
    /// inbox pauses the peers.
    ///
    /// # Errors
    ///
    /// The system's, if there can be no thread.
    pub fn carry(&self, mut events: MeshEvents, inbox: Arc<Inbox>) -> io::Result<()> {
        let links = self.clone();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("mesh-events".into())
            .spawn(move || {
                while let Some(event) = runtime.block_on(events.recv()) {
                    if let Some(event) = links.translate(event)
                        && inbox.push_peer(event).is_err()
                    {
                        return;
                    }
                }
            })?;
        Ok(())
    }

    fn translate(&self, event: MeshEvent) -> Option<PeerEvent> {
        let number = |id: &mesh::PeerId| self.members.get(id).map(|(number, _)| *number);
        match event {
            MeshEvent::Connected(id) => number(&id).map(PeerEvent::Connected),
            MeshEvent::Disconnected(id) => number(&id).map(PeerEvent::Disconnected),
            MeshEvent::Frame { peer, bytes, .. } => {
                number(&peer).map(|peer| PeerEvent::Received(peer, bytes))
            }
            MeshEvent::Refused {
                peer_id,
                address,
                reason,
            } => {
                let member = self.name(peer_id.as_ref());
                tracing::warn!(%member, %address, %reason, "refused or closed a connection");
                None
            }
            _ => None,
        }
    }

    /// Adds to the metrics how often each member was refused or cut off, and for what.
    pub fn push_metrics(&self, text: &mut String) {
        text.push_str(
            "# HELP jangbu_mesh_refused_total Connections refused or closed for what the other \
             side did.\n# TYPE jangbu_mesh_refused_total counter\n",
        );
        for refusal in self.mesh.refusals() {
            let member = self.name(refusal.peer.as_ref());
            writeln!(
                text,
                "jangbu_mesh_refused_total{{member=\"{member}\",reason=\"{}\"}} {}",
                refusal.reason, refusal.count
            )
            .expect("writing to memory cannot fail");
        }
    }
}
