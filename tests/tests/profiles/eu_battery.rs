//! The battery profiles, made from the Commission's table of data points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jangbu_ledger::profile::{Access, FORMAT, Judges, Need, Profile, Requirement, Section, Status};
use jangbu_ledger::statement::Granularity;
use serde::Deserialize;

/// The categories of the table.
pub(crate) const CATEGORIES: [&str; 3] = ["ev", "lmt", "industrial"];
/// The versions of the guidance that there are profiles of.
pub(crate) const VERSIONS: [&str; 2] = ["1.0", "2.0"];
/// What version 2.0 takes out: shares of recycled cobalt, lithium, nickel and lead.
pub(crate) const TAKEN_OUT: std::ops::RangeInclusive<u32> = 20..=23;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Table {
    pub(crate) data_points: Vec<DataPoint>,
}

/// A row of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataPoint {
    pub(crate) nr: u32,
    name: String,
    source: Option<String>,
    lifecycle: String,
    pub(crate) access_tier: String,
    applicability: BTreeMap<String, Applicability>,
    pub(crate) implemented_by: BTreeSet<String>,
}

/// What a row says for a category.
#[derive(Debug, Deserialize)]
struct Applicability {
    status: String,
    note: Option<String>,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn table() -> Table {
    let path = "tests/data/openepcis-dpp-ready/validation/ec-datapoint-applicability.json";
    serde_json::from_slice(&std::fs::read(root().join(path)).unwrap()).unwrap()
}

/// Where a profile of the repository stands.
pub(crate) fn path(category: &str, version: &str) -> PathBuf {
    root().join(format!("profiles/eu-battery/{category}-{version}.json"))
}

impl DataPoint {
    pub(crate) fn id(&self) -> String {
        format!("dp-{:02}", self.nr)
    }

    /// The row's status, as of a version of the guidance.
    pub(crate) fn status(&self, category: &str, version: &str) -> Status {
        if version == "2.0" && TAKEN_OUT.contains(&self.nr) {
            return Status::NotToBeFilled;
        }
        match self.applicability[category].status.as_str() {
            "mandatory" => Status::Mandatory,
            "optional" => Status::Optional,
            "conditional" => Status::Conditional,
            "notToBeFilled" => Status::NotToBeFilled,
            "pending" => Status::Pending,
            other => panic!("row {}: {other}", self.nr),
        }
    }

    /// The point of Annex XIII that the row is of. The table's own tiers put points 2 and 4
    /// together, which authorities may not see alike.
    fn section(&self) -> &'static str {
        let source = self.source.as_deref().unwrap_or_default();
        ["2", "3", "4"]
            .into_iter()
            .find(|point| {
                let of = format!("BR Annex XIII {point}");
                source == of || source.starts_with(&format!("{of} "))
            })
            .unwrap_or("1")
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.lifecycle == "dynamic"
    }
}

/// Makes a profile from the table.
pub(crate) fn make(table: &Table, category: &str, version: &str) -> Profile {
    let fills: BTreeMap<&String, &DataPoint> = table
        .data_points
        .iter()
        .rev()
        .filter(|row| row.status(category, version) != Status::NotToBeFilled)
        .flat_map(|row| row.implemented_by.iter().map(move |term| (term, row)))
        .collect();
    let requirements = table
        .data_points
        .iter()
        .map(|row| requirement(row, category, version, &fills))
        .collect();
    let source = match version {
        "1.0" => {
            "Commission guidance on data points of the battery passport, version 1.0 of 28 July \
             2026, Ares(2026)7579758, CC BY 4.0; Regulation (EU) 2023/1542, Annexes VI and XIII"
        }
        _ => {
            "Commission guidance on data points of the battery passport, version 2.0 of 15 August \
             2026: as version 1.0, Ares(2026)7579758, CC BY 4.0, with data points 20 to 23 not to \
             be filled; Regulation (EU) 2023/1542, Annexes VI and XIII"
        }
    };
    Profile {
        format: FORMAT.into(),
        name: format!("eu-battery/{category}"),
        version: version.into(),
        title: match category {
            "ev" => "EU battery passport, electric vehicle batteries".into(),
            "lmt" => "EU battery passport, batteries of light means of transport".into(),
            _ => "EU battery passport, industrial batteries above 2 kWh".into(),
        },
        source: source.into(),
        effective_from: Some("2027-02-18".into()),
        supersedes: (version == "2.0").then(|| "1.0".into()),
        judges: Judges::Passport,
        access: Some(access()),
        requirements,
    }
}

fn requirement(
    row: &DataPoint,
    category: &str,
    version: &str,
    fills: &BTreeMap<&String, &DataPoint>,
) -> Requirement {
    let status = row.status(category, version);
    let mut terms = row.implemented_by.clone();
    let mut notes: Vec<String> = row.applicability[category]
        .note
        .clone()
        .into_iter()
        .collect();
    if version == "2.0" && TAKEN_OUT.contains(&row.nr) {
        notes.push("Not to be filled/displayed, as of version 2.0 of the guidance".into());
    }
    if status == Status::NotToBeFilled {
        // The same term fills another row, so its presence does not tell that this one is filled.
        for (term, other) in fills {
            if terms.remove(*term) {
                notes.push(format!("{term} fills {}", other.id()));
            }
        }
    }
    Requirement {
        id: row.id(),
        title: row.name.clone(),
        source: row.source.clone(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        status,
        needs: Need::Field {
            section: row.section().into(),
            terms,
            level: row.is_dynamic().then_some(Granularity::Item),
        },
        max_age_days: None,
        endorsed_under: None,
    }
}

fn access() -> Access {
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    let section = |name: &str, title: &str, members: &[&str]| Section {
        name: name.into(),
        title: title.into(),
        members: set(members),
    };
    Access {
        // Regulation (EU) 2023/1542, Article 77(2).
        roles: BTreeMap::from([
            ("public".into(), set(&["1"])),
            ("legitimate_interest".into(), set(&["1", "2", "4"])),
            ("authority".into(), set(&["1", "2", "3"])),
        ]),
        sections: vec![
            section(
                "1",
                "Annex XIII, point 1: public",
                &[
                    "@context",
                    "eubat:manufacturerIdentifier",
                    "gs1:additionalProductClassification",
                    "gs1:brand",
                    "gs1:countryOfOrigin",
                    "gs1:gtin",
                    "gs1:productDescription",
                    "gs1:productName",
                    "id",
                    "jangbu:notApplicable",
                    "oec:granularityLevel",
                    "oec:hasAccessRights",
                    "oec:hasReportingGranularity",
                    "oec:lastUpdated",
                    "oec:passportStatus",
                    "schema:model",
                    "schema:schemaVersion",
                    "schema:serialNumber",
                    "type",
                ],
            ),
            section(
                "2",
                "Annex XIII, point 2: persons with a legitimate interest, authorities",
                &[],
            ),
            section(
                "3",
                "Annex XIII, point 3: notified bodies, authorities",
                &[],
            ),
            section(
                "4",
                "Annex XIII, point 4: the single battery, persons with a legitimate interest",
                &["eubat:hasStateOfHealth", "eubat:puttingIntoService"],
            ),
        ],
        containers: set(&[
            "eubat:hasEndOfLifeInfo",
            "eubat:hasRecycledContent",
            "eubat:hasTechnicalSpecifications",
        ]),
        whole: set(&["eubat:hasOriginalPowerCapability"]),
    }
}
