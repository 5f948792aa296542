//! A client of raw requests, and the record of its exchanges for `tests/clients/graph_schema.py`.

use std::io::Write as _;

use adjourn::sim::{GraphOptions, Simulator, SimulatorOptions, World};
use adjourn_test::{AURORA, HttpReply, host, now, send_and_read, simulator_with};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// `Prefer` with immutable ids.
pub const IMMUTABLE: (&str, &str) = ("Prefer", "IdType=\"ImmutableId\"");

/// A simulator with all permissions.
pub async fn permitted(world: World) -> Simulator {
    with_options(world, GraphOptions::with_all_permissions()).await
}

pub async fn with_options(world: World, graph: GraphOptions) -> Simulator {
    simulator_with(world, SimulatorOptions { graph, ..SimulatorOptions::default() }).await
}

/// A client with a token.
pub struct GraphClient<'s> {
    sim: &'s Simulator,
    pub token: String,
}

/// A response.
#[derive(Debug)]
pub struct GraphAnswer {
    pub status: u16,
    pub reply: HttpReply,
    /// The body; null if it is empty or not JSON.
    pub json: Value,
}

impl GraphAnswer {
    /// Status and error code.
    pub fn error(&self) -> (u16, &str) {
        (self.status, self.json["error"]["code"].as_str().unwrap_or_default())
    }

    /// The elements of a collection.
    pub fn values(&self) -> &[Value] {
        assert_eq!(self.status, 200, "{self:?}");
        self.json["value"].as_array().unwrap()
    }

    /// A property of all elements.
    pub fn all(&self, property: &str) -> Vec<&str> {
        self.values().iter().map(|one| one[property].as_str().unwrap_or_default()).collect()
    }
}

impl<'s> GraphClient<'s> {
    pub fn new(sim: &'s Simulator) -> Self {
        Self { sim, token: sim.graph_token() }
    }

    pub async fn get(&self, path: &str) -> GraphAnswer {
        self.send("GET", path, &[], None).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> GraphAnswer {
        self.send("GET", path, headers, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> GraphAnswer {
        self.send("POST", path, &[], Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> GraphAnswer {
        self.send("PATCH", path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> GraphAnswer {
        self.send("DELETE", path, &[], None).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> GraphAnswer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// Sends a request below `/v1.0`; `None` if the response was lost.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Option<GraphAnswer> {
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let reply = self.send_text(method, &format!("/v1.0{path}"), headers, &text).await?;
        let length: Option<usize> = reply.header("content-length").and_then(|length| length.parse().ok());
        if length.is_some_and(|length| length != reply.body.len()) {
            return None;
        }
        let json = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
        let answer = GraphAnswer { status: reply.status, reply, json };
        record(method, path, body.as_ref(), &answer);
        Some(answer)
    }

    pub async fn send_text(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<HttpReply> {
        let address = host(self.sim);
        let path = path.replace(' ', "%20");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n",
            self.token
        );
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            head += "Content-Type: application/json\r\n";
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        HttpReply::parse(&send_and_read(&address, &request).await.ok()?)
    }

    /// Follows every `@odata.nextLink`; each must be under the simulator's own address.
    pub async fn all_pages(&self, path: &str) -> Vec<Value> {
        let mut answer = self.get(path).await;
        let mut all = answer.values().to_vec();
        while let Some(next) = answer.json["@odata.nextLink"].as_str() {
            let path = next.strip_prefix(&format!("{}/v1.0", self.sim.graph_root())).unwrap().to_owned();
            answer = self.get(&path).await;
            all.extend_from_slice(answer.values());
        }
        all
    }
}

/// The calendar view of a room from a day ago to a day ahead, with further query options.
pub fn view_of(room: &str, more: &str) -> String {
    let day = TimeDelta::days(1);
    format!("/users/{room}/calendarView?{}{more}", between(now() - day, now() + day))
}

/// The same of Aurora.
pub fn view(more: &str) -> String {
    view_of(AURORA, more)
}

/// The window of a calendar view.
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let edge = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    format!("startDateTime={}&endDateTime={}", edge(from), edge(to))
}

/// The path of an event in Aurora.
pub fn event_path(id: &Value) -> String {
    format!("/users/{AURORA}/events/{}", id.as_str().unwrap())
}

/// A `dateTimeTimeZone` in UTC.
pub fn utc(at: DateTime<Utc>) -> Value {
    json!({ "dateTime": at.format("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": "UTC" })
}

/// Appends an exchange to the file that the environment names.
fn record(method: &str, path: &str, request: Option<&Value>, answer: &GraphAnswer) {
    let Some(file) = std::env::var_os("ADJOURN_WRITE_GRAPH") else { return };
    let line = json!({
        "method": method, "path": path, "status": answer.status, "request": request, "response": answer.json,
    });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
