//! The result of one request before HTTP: a status, header fields and a JSON body; or the fault that replaces it.

use http::StatusCode;
use serde_json::Value;

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GraphReply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl GraphReply {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Some(body) }
    }

    /// A response without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// 201, with the address of the new object.
    pub(super) fn created(body: Value, location: String) -> Self {
        Self { status: StatusCode::CREATED, headers: vec![("Location", location)], body: Some(body) }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What is sent for a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GraphOutcome {
    Reply(GraphReply),
    /// The response breaks off after so many bytes.
    Truncated(GraphReply, usize),
    /// A page of a proxy or a front end, with `Retry-After` in seconds.
    Page(StatusCode, Option<u64>),
    /// 200 without JSON.
    Garbage,
    /// The connection breaks.
    Reset,
}
