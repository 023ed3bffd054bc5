//! A copy of the state proves itself: made of bare records and the log, the ledger goes on exactly as
//! where it was; with any other record it is refused.
//!
//! What each rule reads is shown kind by kind in `ledger/tests/rules/self_proving.rs`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::bundle;
use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::statement::{EventType, Kind, Stream};
use jangbu_tests::world::World;
use jangbu_tests::world::story::{CELL, PART, PRODUCT, SCHEMA, Story, identifier, statement};

/// The same next blocks: an event, a new version, and what was said before.
fn go_on(world: &mut World) {
    let open = |text: &str| vec![Stream::Open(identifier(text).unwrap())];
    let event = Kind::Observed {
        event: EventType::Object,
    };
    world
        .say("cml1", vec![statement(event, open(CELL), 40)])
        .unwrap();
    let superseded = Kind::PassportSuperseded {
        version: 3,
        schema: schema_digest(SCHEMA),
    };
    world
        .say("amperia", vec![statement(superseded, open(PRODUCT), 41)])
        .unwrap();
    let repeated = Kind::Observed {
        event: EventType::Object,
    };
    world
        .say("cml1", vec![statement(repeated, open(CELL), 40)])
        .unwrap();
    let refused = Kind::PassportSuperseded {
        version: 9,
        schema: schema_digest(SCHEMA),
    };
    assert!(
        world
            .say("nordwind", vec![statement(refused, open(PART), 42)])
            .is_err()
    );
}

#[test]
fn a_ledger_made_of_bare_records_goes_on_as_where_they_came_from() {
    let mut story = Story::tell().unwrap();
    let mut copy = story.world.copied(&story.world.records()).unwrap();
    assert_eq!(
        copy.state_root().unwrap(),
        story.world.state_root().unwrap()
    );
    let before = story.world.checkpoint().unwrap();
    assert_eq!(copy.checkpoint().unwrap(), before);

    go_on(&mut story.world);
    go_on(&mut copy);
    assert_eq!(
        copy.state_root().unwrap(),
        story.world.state_root().unwrap()
    );
    // The log holds each seal, and with it every root: one checkpoint is equal, all was.
    let after = story.world.checkpoint().unwrap();
    assert_eq!(copy.checkpoint().unwrap(), after);
    assert!(after.checkpoint().size > before.checkpoint().size);

    // It proves what the other proves.
    let mut builder = copy.builder().unwrap();
    builder.subject(&identifier(PRODUCT).unwrap()).unwrap();
    bundle::verify(&builder.finish(), &story.world.anchor.verifier()).unwrap();
}

#[test]
fn no_other_records_pass_for_the_state() {
    let story = Story::tell().unwrap();
    let records = story.world.records();
    assert!(records.len() > 30, "{}", records.len());
    for (number, key) in records.keys().enumerate() {
        let mut less = records.clone();
        less.remove(key);
        assert!(
            story.world.copied(&less).is_err(),
            "without record {number}"
        );
        let mut other = records.clone();
        let value = other.get_mut(key).unwrap().as_mut().unwrap();
        *value.last_mut().unwrap() ^= 1;
        assert!(
            story.world.copied(&other).is_err(),
            "record {number} changed"
        );
    }
    let mut more = records;
    more.insert(jangbu_ledger::state_tree::StateKey([9; 32]), Some(vec![1]));
    assert!(story.world.copied(&more).is_err());
}
