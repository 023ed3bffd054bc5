//! Reading parameters, with a problem document for what cannot be read.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use jangbu_ledger::identifier::Identifier;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// An identifier, for who reads the API's description and what makes up requests from it.
pub(super) const EXAMPLE: &str = "https://id.gs1.org/01/09521234002000";

/// The query string as a `T`.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

/// The one parameter of the path as a `T`.
#[derive(Debug)]
pub(super) struct Segment<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl<S, T> FromRequestParts<S> for Segment<T>
where
    S: Send + Sync,
    T: FromStr,
    T::Err: Display,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        parse("the path's last part", &text).map(Self)
    }
}

/// Reads one parameter.
pub(super) fn parse<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse()
        .map_err(|error| Problem::bad_request(format!("{name}: {error}")))
}

/// Reads an identifier in any spelling the ledger knows.
pub(super) fn identifier(text: &str) -> Result<Identifier, Problem> {
    parse("identifier", text)
}

/// Reads how many items are asked for: 1 to `max`, `default` if nothing is said.
pub(super) fn limit(asked: Option<usize>, default: usize, max: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(default),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(format!(
            "limit = {limit}: ask for 1 to {max}"
        ))),
    }
}
