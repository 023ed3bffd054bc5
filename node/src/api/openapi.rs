//! The API's description as an OpenAPI 3.1 document, made of the table of routes.
//!
//! Source: the OpenAPI Specification 3.1.1; JSON Schema 2020-12.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::described::{Operation, Routes};
use super::item::Item;
use super::media::{OpenApi, Raw};
use super::problem::{Body, Kind};
use super::routes::routes;

/// What the API is, for who reads its description alone.
const ABOUT: &str = "A node of a Jangbu ledger. Reads see what is committed on this node; only \
    receipts, proofs and checkpoints speak of what is final. Nothing in an answer has to be \
    believed: `entry_bytes` are the bytes that the log commits to, and receipts and bundles are \
    verified by whoever reads them. Any request may have a \
    field `Jangbu-Known: LEDGER-ID ENTRIES`: how much of the ledger its sender knows to be final; a \
    node that has less answers 503 `behind` instead of showing less. Every error is a problem document (RFC 9457) whose `type` tells \
    causes apart. HEAD is answered wherever GET is.";

/// The document, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document(routes()).to_string());

pub(super) async fn openapi() -> Raw<OpenApi> {
    Raw::new(DOCUMENT.as_str())
}

/// The document that describes these routes.
fn document(mut routes: Routes) -> Value {
    let problem = routes.schema_of::<Body<'_>>().to_value();
    let item = routes.schema_of::<Item>().to_value();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (path, method, operation) in &routes.operations {
        // A wildcard takes the rest of the path, for which OpenAPI has no notation.
        let shown = path.replace("{*", "{");
        let entry = paths.entry(shown).or_default();
        entry.insert(
            method.name().into(),
            operation_of(path, operation, &problem),
        );
    }
    if let Some(stream) = paths
        .get_mut("/v1/stream")
        .and_then(|path| path.get_mut("get"))
    {
        // OpenAPI 3.1 has no notation for what is in an event.
        stream["responses"]["200"]["content"]["text/event-stream"]["x-event-data"] = item;
    }
    let mut schemas = Value::Object(routes.schemas.take_definitions(true));
    plain_words(&mut schemas);
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Jangbu node",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn operation_of(path: &str, operation: &Operation, problem: &Value) -> Value {
    let mut responses = Map::new();
    for (status, (meaning, content)) in &operation.answers {
        let answer = json!({ "description": meaning, "content": content });
        responses.insert(status.to_string(), answer);
    }
    let mut failures: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in &operation.problems {
        let same = failures.entry(kind.status().as_u16()).or_default();
        same.push(*kind);
    }
    for (status, kinds) in failures {
        let meant: Vec<String> = kinds
            .iter()
            .map(|kind| format!("`{}`: {}.", kind.uri(), kind.title()))
            .collect();
        let mut answer = json!({
            "description": meant.join("\n\n"),
            "content": { "application/problem+json": { "schema": problem } },
        });
        if kinds.iter().any(|kind| kind.retry_after_s().is_some()) {
            answer["headers"] = json!({ "Retry-After": {
                "description": "Seconds after which to try again.",
                "schema": { "type": "integer", "minimum": 0 },
            }});
        }
        responses.insert(status.to_string(), answer);
    }
    let mut shown = json!({
        "operationId": operation_id(path),
        "summary": operation.summary,
        "description": operation.description,
        "parameters": operation.parameters,
    });
    if let Some(body) = &operation.body {
        shown["requestBody"] = body.clone();
    }
    shown["responses"] = responses.into();
    shown
}

/// The path's words: `/v1/receipts/{id}/cose` is `receipts_id_cose`.
fn operation_id(path: &str) -> String {
    let words = path
        .trim_start_matches("/v1/")
        .split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// Takes the marks of links between Rust items out of the words that schemas have from their types.
fn plain_words(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(words) if name == "description" => {
                        *words = words.replace("[`", "`").replace("`]", "`");
                    }
                    other => plain_words(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_words),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn every_route_has_an_answer_and_every_status_one_meaning() {
        for (path, method, operation) in routes().operations {
            assert!(!operation.summary.is_empty(), "{path}");
            assert!(
                operation.answers.contains_key(&StatusCode::OK.as_u16()),
                "{path}"
            );
            for kind in &operation.problems {
                let status = kind.status().as_u16();
                assert!(
                    !operation.answers.contains_key(&status),
                    "{method:?} {path} {status}"
                );
            }
            for (status, (_, content)) in &operation.answers {
                assert!(content.is_object(), "{path} {status}: no content");
            }
            let named = path.matches('{').count();
            let of_path = |one: &&Value| one["in"] == "path";
            let described = operation.parameters.iter().filter(of_path).count();
            assert_eq!(named, described, "{path}: parameters of the path");
        }
    }

    #[test]
    fn what_the_document_refers_to_is_in_it() {
        fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members
                        .values()
                        .for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = document(routes());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<String> = Vec::new();
        for (path, ..) in routes().operations {
            names.push(operation_id(path));
        }
        assert!(names.contains(&"receipts_id_cose".to_owned()));
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
