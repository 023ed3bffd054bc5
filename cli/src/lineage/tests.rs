//! Lineages that are made up, and what is written of them, against the published schemas.

use jangbu_ledger::id::{Digest, Height, MemberId, Sequence, StatementId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{
    Agreement, Direction, Known, Lineage, Made, Source, Standing, Terms, Use, made,
};
use jangbu_ledger::share::{
    Contract, Covered, Fingerprint, GitCommit, Output, Part, Span, UseCode,
};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use super::{in_toto, prov, text};
use crate::trace::{self, Picture};

/// The schema that the PROV-JSON submission links to.
const PROV_SCHEMA: &str = include_str!("../../../tests/data/prov-json/prov-json.schema.json");
/// in-toto's Statement and SLSA's provenance, as a set of Protocol Buffers descriptors.
const IN_TOTO: &[u8] = include_bytes!("../../../tests/data/in-toto/attestation.binpb");

fn id(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

fn agreement(name: &str, ended_at: Option<u64>) -> Agreement {
    Agreement {
        identifier: id(&format!("https://soyu.example/agreements/{name}")),
        known: Some(Known {
            name: name.to_owned(),
            provider: "hanbit".to_owned(),
            consumer: "soyu".to_owned(),
            sealed: false,
            contract: match ended_at {
                Some(_) => Contract::ProviderRetired,
                None => Contract::Finalized,
            },
            in_force: ended_at.is_none(),
            ended_at: ended_at.map(Height),
            permits: vec![UseCode::parse("ai-training").unwrap()],
        }),
    }
}

fn source(data: &str, agreement: Option<Agreement>, then: Covered) -> Source {
    let terms = agreement.as_ref().map(|_| Terms {
        permits: vec![UseCode::parse("ai-training").unwrap()],
        by: "hanbit".to_owned(),
        statement_id: StatementId([8; 32]),
        sequence: Sequence(0),
        height: Height(0),
    });
    Source {
        data: id(data),
        part: None,
        agreement,
        permitted: !then.is_flagged(),
        then,
        terms,
    }
}

fn used(n: u8, sources: Vec<Source>, made: &str) -> Use {
    let output = Output {
        made: id(made),
        content: Some(Fingerprint::Sha256(Digest([n; 32]))),
    };
    Use {
        statement_id: StatementId([n; 32]),
        sequence: Sequence(u64::from(n)),
        height: Height(u64::from(n)),
        time_ms: TimeMs(1_795_557_600_000),
        member: MemberId::of("soyu"),
        by: "soyu".to_owned(),
        share: id("https://soyu.example/agreements/1"),
        sealed: n == 2,
        activity: UseCode::parse("ai-training").unwrap(),
        codes: vec![UseCode::parse("analytics").unwrap()],
        code: Some(Fingerprint::GitCommit(GitCommit([n; 20]))),
        environment: Some(Fingerprint::Blake3(Digest([n; 32]))),
        sources,
        outputs: vec![output],
    }
}

const CELLS: &str = "dataset:hanbit.example/cells/1";
const BASE: &str = "model:soyu.example/base/1";
const TUNED: &str = "model:soyu.example/tuned/1";

/// A model that was made from two datasets, and another that was made from it.
fn uses(ended: Option<u64>) -> Vec<Use> {
    let mut cells = source(CELLS, Some(agreement("1", ended)), Covered::Permitted);
    cells.part = Some(Part {
        root: Digest([9; 32]),
        chunks: vec![Span {
            first: 0,
            last: 811,
        }],
    });
    let packs = "dataset:hanbit.example/packs/1";
    let packs = source(packs, Some(agreement("2", None)), Covered::NotPermitted);
    let own = source(BASE, None, Covered::Permitted);
    // The later one first, as a walk may find them.
    vec![used(2, vec![own], TUNED), used(1, vec![cells, packs], BASE)]
}

fn lineage(root: &str, direction: Direction) -> Lineage {
    let uses = uses(Some(7));
    Lineage {
        root: id(root),
        direction,
        made: match direction {
            Direction::Back => Vec::new(),
            Direction::Forward => made(&id(root), &uses),
        },
        uses,
        not_followed: Vec::new(),
        truncated: false,
    }
}

fn standings(made: &[Made]) -> Vec<(&str, Standing)> {
    let standing = |made: &Made| made.standing;
    made.iter()
        .map(|made| (made.identifier.as_str(), standing(made)))
        .collect()
}

#[test]
fn what_was_made_falls_with_the_agreement_of_what_it_was_made_from() {
    let root = id(CELLS);
    let fine = made(&root, &uses(None));
    let stands = Standing::Stands;
    assert_eq!(standings(&fine), [(TUNED, stands), (BASE, stands)]);
    let ended = made(&root, &uses(Some(7)));
    let again = Standing::Retrain;
    assert_eq!(standings(&ended), [(TUNED, again), (BASE, again)]);
    assert!(
        ended[1].because[0].contains("ended in block 7"),
        "{ended:?}"
    );
    assert!(ended[0].because[0].contains(BASE), "{ended:?}");
    // Asked about the data that never was permitted.
    let packs = made(&id("dataset:hanbit.example/packs/1"), &uses(None));
    assert_eq!(standings(&packs), [(TUNED, again), (BASE, again)]);
    // Asked about an agreement.
    let agreement = made(&id("https://soyu.example/agreements/1"), &uses(Some(7)));
    assert_eq!(standings(&agreement), [(TUNED, again), (BASE, again)]);
}

#[test]
fn what_cannot_be_read_is_not_known_and_is_not_to_be_made_again() {
    let hidden = Agreement {
        identifier: id("urn:uuid:00000000-0000-0000-0000-000000000001"),
        known: None,
    };
    let uses = [used(
        1,
        vec![source(CELLS, Some(hidden), Covered::Unknown)],
        BASE,
    )];
    assert_eq!(
        standings(&made(&id(CELLS), &uses)),
        [(BASE, Standing::Unknown)]
    );
}

#[test]
fn what_people_read_tells_what_was_permitted_then_and_what_stands_now() {
    let back = text::draw(&lineage(BASE, Direction::Back));
    for line in [
        "under 1 with hanbit",
        "it permits ai-training: agreed by hanbit in block 0, statement 0808",
        "cells/1 (chunks 0-811)",
        "then: permitted; now: ENDED in block 7",
        "then: NOT COVERED, the contract does not list this use; now: in force",
        "sources 3, permitted when used 2, not covered 1, agreement ended 1\n",
    ] {
        assert!(back.contains(line), "{line}:\n{back}");
    }
    let forward = text::draw(&lineage(CELLS, Direction::Forward));
    assert!(
        forward.contains("RETRAIN  model:soyu.example/base/1"),
        "{forward}"
    );
    assert!(forward.contains("of which to make again 2"), "{forward}");
}

/// What is wrong with a document by a JSON schema.
fn faults(schema: &str, document: &Value) -> Vec<String> {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn a_picture_has_a_card_for_each_thing_and_a_line_for_each_input() {
    let back = lineage(BASE, Direction::Back);
    let svg = trace::picture(&back, Picture::Svg);
    // Two datasets and two models, of which one was made from the other.
    assert_eq!(
        svg.matches("<g>").count(),
        3,
        "what leads from the root: {svg}"
    );
    assert_eq!(svg.matches("<path").count(), 2);
    assert_eq!(
        svg.matches("link denied").count(),
        2,
        "one ended, one was not permitted"
    );
    assert!(svg.contains(&format!("What {BASE} was made from")), "{svg}");
    let forward = lineage(CELLS, Direction::Forward);
    let svg = trace::picture(&forward, Picture::Svg);
    assert!(svg.contains("made 2, to make again 2"), "{svg}");
    let html = trace::picture(&forward, Picture::Html);
    assert_eq!(html.matches("<tr><td").count(), 3, "{html}");
    assert!(html.contains("ended in block 7"), "{html}");
    // Nothing that strangers named is markup.
    let mut evil = back;
    let agreement = evil.uses[1].sources[0].agreement.as_mut().unwrap();
    agreement.known.as_mut().unwrap().provider = "<script>".to_owned();
    evil.uses[1].by = "\"]; evil [\"".to_owned();
    for sort in [Picture::Svg, Picture::Html] {
        assert!(!trace::picture(&evil, sort).contains("<script>"));
    }
    let dot = trace::picture(&evil, Picture::Dot);
    assert!(dot.contains("\\\"]; evil [\\\""), "{dot}");
}

#[test]
fn prov_json_is_what_its_schema_says() {
    for (root, direction) in [(BASE, Direction::Back), (CELLS, Direction::Forward)] {
        let document = prov::export(&lineage(root, direction));
        assert_eq!(faults(PROV_SCHEMA, &document), [""; 0], "{document:#}");
        for (relation, ends) in [
            ("used", ["prov:activity", "prov:entity"]),
            ("wasGeneratedBy", ["prov:activity", "prov:entity"]),
            (
                "wasDerivedFrom",
                ["prov:generatedEntity", "prov:usedEntity"],
            ),
            ("wasAttributedTo", ["prov:entity", "prov:agent"]),
            ("wasAssociatedWith", ["prov:activity", "prov:agent"]),
        ] {
            let links = document[relation].as_object().unwrap();
            assert!(!links.is_empty(), "{relation}");
            for (link, end) in links.values().flat_map(|link| ends.map(|end| (link, end))) {
                let sort = match end {
                    "prov:activity" => "activity",
                    "prov:agent" => "agent",
                    _ => "entity",
                };
                let name = link[end].as_str().unwrap();
                assert!(document[sort].get(name).is_some(), "{relation}: {name}");
            }
        }
        // The check can fail.
        let mut wrong = document.clone();
        wrong["wasGeneratedBy"]["_:g0"]["prov:entity"] = 7.into();
        assert_eq!(faults(PROV_SCHEMA, &wrong).len(), 1);
        let mut wrong = document;
        wrong["wasMadeBy"] = Value::Object(Default::default());
        assert_eq!(faults(PROV_SCHEMA, &wrong).len(), 1);
    }
}

/// Reads JSON as a message of the published definitions, which have no room for other fields.
fn message(name: &str, json: &Value) -> Result<DynamicMessage, String> {
    let pool = DescriptorPool::decode(IN_TOTO).unwrap();
    let descriptor = pool.get_message_by_name(name).unwrap();
    DynamicMessage::deserialize(descriptor, json).map_err(|error| error.to_string())
}

#[test]
fn in_toto_statements_are_what_the_published_definitions_say() {
    const STATEMENT: &str = "in_toto_attestation.v1.Statement";
    const PROVENANCE: &str = "in_toto_attestation.predicates.provenance.v1.Provenance";
    let statements = in_toto::export(&lineage(BASE, Direction::Back), "jangbu/test/00").unwrap();
    assert_eq!(statements.len(), 1, "of one use, not of what came of it");
    let statement = &statements[0];
    message(STATEMENT, statement).unwrap();
    message(PROVENANCE, &statement["predicate"]).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], "01".repeat(32));
    let build = &statement["predicate"]["buildDefinition"];
    let dependencies = build["resolvedDependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), 4, "two datasets, code and environment");
    assert_eq!(dependencies[0]["annotations"]["permitted"], true);
    assert_eq!(dependencies[1]["annotations"]["permitted"], false);
    assert_eq!(dependencies[2]["digest"]["gitCommit"], "01".repeat(20));
    // The check can fail.
    let mut wrong = statement.clone();
    wrong["subjects"] = wrong["subject"].take();
    assert!(message(STATEMENT, &wrong).is_err());
    let mut wrong = statement["predicate"].clone();
    wrong["buildDefinition"]["resolvedDependencies"][0]["sha256"] = "00".into();
    assert!(message(PROVENANCE, &wrong).is_err());
}

#[test]
fn a_model_without_a_digest_is_no_subject_of_a_statement() {
    let mut lineage = lineage(BASE, Direction::Back);
    lineage.uses[1].outputs[0].content = None;
    let error = in_toto::export(&lineage, "jangbu/test/00").unwrap_err();
    assert!(error.message.contains("needs a digest"), "{error}");
    let error =
        in_toto::export(&super::tests::lineage(CELLS, Direction::Forward), "x").unwrap_err();
    assert!(
        error.message.contains("no use is recorded that made"),
        "{error}"
    );
}
