//! A place inside a JSON document, so that every complaint says where.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::json::{self, JsonError};
use jangbu_ledger::statement::Quantity;
use serde_json::{Map, Value};

/// Why a document cannot be read, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{reason}")]
pub struct ReadError {
    place: String,
    reason: String,
}

impl ReadError {
    /// Something is wrong with the document as a whole.
    pub fn whole(reason: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            reason: reason.into(),
        }
    }

    /// The same in one line of many, counted from 1.
    #[must_use]
    pub fn in_line(self, line: u64) -> Self {
        Self {
            place: format!("line {line}: {}", self.place),
            reason: self.reason,
        }
    }
}

impl From<JsonError> for ReadError {
    fn from(error: JsonError) -> Self {
        Self::whole(error.to_string())
    }
}

/// A value and its RFC 6901 pointer.
#[derive(Debug, Clone)]
pub struct At<'a> {
    value: &'a Value,
    pointer: String,
}

impl<'a> At<'a> {
    /// The whole document.
    #[must_use]
    pub const fn root(value: &'a Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    /// The value itself.
    #[must_use]
    pub const fn value(&self) -> &'a Value {
        self.value
    }

    /// A complaint about this place.
    pub fn wrong(&self, reason: impl Into<String>) -> ReadError {
        ReadError {
            place: match self.pointer.as_str() {
                "" => String::new(),
                pointer => format!("{pointer}: "),
            },
            reason: reason.into(),
        }
    }

    /// The member `key` of this object, if there is one that is not null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.child(key, value))
    }

    /// The member `key` of this object.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn need(&self, key: &str) -> Result<Self, ReadError> {
        self.get(key)
            .ok_or_else(|| self.wrong(format!("{key:?} is missing")))
    }

    /// The elements of this array.
    ///
    /// # Errors
    ///
    /// If it is no array.
    pub fn items(&self) -> Result<impl Iterator<Item = Self>, ReadError> {
        let list = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong("expected an array"))?;
        Ok(list
            .iter()
            .enumerate()
            .map(|(index, value)| self.child(&index.to_string(), value)))
    }

    /// The elements of the array `key`; none if there is no such member.
    ///
    /// # Errors
    ///
    /// If it is there but no array.
    pub fn list(&self, key: &str) -> Result<Vec<Self>, ReadError> {
        match self.get(key) {
            Some(list) => Ok(list.items()?.collect()),
            None => Ok(Vec::new()),
        }
    }

    /// This object's members.
    ///
    /// # Errors
    ///
    /// If it is no object.
    pub fn object(&self) -> Result<&'a Map<String, Value>, ReadError> {
        self.value
            .as_object()
            .ok_or_else(|| self.wrong("expected an object"))
    }

    /// This string.
    ///
    /// # Errors
    ///
    /// If it is no string.
    pub fn text(&self) -> Result<&'a str, ReadError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong("expected a string"))
    }

    /// This string as an identifier of something on the ledger.
    ///
    /// # Errors
    ///
    /// What is wrong with it; for a check digit, which one would be right.
    pub fn identifier(&self) -> Result<Identifier, ReadError> {
        Identifier::parse(self.text()?).map_err(|error| self.wrong(error.to_string()))
    }

    /// This number, or decimal number in a string, as an amount in a unit.
    ///
    /// # Errors
    ///
    /// If the ledger holds no such amount.
    pub fn amount(&self, unit: &str) -> Result<Quantity, ReadError> {
        let digits = match self.value {
            Value::Number(digits) => digits.to_string(),
            Value::String(digits) => digits.clone(),
            _ => return Err(self.wrong("expected a number")),
        };
        Quantity::parse(&digits, unit).ok_or_else(|| {
            self.wrong(format!(
                "{digits} {unit} is no amount this ledger holds: a decimal number from 0 with at \
                 most 9 places, and a unit of at most 32 bytes"
            ))
        })
    }

    fn child(&self, key: &str, value: &'a Value) -> Self {
        let escaped = json::escape_pointer(key);
        Self {
            value,
            pointer: format!("{}/{escaped}", self.pointer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_complaint_names_the_place() {
        let document = json!({"a/b": [{"gtin": "https://id.gs1.org/01/09521234002001"}]});
        let list = At::root(&document).list("a/b").unwrap();
        let error = list[0].need("gtin").unwrap().identifier().unwrap_err();
        let text = error.in_line(7).to_string();
        assert_eq!(
            text,
            "line 7: /a~1b/0/gtin: the check digit of GTIN 09521234002001 is wrong: expected 0"
        );
        let error = At::root(&document).need("c").unwrap_err().to_string();
        assert_eq!(error, "\"c\" is missing");
    }
}
