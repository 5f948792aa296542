//! Extractors for request bodies, queries and paths. They answer an invalid request with a [`Problem`], where axum's own
//! extractors answer plain text.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::problem::Problem;

/// How long reading a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON body. An empty body counts as an empty object: every body here has only optional members, or the error names the
/// missing one.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let reading = axum::body::Bytes::from_request(request, state);
        let read = tokio::time::timeout(BODY_TIMEOUT, reading).await;
        let bytes = read
            .map_err(|_| {
                Problem::bad_request_with(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.")
            })?
            .map_err(|rejection| Problem::bad_request_with(rejection.status(), rejection.body_text()))?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        parse(text).map(Self)
    }
}

/// Parses a body. The problem names the member that is wrong.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let JsonObject(value) =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            match error.inner().classify() {
                Category::Data => Problem::invalid_member(json_pointer(error.path()), error.inner()),
                Category::Io | Category::Syntax | Category::Eof => no_json(error.inner()),
            }
        })?;
    deserializer.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

fn no_json(error: &serde_json::Error) -> Problem {
    Problem::bad_request(format!("The body is not JSON: {error}."))
}

/// The path as a JSON Pointer (RFC 6901).
fn json_pointer(path: &serde_path_to_error::Path) -> String {
    let names = path.iter().map_while(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    names.fold(String::new(), |pointer, name| pointer + "/" + &name)
}

/// A JSON object. serde alone would also accept a list of the fields' values in order.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct JsonObject<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Map(PhantomData)).map(Self)
    }
}

/// Parameters of the query string.
pub(super) struct QueryParams<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) =
            Query::<T>::from_request_parts(parts, state).await.map_err(|rejection: QueryRejection| {
                Problem::bad_request_with(rejection.status(), rejection.body_text())
            })?;
        Ok(Self(value))
    }
}

/// Entries per page: the requested number if it is in range, else the default.
pub(super) fn page_size(asked: Option<usize>, default: usize, max: usize) -> Result<usize, Problem> {
    match asked.unwrap_or(default) {
        len if (1..=max).contains(&len) => Ok(len),
        _ => Err(Problem::bad_request(format!("`limit` must be between 1 and {max}."))),
    }
}

/// The first `limit` items, and whether there are more.
pub(super) fn first_page<T>(mut items: impl Iterator<Item = T>, limit: usize) -> (Vec<T>, bool) {
    let page = items.by_ref().take(limit).collect();
    (page, items.next().is_some())
}

/// Parameters of the path.
pub(super) struct PathParams<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A parameter with the wrong form names nothing, so the response is `404`.
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|_: PathRejection| Problem::not_found("resource"))
    }
}
