//! Real processes in networks of their own, disturbed at random from a printed seed.
//!
//! `make chaos MINUTES=120 NODES=7 SEED=…` runs it for longer; see `docs/reliability.md`.

use jangbu_tests::chaos::{Settings, run};

#[test]
fn nothing_acknowledged_is_lost_and_all_nodes_agree_whatever_is_done_to_them() {
    let settings = Settings::from_environment();
    println!(
        "chaos: JANGBU_CHAOS_SEED={} JANGBU_CHAOS_NODES={} JANGBU_CHAOS_MINUTES={}",
        settings.seed,
        settings.nodes,
        settings.length.as_secs_f64() / 60.0
    );
    match run(settings) {
        Ok(report) => println!("{report}"),
        Err(reason) if settings.needed => panic!("chaos cannot be run here: {reason}"),
        Err(reason) => println!("skipped: {reason}; run as root, with iproute2 and iptables"),
    }
}
