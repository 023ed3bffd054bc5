//! Answers that are not the API's own JSON: each sort of body with its media type.

use std::marker::PhantomData;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jangbu_ledger::bundle;
use jangbu_ledger::receipt::cose;
use serde_json::{Value, json};

/// A sort of body.
pub(super) trait Media {
    /// Its media type.
    const TYPE: &'static str;
    /// What is in it.
    const ABOUT: &'static str;
    /// How long it may be kept, if that is said.
    const CACHE: Option<&'static str> = None;

    /// Its JSON Schema: text, if nothing else is said.
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

/// A body of one sort.
pub(super) struct Raw<M> {
    body: Body,
    media: PhantomData<M>,
}

impl<M: Media> Raw<M> {
    /// These bytes.
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        Self::streamed(Body::from(bytes.into()))
    }

    /// What comes as it comes.
    pub(super) fn streamed(body: Body) -> Self {
        let media = PhantomData;
        Self { body, media }
    }
}

impl<M: Media> IntoResponse for Raw<M> {
    fn into_response(self) -> Response {
        let cache = M::CACHE.map(|cache| [(header::CACHE_CONTROL, cache)]);
        ([(header::CONTENT_TYPE, M::TYPE)], cache, self.body).into_response()
    }
}

macro_rules! media {
    ($($name:ident: $type:expr, $about:literal $(, cache $cache:literal)? $(, schema $schema:expr)?;)*) => {
        $(
            #[doc = $about]
            pub(super) enum $name {}

            impl Media for $name {
                const TYPE: &'static str = $type;
                const ABOUT: &'static str = $about;
                $(const CACHE: Option<&'static str> = Some($cache);)?
                $(fn schema() -> Value {
                    $schema
                })?
            }
        )*
    };
}

media! {
    Word: "text/plain; charset=utf-8", "One word.";
    Metrics: "text/plain; version=0.0.4; charset=utf-8", "Counters and gauges in Prometheus's text format.";
    Checkpoint: "text/plain; charset=utf-8",
        "The last final checkpoint: a C2SP tlog-checkpoint with the cosignatures of a quorum.",
        cache "no-cache";
    Policy: "text/plain; charset=utf-8", "A C2SP tlog-policy: every node's log key, every witness, the quorum.";
    Receipt: "text/plain; charset=utf-8", "A C2SP tlog-proof of the statement's entry (`docs/format.md`, section 12).";
    Cose: cose::MEDIA_TYPE, "A COSE receipt (RFC 9942) of the statement's entry.", schema json!({});
    // A tile never changes once it exists.
    Tile: "application/octet-stream", "A tile of hashes, or of entries.",
        cache "public, max-age=31536000, immutable", schema json!({});
    Bundle: bundle::MEDIA_TYPE, "A bundle (`docs/format.md`, section 13), to be verified by whoever reads it.",
        schema json!({ "type": "object" });
    Genesis: "application/json", "The founding document (`docs/founding.md`).", schema json!({ "type": "object" });
    OpenApi: "application/json", "An OpenAPI 3.1 document.", schema json!({ "type": "object" });
    Events: "text/event-stream", "Server-Sent Events.", cache "no-store";
}
