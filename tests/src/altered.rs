//! Changes to a JSON file that somebody might hope go unnoticed, and what a report says, so that
//! two can be compared.

use std::collections::BTreeSet;

use jangbu_ledger::bundle::Report;
use serde_json::Value;

/// What a report says, line by line, so that one can be compared with another.
#[must_use]
pub fn says(report: &Report) -> BTreeSet<String> {
    let mut lines = BTreeSet::from([format!("{:?}", report.checkpoint)]);
    lines.extend(report.findings.iter().map(|part| format!("{part:?}")));
    lines.extend(report.statements.iter().map(|part| format!("{part:?}")));
    for document in &report.documents {
        let of = (
            document.sequence,
            &document.subject,
            document.version,
            &document.schema,
        );
        // Each part by itself: to show less is not to say something else.
        let section = |part| format!("{of:?} section {part:?}");
        lines.extend(document.sections.iter().map(section));
        let field = |part| format!("{of:?} field {part:?}");
        lines.extend(document.fields.iter().map(field));
    }
    lines
}

/// One change after the other of a JSON document: what was done where, and what comes of it.
#[must_use]
pub fn changes(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(at) = open.pop() {
        let Some(here) = value.pointer(&at) else {
            continue;
        };
        let mut change = |what: &str, new: Value| {
            let mut changed = value.clone();
            if let Some(there) = changed.pointer_mut(&at) {
                *there = new;
                found.push((format!("{what} {at}"), changed));
            }
        };
        match here {
            Value::Null => change("fill", Value::String("AAAA".into())),
            Value::Bool(b) => change("negate", Value::Bool(!b)),
            Value::Number(n) => match n.as_u64() {
                Some(n) => {
                    change("increase", Value::from(n + 1));
                    change("decrease", Value::from(n.saturating_sub(1)));
                }
                None => change("replace", Value::from(7)),
            },
            Value::String(text) => {
                for altered in altered(text) {
                    change("alter", Value::String(altered));
                }
                change("extend", Value::String(format!("{text}A")));
                change("remove", Value::Null);
            }
            Value::Array(items) => {
                for n in 0..items.len() {
                    open.push(format!("{at}/{n}"));
                    let mut fewer = items.clone();
                    fewer.remove(n);
                    change("drop one of", Value::Array(fewer));
                    let mut more = items.clone();
                    more.insert(n, items[n].clone());
                    change("double one of", Value::Array(more));
                    if n > 0 {
                        let mut swapped = items.clone();
                        swapped.swap(n - 1, n);
                        change("swap two of", Value::Array(swapped));
                        change("cut", Value::Array(items[..n].to_vec()));
                    }
                }
                let numbered = items.iter().cloned().enumerate();
                let object = numbered.map(|(n, item)| (n.to_string(), item)).collect();
                change("make an object of", Value::Object(object));
            }
            Value::Object(map) => {
                for key in map.keys() {
                    let step = jangbu_ledger::json::escape_pointer(key);
                    open.push(format!("{at}/{step}"));
                    let mut fewer = map.clone();
                    fewer.remove(key);
                    change("drop a field of", Value::Object(fewer));
                    let mut renamed = map.clone();
                    if let Some(member) = renamed.remove(key) {
                        renamed.insert(format!("{key}x"), member);
                        change("rename a field of", Value::Object(renamed));
                    }
                }
                let mut more = map.clone();
                more.insert("extra".into(), Value::from(1));
                change("add a field to", Value::Object(more));
            }
        }
    }
    found
}

/// First, last and middle characters, each replaced by another of its class; one less.
fn altered(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let Some(last) = chars.len().checked_sub(1) else {
        return Vec::new();
    };
    let middle = [chars.len() / 3, chars.len() / 2, 2 * chars.len() / 3];
    let places = BTreeSet::from([0, middle[0], middle[1], middle[2], last]);
    let mut all: Vec<String> = places
        .into_iter()
        .map(|place| {
            let mut other = chars.clone();
            other[place] = match chars[place] {
                '0' => '1',
                'f' => 'e',
                '9' => '0',
                c @ ('a'..='y' | 'A'..='Y' | '1'..='8') => {
                    char::from_u32(c as u32 + 1).unwrap_or('B')
                }
                _ => 'B',
            };
            other.into_iter().collect()
        })
        .collect();
    all.push(chars.into_iter().skip(1).collect());
    all
}
