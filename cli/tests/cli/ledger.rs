//! A ledger of one validator in memory: enough of one to make receipts that hold.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use jangbu_genesis::TrustAnchor;
use jangbu_genesis::key_file::Purpose;
use jangbu_ledger::block::{Entry, EntryBody, RecordedStatement};
use jangbu_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use jangbu_ledger::codec;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::id::{Height, Sequence, StatementId, TimeMs};
use jangbu_ledger::merkle::{Frontier, leaf_hash, prove_inclusion};
use jangbu_ledger::receipt::Receipt;
use serde_json::{Value, json};

use crate::home::Home;
use crate::server::{Reply, Request};

/// The log and the keys that make it final.
pub(crate) struct Ledger {
    anchor: TrustAnchor,
    witness: SigningKey,
    log: SigningKey,
    entries: Mutex<Vec<(StatementId, Entry)>>,
}

impl Ledger {
    pub(crate) fn of(home: &Home) -> Self {
        Self {
            anchor: TrustAnchor::of(&home.genesis).unwrap(),
            witness: home.validator_key(Purpose::Witness),
            log: home.validator_key(Purpose::Log),
            entries: Mutex::new(Vec::new()),
        }
    }

    /// Records an envelope and answers like a node.
    pub(crate) fn record(&self, bytes: &[u8]) -> Value {
        let envelope = Envelope::decode(bytes, &self.anchor.chain_id).unwrap();
        let id = Envelope::id_of(bytes);
        let mut entries = self.entries.lock().unwrap();
        let mut places = Vec::new();
        for (index, statement) in (0u32..).zip(&envelope.statements) {
            let statement_id = statement.id(&self.anchor.chain_id, &envelope.member);
            let before = entries.iter().position(|(known, _)| *known == statement_id);
            let place = before.unwrap_or(entries.len());
            if before.is_none() {
                let sequence = Sequence(place.try_into().unwrap());
                let said = RecordedStatement {
                    member: envelope.member,
                    key_id: envelope.key_id,
                    envelope_id: id,
                    index,
                    statement: statement.clone(),
                };
                let entry = Entry {
                    sequence,
                    height: Height(1),
                    time_ms: TimeMs(1_700_000_000_000),
                    body: EntryBody::Statement(Box::new(said)),
                };
                entries.push((statement_id, entry));
            }
            places.push((statement_id, place, before.is_some()));
        }
        let outcome = |(statement_id, place, duplicate): &(StatementId, usize, bool)| {
            json!({
                "statement_id": statement_id,
                "status": "final",
                "duplicate": duplicate,
                "sequence": place,
                "height": 1,
                "receipt": self.receipt(&entries, *place).to_string(),
            })
        };
        let outcomes: Vec<Value> = places.iter().map(outcome).collect();
        json!({ "envelope_id": id, "status": "final", "outcomes": outcomes })
    }

    /// Answers a POST of an envelope; anything else is not found.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.method == "POST" {
            return Reply::Json(200, self.record(&request.body).to_string());
        }
        let entries = self.entries.lock().unwrap();
        for (place, (id, entry)) in entries.iter().enumerate() {
            if request.target == format!("/v1/statements/{id}") {
                let bytes = BASE64_STANDARD.encode(codec::encode(entry));
                let answer = json!({
                    "statement_id": id, "status": "final",
                    "sequence": place, "entry_bytes": bytes,
                });
                return Reply::Json(200, answer.to_string());
            }
            if request.target == format!("/v1/receipts/{id}") {
                return Reply::Text(200, self.receipt(&entries, place).to_string().into_bytes());
            }
        }
        Reply::Problem(404, "not-found")
    }

    fn receipt(&self, entries: &[(StatementId, Entry)], place: usize) -> Receipt {
        let bytes = |entry: &Entry| codec::encode(entry);
        let (mut frontier, mut nodes) = (Frontier::new(), BTreeMap::new());
        for (_, entry) in entries {
            for node in frontier.append(leaf_hash(&bytes(entry))).unwrap() {
                nodes.insert((node.level, node.index), node.hash);
            }
        }
        let (index, size) = (place.try_into().unwrap(), entries.len().try_into().unwrap());
        let checkpoint = Checkpoint {
            origin: self.anchor.origin.clone(),
            size,
            root: frontier.root(),
        };
        let name = self.anchor.witnesses[0].name.clone();
        let cosignature = checkpoint.cosign(name, &self.witness, 1_700_000_000);
        let line = checkpoint.sign(&self.log);
        let signed = SignedCheckpoint::assemble(checkpoint, line, &[cosignature], 1).unwrap();
        Receipt {
            entry: bytes(&entries[place].1),
            index,
            path: prove_inclusion(&nodes, index, size).unwrap(),
            checkpoint: signed.note().clone(),
        }
    }
}
