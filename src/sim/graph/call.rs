//! One request as Graph reads it, from HTTP or from a `$batch`: method, path, query, headers and body. Knows no path.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::error::GraphError;

/// Limit of path segments; the longest known path has nine.
const SEGMENTS_MAX: usize = 16;
/// Limit of characters of path and query.
const URL_MAX: usize = 16_384;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct GraphCall {
    pub(super) method: Method,
    /// The path after the version, as sent.
    pub(super) path: String,
    /// Its segments, decoded.
    pub(super) segments: Vec<String>,
    /// The query's fields, decoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// `scheme://host`, under which the client reached the server.
    pub(super) root: String,
}

impl GraphCall {
    /// Reads a URL that begins after the version: `/users/…?…`.
    pub(super) fn new(
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        root: &str,
    ) -> Result<Self, GraphError> {
        if url.len() > URL_MAX {
            return Err(GraphError::parse_uri("The request URL is too long."));
        }
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let segments: Option<Vec<String>> =
            path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let segments = segments.filter(|all| all.len() <= SEGMENTS_MAX);
        Ok(Self {
            method,
            path: path.to_owned(),
            segments: segments.ok_or_else(|| GraphError::parse_uri("The request URL is malformed."))?,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body,
            root: root.to_owned(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first query field with this name, which is not case-sensitive.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object; an empty body is an empty object.
    pub(super) fn json(&self) -> Result<Map<String, Value>, GraphError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        let bad = |reason: &str| {
            GraphError::bad_request(
                "BadRequest",
                format!(
                    "Unable to read JSON request payload. Please ensure Content-Type header is set and \
                         payload is of valid JSON format. {reason}"
                ),
            )
        };
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(bad("The Content-Type is not application/json."));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(bad("The payload is not an object.")),
            Err(_) => Err(bad("The payload is not JSON.")),
        }
    }
}

/// Decodes percent-encoding; `None` if it is cut, or not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(out).ok()
}
