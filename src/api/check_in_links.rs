//! Handlers of check-in links: a display requests one for its QR code, and a phone without an API key checks in by it. The link's token
//! decides what the phone may do; which event a check-in is for is decided in the service.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Caller;
use super::extract::{JsonBody, PathParams};
use super::peer_address::PeerAddress;
use super::problem::{Fault, Problem};
use super::problem_type::ProblemType;
use super::qr_code::QrCodeView;
use super::responses::{BackendErrors, BodyErrors, KeylessErrors, NotFound};
use super::state::Api;
use crate::access::{CHECK_IN_TOKEN_CHARS_MAX, CheckInLinkError, Right};
use crate::calendar::{Event, RoomAddress};
use crate::client_prefix::client_prefix;
use crate::service::CheckInError;
use crate::shares::ShareExhausted;
use crate::timestamp::Timestamp;

/// Bytes of the body of a check-in by link: a token and its member's name, several times over.
pub(super) const LINK_BODY_BYTES_MAX: usize = 2 << 10;
/// The page that the link opens. The token follows as the fragment, which no browser sends to a server.
const PAGE: &str = "/check-in#";

/// A check-in link.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckInLinkView {
    /// The event that the link is for: `awaiting_check_in` of the room.
    event: String,
    /// The page to open on a phone. The URL permits a check-in to the event until it expires, and nothing else.
    #[schema(example = "https://adjourn.example.com/check-in#AWktUFA…")]
    url: String,
    /// The instant from which the link is invalid: ten minutes after it was made, or earlier, with the release or the end of the event.
    expires_at: Timestamp,
    /// The QR code of `url`; null if `url` is too long for a code.
    qr: Option<QrCodeView>,
}

/// Get a link that checks in to the current event without a key.
///
/// For the QR code on a display. Needs `api.public_url` in the configuration. Returns `409` where a check-in is not possible now.
#[utoipa::path(get, path = "/v1/rooms/{room}/check-in-link", operation_id = "getCheckInLink", tag = "rooms",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com")),
    responses(
        (status = 200, description = "A link for the event", body = CheckInLinkView),
        (status = 409, description = "No event awaits a check-in", body = Problem, content_type = "application/problem+json"),
        BackendErrors,
        NotFound,
    ),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
) -> Result<Json<CheckInLinkView>, Problem> {
    caller.require(Right::CheckIn)?;
    let room = caller.require_room(&api, &room)?;
    caller.record_contact(&api, &room);
    let options = api.options();
    let public_url = options.public_url.as_ref().ok_or_else(Problem::no_public_url)?;
    let (patience, _share) = api.shares.room_read(caller.id(), &room, options.deadline);
    let new = api.service.make_check_in_link(&room, patience).await?;
    let url = format!("{public_url}{PAGE}{}", new.token);
    let (event, expires_at) = (new.event.id.as_str().to_owned(), new.link.expires.into());
    Ok(Json(CheckInLinkView { event, expires_at, qr: QrCodeView::of(&url), url }))
}

/// A check-in by link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkedCheckInRequest {
    /// The fragment of the link: what follows `#`.
    #[schema(max_length = 480)]
    token: String,
    /// Return the room and the times of the event, and store nothing. Default: false.
    dry_run: Option<bool>,
}

/// The event of a check-in link. It has no subject and no names of people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkedCheckIn {
    /// The room's SMTP address.
    room: String,
    /// Display name of the room, by the configuration, else by the directory.
    name: Option<String>,
    /// Time zone as an IANA name, if the configuration has one.
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Start of the event.
    start: Timestamp,
    /// End of the event.
    end: Timestamp,
    /// The event is an all-day event.
    all_day: bool,
    /// Time of the check-in by this link; null for a dry run.
    at: Option<Timestamp>,
}

/// Check in by a link, without a key.
///
/// For the page that a QR code at the door opens. A repetition by the same link returns the first answer. `410` if the link has expired,
/// or is not one that this service made since its start, or its event has moved or is over.
#[utoipa::path(post, path = "/v1/check-ins", operation_id = "checkInByLink", tag = "rooms", security(()),
    request_body = LinkedCheckInRequest,
    responses(
        (status = 200, description = "The check-in is stored; for a dry run, it would be", body = LinkedCheckIn),
        (status = 409, description = "An action removed the event", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The link is not valid (any more): scan the code at the door again", body = Problem,
            content_type = "application/problem+json"),
        KeylessErrors,
        BodyErrors,
    ),
)]
pub(super) async fn check_in(
    State(api): State<Api>,
    peer: Option<Extension<PeerAddress>>,
    JsonBody(asked): JsonBody<LinkedCheckInRequest>,
) -> Result<Json<LinkedCheckIn>, Problem> {
    if asked.token.chars().count() > CHECK_IN_TOKEN_CHARS_MAX {
        let detail = format!("A token has at most {CHECK_IN_TOKEN_CHARS_MAX} characters.");
        return Err(Problem::invalid_member("/token", detail));
    }
    let address = peer.map(|Extension(PeerAddress(address))| address);
    let network = address.map(client_prefix).map_or_else(String::new, |network| network.to_string());
    let share = api.shares.linked_check_ins.acquire(&network, None);
    let _share = share.map_err(Problem::linked_check_ins_exhausted)?;
    let patience = api.options().deadline;
    let done = if asked.dry_run.unwrap_or_default() {
        let found = api.service.linked_event(&asked.token, patience).await;
        found.map(|(room, event)| LinkedCheckIn::of(&api, &room, &event, None))
    } else {
        let done = api.service.check_in_by_link(&asked.token, patience).await;
        done.map(|done| LinkedCheckIn::of(&api, &done.room, &done.event, Some(done.at.into())))
    };
    match done {
        Ok(done) => Ok(Json(done)),
        // The caller may not read actions.
        Err(CheckInError::EventRemoved { .. }) => Err(CheckInError::EventRemoved { action: None }.into()),
        Err(error) => {
            if matches!(error, CheckInError::LinkRefused(CheckInLinkError::NotGenuine)) {
                api.service.refused_sign_ins.add(address, ProblemType::LinkNotValid.as_str());
            }
            Err(error.into())
        }
    }
}

impl LinkedCheckIn {
    fn of(api: &Api, room: &RoomAddress, event: &Event, at: Option<Timestamp>) -> Self {
        let info = api.service.room_info(room);
        Self {
            room: room.to_string(),
            name: info.name,
            time_zone: info.time_zone,
            start: event.start.into(),
            end: event.end.into(),
            all_day: event.is_all_day,
            at,
        }
    }
}

impl Problem {
    /// Links to this service cannot be made, since the configuration does not have its address.
    fn no_public_url() -> Self {
        let detail = "There are no check-in links, because `api.public_url` is not set.";
        Self {
            fault: Fault::Administrator,
            next: "ask the administrator to set api.public_url to the address by which phones reach Adjourn",
            ..Self::new(StatusCode::NOT_FOUND, ProblemType::NotFound, "Not found", detail)
        }
    }

    /// A limit on check-ins by link is reached: that of a network (429), or of all callers (503).
    fn linked_check_ins_exhausted(exhausted: ShareExhausted) -> Self {
        let problem = Self::share_exhausted("check-ins by link", exhausted);
        let detail = "Too many check-ins by link from this network are in progress.".into();
        if exhausted == ShareExhausted::Key { Self { detail, ..problem } } else { problem }
    }
}
