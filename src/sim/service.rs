//! One HTTP request to one HTTP answer: whether it may come in (`login`), in whose name it is asked, what goes wrong, and what
//! the operation says. The world is locked from the first look to the last change, as one mailbox database would be.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

use super::acting;
use super::affinity::{self, Route};
use super::autodiscover::{self, Autodiscover};
use super::body::Reply;
use super::login::{Door, Scheme, Verdict, Visitor};
use super::notify::Hub;
use super::notify::stream::{self, Pieces};
use super::ops::{self, Caller, Desk, Said};
use super::record::{Asked, Record};
use super::release::{Release, validate_streaming};
use super::server::Options;
use super::soap_in::{ActFor, Call, Refusal, call, parse};
use super::soap_out::{envelope, explanation, fault, messages, response};
use super::trouble::{Trouble, Wrong};
use super::world::{World, key};
use super::zones;
use crate::clock::{Clock as _, SystemClock};

/// A request larger than this is none a client of ours sends.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Answers below this are not worth compressing.
const GZIP_FROM: usize = 1_024;
const XML: &str = "text/xml; charset=utf-8";

/// What all connections share.
pub(crate) struct Service {
    state: Mutex<State>,
    pub(crate) door: Door,
    clock_ahead: TimeDelta,
    disabled: Vec<String>,
    latency: Duration,
    fixed_now: Option<DateTime<Utc>>,
    back_ends: usize,
    pub(crate) bodies_refused: AtomicUsize,
    pub(crate) release: Release,
    /// The account's user name, which is an address if it has a mailbox.
    account: String,
}

pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) record: Record,
    pub(crate) autodiscover: Autodiscover,
    pub(crate) hub: Hub,
    /// Which back end takes the next request that names none.
    turn: usize,
    /// The back ends of mailboxes that do not live on whichever is asked.
    pub(crate) homes: HashMap<String, usize>,
}

/// The state while somebody looks at it or changes it. When they are done, whoever wants to hear of a change is told.
pub(crate) struct Held<'s>(MutexGuard<'s, State>);

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let state = &mut *self.0;
        let stirred = state.world.take_stirred();
        state.hub.stir(&stirred, &state.world);
    }
}

/// How an answer leaves.
enum Out {
    Xml(StatusCode, String),
    Cut(String, usize),
    Stream(Pieces),
    Page(StatusCode, Option<u64>),
    /// 401 with these `WWW-Authenticate`.
    SignIn(Vec<String>),
    Nothing,
}

impl Service {
    pub(crate) fn new(world: World, door: Door, options: &Options) -> Self {
        let state = State {
            world,
            troubles: Vec::new(),
            record: Record::default(),
            autodiscover: Autodiscover::default(),
            hub: Hub::new(&options.notifications, options.release),
            turn: 0,
            homes: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
            door,
            bodies_refused: AtomicUsize::new(0),
            clock_ahead: options.clock_ahead,
            disabled: options.disabled.clone(),
            latency: options.latency,
            fixed_now: options.now,
            back_ends: options.notifications.back_ends,
            release: options.release,
            account: options.username.clone(),
        }
    }

    /// Nothing panics while holding the world; a test that did has failed already.
    pub(crate) fn state(&self) -> Held<'_> {
        Held(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What time it is here.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.fixed_now.unwrap_or_else(|| SystemClock.now())
    }

    /// Answers one request. An error closes the connection without an answer.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        visitor: &Visitor,
        request: Request<Incoming>,
    ) -> io::Result<Response<Reply>> {
        let (head, body) = request.into_parts();
        if let Some(answer) = autodiscover::without_login(self, &head) {
            return answer;
        }
        let path = head.uri.path();
        if !path.eq_ignore_ascii_case("/EWS/Exchange.asmx") && !autodiscover::is_ours(path) {
            return self.respond(Out::Page(StatusCode::NOT_FOUND, None), &head.headers, None);
        }
        let authorization = head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let verdict = self.door.judge(visitor, authorization, SystemClock.now());
        // Read even when nobody looks at it: the connection is wanted for the next leg of the handshake.
        let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| io::Error::other(error.to_string()))?.to_bytes();
        let (scheme, sign_in) = match verdict {
            Verdict::Yes(scheme, sign_in) => (scheme, sign_in),
            Verdict::No(offers) => {
                self.bodies_refused.fetch_add(usize::from(!body.is_empty()), Ordering::Relaxed);
                return self.respond(Out::SignIn(offers), &head.headers, None);
            }
        };
        if refuse(&head.method, &head.headers).is_none()
            && let Some(answer) = autodiscover::with_login(self, &head, &body)
        {
            return answer;
        }
        let (out, cookie) = match refuse(&head.method, &head.headers) {
            Some(page) => (page, None),
            None => self.soap(&head.headers, &body, scheme, visitor.connection).await,
        };
        let mut response = self.respond(out, &head.headers, sign_in)?;
        if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The answer, and the cookie that leads back to the back end that gave it.
    async fn soap(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: &[u8],
        scheme: Scheme,
        connection: u64,
    ) -> (Out, Option<String>) {
        tokio::time::sleep(self.latency).await;
        let (operation, mailbox) = about(body);
        let route = self.route(headers, &operation);
        let said = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let is_elsewhere = self.is_elsewhere(&operation, mailbox.as_ref(), route.back_end);
        let mut wrong = self.meet(Asked {
            at: self.now(),
            operation,
            mailbox,
            anchor: said("x-anchormailbox"),
            client_request_id: said("client-request-id"),
            scheme,
            connection,
        });
        if let Some(Wrong::Slow(time)) = wrong {
            tokio::time::sleep(time).await;
            wrong = None;
        }
        if is_elsewhere {
            wrong = Some(Wrong::Fault("ErrorProxyRequestNotAllowed"));
        }
        if let Some(out) = wrong.as_ref().and_then(instead) {
            return (out, None);
        }
        let caller = Caller { back_end: route.back_end, now: Instant::now() };
        let answer = {
            let mut state = self.state();
            if let Some(Wrong::Meanwhile(change)) = &wrong {
                change(&mut state.world);
            }
            carry_out(&mut state, self.release, &self.account, caller, body, wrong.as_ref())
        };
        (self.out(answer, wrong), route.cookie)
    }

    /// How what was said leaves, if nothing is wrong with that.
    fn out(self: &Arc<Self>, answer: Result<Said, Refusal>, wrong: Option<Wrong>) -> Out {
        let (status, xml) = match answer {
            Ok(Said::Whole(response)) => (StatusCode::OK, envelope(self.release, &response)),
            Err(refusal) => (StatusCode::INTERNAL_SERVER_ERROR, fault(&refusal)),
            Ok(Said::Stream(opening, minutes)) => {
                let cut = if let Some(Wrong::Cut(after)) = wrong { Some(after) } else { None };
                let lasting = self.state().hub.minutes(minutes);
                // Whatever comes of it, the pieces say to the stream whether anybody listens.
                let pieces = stream::start(self, opening, lasting, cut);
                return match wrong {
                    Some(Wrong::ResetAfter) => Out::Nothing,
                    Some(Wrong::Garbage) => garbage(),
                    _ => Out::Stream(pieces),
                };
            }
        };
        match wrong {
            Some(Wrong::ResetAfter) => Out::Nothing,
            Some(Wrong::Cut(after)) => Out::Cut(xml, after),
            Some(Wrong::PageAfter(status)) => Out::Page(http_status(status), None),
            Some(Wrong::Garbage) => garbage(),
            Some(Wrong::DoneThenPage(page)) => {
                let status = StatusCode::from_u16(page).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                Out::Xml(status, String::from("<html>"))
            }
            _ => Out::Xml(status, xml),
        }
    }

    /// Which back end answers. Only notifications live on one; the others are all the same.
    fn route(&self, headers: &HeaderMap, operation: &str) -> Route {
        let notifies = matches!(operation, "Subscribe" | "Unsubscribe" | "GetEvents" | "GetStreamingEvents");
        if !notifies {
            return Route { back_end: 0, cookie: None };
        }
        let mut state = self.state();
        let anchor = headers.get("x-anchormailbox").and_then(|anchor| anchor.to_str().ok()).map(key);
        if let Some(home) = anchor.and_then(|anchor| state.homes.get(&anchor).copied()) {
            state.turn = home; // where the anchor lives, unless a cookie names another
        }
        affinity::route(headers, self.back_ends, &mut state.turn)
    }

    /// Whether this back end subscribes to no such mailbox, since it lives on another.
    fn is_elsewhere(&self, operation: &str, mailbox: Option<&String>, back_end: usize) -> bool {
        let home = mailbox.and_then(|mailbox| self.state().homes.get(mailbox).copied());
        operation == "Subscribe" && home.is_some_and(|home| home != back_end)
    }

    /// Notes the request, tells the world the time, and says what goes wrong.
    fn meet(&self, asked: Asked) -> Option<Wrong> {
        let mut state = self.state();
        state.world.set_now(asked.at);
        let (operation, mailbox) = (asked.operation.clone(), asked.mailbox.clone());
        state.record.add(asked);
        let is_off =
            |off: &String| off == "*" || mailbox.as_ref().is_some_and(|mailbox| key(off) == *mailbox);
        if self.disabled.iter().any(is_off) {
            return Some(Wrong::Page(StatusCode::FORBIDDEN.as_u16()));
        }
        state.troubles.iter_mut().find_map(|trouble| trouble.strikes(&operation, mailbox.as_deref()))
    }

    /// `sign_in` ends a handshake that went well.
    fn respond(&self, out: Out, asked: &HeaderMap, sign_in: Option<String>) -> io::Result<Response<Reply>> {
        let date = (SystemClock.now() + self.clock_ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut response =
            Response::builder().header("request-id", Uuid::new_v4().to_string()).header(header::DATE, date);
        if asked.get("return-client-request-id").is_some_and(|wanted| wanted == "true")
            && let Some(id) = asked.get("client-request-id")
        {
            response = response.header("client-request-id", id);
        }
        if let Some(token) = sign_in {
            response = response.header(header::WWW_AUTHENTICATE, token);
        }
        let (response, reply) = match out {
            Out::Nothing => return Err(io::ErrorKind::ConnectionReset.into()),
            Out::Cut(xml, after) => {
                (response.header(header::CONTENT_TYPE, XML), Reply::cut(xml.into(), after))
            }
            Out::Stream(pieces) => (response.header(header::CONTENT_TYPE, XML), Reply::Pieces(pieces)),
            Out::Xml(status, xml) => {
                let mut response = response.status(status).header(header::CONTENT_TYPE, XML);
                let zip =
                    asked.get(header::ACCEPT_ENCODING).is_some_and(|all| all.as_bytes().starts_with(b"gzip"));
                let mut bytes = Bytes::from(xml);
                if zip && bytes.len() >= GZIP_FROM {
                    bytes = gzip(&bytes)?;
                    response = response.header(header::CONTENT_ENCODING, "gzip");
                }
                (response, Reply::whole(bytes))
            }
            Out::SignIn(offers) => page(offer(response, offers), StatusCode::UNAUTHORIZED),
            Out::Page(StatusCode::UNAUTHORIZED, _) => {
                page(offer(response, self.door.offers()), StatusCode::UNAUTHORIZED)
            }
            Out::Page(status, retry_after) => {
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

/// What the web server refuses before anybody looks at the body.
fn refuse(method: &Method, headers: &HeaderMap) -> Option<Out> {
    let xml = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/xml"));
    match (method, xml) {
        (&Method::POST, true) => None,
        (&Method::POST, false) => Some(Out::Page(StatusCode::UNSUPPORTED_MEDIA_TYPE, None)),
        _ => Some(Out::Page(StatusCode::METHOD_NOT_ALLOWED, None)),
    }
}

/// Which operation, and in whose name, as far as the body says.
fn about(body: &[u8]) -> (String, Option<String>) {
    let document = std::str::from_utf8(body).ok().and_then(parse);
    let Some(Ok(call)) = document.as_ref().map(call) else { return (String::new(), None) };
    let mailbox = match &call.act_for {
        Ok(Some(ActFor::Address(address) | ActFor::PrimaryAddress(address) | ActFor::Sid(address))) => {
            Some(address.to_lowercase())
        }
        _ => None,
    };
    (operation(&call).to_owned(), mailbox)
}

fn operation<'a>(call: &Call<'a, '_>) -> &'a str {
    let name = call.operation.tag_name().name();
    name.strip_suffix("Request").unwrap_or(name)
}

/// What comes instead of doing anything.
fn instead(wrong: &Wrong) -> Option<Out> {
    let fault = |refusal: Refusal| Some(Out::Xml(StatusCode::INTERNAL_SERVER_ERROR, fault(&refusal)));
    match wrong {
        Wrong::BusyPage(retry_after) => Some(Out::Page(StatusCode::SERVICE_UNAVAILABLE, *retry_after)),
        Wrong::BusyFault(back_off) => fault(busy(*back_off)),
        Wrong::TooManyConnections => fault(Refusal::new(
            "ErrorExceededConnectionCount",
            "You have exceeded the available concurrent connections for your account.",
        )),
        Wrong::Fault(code) => fault(Refusal::new(code, "Scripted.")),
        Wrong::ResetBefore => Some(Out::Nothing),
        Wrong::Page(status) => Some(Out::Page(http_status(*status), None)),
        _ => None,
    }
}

fn http_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn busy(back_off: u64) -> Refusal {
    Refusal::new("ErrorServerBusy", "The server cannot service this request right now. Try again later.")
        .with_xml(format!(r#"<t:Value Name="BackOffMilliseconds">{back_off}</t:Value>"#))
}

fn garbage() -> Out {
    Out::Xml(StatusCode::OK, "\u{1}\u{2} <<not xml".to_owned())
}

/// Does what the request asks, for whom it may.
fn carry_out(
    state: &mut State,
    release: Release,
    account: &str,
    caller: Caller,
    body: &[u8],
    wrong: Option<&Wrong>,
) -> Result<Said, Refusal> {
    let bad = || Refusal::new("ErrorInvalidRequest", "The request is invalid.");
    let text = std::str::from_utf8(body).map_err(|_| bad())?;
    let document = parse(text).ok_or_else(bad)?;
    let call = call(&document)?;
    if call.version.is_some_and(|version| !release.knows(version)) {
        return Err(Refusal::new("ErrorInvalidServerVersion", "The specified server version is invalid."));
    }
    release.validate(call.operation)?;
    validate_streaming(call.version, call.operation)?;
    let State { world, hub, .. } = state;
    let own = world.mailbox(account).map(|mailbox| mailbox.number);
    let acting = acting::mailbox(world, own, &call)?;
    let name = operation(&call);
    let one = |refusal| refused(name, refusal).map(Said::Whole);
    match wrong {
        Some(Wrong::BusyMessage(back_off)) => one(busy(*back_off)),
        Some(Wrong::ItemError(code)) => one(Refusal::new(code, "Scripted.")),
        _ => match acting {
            Ok(acting) => {
                let is_delegate = matches!(call.act_for, Ok(None)) && (acting.is_none() || acting != own);
                let rights = acting.filter(|_| is_delegate).and_then(|number| world.rights_in(number));
                world.mail_refused = matches!(wrong, Some(Wrong::MailRefused(_)));
                let zone = call.zone.and_then(zones::find).unwrap_or(&zones::UTC);
                let mut desk = Desk { world, acting, is_delegate, rights, hub, caller, zone };
                let said = ops::answer(&mut desk, call.operation, wrong);
                desk.world.mail_refused = false;
                match wrong {
                    Some(Wrong::ItemErrorAfter(code) | Wrong::MailRefused(code)) => {
                        said.and_then(|_| one(Refusal::new(code, "Scripted.")))
                    }
                    Some(Wrong::FaultAfter(code)) => said.and_then(|_| Err(Refusal::new(code, "Scripted."))),
                    _ => said,
                }
            }
            Err(refusal) => one(refusal),
        },
    }
}

/// An operation that was refused as a whole, in the place where its answers have that: a message of its own, the response
/// itself, or a fault where neither has room for it.
fn refused(operation: &str, refusal: Refusal) -> Result<String, Refusal> {
    let still_wanted = match operation {
        "GetUserAvailability" => return Err(refusal),
        "GetRoomLists" | "GetRooms" => {
            return Ok(response(operation, r#" ResponseClass="Error""#, &explanation(&refusal)));
        }
        "GetItem" | "CreateItem" | "UpdateItem" | "MoveItem" => "<m:Items/>",
        "GetFolder" => "<m:Folders/>",
        _ => "",
    };
    Ok(messages(operation, &[Err(refusal)], still_wanted))
}

fn offer(response: Builder, offers: Vec<String>) -> Builder {
    offers.into_iter().fold(response, |response, offer| response.header(header::WWW_AUTHENTICATE, offer))
}

fn page(response: Builder, status: StatusCode) -> (Builder, Reply) {
    let html =
        format!("<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>", status.as_u16());
    (response.status(status).header(header::CONTENT_TYPE, "text/html"), Reply::whole(html.into()))
}

fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(bytes)?;
    Ok(zip.finish()?.into())
}
