//! Errors as RFC 9457 problem details, each cause with a stable type.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jangbu_ledger::codec::CodecError;
use jangbu_ledger::envelope::EnvelopeError;
use jangbu_ledger::execute::OrderError;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::StateError;
use jangbu_replica::pool::AdmissionError;
use jangbu_replica::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

/// What each problem's type begins with.
const TYPES: &str = "urn:jangbu:problem:";

/// The type of a refusal by a rule.
pub(super) fn of_rule(rule: Rule) -> String {
    format!("{TYPES}rule:{}", rule.id())
}

/// What went wrong, as programs tell causes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    MalformedEnvelope,
    WrongChain,
    Expired,
    BadSignature,
    UnknownKey,
    RevokedKey,
    TooLarge,
    PoolFull,
    Unavailable,
    Behind,
    NotFound,
    NotFinal,
    BadRequest,
    MethodNotAllowed,
    TimedOut,
}

impl Kind {
    /// All of them.
    const ALL: [Self; 15] = [
        Self::MalformedEnvelope,
        Self::WrongChain,
        Self::Expired,
        Self::BadSignature,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::TooLarge,
        Self::PoolFull,
        Self::Unavailable,
        Self::Behind,
        Self::NotFound,
        Self::NotFinal,
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::TimedOut,
    ];

    /// Its `type` in a problem document.
    pub(super) fn uri(self) -> String {
        format!("{TYPES}{}", self.name())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MalformedEnvelope => "malformed-envelope",
            Self::WrongChain => "wrong-chain",
            Self::Expired => "expired",
            Self::BadSignature => "bad-signature",
            Self::UnknownKey => "unknown-key",
            Self::RevokedKey => "revoked-key",
            Self::TooLarge => "too-large",
            Self::PoolFull => "pool-full",
            Self::Unavailable => "unavailable",
            Self::Behind => "behind",
            Self::NotFound => "not-found",
            Self::NotFinal => "not-final",
            Self::BadRequest => "bad-request",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TimedOut => "timed-out",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::MalformedEnvelope => "The envelope is malformed",
            Self::WrongChain => "The envelope is for another ledger",
            Self::Expired => "The envelope's time does not fit",
            Self::BadSignature => "The signature does not verify",
            Self::UnknownKey => "The key is not registered",
            Self::RevokedKey => "The key is revoked",
            Self::TooLarge => "Too large",
            Self::PoolFull => "The node is busy",
            Self::Unavailable => "The node cannot serve this now",
            Self::Behind => "The node is behind",
            Self::NotFound => "Not found",
            Self::NotFinal => "Not final yet",
            Self::BadRequest => "The request cannot be understood",
            Self::MethodNotAllowed => "This path does not take this method",
            Self::TimedOut => "The request took too long",
        }
    }

    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::MalformedEnvelope | Self::WrongChain | Self::Expired | Self::BadRequest => {
                StatusCode::BAD_REQUEST
            }
            Self::BadSignature | Self::UnknownKey | Self::RevokedKey => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PoolFull => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::Behind => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound | Self::NotFinal => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Whether the same request may succeed later.
    const fn retryable(self) -> bool {
        matches!(
            self,
            Self::PoolFull | Self::Unavailable | Self::Behind | Self::NotFinal | Self::TimedOut
        )
    }

    /// Seconds after which to try again, where that is known.
    pub(super) const fn retry_after_s(self) -> Option<u64> {
        match self {
            Self::PoolFull | Self::Behind | Self::NotFinal => Some(1),
            _ => None,
        }
    }
}

/// One error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    id: Option<String>,
}

/// Why a request was not answered (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Body<'a> {
    /// The cause, as programs tell causes apart.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = Kind::ALL.map(Kind::uri)))]
    uri: String,
    /// The cause in words.
    title: &'a str,
    /// The answer's status.
    status: u16,
    /// What was wrong this time, and what to do.
    detail: &'a str,
    /// The envelope or statement that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// Whether the same request may succeed later.
    retryable: bool,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            id: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// Names the envelope or statement the problem is about.
    pub(super) fn about(mut self, id: impl ToString) -> Self {
        self.id = Some(id.to_string());
        self
    }

    #[cfg(test)]
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let body = Body {
            uri: self.kind.uri(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            id: self.id.as_deref(),
            retryable: self.kind.retryable(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.kind.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::new(Kind::Unavailable, error.to_string())
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::new(Kind::Unavailable, error.to_string())
    }
}

impl From<EnvelopeError> for Problem {
    fn from(error: EnvelopeError) -> Self {
        let kind = match &error {
            EnvelopeError::Codec(CodecError::TooLong { .. }) => Kind::TooLarge,
            EnvelopeError::WrongChain { .. } => Kind::WrongChain,
            _ => Kind::MalformedEnvelope,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<AdmissionError> for Problem {
    fn from(error: AdmissionError) -> Self {
        let kind = match &error {
            AdmissionError::Envelope(error) => return error.clone().into(),
            AdmissionError::Order(OrderError::UnknownKey(_)) => Kind::UnknownKey,
            AdmissionError::Order(OrderError::RevokedKey(_)) => Kind::RevokedKey,
            AdmissionError::Order(OrderError::Expired { .. } | OrderError::TooLongLived) => {
                Kind::Expired
            }
            AdmissionError::Signature => Kind::BadSignature,
            AdmissionError::Full | AdmissionError::Quota => Kind::PoolFull,
            // What this node cannot execute, state that cannot be read, and what may be added.
            _ => Kind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use jangbu_ledger::id::{ChainId, KeyId};

    use super::*;

    #[test]
    fn each_refusal_has_the_status_of_its_cause() {
        let chain = ChainId([0; 32]);
        for (error, name, status) in [
            (
                AdmissionError::Envelope(EnvelopeError::Count(0)),
                "malformed-envelope",
                400,
            ),
            (
                AdmissionError::Envelope(EnvelopeError::WrongChain {
                    got: chain,
                    expected: chain,
                }),
                "wrong-chain",
                400,
            ),
            (
                AdmissionError::Envelope(EnvelopeError::Codec(CodecError::TooLong {
                    what: "Envelope",
                    len: 2,
                    max: 1,
                })),
                "too-large",
                413,
            ),
            (
                AdmissionError::Order(OrderError::UnknownKey(KeyId([0; 16]))),
                "unknown-key",
                401,
            ),
            (
                AdmissionError::Order(OrderError::TooLongLived),
                "expired",
                400,
            ),
            (AdmissionError::Signature, "bad-signature", 401),
            (AdmissionError::Full, "pool-full", 429),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.kind().name(), name);
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "application/problem+json"
            );
            assert_eq!(
                response.headers().contains_key(header::RETRY_AFTER),
                status == 429
            );
        }
    }
}
