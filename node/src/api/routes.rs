//! All that the node answers: one table, which is both the router and what its description is made
//! of.

use axum::http::StatusCode;
use jangbu_ledger::envelope::ENVELOPE_BYTES_MAX;
use serde_json::json;

use super::described::{Operation, Routes};
use super::openapi;
use super::problem::Kind;
use super::{chain, entries, envelopes, health, log, proofs, statements, stream, subjects, trace};

/// Every route.
pub(super) fn routes() -> Routes {
    records(log(proofs(lists(Routes::default()))))
        .get("/v1/openapi.json", openapi::openapi, about("This description"))
        .get("/livez", health::live, about("Whether the node runs"))
        .get(
            "/readyz",
            health::ready,
            Operation::new(
                "Whether the node is of use",
                "503 while the replica has stopped, no quorum can be reached, or finality is behind the blocks.",
            ),
        )
        .get("/metrics", health::metrics, about("What the node counts"))
}

/// A route that its summary says all about.
const fn about(summary: &'static str) -> Operation {
    Operation::new(summary, "")
}

/// The ledger, single things of it, and what writes to it.
fn records(routes: Routes) -> Routes {
    routes
        .get("/v1/status", chain::status, about("Where the ledger and the node stand"))
        .get("/v1/genesis", chain::genesis, about("The founding document, byte by byte"))
        .get("/v1/members", chain::members, about("The consortium's members"))
        .get(
            "/v1/blocks/{height}",
            chain::block,
            about("A block's header and the envelopes that it ordered").fails(&[Kind::NotFound]),
        )
        .post(
            "/v1/envelopes",
            envelopes::submit,
            Operation::new(
                "Hands in an envelope",
                "The envelope's signature is all the authority that it takes. Handing the same envelope \
                 in again is answered as the first time. A refused statement is an outcome, not a problem.",
            )
            .bytes("An envelope in canonical bytes (`docs/format.md`, section 4), at most 1 MiB.")
            .or(StatusCode::ACCEPTED, "It is taken, and not final yet: ask for it by its id.")
            .fails(&[
                Kind::MalformedEnvelope,
                Kind::WrongChain,
                Kind::Expired,
                Kind::BadSignature,
                Kind::UnknownKey,
                Kind::RevokedKey,
                Kind::TooLarge,
            ]),
        )
        .get(
            "/v1/envelopes/{id}",
            envelopes::show,
            about("What became of an envelope"),
        )
        .get(
            "/v1/statements/{id}",
            statements::show,
            Operation::new(
                "What became of a statement",
                "`pending` is a statement in a block without a final checkpoint yet. One that still waits \
                 in a pool is `unknown` here: ask by envelope.",
            ),
        )
        .get(
            "/v1/receipts/{id}",
            statements::receipt,
            about("A statement's receipt").fails(&[Kind::NotFound, Kind::NotFinal]),
        )
        .get(
            "/v1/receipts/{id}/cose",
            statements::cose,
            Operation::new(
                "A statement's receipt on this node's word alone",
                "For tools that read COSE receipts: no quorum stands behind it.",
            )
            .fails(&[Kind::NotFound, Kind::NotFinal]),
        )
        .get(
            "/v1/subjects",
            subjects::show,
            about("What is recorded about a thing, now or at a height").fails(&[Kind::NotFound]),
        )
        .get(
            "/v1/slots",
            subjects::slot,
            about("Whether a slot of a sealed stream is used, or was at a height")
                .fails(&[Kind::NotFound]),
        )
}

/// What is read page by page, walked, or followed.
fn lists(routes: Routes) -> Routes {
    routes
        .get(
            "/v1/entries",
            entries::list,
            Operation::new(
                "The log, page by page",
                "`next` is the position that the next page begins at, as `from`; null on the last page.",
            )
            .fails(&[Kind::NotFound]),
        )
        .get(
            "/v1/subjects/statements",
            subjects::statements,
            Operation::new(
                "The statements about a thing, page by page",
                "`next` is the last position of this page, as the next page's `after`; null on the last page.",
            )
            .fails(&[Kind::NotFound]),
        )
        .get(
            "/v1/subjects/uses",
            subjects::uses,
            Operation::new(
                "The uses of data that name a thing, page by page",
                "As data, as an agreement, or as what was made. A page may have fewer items than were \
                 asked for, and others follow, as long as `next` is not null.",
            )
            .fails(&[Kind::NotFound]),
        )
        .get(
            "/v1/trace",
            trace::trace,
            Operation::new(
                "What a thing is made of, or what contains it",
                "Nearest things first, each once. `truncated` says that a bound left something out.",
            )
            .fails(&[Kind::NotFound]),
        )
        .get(
            "/v1/stream",
            stream::stream,
            Operation::new(
                "What becomes final, as it does",
                "Server-Sent Events without end. An event `statement` has an item as in /v1/entries as its \
                 data; an event's id is a place in the log, on every node, and goes into `Last-Event-ID` or, \
                 plus 1, into `from`. Events without data say how far the reader has come. A reader that \
                 takes nothing for as long as the node's configuration allows is cut off.",
            )
            .header(
                "Last-Event-ID",
                "The last event that was seen: what comes after it is sent. Counts before `from`.",
                json!({ "type": "string", "pattern": "^[0-9]{1,19}$" }),
            ),
        )
}

/// Bundles.
fn proofs(routes: Routes) -> Routes {
    let proof = |summary| about(summary).fails(&[Kind::NotFound, Kind::NotFinal]);
    routes
        .get(
            "/v1/proofs/statement/{id}",
            proofs::statement,
            proof("Proves that a statement is recorded, by whom and when"),
        )
        .get(
            "/v1/proofs/subject",
            proofs::subject,
            proof("Proves which statements about a thing there are, or that there are none"),
        )
        .get(
            "/v1/proofs/slot",
            proofs::slot,
            proof("Proves what is in a slot, or that it is empty"),
        )
        .get(
            "/v1/proofs/trace",
            proofs::trace,
            proof("Proves what a thing is made of, with nothing left out"),
        )
        .get(
            "/v1/proofs/lineage",
            proofs::lineage,
            proof("Proves which uses of data a thing came out of or went into, with none left out"),
        )
        .get(
            "/v1/proofs/check",
            proofs::check,
            proof("Proves what a compliance profile judges a thing by"),
        )
}

/// The log for tools that know nothing of Jangbu.
fn log(routes: Routes) -> Routes {
    routes
        .get("/v1/tlog-policy", log::policy, about("Whose signatures the log's proofs have"))
        .get(
            "/checkpoint",
            log::checkpoint,
            about("The last final checkpoint").fails(&[Kind::NotFinal]),
        )
        .get(
            "/tile/{*path}",
            log::tile,
            Operation::new(
                "A tile of the log",
                "Paths as in C2SP tlog-tiles, slashes included: `0/000`, `0/x001/234.p/17`, `entries/000`. \
                 There are tiles of the final part of the log only.",
            )
            .segment("path", "The rest of the path.", json!({ "type": "string", "examples": ["0/000"] }))
            .fails(&[Kind::BadRequest, Kind::NotFound]),
        )
}

const _: () = assert!(
    ENVELOPE_BYTES_MAX == 1024 * 1024,
    "a description says 1 MiB"
);
