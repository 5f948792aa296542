//! Distinguishes a rejected account from a rejected room: after a 401, sends one cheap request for a room that worked
//! before, on a new connection, so that the server checks the account again. Records the rejection where it belongs
//! (`lockout.rs`). Changes nothing on the server.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::classify::{RetryDecision, classify};
use super::client::EwsClient;
use super::contents;
use super::decode_limits::decode_limits;
use super::request::EncodedRequest;
use super::response::proves_authenticated;
use super::sign_in_attempt::SignInAttempt;
use super::sign_in_failures::SignInFailure;
use crate::calendar::RoomAddress;
use crate::engine::ErrorKind;
use crate::ews::codec::{SoapBody, decode};
use crate::ews::op::{DistinguishedFolder, Effect, GetFolder};
use crate::http::delivery::{Delivery, HttpResponse};

/// Longest wait for the response to a probe: other requests wait for it.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// What a rejection concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RejectionScope {
    Room,
    Account,
    /// No room that worked before returned a usable response to a probe.
    Unknown,
}

enum SignInProbeOutcome {
    Accepted,
    Rejected(SignInFailure),
    Unanswered,
}

impl EwsClient {
    /// Records a rejection after which the request is not sent again; returns what to report.
    pub(super) async fn record_rejection(
        &self,
        of: &SignInAttempt<'_>,
        kind: ErrorKind,
        code: String,
    ) -> SignInFailure {
        let SignInAttempt { server, room, .. } = *of;
        if kind == ErrorKind::Token {
            self.lockout.record_room_failure(server, room, kind, &code);
            return (kind, code);
        }
        let lock = self.lockout.probe_lock(server);
        let _lock = lock.lock().await;
        if let Err(refusal) = self.lockout.check_server(server) {
            return refusal; // another request under way was recorded
        }
        match self.rejection_scope(of).await {
            RejectionScope::Room => {
                self.lockout.record_room_failure(server, room, ErrorKind::BackEnd, &code);
                return (ErrorKind::BackEnd, code);
            }
            RejectionScope::Account => self.lockout.record_failure(server, kind, &code),
            RejectionScope::Unknown => self.lockout.record_ambiguous_failure(server, room, kind, &code),
        }
        (kind, code)
    }

    /// After a rejection of the account, probes a room that worked before: the room of the next request may be one that
    /// is rejected on its own.
    pub(super) async fn probe_before_sign_in(&self, to: &SignInAttempt<'_>) -> Result<(), SignInFailure> {
        if !self.lockout.is_account_rejected(to.server) {
            return Ok(());
        }
        let Some(witness) = self.lockout.proven_rooms(to.server, to.room).into_iter().next() else {
            return Ok(());
        };
        match self.probe_room(to, &witness).await {
            SignInProbeOutcome::Rejected((kind, code)) => {
                self.lockout.record_failure(to.server, kind, &code);
                Err((kind, code))
            }
            SignInProbeOutcome::Accepted | SignInProbeOutcome::Unanswered => Ok(()),
        }
    }

    async fn rejection_scope(&self, of: &SignInAttempt<'_>) -> RejectionScope {
        let SignInAttempt { server, room, began, .. } = *of;
        let is_refused_again =
            self.lockout.was_room_rejected(server, room) && self.lockout.is_authenticated(server);
        if is_refused_again || self.lockout.is_authenticated_since(server, began) {
            return RejectionScope::Room;
        }
        let mut concerns = RejectionScope::Unknown;
        for witness in self.lockout.proven_rooms(server, room) {
            match self.probe_room(of, &witness).await {
                SignInProbeOutcome::Accepted => return RejectionScope::Room,
                SignInProbeOutcome::Rejected(_) => concerns = RejectionScope::Account,
                SignInProbeOutcome::Unanswered => {}
            }
        }
        concerns
    }

    /// Reads the calendar folder of another room of the same server. Takes no throttle permit.
    async fn probe_room(&self, like: &SignInAttempt<'_>, witness: &str) -> SignInProbeOutcome {
        let Ok(room) = witness.parse::<RoomAddress>() else { return SignInProbeOutcome::Unanswered };
        let folder =
            GetFolder { folder: self.folder(DistinguishedFolder::Calendar, &room), effective_rights: false };
        let letter = EncodedRequest::new(
            self.impersonation(&room),
            &room,
            &folder,
            self.versions.for_room(&self.rooms.of(&room)),
            None,
        );
        let began = Instant::now();
        let Ok(post) = letter.http_request() else { return SignInProbeOutcome::Unanswered };
        let sent = like.transport.send_on_new_connection(&post).instrument(letter.span());
        let Ok(Delivery::Answered(answer)) = timeout(PROBE_TIMEOUT, sent).await else {
            return SignInProbeOutcome::Unanswered;
        };
        match probe_decision(&answer) {
            RetryDecision::RetryOnce(kind, code) | RetryDecision::Refused(kind, code)
                if kind.is_account_rejection() =>
            {
                self.lockout.remove_proven_room(like.server, witness);
                SignInProbeOutcome::Rejected((kind, code))
            }
            _ if proves_authenticated(answer.status, &answer.headers) => {
                self.lockout.record_room_success(like.server, witness, began, answer.sent_credentials);
                SignInProbeOutcome::Accepted
            }
            _ => SignInProbeOutcome::Unanswered,
        }
    }
}

/// What the response to a probe means: a locked account may show in the response's only message.
fn probe_decision(answer: &HttpResponse) -> RetryDecision {
    let decoded = decode(&answer.body, &decode_limits());
    match (classify(Effect::Read, answer, &decoded), decoded.as_ref().map(|decoded| &decoded.envelope.body)) {
        (RetryDecision::Done, Ok(SoapBody::GetFolder(messages))) => {
            contents::folder(messages).err().unwrap_or(RetryDecision::Done)
        }
        (decision, _) => decision,
    }
}
