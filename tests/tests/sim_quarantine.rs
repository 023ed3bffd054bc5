//! An envelope whose execution panics stops neither a replica nor the ledger.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use jangbu_ledger::codec;
use jangbu_ledger::id::{EnvelopeId, TimeMs};
use jangbu_replica::message::Message;
use jangbu_replica::pool::AdmissionError;
use jangbu_replica::replica::{Admission, Effect, Input, PeerId, Replica, TimerId, Token};
use jangbu_tests::sim::{Consortium, Disk, START_MS};

/// Replicas that hear each other at once, and whose timers ring in order of their time.
struct Quartet {
    consortium: Consortium,
    replicas: Vec<Replica<Disk>>,
    timers: BTreeMap<(u64, usize, TimerId), ()>,
    now_ms: u64,
    committed: Vec<Vec<EnvelopeId>>,
    quarantined: Vec<Vec<EnvelopeId>>,
    answers: Vec<Result<Admission, AdmissionError>>,
}

impl Quartet {
    /// On the disks of `victims`, executing these envelopes panics.
    fn new(victims: &[usize], poisoned: &[u64]) -> Self {
        let consortium = Consortium::new(4);
        let mut quartet = Self {
            replicas: Vec::new(),
            timers: BTreeMap::new(),
            now_ms: START_MS + 1_000,
            committed: vec![Vec::new(); 4],
            quarantined: vec![Vec::new(); 4],
            answers: Vec::new(),
            consortium,
        };
        let mut first = Vec::new();
        for n in 0..4 {
            let disk = Disk::default();
            if victims.contains(&n) {
                for number in poisoned {
                    disk.poison(quartet.consortium.record_of(*number));
                }
            }
            let config = quartet.consortium.config(n);
            let (replica, effects) = Replica::new(config, disk, TimeMs(quartet.now_ms)).unwrap();
            quartet.replicas.push(replica);
            first.push((n, effects));
        }
        for (n, effects) in first {
            quartet.perform(n, effects);
        }
        for n in 0..4 {
            for other in (0..4).filter(|other| *other != n) {
                quartet.step(n, Input::Connected(peer(other)));
            }
        }
        quartet
    }

    fn step(&mut self, n: usize, input: Input) {
        let now = TimeMs(self.now_ms);
        let effects = self.replicas[n].step(now, input).unwrap();
        self.perform(n, effects);
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(to, _, bytes) => {
                    let input = Input::Received(peer(n), bytes.to_vec());
                    self.step(usize::from(to.0), input);
                }
                Effect::Broadcast(_, bytes) => {
                    for to in (0..4).filter(|to| *to != n) {
                        self.step(to, Input::Received(peer(n), bytes.to_vec()));
                    }
                }
                Effect::SetTimer(id, after_ms) => {
                    self.timers
                        .retain(|(_, of, kept), ()| (*of, *kept) != (n, id));
                    self.timers.insert((self.now_ms + after_ms, n, id), ());
                }
                Effect::CancelTimer(id) => {
                    self.timers
                        .retain(|(_, of, kept), ()| (*of, *kept) != (n, id));
                }
                Effect::Answer(_, answer) => self.answers.push(answer),
                Effect::Committed(_, envelopes) => self.committed[n].extend(envelopes),
                Effect::Quarantined(id, reason) => {
                    assert!(reason.contains("poisoned record"), "{reason}");
                    self.quarantined[n].push(id);
                }
                Effect::Misbehaved(who, reason) => panic!("{n} accuses {}: {reason}", who.0),
                Effect::Final(_) => {}
            }
        }
    }

    fn submit(&mut self, n: usize, number: u64) {
        let (_, bytes) = self.consortium.envelope(number);
        self.step(n, Input::Submit(vec![(Token(number), bytes)]));
    }

    fn live_for(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(((due, n, id), ())) = self.timers.pop_first() {
            if due > until {
                self.timers.insert((due, n, id), ());
                break;
            }
            self.now_ms = self.now_ms.max(due);
            self.step(n, Input::Timer(id));
        }
        self.now_ms = until;
    }
}

fn peer(n: usize) -> PeerId {
    PeerId(u16::try_from(n).unwrap())
}

#[test]
fn an_envelope_that_no_node_can_execute_is_dropped_and_the_others_are_recorded() {
    let mut quartet = Quartet::new(&[0, 1, 2, 3], &[3, 7]);
    for number in 0..10 {
        let n = usize::try_from(number % 4).unwrap();
        quartet.submit(n, number);
    }
    quartet.live_for(5_000);
    let good = [0, 1, 2, 4, 5, 6, 8, 9].map(|number| quartet.consortium.envelope(number).0);
    let bad = [3, 7].map(|number| quartet.consortium.envelope(number).0);
    for n in 0..4 {
        assert!(good.iter().all(|id| quartet.committed[n].contains(id)));
        assert!(!bad.iter().any(|id| quartet.committed[n].contains(id)));
    }
    // Whoever proposed first met each; the others only if they proposed it too.
    for id in bad {
        assert!(quartet.quarantined.iter().any(|met| met.contains(&id)));
    }
    let met = (0..4).find(|n| quartet.quarantined[*n].contains(&bad[0]));
    quartet.answers.clear();
    quartet.submit(met.unwrap(), 3);
    quartet.live_for(100);
    assert_eq!(quartet.answers, [Err(AdmissionError::Quarantined)]);
}

#[test]
fn a_block_that_one_node_cannot_execute_gets_no_vote_of_it() {
    for victim in 0..4 {
        let mut quartet = Quartet::new(&[victim], &[1]);
        let (id, bytes) = quartet.consortium.envelope(1);
        // The others know it, and one of them proposes it.
        for n in (0..4).filter(|n| *n != victim) {
            let news = codec::encode(&Message::Envelopes(vec![bytes.clone()]));
            quartet.replicas[n]
                .step(TimeMs(quartet.now_ms), Input::Received(peer(n), news))
                .unwrap();
        }
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            quartet.submit((victim + 1) % 4, 2);
            quartet.live_for(3_000);
        }));
        // A quorum could, so the node that cannot must stop rather than invent another ledger;
        // until then it only withheld its vote.
        let reason = stopped.unwrap_err();
        let reason = reason.downcast_ref::<String>().unwrap();
        assert!(reason.contains("CertifiedButInvalid"), "{reason}");
        assert_eq!(quartet.quarantined[victim], [id]);
        assert!(!quartet.committed[victim].contains(&id));
    }
}
