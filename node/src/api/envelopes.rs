//! Handing in envelopes, and what became of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use jangbu_ledger::block::Entry;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_replica::replica::Admission;
use jangbu_replica::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Node;
use super::item;
use super::limits::{body, read};
use super::params::{Params, Segment};
use super::problem::{self, Kind, Problem};
use crate::inbox::{Refused, Submission};

/// How long a submission waits for finality if nothing is said, in milliseconds.
const WAIT_MS_DEFAULT: u64 = 30_000;
/// Longest a submission may wait, in milliseconds.
const WAIT_MS_MAX: u64 = 120_000;
/// Longest the replica may take to admit an envelope before the client gives up: it works in
/// batches and commits blocks in between.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// What to wait for.
    #[serde(default)]
    wait: WaitFor,
    /// How long at most; 30,000 if nothing is said.
    #[schemars(range(max = WAIT_MS_MAX))]
    timeout_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WaitFor {
    /// Until the statements are final.
    #[default]
    Final,
    /// Until the node has taken the envelope.
    Accepted,
}

/// What became of an envelope.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EnvelopeAnswer {
    /// The envelope.
    envelope_id: EnvelopeId,
    /// `unknown` here, `pending`, or `final`.
    #[schemars(extend("enum" = ["unknown", "pending", "final"]))]
    status: &'static str,
    /// What became of each statement, in their order; only once that is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes: Option<Vec<OutcomeAnswer>>,
}

/// What became of one statement.
#[derive(Debug, Serialize, JsonSchema)]
struct OutcomeAnswer {
    /// The statement.
    statement_id: StatementId,
    /// `final`: it is on the ledger. `refused`: it broke a rule.
    #[schemars(extend("enum" = ["final", "refused"]))]
    status: &'static str,
    /// Whether it was on the ledger before.
    duplicate: bool,
    /// Its position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
    /// The block that recorded or refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<Height>,
    /// The `type` of a problem (RFC 9457) for the rule that it broke, one for each rule.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^urn:jangbu:problem:rule:[a-z-]+\.[a-z-]+$"))]
    problem: Option<String>,
    /// The id of the rule that it broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    /// The rule in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    /// Its receipt: a C2SP tlog-proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// An envelope whose outcomes are known, final or not.
struct Decided {
    /// Everything the outcomes speak of is in blocks up to here.
    height: Height,
    /// Per statement: its id and what became of it.
    outcomes: Vec<(StatementId, Outcome)>,
}

pub(super) async fn submit(
    State(node): State<Arc<Node>>,
    Params(params): Params<Wait>,
    request: Request,
) -> Result<(StatusCode, Json<EnvelopeAnswer>), Problem> {
    let timeout_ms = params.timeout_ms.unwrap_or(WAIT_MS_DEFAULT);
    if timeout_ms > WAIT_MS_MAX {
        let detail = format!("timeout_ms = {timeout_ms}: at most {WAIT_MS_MAX}");
        return Err(Problem::bad_request(detail));
    }
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let bytes = body(&node, request, ENVELOPE_BYTES_MAX).await?;
    node.metrics.submissions.increment();
    let id = Envelope::id_of(&bytes);
    // In the queue before the envelope is handed in: its block may come at once.
    let mut ticket = node.waiters.wait_for(id);
    let admission = admit(&node, &bytes).await.inspect_err(|_| {
        node.metrics.submissions_refused.increment();
    });
    let pending = EnvelopeAnswer {
        envelope_id: id,
        status: "pending",
        outcomes: None,
    };
    let (height, at_once) = match admission.map_err(|problem| problem.about(id))? {
        Admission::Known(_, outcomes) => {
            let height = node.reader.decided(&id)?.map(|(height, _)| height);
            let known = read(&node, move |node| known(node, &bytes, height, outcomes)).await?;
            (known.height, Some(known))
        }
        Admission::Pending(_) if params.wait == WaitFor::Accepted => {
            return Ok((StatusCode::ACCEPTED, Json(pending)));
        }
        Admission::Pending(_) => {
            drop(bytes);
            let committed = tokio::time::timeout_at(deadline, ticket.committed()).await;
            match committed {
                Ok(Some(height)) => (height, None),
                _ => return Ok((StatusCode::ACCEPTED, Json(pending))),
            }
        }
    };
    let is_final = node.waiters.until_final(height);
    if tokio::time::timeout_at(deadline, is_final).await.is_err() {
        return Ok((StatusCode::ACCEPTED, Json(pending)));
    }
    let outcomes = read(&node, move |node| {
        let decided = match at_once {
            Some(known) => known,
            None => decided(node, id)?.ok_or_else(|| lost(id))?,
        };
        answers(node, decided)
    })
    .await?;
    let answer = EnvelopeAnswer {
        envelope_id: id,
        status: "final",
        outcomes: Some(outcomes),
    };
    Ok((StatusCode::OK, Json(answer)))
}

pub(super) async fn show(
    State(node): State<Arc<Node>>,
    Segment(id): Segment<EnvelopeId>,
) -> Result<Json<EnvelopeAnswer>, Problem> {
    read(&node, move |node| {
        let answer = |status, outcomes| {
            Ok(Json(EnvelopeAnswer {
                envelope_id: id,
                status,
                outcomes,
            }))
        };
        let Some(decided) = decided(node, id)? else {
            // Written for a proposed block of the running height.
            return match node.reader.envelope(&id)? {
                Some(_) => answer("pending", None),
                None => answer("unknown", None),
            };
        };
        let last = node.waiters.last_final();
        if last.is_none_or(|mark| mark.height < decided.height) {
            return answer("pending", None);
        }
        answer("final", Some(answers(node, decided)?))
    })
    .await
}

/// Hands the envelope to the replica and waits for its first answer.
async fn admit(node: &Node, bytes: &[u8]) -> Result<Admission, Problem> {
    if let Some(reason) = node.health.stopped() {
        return Err(Problem::new(Kind::Unavailable, reason));
    }
    let (answer, answered) = oneshot::channel();
    let submission = Submission {
        bytes: bytes.to_vec(),
        answer,
    };
    node.inbox
        .offer(submission)
        .map_err(|refused| match refused {
            Refused::Full => Problem::new(
                Kind::PoolFull,
                "this node has too many envelopes waiting; try again in a moment",
            ),
            Refused::Stopped => Problem::new(Kind::Unavailable, "the node is stopping"),
        })?;
    match tokio::time::timeout(ADMISSION_TIMEOUT, answered).await {
        Ok(Ok(result)) => Ok(result?),
        Ok(Err(_)) => Err(Problem::new(
            Kind::Unavailable,
            node.health.stopped().unwrap_or("the node is stopping"),
        )),
        Err(_) => Err(Problem::new(
            Kind::Unavailable,
            "the node is too slow at the moment; it is not known whether it took the envelope",
        )),
    }
}

/// An envelope that needed no new block: decided before, or all its statements recorded.
fn known(
    node: &Node,
    bytes: &[u8],
    height: Option<Height>,
    outcomes: Vec<Outcome>,
) -> Result<Decided, Problem> {
    let envelope = Envelope::decode(bytes, &node.consortium.chain_id)?;
    let mut last = height.unwrap_or_default();
    for outcome in &outcomes {
        if let Outcome::Recorded(sequence) | Outcome::Duplicate(sequence) = outcome {
            last = last.max(entry_at(node, *sequence)?.height);
        }
    }
    Ok(Decided {
        height: last,
        outcomes: envelope.statement_ids().into_iter().zip(outcomes).collect(),
    })
}

/// A committed envelope; `None` if it is not committed.
fn decided(node: &Node, id: EnvelopeId) -> Result<Option<Decided>, Problem> {
    let Some((height, outcomes)) = node.reader.decided(&id)? else {
        return Ok(None);
    };
    let bytes = node.reader.envelope(&id)?.ok_or_else(|| lost(id))?;
    let envelope = Envelope::decode(&bytes, &node.consortium.chain_id)
        .map_err(|error| StoreError::Corrupt(format!("envelope {id}: {error}")))?;
    Ok(Some(Decided {
        height,
        outcomes: envelope.statement_ids().into_iter().zip(outcomes).collect(),
    }))
}

/// What was committed is not there.
fn lost(id: EnvelopeId) -> StoreError {
    StoreError::Corrupt(format!("the committed envelope {id} is missing"))
}

/// The answers for an envelope all of whose outcomes are final.
fn answers(node: &Node, decided: Decided) -> Result<Vec<OutcomeAnswer>, Problem> {
    let receipts = node.notary.batch();
    let mut answers = Vec::with_capacity(decided.outcomes.len());
    for (statement_id, outcome) in decided.outcomes {
        let (sequence, duplicate) = match outcome {
            Outcome::Recorded(sequence) => (sequence, false),
            Outcome::Duplicate(sequence) => (sequence, true),
            Outcome::Refused(rule) => {
                answers.push(OutcomeAnswer {
                    statement_id,
                    status: "refused",
                    duplicate: false,
                    sequence: None,
                    height: Some(decided.height),
                    problem: Some(problem::of_rule(rule)),
                    rule: Some(rule.id()),
                    message: Some(rule.explanation()),
                    receipt: None,
                });
                continue;
            }
        };
        let receipt = receipts.receipt(sequence)?;
        let height = item::decode(sequence, &receipt.entry)?.height;
        answers.push(OutcomeAnswer {
            statement_id,
            status: "final",
            duplicate,
            sequence: Some(sequence),
            height: Some(height),
            problem: None,
            rule: None,
            message: None,
            receipt: Some(receipt.to_string()),
        });
    }
    Ok(answers)
}

fn entry_at(node: &Node, sequence: Sequence) -> Result<Entry, Problem> {
    let bytes = node
        .reader
        .entry(sequence)?
        .ok_or_else(|| item::missing(sequence))?;
    item::decode(sequence, &bytes)
}
