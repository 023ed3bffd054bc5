//! Profiles: who publishes them, each version once.

use jangbu_ledger::id::Digest;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{ProfileRecord, SubjectRecord, key};
use jangbu_ledger::statement::{Kind, Statement, Stream};

use crate::ground::{Ground, issued};

fn name() -> Identifier {
    Identifier::parse("profile:eu-battery/ev").unwrap()
}

fn own() -> Vec<Stream> {
    vec![Stream::Open(name())]
}

fn published(version: &str, digest: u8) -> Kind {
    Kind::ProfilePublished {
        version: version.into(),
        digest: Digest([digest; 32]),
    }
}

#[test]
fn a_regulator_or_an_operator_publishes_each_version_once_under_its_own_name() {
    let mut ground = Ground::new();
    for member in ["buyer", "auditor", "reader"] {
        let refused = ground.say(member, published("1.0", 1), own());
        assert_eq!(refused, Err(Rule::MemberRole), "{member}");
    }
    ground.say("regulator", published("1.0", 1), own()).unwrap();
    for digest in [1, 2] {
        let refused = ground.say_again("regulator", published("1.0", digest), own(), 1);
        assert_eq!(refused, Err(Rule::ProfileOnce));
    }
    let refused = ground.say("maker", published("2.0", 2), own());
    assert_eq!(refused, Err(Rule::SubjectOwner));
    ground.say("regulator", published("2.0", 2), own()).unwrap();
    let subject: SubjectRecord = ground.get(&key::subject(&name().subject_id())).unwrap();
    assert_eq!(subject.stream.count, 2);
    let record: ProfileRecord = ground
        .get(&key::profile(&name().subject_id(), &"1.0".to_owned()))
        .unwrap();
    assert_eq!(record.digest, Digest([1; 32]));

    let other = vec![Stream::Open(Identifier::parse("profile:house").unwrap())];
    ground.say("maker", published("1.0", 3), other).unwrap();
}

#[test]
fn nothing_else_is_said_in_a_profiles_own_stream_and_no_profile_in_that_of_others() {
    let statement = |kind: Kind, streams: Vec<Stream>| Statement {
        kind,
        occurrence: 0,
        streams,
        commitment: jangbu_ledger::commitment::Commitment::NOTHING,
        references: Vec::new(),
        payload: Vec::new(),
    };
    let granularity = jangbu_ledger::statement::Granularity::Model;
    let product = vec![Stream::Open(crate::ground::id(1))];
    for (kind, streams) in [
        (issued(granularity), own()),
        (published("1.0", 1), product),
        (published("1.0", 1), vec![Stream::Claims(name())]),
        (published("", 1), own()),
        (published("1.0 ", 1), own()),
        (published(&"1".repeat(33), 1), own()),
    ] {
        assert!(
            statement(kind.clone(), streams).check_shape().is_err(),
            "{kind:?}"
        );
    }
    assert!(statement(published("1.0", 1), own()).check_shape().is_ok());
}
