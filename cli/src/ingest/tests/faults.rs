//! Every way in which a document may be wrong, and lines.

use jangbu_ledger::commitment::Commitment;
use serde_json::{Value, json};

use super::super::said::{Body, What};
use super::super::{read, read_line};
use super::{CML1, EVENTS, ITEM, TWINS, data, speaker};

/// The file at `path` with the value at `pointer` replaced.
fn altered(path: &str, pointer: &str, value: Value) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&data(path)).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn what_is_wrong_with_a_document_is_said_with_its_place() {
    let twin = "/https:~1~1catenax.io~1schema~1TestDataContainer~11.0.0/1";
    let bom = format!(
        "{twin}/urn:samm:io.catenax.single_level_bom_as_built:3.0.0#SingleLevelBomAsBuilt/0"
    );
    let model = "openepcis-dpp-ready/examples/amperia-staxwall-model.jsonld";
    for (path, pointer, value, says) in [
        (TWINS, format!("{twin}/bpnl"), json!("BPNL1"), "/bpnl: "),
        (
            TWINS,
            format!("{twin}/catenaXId"),
            json!(7),
            "expected a string",
        ),
        (
            TWINS,
            format!("{twin}/catenaXId"),
            json!("urn:uuid:0fed587c-7ab4-4597-9841-1718e9693003"),
            "the file twice",
        ),
        (
            TWINS,
            format!("{bom}/catenaXId"),
            json!("urn:uuid:0fed587c-7ab4-4597-9841-1718e9693003"),
            "its twin is",
        ),
        (
            TWINS,
            format!("{bom}/childItems/0/quantity/value"),
            json!(-1),
            "no amount",
        ),
        (
            TWINS,
            format!("{bom}/childItems/0/catenaXId"),
            json!("urn:uuid:6b2296cc-26c0-4f38-8a22-092338c36e22"),
            "linked to itself",
        ),
        (
            EVENTS,
            "/epcisBody/eventList/1/parentID".to_owned(),
            json!("https://id.gs1.org/01/09521234002001"),
            "/epcisBody/eventList/1/parentID: the check digit",
        ),
        (
            EVENTS,
            "/epcisBody/eventList/0/type".to_owned(),
            json!("PartyEvent"),
            "no EPCIS event",
        ),
        (model, "/id".to_owned(), json!(ITEM), "names a single item"),
        (
            model,
            "/gs1:gtin".to_owned(),
            json!("09521234002017"),
            "another GTIN",
        ),
    ] {
        let member = if path == TWINS { CML1 } else { "9521234" };
        let error = read("f.json", &altered(path, &pointer, value), &speaker(member))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(says),
            "{pointer}: {error:?} does not say {says:?}"
        );
    }
    for (bytes, says) in [
        (
            &b"{\"type\":\"ObjectEvent\",\n\"type\":\"ObjectEvent\"}"[..],
            "line 2",
        ),
        (b"{\"type\":\"\xff\"}", "not UTF-8"),
        (b"[1, 2", "line 1"),
        (b"{\"hello\": \"world\"}", "no format that anchor knows"),
    ] {
        let error = read("f.json", bytes, &speaker(CML1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}

#[test]
fn an_event_of_many_things_takes_several_statements() {
    let mut epcs: Vec<String> = (0..35)
        .map(|n| format!("https://id.gs1.org/01/09521234002000/21/N{n}"))
        .collect();
    epcs.push("urn:jaif:id:obj:37SUN321456A".to_owned());
    let event = json!({
        "type": "ObjectEvent",
        "eventTime": "2026-01-22T09:15:00.000Z",
        "epcList": epcs,
    });
    let bytes = serde_json::to_vec(&event).unwrap();
    let reading = read("event.json", &bytes, &speaker("9521234")).unwrap();
    let streams: Vec<usize> = reading
        .said
        .iter()
        .map(|said| match &said.what {
            What::Observed { streams, .. } => streams.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(streams, [16, 16, 3]);
}

#[test]
fn an_event_that_says_more_than_a_statement_holds_is_observed() {
    let own = |n: u32| format!("https://id.gs1.org/01/09521234002000/21/N{n}");
    let others = "https://id.gs1.org/01/04012345000009/21/1";
    let time = "2026-01-22T09:15:00.000Z";
    let transformed = |inputs: Value, outputs: Value| {
        json!({"type": "TransformationEvent", "eventTime": time,
               "inputEPCList": inputs, "outputEPCList": outputs})
    };
    let packed = |action: &str, parent: &str, children: Value| {
        json!({"type": "AggregationEvent", "eventTime": time, "action": action,
               "parentID": parent, "childEPCs": children})
    };
    let crate_ = "https://id.gs1.org/00/095212340000000174";
    let many: Vec<String> = (0..17).map(own).collect();
    for (event, expected) in [
        (transformed(json!([others]), json!([own(1)])), "transformed"),
        (transformed(json!([]), json!([own(1)])), "transformed"),
        (transformed(json!(many), json!([own(99)])), "observed"),
        (transformed(json!([own(1)]), json!([others])), "observed"),
        (transformed(json!([own(1)]), json!([own(1)])), "observed"),
        (
            transformed(json!(["urn:jaif:id:obj:37SUN321456A"]), json!([own(1)])),
            "observed",
        ),
        (packed("ADD", crate_, json!([own(1), others])), "aggregated"),
        (packed("DELETE", crate_, json!([own(1)])), "disaggregated"),
        // Everything in it, which only who looks inside can say.
        (packed("DELETE", crate_, json!([])), "observed"),
        (packed("OBSERVE", crate_, json!([own(1)])), "observed"),
        (packed("ADD", others, json!([own(1)])), "observed"),
        (packed("ADD", crate_, json!([own(1), own(1)])), "observed"),
    ] {
        let bytes = serde_json::to_vec(&event).unwrap();
        let reading = read("event.json", &bytes, &speaker("9521234")).unwrap();
        let kinds: Vec<&str> = reading
            .said
            .iter()
            .map(|said| {
                let statement = said.statement(Commitment::NOTHING, None).unwrap();
                statement.check_shape().unwrap();
                statement.kind.name()
            })
            .collect();
        assert!(
            kinds.iter().all(|kind| *kind == expected),
            "{kinds:?} of {event}"
        );
        assert!(!kinds.is_empty(), "{event}");
    }
}

#[test]
fn a_line_is_one_statement_and_says_what_is_wrong_with_it() {
    let speaker = speaker(CML1);
    let line = |text: &str| read_line("line 1".to_owned(), text.as_bytes(), &speaker);
    let uuid = "urn:uuid:6b2296cc-26c0-4f38-8a22-092338c36e22";
    let issued = line(&format!(
        "{{\"kind\":\"passport_issued\",\"subject\":\"{uuid}\",\"granularity\":\"item\",\
         \"schema\":\"s\",\"document\":{{\"a\":1}}}}"
    ))
    .unwrap();
    assert_eq!(*issued.body, Body::document("s", json!({"a": 1})));
    let superseded = line(&format!(
        "{{\"kind\":\"passport_superseded\",\"subject\":\"{uuid}\",\"version\":2}}"
    ));
    assert_eq!(superseded.unwrap().body.version, 2);
    for (text, says) in [
        ("{\"kind\":\"passport\"}".to_owned(), "unknown variant"),
        ("[]".to_owned(), "expected an object"),
        (
            format!("{{\"kind\":\"passport_issued\",\"subject\":\"{uuid}\"}}"),
            "granularity",
        ),
        (
            format!("{{\"kind\":\"component_confirmed\",\"subject\":\"{uuid}\"}}"),
            "either",
        ),
        (
            format!(
                "{{\"kind\":\"granularity_linked\",\"subject\":\"{uuid}\",\"part_of\":\"{uuid}\"}}"
            ),
            "itself",
        ),
        (
            format!(
                "{{\"kind\":\"passport_revoked\",\"subject\":\"{uuid}\",\"reason\":\"erroneous\",\"extra\":1}}"
            ),
            "extra",
        ),
    ] {
        let error = line(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error:?} does not say {says:?}");
    }
}

/// Changed, cut and doubled bytes: whatever is read, nothing panics, and what is said is shaped
/// as validators want it (`read` checks that).
#[test]
fn no_damage_to_a_document_makes_the_reader_fall_over() {
    let mut seed: u64 = 0x006a_616e_6762_7500;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let batch = "openepcis-dpp-ready/examples/amperia-staxwall-batch.jsonld";
    let request = "dsp/negotiation/example/contract-request-message.json";
    let mut read_anyway = 0;
    for (path, mutants) in [(TWINS, 60), (EVENTS, 200), (batch, 300), (request, 300)] {
        let document = data(path);
        for _ in 0..mutants {
            let mut bytes = document.clone();
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] = b"{}[]\",:0-9null\xff"[next(15)],
                2 => {
                    let end = (at + next(200)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => {
                    let end = (at + next(200)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
            read_anyway += usize::from(read("f.json", &bytes, &speaker("9521234")).is_ok());
        }
    }
    assert!(read_anyway > 0, "some damage is in what nobody reads");
}
