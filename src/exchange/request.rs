//! One attempt of an EWS request: its encoded body, its headers, and the id that it has in the logs of both sides.
//! Sends nothing.

use bytes::Bytes;
use uuid::Uuid;

use super::affinity::Affinity;
use super::transport::HttpRequest;
use crate::ews::op::{Effect, Operation, encode_into};
use crate::ews::soap::{Impersonate, RequestHeaders, ServerVersion};

/// Initial capacity, enough for any request but the largest batches.
const REQUEST_BYTES: usize = 4096;

/// Sent once; a retry is encoded anew, under an id of its own.
pub(super) struct EncodedRequest<'a> {
    operation: &'static str,
    pub(super) effect: Effect,
    pub(super) makes_new: bool,
    pub(super) version: ServerVersion,
    soap_action: String,
    pub(super) request_id: String,
    pub(super) room: &'a str,
    anchor: &'a str,
    pub(super) affinity: Option<&'a Affinity>,
    body: Bytes,
}

impl<'a> EncodedRequest<'a> {
    pub(super) fn new<O: Operation>(
        impersonation: Option<Impersonate<'_>>,
        room: &'a str,
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
            anchor: affinity.map_or(room, |affinity| affinity.anchor().as_str()),
            affinity,
            body: body.into(),
        }
    }

    pub(super) fn http_request(&self) -> HttpRequest<'_> {
        HttpRequest {
            soap_action: &self.soap_action,
            anchor: Some(self.anchor),
            request_id: &self.request_id,
            affinity: self.affinity,
            body: self.body.clone(),
        }
    }

    pub(super) fn span(&self) -> tracing::Span {
        let Self { operation, request_id, room, .. } = self;
        tracing::info_span!("exchange", operation, client_request_id = request_id, room)
    }
}

fn soap_action(operation: &str) -> String {
    format!("\"http://schemas.microsoft.com/exchange/services/2006/messages/{operation}\"")
}
