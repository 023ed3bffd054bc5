//! A document in the sections of a profile, so that a role can be shown its set of them.
//!
//! ```text
//!   member ─ a requirement's term, or listed ─▶ its section
//!          ─ a container ─▶ its members, one by one
//!          ─ anything else ─▶ rest
//!   inside what everybody sees: a term of another section ─▶ that section
//! ```
//!
//! Invariants:
//! - every field keeps its pointer and is in exactly one section;
//! - whatever nothing names goes into [`REST`], which no role sees: what is forgotten is hidden,
//!   not published.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Access, Profile};

/// The section of what a profile does not place.
pub const REST: &str = "rest";

/// Where terms belong.
struct Places<'p> {
    access: &'p Access,
    /// The section of each term, of the first requirement that names it.
    terms: BTreeMap<&'p str, &'p str>,
    /// The section that everybody sees.
    open: &'p str,
    sections: BTreeMap<String, Value>,
}

impl Profile {
    /// Divides a document; `None` if the profile has no sections or the document is no object.
    ///
    /// Sections in which there is nothing are left out.
    #[must_use]
    pub fn divide(&self, document: &Value) -> Option<BTreeMap<String, Value>> {
        let access = self.access.as_ref()?;
        let mut places = Places {
            access,
            terms: BTreeMap::new(),
            open: access.names().next()?,
            sections: BTreeMap::new(),
        };
        for requirement in &self.requirements {
            if let Some(section) = requirement.section() {
                for term in requirement.terms() {
                    places.terms.entry(term).or_insert(section);
                }
            }
        }
        for (name, value) in document.as_object()? {
            let section = places.section_of(name).or_else(|| places.listed(name));
            places.place(&[], name, value, section);
        }
        Some(places.sections)
    }
}

impl<'p> Places<'p> {
    /// Puts a member where it belongs; `section` is `None` if nothing says where.
    fn place(&mut self, path: &[&str], name: &str, value: &Value, section: Option<&'p str>) {
        let at: Vec<&str> = path.iter().copied().chain([name]).collect();
        let members = value.as_object().filter(|members| !members.is_empty());
        let whole = self.access.whole.contains(name);
        match (section, members) {
            (None, Some(members)) if self.access.containers.contains(name) => {
                for (inner, value) in members {
                    let section = self.section_of(inner);
                    self.place(&at, inner, value, section);
                }
            }
            (Some(section), Some(members)) if section == self.open && !whole => {
                for (inner, value) in members {
                    let section = self.section_of(inner).unwrap_or(self.open);
                    self.place(&at, inner, value, Some(section));
                }
            }
            // An array is not taken apart, or its elements would change places.
            (Some(section), None) if section == self.open && !whole => {
                let section = self.restricted(value).unwrap_or(section);
                self.put(section, &at, value);
            }
            (section, _) => self.put(section.unwrap_or(REST), &at, value),
        }
    }

    fn section_of(&self, term: &str) -> Option<&'p str> {
        self.terms.get(term).copied()
    }

    fn listed(&self, name: &str) -> Option<&'p str> {
        let mut sections = self.access.sections.iter();
        let found = sections.find(|section| section.members.contains(name));
        found.map(|section| section.name.as_str())
    }

    /// The section, other than the open one, that something inside belongs in; [`REST`] if there
    /// are several.
    fn restricted(&self, value: &Value) -> Option<&'p str> {
        let mut found = None;
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            open.extend(value.as_array().into_iter().flatten());
            for (name, value) in value.as_object().into_iter().flatten() {
                open.push(value);
                match (self.section_of(name), found) {
                    (Some(section), _) if section == self.open => {}
                    (Some(section), None) => found = Some(section),
                    (Some(section), Some(before)) if section != before => return Some(REST),
                    _ => {}
                }
            }
        }
        found
    }

    /// Puts a value at a path of objects in a section.
    fn put(&mut self, section: &str, path: &[&str], value: &Value) {
        let mut at = self.sections.entry(section.to_owned()).or_default();
        for step in path {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            at = &mut at[*step];
        }
        *at = value.clone();
    }
}
