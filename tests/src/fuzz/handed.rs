//! Files that one member hands another, or a stranger a verifier: profiles, proofs against a provider,
//! grants.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jangbu_ledger::bundle::{self, Blob, Report};
use jangbu_ledger::content::{Fault, REJECTION_FORMAT, RejectionProof, Shows, WrongRecord};
use jangbu_ledger::id::{ChainId, Digest, MemberId, StatementId};
use jangbu_ledger::profile::{Asked, Instant, Profile};
use jangbu_ledger::sealed::{Grant, Granted, StreamKey};
use serde_json::{Value, json};
use x25519_dalek::{PublicKey, StaticSecret};

use super::known::known;
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::story::{PRODUCT, identifier};

/// What the small ledger shows of its product, with every component.
fn product() -> &'static Report {
    static PRODUCT_REPORT: OnceLock<Report> = OnceLock::new();
    PRODUCT_REPORT.get_or_init(|| {
        let mut builder = known().story.world.builder().unwrap();
        let about = identifier(PRODUCT).unwrap();
        builder.composition(&about, None).unwrap();
        bundle::verify(&builder.finish(), &known().anchor).unwrap()
    })
}

/// A profile has one digest, however it is spelled, and judges anything without a panic.
pub(super) fn profile(bytes: &[u8]) -> Seen {
    let profile = match frugal(bytes.len(), Allowance::JSON, || Profile::parse(bytes)) {
        Ok(profile) => profile,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_vec(&profile).unwrap();
    let again = Profile::parse(&text).unwrap();
    assert_eq!(again, profile);
    assert_eq!(again.digest(), profile.digest());
    let report = product();
    let subject = identifier(PRODUCT).unwrap();
    let at = Instant {
        height: report.checkpoint.height.unwrap(),
        time_ms: report.checkpoint.time_ms.unwrap(),
    };
    let roles = profile.roles().into_iter().map(Some);
    for role in roles.take(8).chain([None]) {
        let asked = Asked {
            subject: &subject,
            role,
            at,
        };
        match profile.judge(report, asked) {
            Ok(judgement) => assert!(judgement.verdicts.len() <= profile.requirements.len()),
            Err(error) => {
                refused(error);
            }
        }
    }
    Seen::Read
}

pub(super) fn profiles() -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    let file = |name: &str| fs::read(folder.join(name)).unwrap();
    let mut seeds: Vec<Seed> = [
        "ai-training-lineage-1.0.json",
        "data-share-basic-1.0.json",
        "eu-battery/industrial-2.0.json",
    ]
    .map(|name| Seed::new(name.replace('/', "-"), file(name), Seen::Read))
    .into();
    let mut other: Value = serde_json::from_slice(&file("data-share-basic-1.0.json")).unwrap();
    other["format"] = "jangbu-profile/9".into();
    seeds.push(Seed::new("format", other.to_string(), Seen::Refused));
    seeds
}

/// Nobody of the small ledger delivered anything: whatever convicts one of its members is forged.
pub(super) fn rejection(bytes: &[u8]) -> Seen {
    let proof = match frugal(bytes.len(), Allowance::JSON, || {
        RejectionProof::parse(bytes)
    }) {
        Ok(proof) => proof,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_vec(&proof).unwrap();
    assert_eq!(RejectionProof::parse(&text), Ok(proof.clone()));
    let anchor = &known().anchor;
    match proof.verify(anchor) {
        Ok(convicted) => panic!("forged: {} {}", convicted.member_name, convicted.fault),
        Err(error) => {
            refused(error);
        }
    }
    Seen::Read
}

pub(super) fn rejections() -> Vec<Seed> {
    let story = &known().story;
    let shows = |id| {
        let mut builder = story.world.builder().unwrap();
        builder.recorded(id).unwrap();
        let bundle = builder.finish();
        let report = bundle::verify(&bundle, &known().anchor).unwrap();
        let said = &report.statements[0].statement;
        let shown = StreamKey::from_bytes([8; 32]).show(said).ok();
        Shows { bundle, shown }
    };
    let record = WrongRecord {
        index: 0,
        bytes: Blob(vec![1; 80]),
        path: vec![Digest([2; 32])],
    };
    let chunk = Fault::WrongChunk {
        record: record.clone(),
        key: Digest([3; 32]),
    };
    let key = Fault::WrongKey {
        released: Box::new(shows(&story.sealed)),
        wrapping_key: Digest([4; 32]),
        record,
    };
    [
        ("chunk", &story.sealed, chunk.clone()),
        ("key", &story.sealed, key),
        ("open", &story.passport, chunk),
    ]
    .map(|(name, started, fault)| {
        let proof = RejectionProof {
            format: REJECTION_FORMAT.into(),
            started: shows(started),
            fault,
        };
        Seed::new(name, serde_json::to_vec(&proof).unwrap(), Seen::Read)
    })
    .into()
}

/// Two members, one of whom granted the other something.
fn granted() -> (Granted, Grant, StaticSecret, PublicKey) {
    let (hanbit, marktamt) = (StaticSecret::from([1; 32]), StaticSecret::from([2; 32]));
    let granted = Granted {
        key: StreamKey::from_bytes([8; 32]),
        name: "agreement 12".into(),
        provider: MemberId::of("hanbit"),
        consumer: MemberId::of("soyu"),
        recorded: StatementId([9; 32]),
    };
    let grant = Grant::seal(
        &granted,
        ChainId([5; 32]),
        (MemberId::of("hanbit"), &hanbit),
        (MemberId::of("marktamt"), &PublicKey::from(&marktamt)),
    );
    let public = PublicKey::from(&hanbit);
    (granted, grant.unwrap(), marktamt, public)
}

/// What opens is what was sealed.
pub(super) fn grant(bytes: &[u8]) -> Seen {
    let grant = match frugal(bytes.len(), Allowance::JSON, || Grant::parse(bytes)) {
        Ok(grant) => grant,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_vec(&grant).unwrap();
    assert_eq!(Grant::parse(&text), Ok(grant.clone()));
    let (granted, sealed, own, other) = granted();
    match grant.open(&own, &other) {
        Ok(opened) => {
            assert_eq!((opened, grant), (granted, sealed));
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

pub(super) fn grants() -> Vec<Seed> {
    let (_, sealed, _, _) = granted();
    let text = serde_json::to_value(&sealed).unwrap();
    let with = |field: &str, value: Value| {
        let mut changed = text.clone();
        changed[field] = value;
        changed.to_string()
    };
    vec![
        Seed::new("granted", text.to_string(), Seen::Held),
        Seed::new("empty", with("sealed", json!("")), Seen::Read),
        Seed::new(
            "another-member",
            with("to", json!("00".repeat(32))),
            Seen::Read,
        ),
        Seed::new(
            "format",
            with("format", json!("jangbu-grant/2")),
            Seen::Refused,
        ),
    ]
}
