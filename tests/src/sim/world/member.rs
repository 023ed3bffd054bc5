//! A member's place, and who sits in it.

use std::collections::BTreeMap;

use jangbu_ledger::id::Height;
use jangbu_replica::replica::{Replica, TimerId};
use jangbu_replica::store::{Store, StoredBlock};

use super::super::actor::Actor;
use super::super::clock::Clock;
use super::super::disk::{Disk, Image};
use super::super::faults::Kind;
use super::super::oracle::Ledger;
use super::super::signer::Mood;
use super::Event;

/// Who sits in a place.
pub(super) enum Place {
    /// Nobody, until the member restarts.
    Down,
    /// The replica that ships.
    Correct(Box<Replica<Disk>>),
    /// Someone else.
    Byzantine(Box<dyn Actor>),
}

/// One member of the consortium.
pub(super) struct Member {
    pub(super) place: Place,
    /// The Byzantine member that sits here whenever this is up.
    pub(super) absent: Option<Box<dyn Actor>>,
    pub(super) is_byzantine: bool,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) signer: Mood,
    /// Grows with every restart: timers of an earlier life do not ring.
    pub(super) life: u32,
    pub(super) timers: BTreeMap<TimerId, u64>,
    /// Dies in its next step, after so many effects were performed.
    pub(super) dies_after: Option<(usize, Kind)>,
    /// Dies in its next start, after so many writes or effects.
    pub(super) dies_in_start: Option<u32>,
    /// So many restarts yet end at once.
    pub(super) storm: u32,
    /// While it does nothing: what happened to it.
    pub(super) paused: Option<Vec<Event>>,
    /// How much later everything from and to it arrives.
    pub(super) slow_us: u64,
    /// A copy of its disk, to be restored.
    pub(super) backup: Option<Image>,
    /// Starts for the first time when the others have this height.
    pub(super) joins_at: Option<Height>,
    /// It may have forgotten what it signed, and does not vote yet.
    pub(super) distrusted: bool,
    /// Its operator has to tell it so at its next start.
    pub(super) untold: bool,
}

impl Member {
    pub(super) fn new(actor: Option<Box<dyn Actor>>, skew_ms: u64) -> Self {
        Self {
            place: Place::Down,
            is_byzantine: actor.is_some(),
            absent: actor,
            disk: Disk::default(),
            clock: Clock::new(skew_ms),
            signer: Mood::default(),
            life: 0,
            timers: BTreeMap::new(),
            dies_after: None,
            dies_in_start: None,
            storm: 0,
            paused: None,
            slow_us: 0,
            backup: None,
            joins_at: None,
            distrusted: false,
            untold: false,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        !matches!(self.place, Place::Down)
    }

    /// Whether it would take in something now.
    pub(super) const fn listens(&self) -> bool {
        self.is_up() && self.paused.is_none()
    }

    /// The replica, if one runs here.
    pub(super) fn replica(&self) -> Option<&Replica<Disk>> {
        match &self.place {
            Place::Correct(replica) => Some(replica),
            Place::Down | Place::Byzantine(_) => None,
        }
    }

    /// Takes the member down; whether it was up.
    pub(super) fn leave(&mut self) -> bool {
        self.timers.clear();
        self.dies_after = None;
        self.paused = None;
        match std::mem::replace(&mut self.place, Place::Down) {
            Place::Down => false,
            Place::Correct(_) => true,
            Place::Byzantine(actor) => {
                self.absent = Some(actor);
                true
            }
        }
    }

    /// Envelopes that wait in its pool; none while it is down.
    pub(super) fn pooled(&self) -> usize {
        self.replica().map_or(0, |replica| replica.pool_size().0)
    }

    /// The height of its last final checkpoint; 0 if it has none.
    pub(super) fn final_height(&self) -> u64 {
        let last = self.disk.last_final_checkpoint().ok().flatten();
        last.map_or(0, |checkpoint| checkpoint.height.0)
    }
}

/// What is on the disk, past whatever keeps the replica from reading it.
impl Ledger for Disk {
    fn kept_block(&self, height: Height) -> Option<StoredBlock> {
        self.contents().block(height).ok().flatten()
    }

    fn kept_entry(&self, position: u64) -> Option<Vec<u8>> {
        let sequence = jangbu_ledger::id::Sequence(position);
        self.contents().entry(sequence).ok().flatten()
    }
}
