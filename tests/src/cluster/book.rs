//! What the nodes acknowledged, to be held against them later.

use std::str::FromStr as _;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::receipt::Receipt;
use serde_json::Value;

use super::{Answer, Client, Log, text_at};

/// Most statements a node is asked for one by one; its whole log is compared anyway.
const QUESTIONS_MAX: usize = 200;

/// A statement of which a node said that it is final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The statement.
    pub statement_id: String,
    /// Its position in the log.
    pub sequence: u64,
    /// Its receipt, as given.
    pub receipt: String,
}

/// Every acknowledgement that was given.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// In the order they came.
    pub entries: Vec<Acknowledged>,
}

impl Book {
    /// Takes in what a submission was answered. Returns whether it was final.
    pub fn note(&mut self, answer: &Answer) -> bool {
        if answer.status != 200 {
            return false;
        }
        let body = answer.json();
        assert_eq!(body["status"], "final", "{answer}");
        let outcomes = body["outcomes"].as_array().unwrap();
        self.entries.extend(outcomes.iter().map(acknowledged));
        true
    }

    /// Takes in another book.
    pub fn append(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Checks every receipt offline, with nothing but the genesis, that `log` has the receipt's
    /// entry at its position, and that the receipt's checkpoint is one of `log`'s prefixes.
    pub fn verify(&self, anchor: &TrustAnchor, log: &Log) {
        let roots = log.roots();
        for entry in &self.entries {
            let verified = Receipt::from_str(&entry.receipt)
                .unwrap()
                .verify(&anchor.origin, &anchor.witnesses, anchor.quorum)
                .unwrap_or_else(|error| panic!("{}: {error}", entry.statement_id));
            assert_eq!(verified.index, entry.sequence, "{}", entry.statement_id);
            assert_eq!(
                log.entries.get(usize::try_from(entry.sequence).unwrap()),
                Some(&verified.entry),
                "{} is not in the log where its receipt says",
                entry.statement_id
            );
            let checkpoint = &verified.checkpoint.checkpoint;
            assert_eq!(
                roots.get(usize::try_from(checkpoint.size).unwrap()),
                Some(&checkpoint.root.0),
                "the checkpoint of {}'s receipt is no prefix of the log",
                entry.statement_id
            );
        }
    }

    /// Asks a node for acknowledged statements, spread over the book: each must be final and at
    /// its position.
    pub fn ask(&self, client: &Client) {
        let step = self.entries.len().div_ceil(QUESTIONS_MAX).max(1);
        for entry in self.entries.iter().step_by(step) {
            let found = client.json(&format!("/v1/statements/{}", entry.statement_id));
            assert_eq!(
                (&found["status"], &found["sequence"]),
                (&"final".into(), &entry.sequence.into()),
                "an acknowledged statement at {}: {found}",
                client.address
            );
        }
    }
}

fn acknowledged(outcome: &Value) -> Acknowledged {
    assert_eq!(outcome["status"], "final", "{outcome}");
    Acknowledged {
        statement_id: text_at(outcome, "statement_id").to_owned(),
        sequence: outcome["sequence"].as_u64().unwrap(),
        receipt: text_at(outcome, "receipt").to_owned(),
    }
}
