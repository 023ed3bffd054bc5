//! Whole files, edited as a forger would: parts moved, doubled, taken out, replaced by others of
//! the same file, digits changed. What bytes alone would hardly ever hit, since one wrong comma
//! spoils all.
//!
//! ```text
//!   input := which:u8 edit*       edit := what:u8 at:u16be with:u16be
//! ```

use std::sync::OnceLock;

use serde_json::Value;

use super::{Seed, Seen, bundles, documents, founding, proofs};

/// Most edits of one file.
const EDITS_MAX: usize = 6;

/// What holds a file's bytes against what must hold of them.
type Body = fn(&[u8]) -> Seen;
/// A file, and its body.
type Edited = (Value, Body);

/// The files that are edited.
fn files() -> &'static [Edited] {
    static FILES: OnceLock<Vec<Edited>> = OnceLock::new();
    FILES.get_or_init(|| {
        let all: [(Vec<Seed>, Body); 5] = [
            (bundles::seeds(), bundles::body),
            (founding::geneses(), founding::genesis),
            (proofs::evidences(), proofs::evidence),
            (documents::openings(), documents::opening),
            (documents::disclosures(), documents::disclosure),
        ];
        let mut files = Vec::new();
        for (seeds, body) in all {
            for seed in seeds.iter().filter(|seed| seed.seen == Seen::Held) {
                files.push((serde_json::from_slice(&seed.bytes).unwrap(), body));
            }
        }
        files
    })
}

/// The places of a document: pointers to all its values.
fn places(value: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let mut next = 0;
    while let Some(at) = places.get(next).cloned() {
        match value.pointer(&at) {
            Some(Value::Object(map)) => {
                let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
                places.extend(map.keys().map(|key| format!("{at}/{}", escaped(key))));
            }
            Some(Value::Array(items)) => {
                places.extend((0..items.len()).map(|n| format!("{at}/{n}")));
            }
            _ => {}
        }
        next += 1;
    }
    places
}

/// Makes one edit.
fn edit(value: &mut Value, what: u8, at: usize, with: usize) {
    let places = places(value);
    let at = &places[at % places.len()];
    let other = value.pointer(&places[with % places.len()]).cloned();
    let Some(here) = value.pointer_mut(at) else {
        return;
    };
    match (what % 8, here) {
        (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(with % items.len())),
        (1, Value::Array(items)) if !items.is_empty() => {
            let again = items[with % items.len()].clone();
            items.push(again);
        }
        (2, Value::Array(items)) if !items.is_empty() => {
            let len = items.len();
            items.swap(with % len, (with / 7) % len);
        }
        (3, Value::Object(map)) => {
            let key = map.keys().nth(with % map.len().max(1)).cloned();
            if let Some(key) = key {
                map.remove(&key);
            }
        }
        (4, Value::Number(number)) => {
            let now = number.as_u64().unwrap_or_default();
            let other = [now.wrapping_add(1), now.wrapping_sub(1), 0, with as u64];
            *number = other[with % 4].into();
        }
        (5, Value::String(text)) => {
            let place = with % text.len().max(1);
            let swapped = |(n, c): (usize, char)| match c {
                _ if n != place => c,
                '0'..='8' | 'a'..='e' | 'A'..='Y' => char::from_u32(c as u32 + 1).unwrap_or(c),
                _ => '0',
            };
            *text = text.chars().enumerate().map(swapped).collect();
        }
        (6, Value::Array(items)) => items.truncate(with % (items.len() + 1)),
        (_, here) => *here = other.unwrap_or_default(),
    }
}

/// No edited file is believed to say anything else.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let Some((which, edits)) = bytes.split_first() else {
        return Seen::Refused;
    };
    let (value, body) = &files()[usize::from(*which) % files().len()];
    let mut value = value.clone();
    let (edits, _) = edits.as_chunks::<5>();
    for [what, a, b, c, d] in edits.iter().take(EDITS_MAX) {
        let at = usize::from(u16::from_be_bytes([*a, *b]));
        let with = usize::from(u16::from_be_bytes([*c, *d]));
        edit(&mut value, *what, at, with);
    }
    body(&serde_json::to_vec(&value).unwrap())
}

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for which in 0..u8::try_from(files().len()).unwrap() {
        seeds.push(Seed::new(
            format!("{which}-as-it-is"),
            vec![which],
            Seen::Held,
        ));
        let one = |what: u8, at: u8, with: u8| vec![which, what, 0, at, 0, with];
        for what in 0..8 {
            let bytes = one(what, 3 + 2 * what, 5);
            seeds.push(Seed::new(
                format!("{which}-edit-{what}"),
                bytes,
                Seen::Refused,
            ));
        }
    }
    seeds
}
