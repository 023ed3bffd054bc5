//! Routes that describe themselves: what a handler takes and answers is read off its signature, so
//! that the API's description cannot tell anything else.
//!
//! ```text
//!   async fn show(State<…>, Params<About>) -> Result<Json<SubjectAnswer>, Problem>
//!                           └ parameters              └ 200           └ 400, 429, 503 …
//! ```
//!
//! A sort of parameter or answer that has no description ([`Input`], [`Output`]) does not compile as
//! a route.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Node;
use super::media::{Media, Raw};
use super::params::{Params, Segment};
use super::problem::{Kind, Problem};
use super::server::Cut;

/// What one route takes and answers.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its summary, in a line.
    pub(super) summary: &'static str,
    /// The rest of what there is to say.
    pub(super) description: &'static str,
    /// Parameters of path, query and head, as OpenAPI writes them.
    pub(super) parameters: Vec<Value>,
    /// The request's body, as OpenAPI writes it.
    pub(super) body: Option<Value>,
    /// By status: what an answer that is no problem means, and its content as OpenAPI writes it.
    pub(super) answers: BTreeMap<u16, (&'static str, Value)>,
    /// Which problems it may answer.
    pub(super) problems: Vec<Kind>,
}

impl Operation {
    /// Of a route that is about `summary`.
    pub(super) const fn new(summary: &'static str, description: &'static str) -> Self {
        Self {
            summary,
            description,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// It may answer these problems, too.
    pub(super) fn fails(mut self, kinds: &[Kind]) -> Self {
        self.may_fail(kinds);
        self
    }

    /// It may answer what it answers with 200 with this status, too.
    pub(super) fn or(mut self, status: StatusCode, meaning: &'static str) -> Self {
        self.answers.insert(status.as_u16(), (meaning, Value::Null));
        self
    }

    /// It takes a head field.
    pub(super) fn header(mut self, name: &str, description: &str, schema: Value) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description, "schema": schema,
        }));
        self
    }

    /// It takes what its path has in the place of this name.
    pub(super) fn segment(mut self, name: &str, description: &str, schema: Value) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": schema,
        }));
        self
    }

    /// It takes a body of bytes.
    pub(super) fn bytes(mut self, description: &str) -> Self {
        let content = json!({ "application/octet-stream": {} });
        self.body = Some(json!({
            "description": description, "required": true, "content": content,
        }));
        self
    }

    fn may_fail(&mut self, kinds: &[Kind]) {
        for kind in kinds {
            if !self.problems.contains(kind) {
                self.problems.push(*kind);
            }
        }
    }

    fn answers(&mut self, meaning: &'static str, media: &str, schema: Value) {
        let content = json!({ media: { "schema": schema } });
        for (_, shown) in self.answers.values_mut() {
            *shown = content.clone();
        }
        let ok = StatusCode::OK.as_u16();
        self.answers.insert(ok, (meaning, content));
    }
}

/// Something that a handler takes.
pub(super) trait Input {
    /// Adds what it is to an operation at this path.
    fn describe(operation: &mut Operation, path: &str);
}

/// Something that a handler answers.
pub(super) trait Output {
    /// Adds what it is to an operation; schemas of what is shown go to where all are kept.
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator);
}

/// A handler whose signature says what it takes and answers.
pub(super) trait Described<Arguments> {
    /// Adds that to an operation at this path.
    fn describe(operation: &mut Operation, path: &str, schemas: &mut SchemaGenerator);
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<F, Answer, $($argument),*> Described<($($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> Answer,
            Answer: Future,
            Answer::Output: Output,
            $($argument: Input,)*
        {
            #[allow(unused_variables, reason = "without arguments nothing is in the path")]
            fn describe(operation: &mut Operation, path: &str, schemas: &mut SchemaGenerator) {
                $($argument::describe(operation, path);)*
                <Answer::Output as Output>::describe(operation, schemas);
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);

impl Input for State<Arc<Node>> {
    fn describe(_: &mut Operation, _: &str) {}
}

/// Which fields are read, and what of the path or the body: the table of routes says so.
macro_rules! described_in_the_table {
    ($($input:ty),*) => {
        $(impl Input for $input {
            fn describe(_: &mut Operation, _: &str) {}
        })*
    };
}

described_in_the_table!(HeaderMap, Uri, Request, Extension<Cut>);

impl<T: JsonSchema> Input for Params<T> {
    fn describe(operation: &mut Operation, _: &str) {
        operation.may_fail(&[Kind::BadRequest]);
        let schema = T::json_schema(&mut of_parameters());
        let required = schema.get("required").and_then(Value::as_array);
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            let required = required.is_some_and(|all| all.iter().any(|one| one == name));
            operation
                .parameters
                .push(parameter(name, "query", required, schema));
        }
    }
}

impl<T: JsonSchema> Input for Segment<T> {
    fn describe(operation: &mut Operation, path: &str) {
        operation.may_fail(&[Kind::BadRequest]);
        let schema = T::json_schema(&mut of_parameters()).to_value();
        let name = path.split(['{', '}']).nth(1).unwrap_or_default();
        operation
            .parameters
            .push(parameter(name, "path", true, &schema));
    }
}

/// Makes schemas of what is read: each whole where it is used.
fn of_parameters() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        })
        .into_generator()
}

fn parameter(name: &str, place: &str, required: bool, schema: &Value) -> Value {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    // What is not said is left out; there is no null in a query.
    if let Some(Value::Array(types)) = schema.get("type") {
        let some = types.iter().find(|one| *one != "null").cloned();
        schema.insert("type".into(), some.unwrap_or_default());
    }
    if let Some(Value::Array(choices)) = schema.remove("anyOf") {
        let some = choices.into_iter().find(|one| one["type"] != "null");
        let described = schema.clone();
        schema = some
            .and_then(|some| some.as_object().cloned())
            .unwrap_or_default();
        schema.extend(described);
    }
    if schema
        .get("format")
        .is_some_and(|format| format == "uint64")
    {
        schema.insert("maximum".into(), u64::MAX.into());
    }
    let mut parameter = Map::new();
    parameter.insert("name".into(), name.into());
    parameter.insert("in".into(), place.into());
    parameter.insert("required".into(), required.into());
    if let Some(description) = schema.remove("description") {
        parameter.insert("description".into(), description);
    }
    parameter.insert("schema".into(), schema.into());
    parameter.into()
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        let schema = schemas.subschema_for::<T>().to_value();
        operation.answers("The answer.", "application/json", schema);
    }
}

impl<M: Media> Output for Raw<M> {
    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.answers(M::ABOUT, M::TYPE, M::schema());
    }
}

impl<T: Output> Output for (StatusCode, T) {
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        T::describe(operation, schemas);
    }
}

impl<T: Output> Output for Result<T, Problem> {
    fn describe(operation: &mut Operation, schemas: &mut SchemaGenerator) {
        operation.may_fail(&[Kind::Unavailable]);
        T::describe(operation, schemas);
    }
}

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

impl Method {
    /// Its name in OpenAPI.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// A router, and the description of all that it routes.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) router: Router<Arc<Node>>,
    /// What is said of each route, in their order.
    pub(super) operations: Vec<(&'static str, Method, Operation)>,
    /// Where the schemas of answers are kept.
    pub(super) schemas: SchemaGenerator,
}

impl Default for Routes {
    fn default() -> Self {
        let schemas = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = "/components/schemas".into();
            });
        Self {
            router: Router::new(),
            operations: Vec::new(),
            schemas: schemas.into_generator(),
        }
    }
}

impl Routes {
    /// A route that is read.
    pub(super) fn get<H, T, A>(self, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<Node>> + Described<A>,
        T: 'static,
    {
        let mut routes = self.describe::<H, A>(path, Method::Get, operation);
        routes.router = routes.router.route(path, get(handler));
        routes
    }

    /// A route that is written to.
    pub(super) fn post<H, T, A>(self, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, Arc<Node>> + Described<A>,
        T: 'static,
    {
        let mut routes = self.describe::<H, A>(path, Method::Post, operation);
        routes.router = routes.router.route(path, post(handler));
        routes
    }

    fn describe<H: Described<A>, A>(
        mut self,
        path: &'static str,
        method: Method,
        mut operation: Operation,
    ) -> Self {
        // Whatever the handler does, its number and time are bounded, and nobody is shown less than
        // they say they have seen, if they say so readably.
        operation.may_fail(&[
            Kind::PoolFull,
            Kind::TimedOut,
            Kind::Behind,
            Kind::BadRequest,
        ]);
        H::describe(&mut operation, path, &mut self.schemas);
        self.operations.push((path, method, operation));
        self
    }

    /// The schema of something that answers name but none has as a whole.
    pub(super) fn schema_of<T: JsonSchema>(&mut self) -> Schema {
        self.schemas.subschema_for::<T>()
    }
}
