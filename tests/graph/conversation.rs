//! What the tests of this program share: a connection to a scripted server, and responses written after the documentation.

use std::io::Write as _;
use std::time::Duration;

use adjourn::graph::{Graph, GraphRights, GraphSettings};
use adjourn::login::{ExternalToken, SignInMethod};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::script::{Reaction, ScriptedServer};

/// A connection, and the file that its token is read from.
pub struct Connection {
    pub graph: Graph,
    _token: NamedTempFile,
}

impl std::ops::Deref for Connection {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.graph
    }
}

/// A connection to this server with all rights.
pub fn graph(script: &ScriptedServer) -> Connection {
    graph_with(script, GraphRights::ALL)
}

pub fn graph_with(script: &ScriptedServer, rights: GraphRights) -> Connection {
    let mut token = NamedTempFile::new().unwrap();
    token.write_all(b"token-1\n").unwrap();
    let sign_in = SignInMethod::Token(ExternalToken::File(token.path().to_owned()));
    let mut settings = GraphSettings::new(root(script), sign_in);
    settings.rights = rights;
    settings.timeouts.first_byte = Duration::from_millis(300);
    settings.timeouts.response = Duration::from_millis(600);
    settings.timeouts.operation = Duration::from_secs(5);
    Connection { graph: Graph::new(&settings).unwrap(), _token: token }
}

/// The scripted server's URL without a path.
pub fn root(script: &ScriptedServer) -> String {
    script.url.trim_end_matches("/EWS/Exchange.asmx").to_owned()
}

pub fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    "2026-10-05T00:00:00Z".parse::<DateTime<Utc>>().unwrap()
        + TimeDelta::minutes(i64::from(hour * 60 + minute))
}

pub fn time(time: DateTime<Utc>) -> Value {
    json!({"dateTime": time.format("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": "UTC"})
}

/// A meeting of the room from nine to ten.
pub fn event(id: &str, key: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../fixtures/graph/event-attendee-copy.json")).unwrap();
    event["id"] = json!(id);
    event["changeKey"] = json!(key);
    event["start"] = time(at(9, 0));
    event["end"] = time(at(10, 0));
    event
}

pub fn ok(body: &Value) -> Reaction {
    Reaction::Answer(
        200,
        "Content-Type: application/json\r\nrequest-id: theirs-1\r\n",
        body.to_string().into(),
    )
}

pub fn page(events: &[Value]) -> Reaction {
    ok(&json!({"value": events}))
}

pub fn error(status: u16, code: &str) -> Reaction {
    error_with(status, "", code)
}

/// An error with further headers.
pub fn error_with(status: u16, headers: &'static str, code: &str) -> Reaction {
    let error = json!({"code": code, "message": "m", "innerError": {"request-id": "theirs-of-body"}});
    Reaction::Answer(status, headers, json!({"error": error}).to_string().into())
}

/// Method and path of each request that was received.
pub fn lines(script: &ScriptedServer) -> Vec<String> {
    let line = |request: &String| {
        let mut words = request.split_whitespace();
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        format!("{method} {}", path.split('?').next().unwrap())
    };
    script.requests().iter().map(line).collect()
}
