//! A member's place, and who sits in it.

use std::collections::BTreeMap;

use jangbu_replica::replica::{Replica, TimerId};
use jangbu_replica::store::Store;

use super::super::actor::Actor;
use super::super::disk::Disk;

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
    /// Grows with every restart: timers of an earlier life do not ring.
    pub(super) life: u32,
    pub(super) timers: BTreeMap<TimerId, u64>,
    pub(super) skew_ms: u64,
    /// Dies in its next step, after so many effects were performed.
    pub(super) dies_after: Option<usize>,
}

impl Member {
    pub(super) fn new(actor: Option<Box<dyn Actor>>, skew_ms: u64) -> Self {
        Self {
            place: Place::Down,
            is_byzantine: actor.is_some(),
            absent: actor,
            disk: Disk::default(),
            life: 0,
            timers: BTreeMap::new(),
            skew_ms,
            dies_after: None,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        !matches!(self.place, Place::Down)
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
        match std::mem::replace(&mut self.place, Place::Down) {
            Place::Down => false,
            Place::Correct(_) => true,
            Place::Byzantine(actor) => {
                self.absent = Some(actor);
                true
            }
        }
    }

    /// The height of its last final checkpoint; 0 if it has none.
    pub(super) fn final_height(&self) -> u64 {
        let last = self.disk.last_final_checkpoint().ok().flatten();
        last.map_or(0, |checkpoint| checkpoint.height.0)
    }
}
