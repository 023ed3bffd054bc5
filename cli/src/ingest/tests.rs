//! The real documents, counted.

mod faults;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jangbu_ledger::commitment::{Document, DocumentKey, schema_digest};
use jangbu_ledger::id::{ChainId, MemberId, StatementId};
use jangbu_ledger::identifier::{Identifier, Prefix};
use jangbu_ledger::json::canonicalize;
use jangbu_ledger::share::{Party, Step};
use jangbu_ledger::statement::{Granularity, Portion, Quantity, Stream};
use serde_json::json;

use super::said::{Link, Reading, Said, SkipReason, What};
use super::{Company, Speaker, read};

const CML1: &str = "BPNL00000003CML1";
const CNKC: &str = "BPNL00000003CNKC";
const CSGV: &str = "BPNL00000003CSGV";
const TWINS: &str = "tractusx-traceability/CX_Testdata_MessagingTest_v0.0.14.json";
const EVENTS: &str = "openepcis-dpp-ready/epcis/amperia-staxwall-lifecycle.jsonld";
const ITEM: &str = "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001";

fn company(name: &str, prefix: &str) -> Company {
    Company {
        name: name.to_owned(),
        identifiers: Vec::new(),
        prefixes: vec![Prefix::parse(prefix).unwrap()],
    }
}

fn speaker(prefix: &str) -> Speaker {
    let all = [
        ("cml1", format!("bpn:{CML1}")),
        ("cnkc", format!("bpn:{CNKC}")),
        ("csgv", format!("bpn:{CSGV}")),
        ("amperia", "gs1:9521234".to_owned()),
    ];
    let (own, others): (Vec<_>, Vec<_>) = all
        .iter()
        .map(|(name, held)| company(name, held))
        .partition(|company| company.prefixes[0].as_str().ends_with(prefix));
    Speaker::new(own.into_iter().next().unwrap(), others)
}

fn data(path: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    std::fs::read(root.join(path)).unwrap()
}

fn read_data(path: &str, prefix: &str) -> Reading {
    let name = path.rsplit('/').next().unwrap();
    read(name, &data(path), &speaker(prefix)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn count(said: &[Said], of: impl Fn(&What) -> bool) -> usize {
    said.iter().filter(|said| of(&said.what)).count()
}

const fn is_passport(what: &What) -> bool {
    matches!(what, What::Passport { .. })
}

const fn is_link(what: &What) -> bool {
    matches!(what, What::Component { .. })
}

const fn is_confirmation(what: &What) -> bool {
    matches!(what, What::Confirmed { .. })
}

#[test]
fn three_companies_say_46_passports_22_links_and_21_confirmations() {
    let mut totals = [0; 3];
    for (bpn, expected) in [(CML1, [24, 9, 11]), (CNKC, [19, 12, 8]), (CSGV, [3, 1, 2])] {
        let reading = read_data(TWINS, bpn);
        let got = [is_passport, is_link, is_confirmation].map(|of| count(&reading.said, of));
        assert_eq!(got, expected, "{bpn}");
        assert_eq!(reading.said.len() + reading.skipped.len(), 46 + 22 + 21);
        let other = |reason| reason == SkipReason::OtherCompany;
        assert!(reading.skipped.iter().all(|skipped| other(skipped.reason)));
        for (total, got) in totals.iter_mut().zip(got) {
            *total += got;
        }
    }
    assert_eq!(totals, [46, 22, 21]);
}

#[test]
fn links_cross_companies_as_the_file_says() {
    let mut owners = BTreeMap::new();
    let mut links = Vec::new();
    for bpn in [CML1, CNKC, CSGV] {
        for said in read_data(TWINS, bpn).said {
            match said.what {
                What::Passport { subject, .. } => {
                    owners.insert(subject, bpn);
                }
                What::Component { subject, child, .. } => {
                    let partner = said.body.sections["document"]["businessPartner"].clone();
                    links.push((bpn, subject, child, partner));
                }
                _ => {}
            }
        }
    }
    let stated = links.iter().filter(|(bpn, .., partner)| partner != bpn);
    assert_eq!(stated.count(), 21);
    let owned = links
        .iter()
        .filter(|(bpn, _, child, _)| owners[child] != *bpn);
    assert_eq!(owned.count(), 22);
    assert!(
        links
            .iter()
            .all(|(bpn, subject, ..)| owners[subject] == *bpn)
    );
}

#[test]
fn of_22_links_19_are_answered_by_the_components_own_data() {
    let mut links = Vec::new();
    let mut confirmations = Vec::new();
    for bpn in [CML1, CNKC, CSGV] {
        for said in read_data(TWINS, bpn).said {
            match said.what {
                What::Component {
                    subject,
                    child,
                    basis,
                    ..
                } => links.push((subject, child, basis)),
                What::Confirmed {
                    subject,
                    link: Link::To { child, basis },
                } => confirmations.push((subject, child, basis)),
                _ => {}
            }
        }
    }
    let answered = links.iter().filter(|link| confirmations.contains(link));
    assert_eq!(answered.count(), 19);
}

#[test]
fn a_twin_is_one_passport_with_a_section_for_each_of_its_aspects() {
    let mut aspects = 0;
    let mut by_granularity = BTreeMap::new();
    for bpn in [CML1, CNKC, CSGV] {
        for said in read_data(TWINS, bpn).said {
            if let What::Passport { granularity, .. } = said.what {
                aspects += said.body.sections.len();
                *by_granularity.entry(granularity).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(aspects, 109);
    let expected = [
        (Granularity::Item, 22),
        (Granularity::Batch, 9),
        (Granularity::Model, 15),
    ];
    assert_eq!(by_granularity, BTreeMap::from(expected));
}

#[test]
fn the_life_of_a_battery_is_nine_events_of_which_the_first_tells_its_batch() {
    let reading = read_data(EVENTS, "9521234");
    assert!(reading.skipped.is_empty());
    let item = Identifier::parse(ITEM).unwrap();
    let (mut observed, mut others) = (0, Vec::new());
    for said in &reading.said {
        match &said.what {
            What::Observed { streams, .. } => {
                observed += 1;
                assert!(
                    streams.contains(&Stream::Open(item.clone())),
                    "{}",
                    said.label
                );
            }
            other => others.push(other.clone()),
        }
    }
    assert_eq!(observed, 7);
    let id = |text: &str| Identifier::parse(text).unwrap();
    let some = |text: &str, quantity| Portion {
        of: id(text),
        quantity,
    };
    let cells = Quantity::parse("16", "EA");
    let expected = [
        What::Transformed {
            inputs: vec![
                some("https://id.gs1.org/8004/95212340BMS26001", None),
                some("https://id.gs1.org/01/09521234007005", cells),
            ],
            outputs: vec![some(ITEM, None)],
        },
        What::PartOf {
            subject: item.clone(),
            part_of: id("https://id.gs1.org/01/09521234002000/10/LOT-2026-AMP01"),
        },
        What::Aggregated {
            container: id("https://id.gs1.org/00/095212340000000174"),
            children: vec![item],
        },
    ];
    assert_eq!(others, expected);
}

#[test]
fn who_holds_none_of_an_events_things_says_it_in_their_claims() {
    let reading = read_data(EVENTS, CML1);
    assert_eq!(reading.said.len(), 9);
    for said in &reading.said {
        let What::Observed { streams, .. } = &said.what else {
            panic!("{said:?}");
        };
        let claim = |stream: &Stream| matches!(stream, Stream::Claims(_));
        assert!(streams.iter().all(claim));
    }
}

#[test]
fn passports_of_three_granularities_are_read_and_linked() {
    for (file, granularity, linked) in [
        ("model", Granularity::Model, false),
        ("batch", Granularity::Batch, true),
        ("item", Granularity::Item, false),
    ] {
        let path = format!("openepcis-dpp-ready/examples/amperia-staxwall-{file}.jsonld");
        let reading = read_data(&path, "9521234");
        let What::Passport {
            granularity: got, ..
        } = &reading.said[0].what
        else {
            panic!("{:?}", reading.said);
        };
        assert_eq!(*got, granularity);
        assert_eq!(reading.said.len(), 1 + usize::from(linked), "{file}");
        let foreign = read_data(&path, CML1);
        assert!(foreign.said.is_empty());
        assert!(foreign.skipped[0].message.contains("a prefix of amperia"));
    }
    let path = "openepcis-dpp-ready/examples/battery-product.en18223.json";
    let foreign = read_data(path, "9521234");
    assert!(foreign.skipped[0].message.contains("no member's prefix"));
}

#[test]
fn single_catena_x_aspects_are_read_and_one_without_an_identifier_is_refused() {
    for (path, passports, links, confirmations) in [
        ("serial_part/4.0.0/SerialPart.json", 1, 0, 0),
        ("batch/4.0.0/Batch.json", 1, 0, 0),
        ("battery.battery_pass/6.1.0/BatteryPass.json", 1, 0, 0),
        (
            "generic.digital_product_passport/7.0.0/DigitalProductPassport.json",
            1,
            0,
            0,
        ),
        (
            "single_level_bom_as_built/4.0.0/SingleLevelBomAsBuilt.json",
            0,
            1,
            0,
        ),
        (
            "single_level_bom_as_planned/4.0.0/SingleLevelBomAsPlanned.json",
            0,
            1,
            0,
        ),
        (
            "single_level_usage_as_built/4.0.0/SingleLevelUsageAsBuilt.json",
            0,
            0,
            1,
        ),
    ] {
        let said = read_data(&format!("catena-x/io.catenax.{path}"), CML1).said;
        let got = [is_passport, is_link, is_confirmation].map(|of| count(&said, of));
        assert_eq!(got, [passports, links, confirmations], "{path}");
    }
    let pcf = data("catena-x/io.catenax.pcf/9.0.0/Pcf.json");
    let error = read("Pcf.json", &pcf, &speaker(CML1)).unwrap_err();
    assert!(error.to_string().contains("--product ID"), "{error}");
}

#[test]
fn dataspace_messages_are_steps_and_reports_of_state_are_not() {
    for (file, expected) in [
        (
            "negotiation/example/contract-request-message_initial.json",
            Some((Step::Requested, Some(Party::Consumer))),
        ),
        (
            "negotiation/example/contract-offer-message.json",
            Some((Step::Offered, Some(Party::Provider))),
        ),
        (
            "negotiation/example/contract-negotiation-event-message.json",
            Some((Step::Accepted, Some(Party::Consumer))),
        ),
        (
            "negotiation/example/contract-agreement-message-full.json",
            Some((Step::Agreed, Some(Party::Provider))),
        ),
        (
            "transfer/example/transfer-start-message.json",
            Some((Step::TransferStarted, None)),
        ),
        ("transfer/example/transfer-process.json", None),
        ("negotiation/example/contract-negotiation-error.json", None),
    ] {
        let reading = read_data(&format!("dsp/{file}"), CML1);
        let step = reading.steps.first().map(|step| (step.step, step.party));
        assert_eq!(step, expected, "{file}");
        assert_eq!(reading.steps.len() + reading.skipped.len(), 1);
    }
}

/// The ids of all that is said, one hash over them. Derived here from the format's description.
fn ids_of(reading: &Reading, member: &str) -> String {
    let mut all = blake3::Hasher::new();
    for said in &reading.said {
        let (body, subject) = (&said.body, said.subject().unwrap());
        let bound = json!({
            "subject": subject.as_str(),
            "version": body.version,
            "schema": body.schema,
            "sections": body.sections,
        });
        let key = DocumentKey::derive(&[7; 32], &canonicalize(&bound).unwrap());
        let document = Document {
            subject: subject.subject_id(),
            version: body.version,
            schema: schema_digest(&body.schema),
            sections: body.sections.iter().map(|(n, v)| (n.as_str(), v)).collect(),
        };
        let commitment = document.commit(&key).unwrap();
        let link = Some(StatementId([9; 32]));
        let statement = said.statement(commitment, link).unwrap();
        let id = statement.id(&ChainId([1; 32]), &MemberId::of(member));
        all.update(id.as_bytes());
    }
    all.finalize().to_hex()[..16].to_owned()
}

#[test]
fn the_same_documents_make_the_same_statements_for_ever() {
    let ids = [
        (TWINS, CML1),
        (TWINS, CNKC),
        (TWINS, CSGV),
        (EVENTS, "9521234"),
    ]
    .map(|(path, held)| ids_of(&read_data(path, held), speaker(held).name()));
    assert_eq!(
        ids,
        [
            "bfcc04c3d9f46ac8",
            "a814739c71d8ab77",
            "d9358c88a774d407",
            "318d0a5484aa9020"
        ]
    );
}

#[test]
fn a_contradiction_in_the_real_file_is_told_and_does_not_stop_it() {
    let notes = read_data(TWINS, CML1).notes;
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("JustInSequencePart/0/catenaXId"),
        "{notes:?}"
    );
}

#[test]
fn a_document_read_twice_says_the_same() {
    for path in [TWINS, EVENTS] {
        assert_eq!(read_data(path, CNKC), read_data(path, CNKC));
    }
}
