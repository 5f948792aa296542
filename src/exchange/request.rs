//! One attempt of an EWS request: its encoded body, its headers, and the id that it has in the logs of both sides.
//! Sends nothing.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use uuid::Uuid;

use super::affinity::Affinity;
use crate::calendar::RoomAddress;
use crate::ews::op::{Effect, Operation, encode_into};
use crate::ews::soap::{Impersonate, RequestHeaders, ServerVersion};
use crate::http::connection_pool::HttpRequest;
use crate::http::error::TransportError;

/// Initial capacity, enough for any request but the largest batches.
const REQUEST_BYTES: usize = 4096;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");
/// Our id of the request in Exchange's logs.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("return-client-request-id");
/// The impersonated room, so that Exchange routes to its server at once.
const ANCHOR_MAILBOX: HeaderName = HeaderName::from_static("x-anchormailbox");
const PREFER_SERVER_AFFINITY: HeaderName = HeaderName::from_static("x-preferserveraffinity");

/// Sent once; a retry is encoded anew, under an id of its own.
pub(super) struct EncodedRequest<'a> {
    operation: &'static str,
    pub(super) effect: Effect,
    pub(super) makes_new: bool,
    pub(super) version: ServerVersion,
    soap_action: String,
    pub(super) request_id: String,
    pub(super) room: &'a RoomAddress,
    anchor: &'a str,
    pub(super) affinity: Option<&'a Affinity>,
    body: Bytes,
}

impl<'a> EncodedRequest<'a> {
    pub(super) fn new<O: Operation>(
        impersonation: Option<Impersonate<'_>>,
        room: &'a RoomAddress,
        op: &O,
        version: ServerVersion,
        affinity: Option<&'a Affinity>,
    ) -> Self {
        let mut body = Vec::with_capacity(REQUEST_BYTES);
        encode_into(op, &RequestHeaders { version, impersonate: impersonation }, &mut body);
        Self {
            operation: O::NAME,
            effect: O::EFFECT,
            makes_new: op.creates_item(),
            version,
            soap_action: soap_action(O::NAME),
            request_id: Uuid::new_v4().to_string(),
            room,
            anchor: affinity.map_or(room, Affinity::anchor).as_str(),
            affinity,
            body: body.into(),
        }
    }

    /// The request whose response is received whole.
    pub(super) fn http_request(&self) -> Result<HttpRequest, TransportError> {
        let mut request = self.stream_request()?;
        request.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        Ok(request)
    }

    /// The same for a streamed response: a compressor in between would delay its chunks.
    pub(super) fn stream_request(&self) -> Result<HttpRequest, TransportError> {
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/xml"));
        headers.insert(SOAP_ACTION, value(&self.soap_action)?);
        headers.insert(CLIENT_REQUEST_ID, value(&self.request_id)?);
        headers.insert(RETURN_CLIENT_REQUEST_ID, HeaderValue::from_static("true"));
        headers.insert(ANCHOR_MAILBOX, value(self.anchor)?);
        if let Some(affinity) = self.affinity {
            headers.insert(PREFER_SERVER_AFFINITY, HeaderValue::from_static("true"));
            if let Some(cookie) = affinity.cookie() {
                headers.insert(header::COOKIE, cookie);
            }
        }
        Ok(HttpRequest { method: Method::POST, headers, body: self.body.clone() })
    }

    pub(super) fn span(&self) -> tracing::Span {
        let Self { operation, request_id, room, .. } = self;
        tracing::info_span!("exchange", operation, client_request_id = request_id, room = room.as_str())
    }
}

fn soap_action(operation: &str) -> String {
    format!("\"http://schemas.microsoft.com/exchange/services/2006/messages/{operation}\"")
}

/// A header value; a room's address may have characters that no header carries.
fn value(text: &str) -> Result<HeaderValue, TransportError> {
    HeaderValue::from_str(text).map_err(|error| {
        TransportError::ConnectionLost(format!("the request has an invalid URL or header: {error}"))
    })
}
