//! A trace as W3C PROV-JSON.
//!
//! Things are entities, attributed to their companies; a product was derived from what it contains
//! or was made of, and is a specialization of its batch or model. A container is a collection.
//!
//! Source: PROV-JSON, W3C Member Submission of 24 April 2013.

use serde_json::{Map, Value, json};

use super::Traced;
use super::prov_names::{agent, entity, prefixes};
use crate::client::{Relation, printable};

pub(super) fn export(traced: &Traced) -> Value {
    let graph = traced.graph();
    let (mut entities, mut agents) = (Map::new(), Map::new());
    let mut attributed = Map::new();
    for (n, node) in traced.trace.nodes.iter().enumerate() {
        let thing = &node.identifier;
        let id = entity(thing.as_str());
        let mut about = json!({
            "prov:label": thing,
            "jangbu:standing": graph.standing(thing).name(),
        });
        if let Some((passport, _)) = graph.passport(thing) {
            about["jangbu:passport"] = passport.into();
        }
        entities.insert(id.clone(), about);
        if let Some(owner) = &node.owner_name {
            let agent = agent(owner);
            attributed.insert(
                format!("_:a{n}"),
                json!({ "prov:entity": id, "prov:agent": agent }),
            );
            let about = json!({
                "prov:label": printable(owner),
                "prov:type": { "$": "prov:Organization", "type": "prov:QUALIFIED_NAME" },
            });
            agents.insert(agent, about);
        }
    }
    let (mut derived, mut specialized, mut members) = (Map::new(), Map::new(), Map::new());
    for (n, edge) in traced.trace.edges.iter().enumerate() {
        let (parent, child) = (entity(edge.parent.as_str()), entity(edge.child.as_str()));
        // An end that a bound left out is an entity all the same.
        for (id, thing) in [(&parent, &edge.parent), (&child, &edge.child)] {
            entities
                .entry(id.clone())
                .or_insert_with(|| json!({ "prov:label": thing }));
        }
        if edge.relation == Relation::IsOf {
            let link = json!({ "prov:specificEntity": parent, "prov:generalEntity": child });
            specialized.insert(format!("_:s{n}"), link);
            continue;
        }
        if edge.relation == Relation::Holds {
            let link = json!({ "prov:collection": parent, "prov:entity": child });
            members.insert(format!("_:m{n}"), link);
            continue;
        }
        let mut link = json!({
            "prov:generatedEntity": parent,
            "prov:usedEntity": child,
            "jangbu:relation": edge.relation,
            "jangbu:status": printable(&edge.status),
            "jangbu:statement": edge.statement_id.to_string(),
            "jangbu:entry": edge.sequence.0.to_string(),
            "jangbu:assertedBy": printable(&edge.asserted_by),
        });
        if let Some(quantity) = super::graph::amount(edge) {
            link["jangbu:quantity"] = quantity.into();
        }
        derived.insert(format!("_:d{n}"), link);
    }
    let mut document = json!({
        "prefix": prefixes(),
        "entity": entities,
    });
    for (name, records) in [
        ("agent", agents),
        ("wasAttributedTo", attributed),
        ("wasDerivedFrom", derived),
        ("specializationOf", specialized),
        ("hadMember", members),
    ] {
        if !records.is_empty() {
            document[name] = Value::Object(records);
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::traced;
    use super::*;
    use crate::client::Direction;

    #[test]
    fn every_relation_names_entities_and_agents_that_are_there() {
        let document = export(&traced(Direction::Down));
        let entities = document["entity"].as_object().unwrap();
        assert_eq!(entities.len(), 3);
        assert!(entities.contains_key("thing:https%3A%2F%2Fexample.com%2Fcar"));
        let derived = document["wasDerivedFrom"].as_object().unwrap();
        assert_eq!(derived.len(), 4);
        for link in derived.values() {
            for end in ["prov:generatedEntity", "prov:usedEntity"] {
                assert!(entities.contains_key(link[end].as_str().unwrap()));
            }
        }
        let agents = document["agent"].as_object().unwrap();
        for link in document["wasAttributedTo"].as_object().unwrap().values() {
            assert!(agents.contains_key(link["prov:agent"].as_str().unwrap()));
        }
    }
}
