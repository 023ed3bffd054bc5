//! Hostile bytes: for each decoder that a peer or a stranger reaches, what must hold of any input.
//!
//! ```text
//!   fuzz/corpus/<target>/… ──┐            ┌─ libFuzzer: fuzz/fuzz_targets/<target>.rs, `make fuzz`
//!   seeds made here ─────────┼─▶ run ◀────┤
//!   mutations of both ───────┘            └─ an ordinary test: tests/tests/fuzz.rs, `make test`
//! ```
//!
//! A body does more than survive. It holds what comes out against what went in:
//! - what decodes encodes to the same bytes: nothing has two spellings;
//! - decoding allocates in proportion to the input (`meter`);
//! - what verifies says what was really signed or recorded in the small ledger of
//!   [`crate::world`], and nothing else: whoever finds such bytes has forged something;
//! - what is refused is refused in a text of bounded length.
//!
//! A broken promise is a panic, which is what libFuzzer and the test harness look for.

#![allow(
    clippy::unwrap_used,
    reason = "a body reports by panicking, and stops at the first surprise"
)]

mod bundles;
mod chunks;
mod corpus;
mod cose;
mod documents;
mod edits;
mod founding;
mod handed;
mod heard;
mod known;
mod ledger;
mod meter;
mod mutate;
mod peers;
mod proofs;
mod said;
mod stream;
mod talk;

use std::sync::{Mutex, PoisonError};

pub use corpus::{committed, directory};
pub use meter::is_installed;
pub use mutate::Mutator;

/// Longest text of a refusal, in bytes.
const REFUSAL_BYTES_MAX: usize = 2_048;

/// How far an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// It is no such thing.
    Refused,
    /// It decodes.
    Read,
    /// It decodes, and what it proves holds.
    Held,
}

/// An input to begin with.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Its file's name in the corpus.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How far it must come: a body that refuses what is right tests nothing.
    pub seen: Seen,
}

impl Seed {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, seen: Seen) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            seen,
        }
    }
}

/// A decoder, what must hold of it, and inputs to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of the fuzz target, and of the corpus's directory.
    pub name: &'static str,
    /// How many mutations of its inputs an ordinary test tries.
    pub mutants: u64,
    body: fn(&[u8]) -> Seen,
    seeds: fn() -> Vec<Seed>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("mesh_stream", 1_000, stream::body, stream::seeds),
    target("peer_message", 1_000, peers::message, peers::messages),
    target("peer_talk", 120, talk::body, talk::seeds),
    target("consensus_message", 1_000, peers::consensus, peers::votes),
    target(
        "commit_certificate",
        400,
        peers::certificate,
        peers::certificates,
    ),
    target("envelope", 600, said::envelope, said::envelopes),
    target("statement", 2_000, said::statement, said::statements),
    target("sealed_body", 1_000, said::sealed, said::sealed_bodies),
    target("block", 1_000, ledger::block, ledger::blocks),
    target("entry", 1_000, ledger::entry, ledger::entries),
    target(
        "state_proof",
        600,
        ledger::state_proof,
        ledger::state_proofs,
    ),
    target("tile", 1_000, ledger::tile, ledger::tiles),
    target("note", 600, proofs::note, proofs::notes),
    target("receipt", 400, proofs::receipt, proofs::receipts),
    target("cose_receipt", 1_000, cose::body, cose::seeds),
    target("bundle", 120, bundles::body, bundles::seeds),
    target("evidence", 600, proofs::evidence, proofs::evidences),
    target("genesis", 60, founding::genesis, founding::geneses),
    target("founding_file", 300, founding::file, founding::files),
    target("key_file", 1_000, founding::key_file, founding::key_files),
    target("opening", 300, documents::opening, documents::openings),
    target(
        "disclosure",
        300,
        documents::disclosure,
        documents::disclosures,
    ),
    target("document", 600, documents::document, documents::documents),
    target(
        "identifier",
        4_000,
        documents::identifier,
        documents::identifiers,
    ),
    target("edited", 200, edits::body, edits::seeds),
    target("profile", 300, handed::profile, handed::profiles),
    target("rejection", 200, handed::rejection, handed::rejections),
    target("chunks", 200, chunks::body, chunks::seeds),
    target("grant", 1_000, handed::grant, handed::grants),
    target("node_answer", 600, heard::body, heard::seeds),
];

const fn target(
    name: &'static str,
    mutants: u64,
    body: fn(&[u8]) -> Seen,
    seeds: fn() -> Vec<Seed>,
) -> Target {
    Target {
        name,
        mutants,
        body,
        seeds,
    }
}

impl Target {
    /// The target of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        TARGETS
            .iter()
            .find(|target| target.name == name)
            .unwrap_or_else(|| panic!("no target is called {name}"))
    }

    /// Inputs made of what the vectors and the small ledger hold, and edge cases.
    #[must_use]
    pub fn seeds(&self) -> Vec<Seed> {
        (self.seeds)()
    }

    /// Holds one input against what must hold of any.
    ///
    /// One at a time, in the whole process: what is allocated meanwhile is counted.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn run(&self, bytes: &[u8]) -> Seen {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        (self.body)(bytes)
    }
}

/// A refusal's text is bounded, whatever the input was.
fn refused(error: impl std::fmt::Display) -> Seen {
    let text = error.to_string();
    assert!(
        text.len() <= REFUSAL_BYTES_MAX,
        "a refusal of {} bytes: {}…",
        text.len(),
        text.chars().take(200).collect::<String>()
    );
    Seen::Refused
}
