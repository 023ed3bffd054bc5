//! A lineage as W3C PROV-JSON.
//!
//! Data, models, agreements and code are entities, a use is an activity. It used its inputs, each
//! with what its agreement said; it generated what it made, which was derived from the inputs; it
//! is associated with who recorded it, and its plan is the code.
//!
//! Source: PROV-JSON, W3C Member Submission of 24 April 2013.

use jangbu_ledger::lineage::{Lineage, Source, Use};
use serde_json::{Map, Value, json};

use crate::client::printable;
use crate::trace::prov_names::{agent, entity, name, prefixes};
use crate::view::rfc3339;

/// Records of one sort by their ids.
#[derive(Default)]
struct Records(Map<String, Value>);

/// The document so far.
#[derive(Default)]
struct Document {
    entity: Records,
    activity: Records,
    agent: Records,
    used: Records,
    generated: Records,
    derived: Records,
    attributed: Records,
    associated: Records,
}

impl Records {
    /// Adds a record that nothing refers to.
    fn push(&mut self, letter: char, record: Value) {
        let id = format!("_:{letter}{}", self.0.len());
        self.0.insert(id, record);
    }

    fn once(&mut self, id: &str, record: impl FnOnce() -> Value) {
        if !self.0.contains_key(id) {
            self.0.insert(id.to_owned(), record());
        }
    }
}

pub(super) fn export(lineage: &Lineage) -> Value {
    let mut document = Document::default();
    for used in &lineage.uses {
        document.add(used);
    }
    for made in &lineage.made {
        if let Some(about) = document.entity.0.get_mut(&entity(made.identifier.as_str())) {
            about["jangbu:standing"] = json!(made.standing);
            if !made.because.is_empty() {
                about["jangbu:because"] = printable(&made.because.join("; ")).into();
            }
        }
    }
    let mut all = json!({ "prefix": prefixes() });
    for (name, records) in [
        ("entity", document.entity),
        ("activity", document.activity),
        ("agent", document.agent),
        ("used", document.used),
        ("wasGeneratedBy", document.generated),
        ("wasDerivedFrom", document.derived),
        ("wasAttributedTo", document.attributed),
        ("wasAssociatedWith", document.associated),
    ] {
        if !records.0.is_empty() {
            all[name] = Value::Object(records.0);
        }
    }
    all
}

impl Document {
    fn add(&mut self, used: &Use) {
        let activity = format!("use:{}", used.statement_id);
        self.activity.once(&activity, || {
            json!({
                "prov:label": used.activity,
                "jangbu:statement": used.statement_id.to_string(),
                "jangbu:height": used.height.to_string(),
                "jangbu:recordedAt": { "$": rfc3339(used.time_ms), "type": "xsd:dateTime" },
                "jangbu:sealed": used.sealed,
            })
        });
        let by = self.member(&used.by);
        let mut association = json!({ "prov:activity": activity, "prov:agent": by });
        for (role, digest) in [("code", used.code), ("environment", used.environment)] {
            let Some(digest) = digest else { continue };
            let id = name("digest", &digest.to_string());
            self.entity.once(
                &id,
                || json!({ "prov:label": role, "jangbu:digest": digest.to_string() }),
            );
            if role == "code" {
                association["prov:plan"] = id.into();
            } else {
                let link =
                    json!({ "prov:activity": activity, "prov:entity": id, "prov:role": role });
                self.used.push('u', link);
            }
        }
        self.associated.push('w', association);
        for source in &used.sources {
            self.add_source(&activity, source);
        }
        for output in &used.outputs {
            let made = entity(output.made.as_str());
            self.entity
                .once(&made, || json!({ "prov:label": output.made }));
            if let (Some(content), Some(about)) = (output.content, self.entity.0.get_mut(&made)) {
                about["jangbu:digest"] = content.to_string().into();
            }
            let link = json!({ "prov:entity": made, "prov:activity": activity });
            self.generated.push('g', link);
            for source in &used.sources {
                let link = json!({
                    "prov:generatedEntity": made,
                    "prov:usedEntity": entity(source.data.as_str()),
                    "prov:activity": activity,
                });
                self.derived.push('d', link);
            }
        }
    }

    fn add_source(&mut self, activity: &str, source: &Source) {
        let data = entity(source.data.as_str());
        self.entity
            .once(&data, || json!({ "prov:label": source.data }));
        let mut link = json!({
            "prov:activity": activity,
            "prov:entity": data,
            "jangbu:permitted": source.permitted,
            "jangbu:then": source.then,
        });
        if let Some(part) = &source.part {
            link["jangbu:part"] = part.to_string().into();
        }
        if let Some(agreement) = &source.agreement {
            let id = entity(agreement.identifier.as_str());
            link["jangbu:agreement"] = agreement.identifier.as_str().into();
            self.entity
                .once(&id, || json!({ "prov:label": agreement.identifier }));
            if let Some(known) = &agreement.known {
                if let Some(about) = self.entity.0.get_mut(&id) {
                    about["jangbu:contract"] = json!(known.contract);
                    about["jangbu:inForce"] = known.in_force.into();
                }
                let provider = self.member(&known.provider);
                let link = json!({ "prov:entity": data, "prov:agent": provider });
                if !self.attributed.0.values().any(|there| *there == link) {
                    self.attributed.push('a', link);
                }
            }
        }
        self.used.push('u', link);
    }

    fn member(&mut self, member: &str) -> String {
        let id = agent(member);
        self.agent.once(&id, || {
            json!({
                "prov:label": printable(member),
                "prov:type": { "$": "prov:Organization", "type": "prov:QUALIFIED_NAME" },
            })
        });
        id
    }
}
