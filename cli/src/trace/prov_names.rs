//! Names in PROV-JSON documents: prefixes, and what stands behind them.

use serde_json::{Value, json};

/// What our own terms stand under.
const NAMESPACE: &str = "urn:jangbu:prov#";

/// The prefixes that names are made with.
pub(crate) fn prefixes() -> Value {
    json!({
        "jangbu": NAMESPACE,
        "thing": format!("{NAMESPACE}thing/"),
        "member": format!("{NAMESPACE}member/"),
        "use": format!("{NAMESPACE}use/"),
        "digest": format!("{NAMESPACE}digest/"),
    })
}

/// The name of a thing.
pub(crate) fn entity(identifier: &str) -> String {
    name("thing", identifier)
}

/// The name of a member.
pub(crate) fn agent(member: &str) -> String {
    name("member", member)
}

/// A qualified name: in its local part everything but letters, digits, `-`, `_` and `.` is
/// percent-encoded.
pub(crate) fn name(prefix: &str, text: &str) -> String {
    use std::fmt::Write as _;
    let mut name = format!("{prefix}:");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            // Writing to memory cannot fail.
            _ => drop(write!(name, "%{byte:02X}")),
        }
    }
    name
}
