//! An envelope whose execution panics stops neither a replica nor the ledger.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::codec;
use jangbu_replica::message::Message;
use jangbu_replica::pool::AdmissionError;
use jangbu_replica::replica::Input;
use jangbu_tests::sim::{Calm, peer};

/// Four validators; on the disks of `victims`, executing these envelopes panics.
fn poisoned(victims: &[usize], envelopes: &[u64]) -> Calm {
    let mut calm = Calm::new(4);
    for n in victims {
        for number in envelopes {
            let record = calm.consortium.record_of(*number);
            calm.members[*n].disk.poison(record);
        }
    }
    for n in 0..4 {
        calm.start(n, false);
    }
    calm
}

#[test]
fn an_envelope_that_no_node_can_execute_is_dropped_and_the_others_are_recorded() {
    let mut calm = poisoned(&[0, 1, 2, 3], &[3, 7]);
    for number in 0..10 {
        calm.submit(usize::try_from(number % 4).unwrap(), number);
    }
    calm.live_for(5_000);
    let good = [0, 1, 2, 4, 5, 6, 8, 9].map(|number| calm.consortium.envelope(number).0);
    let bad = [3, 7].map(|number| calm.consortium.envelope(number).0);
    for member in &calm.members {
        assert!(good.iter().all(|id| member.committed.contains(id)));
        assert!(!bad.iter().any(|id| member.committed.contains(id)));
        assert!(member.accused.is_empty());
    }
    // Whoever proposed first met each; the others only if they proposed it too.
    for id in bad {
        assert!(calm.members.iter().any(|m| m.quarantined.contains(&id)));
    }
    let met = |n: &usize| calm.members[*n].quarantined.contains(&bad[0]);
    let n = (0..4).find(met).unwrap();
    calm.members[n].answers.clear();
    calm.submit(n, 3);
    calm.live_for(100);
    assert_eq!(calm.members[n].answers, [Err(AdmissionError::Quarantined)]);
}

#[test]
fn a_block_that_one_node_cannot_execute_gets_no_vote_of_it() {
    for victim in 0..4 {
        let mut calm = poisoned(&[victim], &[1]);
        let (id, bytes) = calm.consortium.envelope(1);
        // The others know it, and one of them proposes it.
        for n in (0..4).filter(|n| *n != victim) {
            let news = codec::encode(&Message::Envelopes(vec![bytes.clone()]));
            calm.step(n, Input::Received(peer(victim), news));
        }
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            calm.submit((victim + 1) % 4, 2);
            calm.live_for(3_000);
        }));
        // A quorum could, so the node that cannot must stop rather than invent another ledger;
        // until then it only withheld its vote.
        let reason = stopped.unwrap_err();
        let reason = reason.downcast_ref::<String>().unwrap();
        assert!(reason.contains("CertifiedButInvalid"), "{reason}");
        let member = &calm.members[victim];
        assert_eq!(member.quarantined, [id]);
        assert!(!member.committed.contains(&id));
        let mut voted_for = member.votes.iter().filter_map(|vote| vote.block_id);
        assert!(voted_for.all(|block| !reason.contains(&format!("{block:?}"))));
    }
}
