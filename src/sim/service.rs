//! Handles one HTTP request: authentication (`login`), target mailbox, injected faults, and the operation (`ops`). The
//! world stays locked from the first read to the last change, like one mailbox database.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::response::Builder;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::time::Instant;
use uuid::Uuid;

use super::affinity::{self, BackEndRoute};
use super::ews_error::EwsError;
use super::exchange_release::{ExchangeRelease, validate_streaming};
use super::faults::InjectedFault;
use super::graph::{self, GraphService};
use super::login::{AuthDecision, AuthScheme, Authenticator, ConnectionAuth};
use super::mailbox::key;
use super::notify::stream_writer;
use super::ops::{self, OperationResponse, RequestContext, RequestOrigin};
use super::options::SimulatorOptions;
use super::request_log::LoggedRequest;
use super::response_body::{BodyChunks, ResponseBody};
use super::soap_request::{ConnectingSid, SoapRequest, parse, parse_envelope};
use super::soap_response::{envelope, error_elements, fault, messages, response};
use super::state::{SharedState, SimulatorState, StateGuard};
use super::world::World;
use super::{autodiscover_http, impersonation, zones};
use crate::clock::{Clock as _, SystemClock};

/// Limit of a request body.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Minimum size of compressed responses.
const GZIP_FROM: usize = 1_024;
const XML: &str = "text/xml; charset=utf-8";

/// One server, shared by its connections.
pub(crate) struct SimulatorService {
    state: Arc<SharedState>,
    pub(crate) graph: GraphService,
    pub(crate) authenticator: Authenticator,
    clock_ahead: TimeDelta,
    disabled: Vec<String>,
    latency: Duration,
    fixed_now: Option<DateTime<Utc>>,
    back_ends: usize,
    pub(crate) rejected_bodies: AtomicUsize,
    pub(crate) release: ExchangeRelease,
    /// The account's user name; its address, if it has a mailbox.
    account: String,
}

/// The outcome of a request, before HTTP.
enum HttpOutcome {
    Xml(StatusCode, String),
    Truncated(String, usize),
    Stream(BodyChunks),
    Page(StatusCode, Option<u64>),
    /// 401 with these `WWW-Authenticate` headers.
    Unauthorized(Vec<String>),
    Reset,
}

impl SimulatorService {
    pub(crate) fn new(world: World, authenticator: Authenticator, options: &SimulatorOptions) -> Self {
        let state = Arc::new(SharedState::new(world, options));
        Self {
            graph: GraphService::new(state.clone(), options),
            state,
            authenticator,
            rejected_bodies: AtomicUsize::new(0),
            clock_ahead: options.clock_ahead,
            disabled: options.disabled.clone(),
            latency: options.latency,
            fixed_now: options.now,
            back_ends: options.notifications.back_ends,
            release: options.release,
            account: options.username.clone(),
        }
    }

    pub(crate) fn state(&self) -> StateGuard<'_> {
        self.state.lock()
    }

    /// The current time of the server.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.fixed_now.unwrap_or_else(|| SystemClock.now())
    }

    /// Handles one request. An error closes the connection without a response.
    pub(crate) async fn handle(
        &self,
        connection_auth: &ConnectionAuth,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        if graph::is_graph_path(request.uri().path()) {
            return self.graph.handle(connection_auth.connection, request).await;
        }
        let (head, body) = request.into_parts();
        if let Some(answer) = autodiscover_http::handle_anonymous(&self.state, &head) {
            return answer;
        }
        let path = head.uri.path();
        if !path.eq_ignore_ascii_case("/EWS/Exchange.asmx") && !autodiscover_http::is_ours(path) {
            return self.respond(HttpOutcome::Page(StatusCode::NOT_FOUND, None), &head.headers, None);
        }
        let authorization = head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let decision = self.authenticator.authenticate(connection_auth, authorization, SystemClock.now());
        // Read the body even of a rejected request: the next leg of the handshake needs the connection.
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| io::Error::other(error.to_string()))?.to_bytes();
        let (scheme, sign_in) = match decision {
            AuthDecision::Admit(scheme, sign_in) => (scheme, sign_in),
            AuthDecision::Challenge(challenges) => {
                self.rejected_bodies.fetch_add(usize::from(!body.is_empty()), Ordering::Relaxed);
                return self.respond(HttpOutcome::Unauthorized(challenges), &head.headers, None);
            }
        };
        if refuse_by_http(&head.method, &head.headers).is_none()
            && let Some(answer) = autodiscover_http::handle_authenticated(&self.state, &head, &body)
        {
            return answer;
        }
        let (out, cookie) = match refuse_by_http(&head.method, &head.headers) {
            Some(page) => (page, None),
            None => self.handle_soap(&head.headers, &body, scheme, connection_auth.connection).await,
        };
        let mut response = self.respond(out, &head.headers, sign_in)?;
        if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The outcome of a SOAP request, and the affinity cookie of its back end.
    async fn handle_soap(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        scheme: AuthScheme,
        connection: u64,
    ) -> (HttpOutcome, Option<String>) {
        tokio::time::sleep(self.latency).await;
        let (operation, mailbox) = operation_and_mailbox(body);
        let route = self.route(headers, &operation);
        let header_text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let is_elsewhere = self.is_elsewhere(&operation, mailbox.as_ref(), route.back_end);
        let mut injected = self.log_and_pick_fault(LoggedRequest {
            at: self.now(),
            operation,
            mailbox,
            anchor: header_text("x-anchormailbox"),
            client_request_id: header_text("client-request-id"),
            scheme,
            connection,
        });
        if let Some(InjectedFault::Slow(time)) = injected {
            tokio::time::sleep(time).await;
            injected = None;
        }
        if is_elsewhere {
            injected = Some(InjectedFault::Fault("ErrorProxyRequestNotAllowed"));
        }
        if let Some(out) = injected.as_ref().and_then(outcome_before_execution) {
            return (out, None);
        }
        let caller = RequestOrigin { back_end: route.back_end, now: Instant::now() };
        let answer = {
            let mut state = self.state();
            if let Some(InjectedFault::ConcurrentChange(change)) = &injected {
                change(&mut state.world);
            }
            execute(&mut state, self.release, &self.account, caller, body, injected.as_ref())
        };
        (self.outcome(answer, injected), route.cookie)
    }

    /// Turns an operation's result into an outcome, and applies faults to the response.
    fn outcome(
        &self,
        answer: Result<OperationResponse, EwsError>,
        injected: Option<InjectedFault>,
    ) -> HttpOutcome {
        let (status, xml) = match answer {
            Ok(OperationResponse::Complete(response)) => (StatusCode::OK, envelope(self.release, &response)),
            Err(refusal) => (StatusCode::INTERNAL_SERVER_ERROR, fault(&refusal)),
            Ok(OperationResponse::Streaming(handle, minutes)) => {
                let cut =
                    if let Some(InjectedFault::Truncated(after)) = injected { Some(after) } else { None };
                let lasting = self.state().hub.minutes(minutes);
                // Start it in any case: dropping the chunks closes the stream in the hub.
                let chunks = stream_writer::start(&self.state, self.release, handle, lasting, cut);
                return match injected {
                    Some(InjectedFault::ResetAfter) => HttpOutcome::Reset,
                    Some(InjectedFault::Garbage) => garbage(),
                    _ => HttpOutcome::Stream(chunks),
                };
            }
        };
        match injected {
            Some(InjectedFault::ResetAfter) => HttpOutcome::Reset,
            Some(InjectedFault::Truncated(after)) => HttpOutcome::Truncated(xml, after),
            Some(InjectedFault::PageAfter(status)) => HttpOutcome::Page(http_status(status), None),
            Some(InjectedFault::Garbage) => garbage(),
            Some(InjectedFault::AppliedThenPage(page)) => {
                let status = StatusCode::from_u16(page).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                HttpOutcome::Xml(status, String::from("<html>"))
            }
            _ => HttpOutcome::Xml(status, xml),
        }
    }

    /// The back end of a request. Only subscriptions live on one; for other operations all are equal.
    fn route(&self, headers: &HeaderMap, operation: &str) -> BackEndRoute {
        let notifies = matches!(operation, "Subscribe" | "Unsubscribe" | "GetEvents" | "GetStreamingEvents");
        if !notifies {
            return BackEndRoute { back_end: 0, cookie: None };
        }
        let mut state = self.state();
        let anchor = headers.get("x-anchormailbox").and_then(|anchor| anchor.to_str().ok()).map(key);
        if let Some(home) = anchor.and_then(|anchor| state.homes.get(&anchor).copied()) {
            state.next_back_end = home; // the anchor's back end, unless a cookie names another
        }
        affinity::choose_back_end(headers, self.back_ends, &mut state.next_back_end)
    }

    /// Whether the mailbox of a `Subscribe` lives on another back end.
    fn is_elsewhere(&self, operation: &str, mailbox: Option<&String>, back_end: usize) -> bool {
        let home = mailbox.and_then(|mailbox| self.state().homes.get(mailbox).copied());
        operation == "Subscribe" && home.is_some_and(|home| home != back_end)
    }

    /// Logs the request, advances the world's clock, and returns the fault to inject.
    fn log_and_pick_fault(&self, request: LoggedRequest) -> Option<InjectedFault> {
        let mut state = self.state();
        state.world.set_now(request.at);
        let (operation, mailbox) = (request.operation.clone(), request.mailbox.clone());
        state.request_log.push(request);
        let is_off =
            |off: &String| off == "*" || mailbox.as_ref().is_some_and(|mailbox| key(off) == *mailbox);
        if self.disabled.iter().any(is_off) {
            return Some(InjectedFault::Page(StatusCode::FORBIDDEN.as_u16()));
        }
        state.fault_rules.iter_mut().find_map(|rule| rule.trigger(&operation, mailbox.as_deref()))
    }

    /// `sign_in` is the final token of a successful handshake.
    fn respond(
        &self,
        out: HttpOutcome,
        request_headers: &HeaderMap,
        sign_in: Option<String>,
    ) -> io::Result<Response<ResponseBody>> {
        let date = (SystemClock.now() + self.clock_ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut response =
            Response::builder().header("request-id", Uuid::new_v4().to_string()).header(header::DATE, date);
        if request_headers.get("return-client-request-id").is_some_and(|wanted| wanted == "true")
            && let Some(id) = request_headers.get("client-request-id")
        {
            response = response.header("client-request-id", id);
        }
        if let Some(token) = sign_in {
            response = response.header(header::WWW_AUTHENTICATE, token);
        }
        let (response, reply) = match out {
            HttpOutcome::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            HttpOutcome::Truncated(xml, after) => {
                (response.header(header::CONTENT_TYPE, XML), ResponseBody::truncated(xml.into(), after))
            }
            HttpOutcome::Stream(chunks) => {
                (response.header(header::CONTENT_TYPE, XML), ResponseBody::Chunks(chunks))
            }
            HttpOutcome::Xml(status, xml) => {
                let mut response = response.status(status).header(header::CONTENT_TYPE, XML);
                let zip = request_headers
                    .get(header::ACCEPT_ENCODING)
                    .is_some_and(|all| all.as_bytes().starts_with(b"gzip"));
                let mut bytes = Bytes::from(xml);
                if zip && bytes.len() >= GZIP_FROM {
                    bytes = gzip(&bytes)?;
                    response = response.header(header::CONTENT_ENCODING, "gzip");
                }
                (response, ResponseBody::complete(bytes))
            }
            HttpOutcome::Unauthorized(challenges) => {
                page(add_challenges(response, challenges), StatusCode::UNAUTHORIZED)
            }
            HttpOutcome::Page(StatusCode::UNAUTHORIZED, _) => {
                page(add_challenges(response, self.authenticator.challenges()), StatusCode::UNAUTHORIZED)
            }
            HttpOutcome::Page(status, retry_after) => {
                let retry = retry_after.map(HeaderValue::from);
                let response = retry
                    .into_iter()
                    .fold(response, |response, after| response.header(header::RETRY_AFTER, after));
                page(response, status)
            }
        };
        response.body(reply).map_err(io::Error::other)
    }
}

/// HTTP errors that do not depend on the body.
fn refuse_by_http(method: &Method, headers: &HeaderMap) -> Option<HttpOutcome> {
    let xml = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/xml"));
    match (method, xml) {
        (&Method::POST, true) => None,
        (&Method::POST, false) => Some(HttpOutcome::Page(StatusCode::UNSUPPORTED_MEDIA_TYPE, None)),
        _ => Some(HttpOutcome::Page(StatusCode::METHOD_NOT_ALLOWED, None)),
    }
}

/// The operation and the impersonated mailbox of a body, if it can be parsed.
fn operation_and_mailbox(body: &[u8]) -> (String, Option<String>) {
    let document = std::str::from_utf8(body).ok().and_then(parse);
    let Some(Ok(call)) = document.as_ref().map(parse_envelope) else { return (String::new(), None) };
    let mailbox = match &call.impersonated {
        Ok(Some(
            ConnectingSid::SmtpAddress(address)
            | ConnectingSid::PrimarySmtpAddress(address)
            | ConnectingSid::Sid(address),
        )) => Some(address.to_lowercase()),
        _ => None,
    };
    (operation(&call).to_owned(), mailbox)
}

fn operation<'a>(call: &SoapRequest<'a, '_>) -> &'a str {
    let name = call.operation.tag_name().name();
    name.strip_suffix("Request").unwrap_or(name)
}

/// The outcome of a fault that replaces the operation.
fn outcome_before_execution(injected: &InjectedFault) -> Option<HttpOutcome> {
    let fault =
        |refusal: EwsError| Some(HttpOutcome::Xml(StatusCode::INTERNAL_SERVER_ERROR, fault(&refusal)));
    match injected {
        InjectedFault::BusyPage(retry_after) => {
            Some(HttpOutcome::Page(StatusCode::SERVICE_UNAVAILABLE, *retry_after))
        }
        InjectedFault::BusyFault(back_off) => fault(busy(*back_off)),
        InjectedFault::TooManyConnections => fault(EwsError::new(
            "ErrorExceededConnectionCount",
            "You have exceeded the available concurrent connections for your account.",
        )),
        InjectedFault::Fault(code) => fault(EwsError::new(code, "Scripted.")),
        InjectedFault::ResetBefore => Some(HttpOutcome::Reset),
        InjectedFault::Page(status) | InjectedFault::GraphError(status, _) => {
            Some(HttpOutcome::Page(http_status(*status), None))
        }
        _ => None,
    }
}

fn http_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn busy(back_off: u64) -> EwsError {
    EwsError::new("ErrorServerBusy", "The server cannot service this request right now. Try again later.")
        .with_xml(format!(r#"<t:Value Name="BackOffMilliseconds">{back_off}</t:Value>"#))
}

fn garbage() -> HttpOutcome {
    HttpOutcome::Xml(StatusCode::OK, "\u{1}\u{2} <<not xml".to_owned())
}

/// Executes a request in its target mailbox.
fn execute(
    state: &mut SimulatorState,
    release: ExchangeRelease,
    account: &str,
    caller: RequestOrigin,
    body: &[u8],
    injected: Option<&InjectedFault>,
) -> Result<OperationResponse, EwsError> {
    let bad = || EwsError::new("ErrorInvalidRequest", "The request is invalid.");
    let text = std::str::from_utf8(body).map_err(|_| bad())?;
    let document = parse(text).ok_or_else(bad)?;
    let call = parse_envelope(&document)?;
    if call.version.is_some_and(|version| !release.supports(version)) {
        return Err(EwsError::new("ErrorInvalidServerVersion", "The specified server version is invalid."));
    }
    release.validate(call.operation)?;
    validate_streaming(call.version, call.operation)?;
    let SimulatorState { world, hub, .. } = state;
    let own = world.mailbox(account).map(|mailbox| mailbox.number);
    let acting = impersonation::target_mailbox(world, own, &call)?;
    let name = operation(&call);
    let one = |refusal| refused_operation(name, refusal).map(OperationResponse::Complete);
    match injected {
        Some(InjectedFault::BusyMessage(back_off)) => one(busy(*back_off)),
        Some(InjectedFault::ItemError(code)) => one(EwsError::new(code, "Scripted.")),
        _ => match acting {
            Ok(acting) => {
                let is_delegate =
                    matches!(call.impersonated, Ok(None)) && (acting.is_none() || acting != own);
                let rights = acting.filter(|_| is_delegate).and_then(|number| world.rights_in(number));
                world.mail_refused = matches!(injected, Some(InjectedFault::MailRefused(_)));
                let zone = call.zone.and_then(zones::find).unwrap_or(&zones::UTC);
                let mut context = RequestContext { world, acting, is_delegate, rights, hub, caller, zone };
                let result = ops::dispatch(&mut context, call.operation, injected);
                context.world.mail_refused = false;
                match injected {
                    Some(InjectedFault::ItemErrorAfter(code) | InjectedFault::MailRefused(code)) => {
                        result.and_then(|_| one(EwsError::new(code, "Scripted.")))
                    }
                    Some(InjectedFault::FaultAfter(code)) => {
                        result.and_then(|_| Err(EwsError::new(code, "Scripted.")))
                    }
                    _ => result,
                }
            }
            Err(refusal) => one(refusal),
        },
    }
}

/// The error of an operation as a whole, in the place that its schema has: a response message, the response itself, or a
/// fault.
fn refused_operation(operation: &str, refusal: EwsError) -> Result<String, EwsError> {
    let still_wanted = match operation {
        "GetUserAvailability" => return Err(refusal),
        "GetRoomLists" | "GetRooms" => {
            return Ok(response(operation, r#" ResponseClass="Error""#, &error_elements(&refusal)));
        }
        "GetItem" | "CreateItem" | "UpdateItem" | "MoveItem" => "<m:Items/>",
        "GetFolder" => "<m:Folders/>",
        _ => "",
    };
    Ok(messages(operation, &[Err(refusal)], still_wanted))
}

fn add_challenges(response: Builder, challenges: Vec<String>) -> Builder {
    let add = |response: Builder, challenge| response.header(header::WWW_AUTHENTICATE, challenge);
    challenges.into_iter().fold(response, add)
}

fn page(response: Builder, status: StatusCode) -> (Builder, ResponseBody) {
    let html =
        format!("<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>", status.as_u16());
    (response.status(status).header(header::CONTENT_TYPE, "text/html"), ResponseBody::complete(html.into()))
}

fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(bytes)?;
    Ok(zip.finish()?.into())
}
