//! `jangbu vault check`: every statement of the member on the ledger, and whether the vault opens
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::{Sequence, Slot, StatementId};
use jangbu_ledger::sealed::StreamKey;
use jangbu_ledger::share::Party;
use jangbu_ledger::statement::{Kind, Statement, Stream};
use serde::Serialize;

use super::OpenVault;
use crate::client::recorded;
use crate::context::Context;
use crate::error::{CliError, Code};
use crate::list::log_pages;
use crate::share::{Channel, Named, ShareStream};
use crate::view::{sentence, table};

/// Why the vault does not open a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
enum Problem {
    /// Its opening is not there.
    Missing,
    /// Its opening cannot be read.
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// Its opening is there and opens something else.
    DoesNotOpen,
    /// It is sealed, and no data share in the vault has its key.
    NoStreamKey,
}

/// A statement that the vault does not open.
#[derive(Debug, Serialize)]
struct Unopened<'a> {
    statement_id: StatementId,
    sequence: Sequence,
    kind: &'a str,
    #[serde(flatten)]
    problem: Problem,
}

/// A data share whose file cannot be read.
#[derive(Debug, Serialize)]
struct Lost<'a> {
    stream: &'a str,
    problem: &'static str,
    reason: String,
}

/// An opening of a statement that the ledger does not have.
#[derive(Debug, Serialize)]
struct Orphan<'a> {
    remark: &'static str,
    statement_id: &'a StatementId,
}

/// What was checked.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// The member's statements on the ledger.
    statements: u64,
    /// Those that have nothing to open.
    public: u64,
    /// Those that the vault opens.
    opened: u64,
    /// Those that it does not open, and data shares that cannot be read.
    problems: u64,
    /// Openings of statements that the ledger does not have.
    orphans: u64,
}

/// Checks, names what does not open, and gives the exit code.
///
/// # Errors
///
/// [`CliError`] if no node shows the log, or the vault cannot be unlocked.
pub(super) fn run(ctx: &Context) -> Result<ExitCode, CliError> {
    let (own, chain, anchor) = (ctx.member()?.id(), ctx.chain_id()?, ctx.anchor()?);
    let open = ctx.open_vault()?;
    let mut orphans: BTreeSet<StatementId> = open.vault.openings()?.into_iter().collect();
    let mut summary = Summary::default();
    let mut streams = Streams::default();
    for name in open.vault.streams()? {
        if let Err(error) = streams.add(ctx, &name) {
            summary.problems += 1;
            let lost = Lost {
                stream: &name,
                problem: "damaged",
                reason: error.message,
            };
            ctx.output
                .line(&lost, || format!("data share {name}: {}", lost.reason));
        }
    }
    for item in log_pages(ctx.client()?, Sequence::default(), None) {
        let entry = item?.entry()?;
        let Some(said) = recorded(&entry).filter(|said| said.member == own) else {
            continue;
        };
        let statement = &said.statement;
        let statement_id = statement.id(&chain, &own);
        orphans.remove(&statement_id);
        summary.statements += 1;
        let problem = match judge(&open, &mut streams, statement, &statement_id) {
            Judged::Public => {
                summary.public += 1;
                continue;
            }
            Judged::Opened => {
                summary.opened += 1;
                continue;
            }
            Judged::Not(problem) => problem,
        };
        summary.problems += 1;
        let unopened = Unopened {
            statement_id,
            sequence: entry.sequence,
            kind: statement.kind.name(),
            problem,
        };
        ctx.output.line(&unopened, || {
            format!(
                "{:>7}  {statement_id}  {}: {}",
                entry.sequence,
                sentence(statement, anchor),
                unopened.problem
            )
        });
    }
    for statement_id in &orphans {
        summary.orphans += 1;
        let orphan = Orphan {
            remark: "not_recorded",
            statement_id,
        };
        ctx.output.line(&orphan, || {
            format!("         {statement_id}  remark: not recorded, or not yet")
        });
    }
    ctx.output.object(&summary, || summary.to_string());
    Ok(ExitCode::from(match summary.problems {
        0 => 0,
        _ => Code::Refused.exit(),
    }))
}

/// How a statement stands to the vault.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// There is nothing to open.
    Public,
    /// The vault opens it.
    Opened,
    /// The vault does not open it.
    Not(Problem),
}

fn judge(
    open: &OpenVault<'_>,
    streams: &mut Streams,
    statement: &Statement,
    id: &StatementId,
) -> Judged {
    let commitment = if matches!(statement.kind, Kind::Sealed) {
        match streams.document_of(statement) {
            Some(document) => document,
            None => return Judged::Not(Problem::NoStreamKey),
        }
    } else {
        statement.commitment
    };
    if commitment == Commitment::NOTHING {
        return Judged::Public;
    }
    let damaged = |reason: &dyn std::fmt::Display| {
        Judged::Not(Problem::Damaged {
            reason: reason.to_string(),
        })
    };
    let opening = match open.opening(id) {
        Ok(Some(opening)) => opening,
        Ok(None) => return Judged::Not(Problem::Missing),
        Err(error) => return damaged(&error),
    };
    match opening.commitment() {
        Ok(opened) if opened == commitment => Judged::Opened,
        Ok(_) => Judged::Not(Problem::DoesNotOpen),
        Err(error) => damaged(&error),
    }
}

/// The keys of the sealed data shares that the vault remembers.
#[derive(Debug, Default)]
struct Streams {
    keys: Vec<(StreamKey, Party)>,
    /// Where the next statement of each stands: its key, and the slot's number.
    next: BTreeMap<Slot, (usize, u64)>,
}

impl Streams {
    fn add(&mut self, ctx: &Context, name: &str) -> Result<(), CliError> {
        let stream = ShareStream::find(ctx, Named::remembered(name))?;
        if let (Channel::Sealed(key), Some(party)) = (stream.channel, stream.role) {
            self.insert(key, party);
        }
        Ok(())
    }

    fn insert(&mut self, key: StreamKey, party: Party) {
        self.next.insert(key.slot(party, 0), (self.keys.len(), 0));
        self.keys.push((key, party));
    }

    /// The commitment to the document of a sealed statement; `None` if no key opens it.
    fn document_of(&mut self, statement: &Statement) -> Option<Commitment> {
        let expected = match statement.streams.as_slice() {
            [Stream::Sealed(slot)] => self.next.remove(slot),
            _ => None,
        };
        if let Some((at, n)) = expected
            && let Some((key, party)) = self.keys.get(at)
        {
            self.next.insert(key.slot(*party, n + 1), (at, n + 1));
            if let Ok(body) = key.open(statement) {
                return Some(body.document);
            }
        }
        // In a slot that nobody expected: each key is tried.
        self.keys
            .iter()
            .find_map(|(key, _)| key.open(statement).ok())
            .map(|body| body.document)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("its opening is MISSING"),
            Self::Damaged { reason } => write!(f, "its opening is DAMAGED: {reason}"),
            Self::DoesNotOpen => f.write_str("the vault's opening DOES NOT OPEN it"),
            Self::NoStreamKey => f.write_str("NO KEY of a data share in the vault opens it"),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rows = vec![
            ("statements", self.statements.to_string()),
            ("opened", self.opened.to_string()),
            ("public", self.public.to_string()),
            ("problems", self.problems.to_string()),
        ];
        if self.orphans > 0 {
            rows.push(("not recorded", self.orphans.to_string()));
        }
        f.write_str(&table(&rows))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jangbu_genesis::key_file::SecretKey;
    use jangbu_ledger::commitment::{DocumentKey, Opening, WHOLE};
    use jangbu_ledger::sealed::SealedBody;
    use jangbu_ledger::share::Deed;
    use serde_json::json;

    use super::*;
    use crate::vault::Vault;

    static SECRET: SecretKey = SecretKey::from_bytes([3; 32]);
    const ID: StatementId = StatementId([1; 32]);

    fn opening(text: &str) -> Opening {
        Opening {
            subject: "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd"
                .parse()
                .unwrap(),
            version: 1,
            schema: "s".to_owned(),
            key: DocumentKey::from_bytes([5; 32]),
            sections: BTreeMap::from([(WHOLE.to_owned(), json!(text))]),
        }
    }

    fn statement(commitment: Commitment) -> Statement {
        Statement {
            kind: Kind::PassportSuspended,
            occurrence: 0,
            streams: Vec::new(),
            commitment,
            references: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn sealed(key: &StreamKey, n: u64) -> Statement {
        let body = SealedBody {
            party: Party::Provider,
            deed: Deed::Offered {
                permits: Vec::new(),
                data: Vec::new(),
            },
            occurrence: u32::try_from(n).unwrap(),
            document: opening("x").commitment().unwrap(),
            references: Vec::new(),
        };
        key.seal(&body, n).unwrap()
    }

    #[test]
    fn each_way_in_which_a_statement_is_not_opened_is_told_from_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path());
        let open = vault.open(&SECRET);
        let mut none = Streams::default();
        let mut of = |statement: &Statement| judge(&open, &mut none, statement, &ID);
        let said = statement(opening("x").commitment().unwrap());
        assert_eq!(of(&statement(Commitment::NOTHING)), Judged::Public);
        assert_eq!(of(&said), Judged::Not(Problem::Missing));
        open.keep_openings([(&ID, &opening("y"))]).unwrap();
        assert_eq!(of(&said), Judged::Not(Problem::DoesNotOpen));
        open.keep_openings([(&ID, &opening("x"))]).unwrap();
        assert_eq!(of(&said), Judged::Opened);
        let file = directory.path().join(format!("openings/{ID}.sealed"));
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(of(&said), Judged::Not(Problem::Damaged { .. })));
    }

    #[test]
    fn a_sealed_statement_is_opened_by_its_streams_key_in_whatever_slot() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path());
        let open = vault.open(&SECRET);
        open.keep_openings([(&ID, &opening("x"))]).unwrap();
        let keys = [[1; 32], [2; 32]].map(StreamKey::from_bytes);
        let mut streams = Streams::default();
        let first = sealed(&keys[1], 0);
        assert_eq!(
            judge(&open, &mut streams, &first, &ID),
            Judged::Not(Problem::NoStreamKey)
        );
        for key in &keys {
            streams.insert(key.clone(), Party::Provider);
        }
        for n in [0, 1, 2, 7, 3] {
            let said = sealed(&keys[1], n);
            assert_eq!(judge(&open, &mut streams, &said, &ID), Judged::Opened);
        }
        let stranger = sealed(&StreamKey::from_bytes([9; 32]), 0);
        assert_eq!(
            judge(&open, &mut streams, &stranger, &ID),
            Judged::Not(Problem::NoStreamKey)
        );
    }
}
