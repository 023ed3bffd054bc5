//! What is offered: envelopes made and signed ahead of time, on a thread of their own.
//!
//! Every run has a random id, and everything said derives from it and a counter: two runs never
//! say the same, and one run never says the same twice.

use std::time::{SystemTime, UNIX_EPOCH};

use jangbu_ledger::codec;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::envelope::{ENVELOPE_VERSION, Envelope, LIFETIME_MS_MAX};
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{ChainId, Digest, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::{Identifier, IdentifierError};
use jangbu_ledger::signature::{Signature, SigningKey};
use jangbu_ledger::statement::{EventType, Granularity, Kind, Statement, Stream};
use tokio::sync::mpsc;

/// Bytes of envelopes that wait to be sent; more are made as these leave.
const AHEAD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most envelopes that wait to be sent.
const AHEAD_MAX: usize = 1 << 20;

/// What the statements say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Say {
    /// A passport for a new item each: the state grows with every statement.
    Passport,
    /// Events about items that have passports: the state is rewritten.
    Observed,
}

/// Who says it.
pub(super) struct Author {
    /// The member.
    pub(super) member: MemberId,
    /// Its attestor key.
    pub(super) key: SigningKey,
}

/// Makes envelopes, the same ones for the same run id.
pub(super) struct Load {
    pub(super) chain: ChainId,
    pub(super) authors: Vec<Author>,
    pub(super) say: Say,
    /// Statements in each envelope.
    pub(super) statements: usize,
    /// Items that events are about, for each author.
    pub(super) subjects: u64,
    /// Distinguishes this run from every other.
    pub(super) run: [u8; 16],
}

impl Load {
    const SUBJECT: Domain = Domain::new("jangbu/bench-subject/v1");
    const BODY: Domain = Domain::new("jangbu/bench-body/v1");
    const SPREAD: Domain = Domain::new("jangbu/bench-spread/v1");

    /// The passports that must be there before any event is sent.
    pub(super) fn preparation(&self) -> Result<Vec<Vec<u8>>, IdentifierError> {
        if self.say == Say::Passport {
            return Ok(Vec::new());
        }
        const TOGETHER: u64 = 100;
        let mut envelopes = Vec::new();
        for author in 0..self.authors.len() {
            let mut first = 0;
            while first < self.subjects {
                let last = self.subjects.min(first + TOGETHER);
                let statements = (first..last)
                    .map(|n| self.passport(author, n))
                    .collect::<Result<_, _>>()?;
                envelopes.push(self.envelope(author, u64::MAX - first, statements));
                first = last;
            }
        }
        Ok(envelopes)
    }

    /// The envelope with this number.
    pub(super) fn make(&self, number: u64) -> Result<Vec<u8>, IdentifierError> {
        let authors = u64::try_from(self.authors.len()).unwrap_or(u64::MAX);
        let author = usize::try_from(number % authors).unwrap_or(0);
        let each = u64::try_from(self.statements).unwrap_or(u64::MAX);
        let statements = (number * each..(number + 1) * each)
            .map(|n| match self.say {
                Say::Passport => self.passport(author, n),
                Say::Observed => self.event(author, n),
            })
            .collect::<Result<_, _>>()?;
        Ok(self.envelope(author, number, statements))
    }

    fn envelope(&self, author: usize, nonce: u64, statements: Vec<Statement>) -> Vec<u8> {
        let author = &self.authors[author];
        let mut envelope = Envelope {
            version: ENVELOPE_VERSION,
            chain_id: self.chain,
            member: author.member,
            key_id: KeyId([0; 16]),
            nonce,
            // Half of what is allowed: clocks may differ.
            expires_at_ms: TimeMs(now_ms() + LIFETIME_MS_MAX / 2),
            statements,
            signature: Signature([0; 64]),
        };
        envelope.sign(&author.key);
        codec::encode(&envelope)
    }

    fn passport(&self, author: usize, n: u64) -> Result<Statement, IdentifierError> {
        let kind = Kind::PassportIssued {
            granularity: Granularity::Item,
            schema: Digest(Self::BODY.hash(b"schema")),
        };
        self.statement(kind, self.item(author, n)?, n)
    }

    fn event(&self, author: usize, n: u64) -> Result<Statement, IdentifierError> {
        let kind = Kind::Observed {
            event: EventType::Object,
        };
        let spread = Self::SPREAD.hash(&n.to_le_bytes());
        let spread = u64::from_le_bytes([
            spread[0], spread[1], spread[2], spread[3], spread[4], spread[5], spread[6], spread[7],
        ]);
        self.statement(kind, self.item(author, spread % self.subjects)?, n)
    }

    fn statement(
        &self,
        kind: Kind,
        about: Identifier,
        n: u64,
    ) -> Result<Statement, IdentifierError> {
        Ok(Statement {
            kind,
            occurrence: 0,
            streams: vec![Stream::Open(about)],
            commitment: Commitment::keyed(Self::BODY.hash_of(&(self.run, n))),
            references: Vec::new(),
            payload: Vec::new(),
        })
    }

    /// A UUID belongs to whoever issues it first, so any company may say something about it.
    fn item(&self, author: usize, n: u64) -> Result<Identifier, IdentifierError> {
        let author = u64::try_from(author).unwrap_or(u64::MAX);
        let hash = Self::SUBJECT.hash_of(&(self.run, author, n));
        let hex = hex::encode(&hash[..16]);
        // Version 8 and its variant, RFC 9562 section 5.8: made by a rule of our own.
        Identifier::parse(&format!(
            "urn:uuid:{}-{}-8{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        ))
    }
}

/// Starts the thread that makes `count` envelopes of about so many bytes; the queue is bounded
/// in bytes and number.
///
/// # Errors
///
/// What the system says if there can be no thread.
pub(super) fn start(load: Load, count: u64, envelope_bytes: usize) -> std::io::Result<Ahead> {
    let fits = (AHEAD_BYTES_MAX / envelope_bytes.max(1)).clamp(1, AHEAD_MAX);
    let room = fits
        .min(usize::try_from(count).unwrap_or(usize::MAX))
        .max(1);
    let (sender, queue) = mpsc::channel(room);
    let thread = std::thread::Builder::new().name("signing".into()).spawn(
        move || -> Result<(), IdentifierError> {
            for number in 0..count {
                if sender.blocking_send(load.make(number)?).is_err() {
                    break;
                }
            }
            Ok(())
        },
    )?;
    Ok(Ahead {
        queue,
        room,
        thread,
    })
}

/// Envelopes that are ready, and the thread that makes more.
pub(super) struct Ahead {
    /// In order.
    pub(super) queue: mpsc::Receiver<Vec<u8>>,
    /// How many are made before the first is taken.
    room: usize,
    thread: std::thread::JoinHandle<Result<(), IdentifierError>>,
}

impl Ahead {
    /// Waits until the queue is full, or everything is made.
    pub(super) async fn filled(&self) {
        while self.queue.len() < self.room && !self.thread.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(say: Say, statements: usize) -> Load {
        let author = |seed: u8| Author {
            member: MemberId([seed; 32]),
            key: SigningKey::from_bytes(&[seed; 32]),
        };
        Load {
            chain: ChainId([9; 32]),
            authors: vec![author(1), author(2)],
            say,
            statements,
            subjects: 250,
            run: [7; 16],
        }
    }

    #[test]
    fn no_statement_is_said_twice_in_a_run() {
        for say in [Say::Passport, Say::Observed] {
            let load = load(say, 100);
            let mut seen = std::collections::BTreeSet::new();
            let mut envelopes = load.preparation().unwrap();
            envelopes.extend((0..10).map(|number| load.make(number).unwrap()));
            let mut statements = 0;
            for bytes in envelopes {
                let envelope = Envelope::decode(&bytes, &load.chain).unwrap();
                statements += envelope.statements.len();
                seen.extend(envelope.statement_ids());
            }
            assert_eq!(seen.len(), statements);
        }
    }

    #[test]
    fn events_are_about_items_that_were_prepared() {
        let load = load(Say::Observed, 100);
        let subjects = |bytes: &[u8]| {
            let envelope = Envelope::decode(bytes, &load.chain).unwrap();
            envelope
                .statements
                .iter()
                .map(|statement| (envelope.member, statement.subject().cloned()))
                .collect::<Vec<_>>()
        };
        let prepared: std::collections::BTreeSet<_> = load
            .preparation()
            .unwrap()
            .iter()
            .flat_map(|bytes| subjects(bytes))
            .collect();
        assert_eq!(prepared.len(), 500);
        for number in 0..4 {
            for subject in subjects(&load.make(number).unwrap()) {
                assert!(prepared.contains(&subject));
            }
        }
    }

    #[tokio::test]
    async fn envelopes_come_in_order_and_are_all_there_in_the_end() {
        let mut ahead = start(load(Say::Passport, 1), 50, 300).unwrap();
        ahead.filled().await;
        let mut nonces = Vec::new();
        while let Some(bytes) = ahead.queue.recv().await {
            nonces.push(Envelope::decode(&bytes, &ChainId([9; 32])).unwrap().nonce);
        }
        assert_eq!(nonces, (0..50).collect::<Vec<u64>>());
    }
}
