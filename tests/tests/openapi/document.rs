//! The description, read as strictly as it can be: what it does not mention is not there.

use std::collections::BTreeSet;

use jangbu_tests::cluster::{Answer, Client};
use jsonschema::Validator;
use serde_json::{Value, json};

/// An OpenAPI document.
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn fetch(client: &Client) -> Self {
        let mut document = client.json("/v1/openapi.json");
        assert_eq!(document["openapi"], "3.1.1");
        strict(&mut document["components"]["schemas"]);
        Self(document)
    }

    /// Method and path of all that is described.
    pub(crate) fn operations(&self) -> BTreeSet<(&str, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let each = paths.iter().flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(|method| (method.as_str(), path.clone()))
        });
        each.collect()
    }

    /// Whether an answer is one that the operation is described to have.
    pub(crate) fn judge(&self, method: &str, path: &str, answer: &Answer) {
        let operation = &self.0["paths"][path][method];
        let described = &operation["responses"][answer.status.to_string()];
        assert!(
            described.is_object(),
            "{method} {path} is not described to answer {answer}"
        );
        if answer.has_retry_after {
            assert!(
                described["headers"]["Retry-After"].is_object(),
                "{path}: {answer}"
            );
        }
        let content = described["content"].as_object().unwrap();
        let schema = &content
            .get(&answer.content_type)
            .unwrap_or_else(|| panic!("{path} is not described to answer {answer}"))["schema"];
        if answer.content_type.ends_with("json") {
            self.check(schema, &answer.json(), path);
        } else if schema["type"] == "string" {
            let _text = answer.text();
        } else {
            assert_eq!(*schema, json!({}), "{path}");
        }
    }

    /// Whether the data of a stream's event is as described.
    pub(crate) fn judge_event(&self, data: &Value) {
        let stream = &self.0["paths"]["/v1/stream"]["get"]["responses"]["200"]["content"];
        let schema = &stream["text/event-stream"]["x-event-data"];
        self.check(schema, data, "/v1/stream");
    }

    /// Whether this fits one of the schemas.
    pub(crate) fn judge_schema(&self, name: &str, value: &Value) {
        let reference = format!("#/components/schemas/{name}");
        self.check(&json!({ "$ref": reference }), value, name);
    }

    fn check(&self, schema: &Value, value: &Value, what: &str) {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        let validator: Validator = jsonschema::draft202012::new(&whole).unwrap();
        let found: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("at {}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{what}: {}\n{value:#}", found.join("\n"));
    }
}

/// Lets no object have members that are not described.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(strict);
            let is_open = !members.contains_key("additionalProperties");
            if members.contains_key("properties") && is_open {
                members.insert("unevaluatedProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}
