//! A lineage as in-toto Statements: of each use that made the root, one.
//!
//! The ledger's words in SLSA's: a use is a build, who recorded it the builder, what went in its
//! resolved dependencies. A Statement is not signed here: what it says is proved by the statement
//! on the ledger that it names.
//!
//! Source: in-toto attestation v1 (Statement, ResourceDescriptor), SLSA provenance v1.

use jangbu_ledger::lineage::{Lineage, Source, Use};
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::view::rfc3339;

/// Type of the Statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// Type of its predicate.
const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// What kind of build a recorded use is: `docs/lineage.md` describes its parameters.
const BUILD: &str = "urn:jangbu:use:v1";

/// The Statements about the root, in log order.
///
/// # Errors
///
/// [`CliError`] if no use made the root, or its digest is not recorded: a subject needs one.
pub(super) fn export(lineage: &Lineage, origin: &str) -> Result<Vec<Value>, CliError> {
    let root = &lineage.root;
    let made_root = |used: &&Use| used.outputs.iter().any(|output| output.made == *root);
    let statements = lineage
        .uses
        .iter()
        .filter(made_root)
        .map(|used| statement(used, lineage, origin))
        .collect::<Result<Vec<_>, _>>()?;
    if statements.is_empty() {
        return Err(
            CliError::input(format!("no use is recorded that made {root}"))
                .hint("in-toto Statements are about what was made: leave out --forward"),
        );
    }
    Ok(statements)
}

fn statement(used: &Use, lineage: &Lineage, origin: &str) -> Result<Value, CliError> {
    let root = &lineage.root;
    let output = used.outputs.iter().find(|output| output.made == *root);
    let Some(content) = output.and_then(|output| output.content) else {
        return Err(CliError::input(format!(
            "the use {} does not say what the files of {root} are, and an in-toto subject needs a \
             digest",
            used.statement_id
        ))
        .hint(format!(
            "record it once more: jangbu share use … --occurrence 1 --output '{root} as sha256:…'"
        )));
    };
    let mut dependencies: Vec<Value> = used.sources.iter().map(dependency).collect();
    for (name, digest) in [("code", used.code), ("environment", used.environment)] {
        if let Some(digest) = digest {
            let digest = json!({ digest.algorithm(): digest.hex() });
            dependencies.push(json!({ "name": name, "digest": digest }));
        }
    }
    let codes: Vec<&str> = used.codes.iter().map(|code| code.as_str()).collect();
    Ok(json!({
        "_type": STATEMENT,
        "subject": [{
            "name": root,
            "uri": root,
            "digest": { content.algorithm(): content.hex() },
        }],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": { "activity": used.activity, "codes": codes },
                "internalParameters": {
                    "ledger": origin,
                    "height": used.height.to_string(),
                    "entry": used.sequence.to_string(),
                    "recordedAt": rfc3339(used.time_ms),
                    "sealed": used.sealed,
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": { "id": format!("urn:jangbu:member:{}", used.by) },
                "metadata": { "invocationId": used.statement_id.to_string() },
            },
        },
    }))
}

/// What went in. The root of a delivery is no digest that other tools know how to compute, so it
/// stands among the annotations.
fn dependency(source: &Source) -> Value {
    let mut notes = Map::new();
    notes.insert("permitted".into(), source.permitted.into());
    notes.insert("then".into(), json!(source.then));
    if let Some(agreement) = &source.agreement {
        notes.insert("agreement".into(), json!(agreement.identifier));
        if let Some(known) = &agreement.known {
            notes.insert("provider".into(), json!(known.provider));
            notes.insert("inForce".into(), known.in_force.into());
        }
    }
    if let Some(part) = &source.part {
        notes.insert("part".into(), part.to_string().into());
    }
    json!({ "name": source.data, "uri": source.data, "annotations": notes })
}
