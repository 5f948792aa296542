//! Graph over HTTP: the access token, the limits of a request, and the headers of a response. Knows no resource.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http::request::Parts;
use http::response::Builder;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use uuid::Uuid;

use super::batch;
use super::call::GraphCall;
use super::error::{GraphError, ResponseIds};
use super::perform::GraphBackEnd;
use super::reply::{GraphOutcome, GraphReply};
use crate::clock::{Clock as _, SystemClock};
use crate::sim::login::{AccessTokens, TokenRefusal};
use crate::sim::options::SimulatorOptions;
use crate::sim::response_body::ResponseBody;
use crate::sim::state::SharedState;

/// Limit of a request body.
const REQUEST_BYTES_MAX: usize = 4 << 20;
const VERSION: &str = "/v1.0";
const JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
const CHALLENGE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                         client_id=\"00000003-0000-0000-c000-000000000000\"";
const DIAGNOSTIC: &str = "{\"ServerInfo\":{\"DataCenter\":\"Simulated\",\"Slice\":\"E\",\"Ring\":\"1\",\"ScaleUnit\":\"000\",\
                          \"RoleInstance\":\"SIM00000001\"}}";

/// Graph of one simulator, shared by its connections.
pub(crate) struct GraphService {
    back_end: GraphBackEnd,
    tokens: AccessTokens,
    clock_ahead: TimeDelta,
    scheme: &'static str,
}

/// Whether a path belongs to Graph.
pub(crate) fn is_graph_path(path: &str) -> bool {
    ["/v1.0", "/beta"].into_iter().any(|version| {
        path.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

impl GraphService {
    pub(crate) fn new(state: Arc<SharedState>, options: &SimulatorOptions) -> Self {
        Self {
            back_end: GraphBackEnd::new(state, options),
            tokens: options.tokens.clone(),
            clock_ahead: options.clock_ahead,
            scheme: if options.tls { "https" } else { "http" },
        }
    }

    /// Issues an access token that is valid for an hour.
    pub(crate) fn issue_token(&self) -> String {
        self.tokens.issue_for(&self.back_end.options.audience, Duration::from_secs(3_600))
    }

    /// Handles one request. An error closes the connection without a response.
    pub(crate) async fn handle(
        &self,
        connection: u64,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await.map(|body| body.to_bytes());
        let outcome = match body {
            Ok(body) => self.answer(connection, &head, body).await,
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(GraphError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "The request body is too large.",
            )),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        self.respond(outcome, &head.headers)
    }

    async fn answer(&self, connection: u64, head: &Parts, body: Bytes) -> Result<GraphOutcome, GraphError> {
        self.authenticate(&head.headers)?;
        let url = head.uri.path_and_query().map_or("", |url| url.as_str());
        let Some(url) = url.strip_prefix(VERSION) else {
            return Err(GraphError::bad_request("BadRequest", "Invalid version."));
        };
        let root = format!("{}://{}", self.scheme, host(&head.headers));
        let call = GraphCall::new(head.method.clone(), url, head.headers.clone(), body, &root)?;
        match call.segments.as_slice() {
            [only] if only == "$batch" && call.method == http::Method::POST => {
                batch::perform(&self.back_end, &call, connection).await
            }
            _ => self.back_end.perform(&call, connection).await,
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<(), GraphError> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let scheme_and_token = authorization.and_then(|value| value.split_once(' '));
        let token = scheme_and_token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let text = match token
            .map(|(_, token)| self.tokens.check(token.trim(), &self.back_end.options.audience))
        {
            Some(Ok(())) => return Ok(()),
            None => "Access token is empty.",
            Some(Err(TokenRefusal::UnknownOrExpired)) => "Lifetime validation failed, the token is expired.",
            Some(Err(TokenRefusal::WrongAudience)) => "Access token validation failure. Invalid audience.",
        };
        Err(GraphError::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", text))
    }

    fn respond(
        &self,
        outcome: Result<GraphOutcome, GraphError>,
        headers: &HeaderMap,
    ) -> io::Result<Response<ResponseBody>> {
        let request_id = Uuid::new_v4().to_string();
        let client_request_id = headers.get("client-request-id").and_then(|id| id.to_str().ok());
        let ids = ResponseIds {
            client_request_id: client_request_id.unwrap_or(&request_id).to_owned(),
            request_id: request_id.clone(),
        };
        let date = (SystemClock.now() + self.clock_ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut response = Response::builder()
            .header("request-id", &request_id)
            .header("x-ms-ags-diagnostic", DIAGNOSTIC)
            .header(header::DATE, date);
        if headers.get("return-client-request-id").is_some_and(|wanted| wanted == "true")
            && let Some(id) = headers.get("client-request-id")
        {
            response = response.header("client-request-id", id);
        }
        let (response, body) = match outcome {
            Ok(GraphOutcome::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Ok(GraphOutcome::Reply(reply)) => write(response, reply),
            Ok(GraphOutcome::Truncated(reply, after)) => truncated(response, reply, after),
            Ok(GraphOutcome::Page(status, retry_after)) => {
                page(response.status(status), retry_after, status.as_str())
            }
            Ok(GraphOutcome::Garbage) => page(response, None, "not JSON"),
            Err(error) => self.write_error(response, &error, &ids),
        };
        response.body(body).map_err(io::Error::other)
    }

    fn write_error(
        &self,
        response: Builder,
        error: &GraphError,
        ids: &ResponseIds,
    ) -> (Builder, ResponseBody) {
        let mut reply = GraphReply::ok(error.body(self.back_end.now(), ids));
        reply.status = error.status;
        if let Some(seconds) = error.retry_after {
            reply = reply.with_header("Retry-After", seconds.to_string());
        }
        let (response, body) = write(response, reply);
        match error.status {
            StatusCode::UNAUTHORIZED => (response.header(header::WWW_AUTHENTICATE, CHALLENGE), body),
            _ => (response, body),
        }
    }
}

/// The host that the client used; a `Host` with other letters is not repeated.
fn host(headers: &HeaderMap) -> &str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_plain =
        |host: &&str| host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".:-[]".contains(letter));
    host.filter(is_plain).unwrap_or("localhost")
}

fn write(response: Builder, reply: GraphReply) -> (Builder, ResponseBody) {
    let add = |response: Builder, (name, value): (&'static str, String)| response.header(name, value);
    let response = reply.headers.into_iter().fold(response.status(reply.status), add);
    match reply.body {
        None => (response, ResponseBody::complete(Bytes::new())),
        Some(body) => {
            let response = response.header(header::CONTENT_TYPE, JSON).header("OData-Version", "4.0");
            (response, ResponseBody::complete(body.to_string().into()))
        }
    }
}

fn truncated(response: Builder, reply: GraphReply, after: usize) -> (Builder, ResponseBody) {
    let text = reply.body.as_ref().map(ToString::to_string);
    let (response, body) = write(response, reply);
    match text {
        None => (response, body),
        Some(text) => (response, ResponseBody::truncated(text.into(), after)),
    }
}

fn page(response: Builder, retry_after: Option<u64>, text: &str) -> (Builder, ResponseBody) {
    let response = response.header(header::CONTENT_TYPE, "text/html");
    let response = match retry_after {
        Some(seconds) => response.header(header::RETRY_AFTER, seconds),
        None => response,
    };
    (response, ResponseBody::complete(format!("<html><body><h1>{text}</h1></body></html>").into()))
}
