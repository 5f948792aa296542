//! Tells a refused account from a refused room: after a 401, sends one cheap request for a room that worked before, on a new
//! connection, so that the server has to check the account again. Counts the refusal where it belongs (`standing.rs`).

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::answer_budget;
use super::classify::{Kind, Verdict, classify};
use super::client::Client;
use super::contents;
use super::delivery::{Delivery, HttpAnswer};
use super::letter::Letter;
use super::refusals::Refusal;
use super::transport::Transport;
use crate::calendar::RoomAddress;
use crate::ews::codec::{SoapBody, decode};
use crate::ews::op::{DistinguishedFolder, Effect, GetFolder};

/// Longest wait for the answer to a probe: other requests wait for it.
pub(super) const PROBE_WITHIN: Duration = Duration::from_secs(3);

/// A request that was refused, and where.
pub(super) struct Refused<'a> {
    pub(super) transport: &'a Transport,
    pub(super) server: &'a str,
    pub(super) room: &'a str,
    /// When the request began.
    pub(super) began: Instant,
}

/// What a refusal concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    Room,
    Account,
    /// No room that worked before answered a probe.
    Unknown,
}

enum Probe {
    Accepted,
    Refused(Refusal),
    Unanswered,
}

impl Client {
    /// Counts a refusal after which the request is not sent again, and returns what to report.
    pub(super) async fn count_refusal(&self, of: &Refused<'_>, kind: Kind, code: String) -> Refusal {
        let Refused { server, room, .. } = *of;
        if kind == Kind::Token {
            self.standing.refused_room(server, room, kind, &code);
            return (kind, code);
        }
        let turn = self.standing.probing(server);
        let _probing = turn.lock().await;
        if let Err(refusal) = self.standing.silence(server) {
            return refusal; // another request of the same moment was counted
        }
        match self.what_it_concerns(of).await {
            Concerns::Room => {
                self.standing.refused_room(server, room, Kind::BackEnd, &code);
                return (Kind::BackEnd, code);
            }
            Concerns::Account => self.standing.refused(server, kind, &code),
            Concerns::Unknown => self.standing.refused_with(server, room, kind, &code),
        }
        (kind, code)
    }

    /// After a refusal of the account, a room that worked before shows whether it is still refused: the room of the next request may
    /// be one that is refused on its own.
    pub(super) async fn probe_first(&self, to: &Refused<'_>) -> Result<(), Refusal> {
        if !self.standing.is_refused(to.server) {
            return Ok(());
        }
        let Some(witness) = self.standing.proven_rooms(to.server, to.room).into_iter().next() else {
            return Ok(());
        };
        match self.probe(to, &witness).await {
            Probe::Refused((kind, code)) => {
                self.standing.refused(to.server, kind, &code);
                Err((kind, code))
            }
            Probe::Accepted | Probe::Unanswered => Ok(()),
        }
    }

    async fn what_it_concerns(&self, of: &Refused<'_>) -> Concerns {
        let Refused { server, room, began, .. } = *of;
        let is_refused_again = self.standing.was_refused(server, room) && self.standing.is_known(server);
        if is_refused_again || self.standing.is_proven_since(server, began) {
            return Concerns::Room;
        }
        let mut concerns = Concerns::Unknown;
        for witness in self.standing.proven_rooms(server, room) {
            match self.probe(of, &witness).await {
                Probe::Accepted => return Concerns::Room,
                Probe::Refused(_) => concerns = Concerns::Account,
                Probe::Unanswered => {}
            }
        }
        concerns
    }

    /// Reads the folder of another room of the same server. Changes nothing, and is not counted among the requests under way.
    async fn probe(&self, like: &Refused<'_>, witness: &str) -> Probe {
        let Ok(room) = witness.parse::<RoomAddress>() else { return Probe::Unanswered };
        let folder =
            GetFolder { folder: self.folder(DistinguishedFolder::Calendar, &room), effective_rights: false };
        let letter = Letter::new(self.named(witness), witness, &folder, self.spoken.to(witness), None);
        let began = Instant::now();
        let post = letter.post();
        let sent = like.transport.post_anew(&post).instrument(letter.span());
        let Ok(Delivery::Answered(answer)) = timeout(PROBE_WITHIN, sent).await else {
            return Probe::Unanswered;
        };
        match meaning(&answer) {
            Verdict::OnceMore(kind, code) | Verdict::Refused(kind, code) if kind.is_refusal_of_account() => {
                self.standing.disprove(like.server, witness);
                Probe::Refused((kind, code))
            }
            _ if answer.lets_in() => {
                self.standing.accepted_for(like.server, witness, began, answer.said_who);
                Probe::Accepted
            }
            _ => Probe::Unanswered,
        }
    }
}

/// What the answer to a probe means: a locked account may show in the answer's only message.
fn meaning(answer: &HttpAnswer) -> Verdict {
    let decoded = decode(&answer.body, &answer_budget::limits());
    match (classify(Effect::Read, answer, &decoded), decoded.as_ref().map(|decoded| &decoded.envelope.body)) {
        (Verdict::Done, Ok(SoapBody::GetFolder(messages))) => {
            contents::folder(messages).err().unwrap_or(Verdict::Done)
        }
        (verdict, _) => verdict,
    }
}
