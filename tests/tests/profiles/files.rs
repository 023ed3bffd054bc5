//! The profile files are what the Commission's table says.

use std::collections::BTreeMap;

use jangbu_ledger::profile::{Profile, Status};

use super::eu_battery::{CATEGORIES, TAKEN_OUT, VERSIONS, make, path, table};

fn read(category: &str, version: &str) -> Profile {
    Profile::parse(&std::fs::read(path(category, version)).unwrap()).unwrap()
}

#[test]
fn the_battery_profiles_are_made_from_the_table() {
    let table = table();
    for category in CATEGORIES {
        for version in VERSIONS {
            let made = make(&table, category, version);
            let path = path(category, version);
            if std::env::var_os("UPDATE_PROFILES").is_some() {
                let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
                std::fs::write(&path, text).unwrap();
            }
            assert_eq!(read(category, version), made, "{}", path.display());
        }
    }
}

#[test]
fn version_1_has_71_rows_with_the_counts_of_the_guidance() {
    for (category, counts) in [
        ("ev", [51, 8, 7, 4, 1]),
        ("lmt", [54, 8, 4, 4, 1]),
        ("industrial", [36, 26, 4, 4, 1]),
    ] {
        let profile = read(category, "1.0");
        assert_eq!(profile.requirements.len(), 71);
        let count = |status| {
            let rows = profile.requirements.iter();
            rows.filter(|row| row.status == status).count()
        };
        let found = [
            Status::Mandatory,
            Status::Conditional,
            Status::NotToBeFilled,
            Status::Pending,
            Status::Optional,
        ]
        .map(count);
        assert_eq!(found, counts, "{category}");
    }
}

#[test]
fn version_2_moves_rows_20_to_23_to_not_to_be_filled_and_nothing_else() {
    for category in CATEGORIES {
        let (first, second) = (read(category, "1.0"), read(category, "2.0"));
        assert_eq!(second.supersedes.as_deref(), Some("1.0"));
        let moved: Vec<_> = first
            .requirements
            .iter()
            .zip(&second.requirements)
            .filter(|(before, after)| before != after)
            .map(|(before, after)| (before.id.clone(), before.status, after.status))
            .collect();
        let expected: Vec<_> = TAKEN_OUT
            .map(|nr| {
                let id = format!("dp-{nr:02}");
                (id, Status::Mandatory, Status::NotToBeFilled)
            })
            .collect();
        assert_eq!(moved, expected, "{category}");
    }
}

#[test]
fn sections_keep_apart_what_the_tables_tiers_put_together() {
    let mut tiers: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let profile = read("ev", "1.0");
    for (row, requirement) in table().data_points.iter().zip(&profile.requirements) {
        let section = requirement.section().unwrap().to_owned();
        let sections = tiers.entry(row.access_tier.clone()).or_default();
        *sections.entry(section).or_default() += 1;
    }
    let counts = |pairs: &[(&str, usize)]| -> BTreeMap<String, usize> {
        pairs
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    };
    assert_eq!(tiers["public"], counts(&[("1", 44)]));
    assert_eq!(tiers["legitimateInterest"], counts(&[("2", 5), ("4", 21)]));
    assert_eq!(tiers["notifiedBodiesAndAuthorities"], counts(&[("3", 1)]));
}

#[test]
fn a_digest_covers_the_content_and_not_the_layout() {
    let bytes = std::fs::read(path("ev", "1.0")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let compact = Profile::parse(&serde_json::to_vec(&value).unwrap()).unwrap();
    let profile = read("ev", "1.0");
    assert_eq!(profile.digest().unwrap(), compact.digest().unwrap());
    let mut other = profile.clone();
    other.requirements[0].title.push('.');
    assert_ne!(profile.digest().unwrap(), other.digest().unwrap());
}
