//! Drafts gathered until they are worth an envelope, and never more than memory should hold.

use serde_json::Value;

use crate::context::Context;
use crate::error::CliError;
use crate::submit::{Draft, Outcome, SubmitOptions, submit};

/// Most drafts of one batch.
const DRAFTS_MAX: usize = 1024;
/// About the most bytes of documents of one batch.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Drafts to be submitted together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    drafts: Vec<Draft>,
    bytes: usize,
}

impl Batch {
    pub(super) fn add(&mut self, draft: Draft) {
        if let Some(opening) = &draft.opening {
            self.bytes += opening.sections.values().map(weight).sum::<usize>();
        }
        self.drafts.push(draft);
    }

    pub(super) fn is_full(&self) -> bool {
        self.drafts.len() >= DRAFTS_MAX || self.bytes >= BYTES_MAX
    }

    /// Submits what was gathered and starts anew.
    pub(super) fn submit(
        &mut self,
        ctx: &Context,
        options: &SubmitOptions,
        each: &mut dyn FnMut(&Outcome),
    ) -> Result<(), CliError> {
        let Self { drafts, .. } = std::mem::take(self);
        if drafts.is_empty() {
            return Ok(());
        }
        submit(ctx, drafts, options, each).map(|_| ())
    }
}

/// About how many bytes a document takes in memory.
fn weight(value: &Value) -> usize {
    const VALUE: usize = size_of::<Value>();
    VALUE
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(list) => list.iter().map(weight).sum(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| key.len() + VALUE + weight(value))
                .sum(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_weighs_at_least_what_its_text_does() {
        let document = json!({"a": ["b".repeat(1000), {"c": 1}]});
        assert!(weight(&document) > document.to_string().len());
    }
}
