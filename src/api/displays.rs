//! Handlers of paired displays: an operator pairs one by the code that it shows, lists them, and removes one. A display's key has no
//! right that the operator lacks. The display's own side is in [`super::pairings`].

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::extract::{JsonBody, PathParams, QueryParams, first_page, page_size};
use super::problem::{Fault, Problem};
use super::problem_type::ProblemType;
use super::responses::{BodyErrors, ClientErrors, NotFound};
use super::state::Api;
use crate::access::{DEFAULT_PER_MINUTE, KeyId, KeyName, Right, Rights, StoredKey};
use crate::calendar::{RoomAddress, RoomPattern};
use crate::secret::Secret;
use crate::service::{
    Claim, ClaimError, Claimed, DisplaySecrets, DisplayState, DisplayStatus, PairedDisplay,
};
use crate::store::{DISPLAYS_MAX, DisplayRecord, NewDisplay};
use crate::timestamp::Timestamp;

/// Displays per page.
pub(super) const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;
/// Digits of a code.
const CODE_LEN: usize = 6;
/// Characters of a room's local part in a name that the service chooses.
const NAME_PART_MAX: usize = 40;

/// A page of displays.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DisplayPage {
    /// Ordered by room.
    displays: Vec<DisplayView>,
    /// Cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A paired display.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DisplayView {
    /// The display's id, which is that of its key.
    #[schema(example = "1f0c9a27be")]
    pub(crate) id: String,
    /// The display's name, which is that of its key.
    #[schema(example = "Aurora, door")]
    pub(crate) name: String,
    /// SMTP address of its room.
    #[schema(example = "room-aurora@example.com")]
    pub(crate) room: String,
    /// Whether it is in contact.
    pub(crate) state: DisplayState,
    /// When it was paired.
    pub(crate) paired_at: Timestamp,
    /// The name of the key or of the token's holder that paired it.
    pub(crate) paired_by: String,
    /// Its last contact; null: none yet. Accurate to the minute after a restart of the service.
    pub(crate) last_contact_at: Option<Timestamp>,
    /// The build of its page, as the display reports it; null: not known.
    pub(crate) version: Option<String>,
}

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DisplayListQuery {
    /// Displays per page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Pairs the display that shows this code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PairDisplayRequest {
    /// The six digits that the display shows; spaces are ignored.
    #[schema(example = "482913")]
    code: String,
    /// SMTP address of the display's room.
    #[schema(example = "room-aurora@example.com")]
    room: String,
    /// Name of the display and of its key: 1 to 64 printable characters, unique among keys. Default: made of the room's address.
    #[schema(max_length = 64, example = "Aurora, door")]
    name: Option<String>,
    /// The PIN that signs the display out: 4 to 12 digits. Default: none, so that nobody signs it out at the door.
    #[schema(min_length = 4, max_length = 12, example = "2468")]
    pin: Option<String>,
}

/// A checked request to pair a display.
struct PairingOrder {
    room: RoomAddress,
    name: Option<KeyName>,
    rights: Rights,
    pin: Option<Secret>,
}

/// List the paired displays.
///
/// With their last contact, their state and the build of their page. Displays whose key was created by `adjourn key add` are not
/// listed.
#[utoipa::path(get, path = "/v1/displays", operation_id = "listDisplays", tag = "displays", params(DisplayListQuery),
    responses((status = 200, description = "A page of displays", body = DisplayPage), ClientErrors),
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryParams(query): QueryParams<DisplayListQuery>,
) -> Result<Json<DisplayPage>, Problem> {
    caller.require(Right::Displays)?;
    let limit = page_size(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after =
        query.cursor.as_deref().map(|cursor| cursor.split_once(' ').ok_or_else(Problem::unknown_cursor));
    let after = after.transpose()?;
    let all = visible_displays(&api, &caller);
    let rest = all.iter().filter(|display| after.is_none_or(|after| display.record.order() > after));
    let (page, more) = first_page(rest, limit);
    let next_cursor = page.last().filter(|_| more).map(|last| {
        let (room, id) = last.record.order();
        format!("{room} {id}")
    });
    Ok(Json(DisplayPage { displays: page.into_iter().map(view).collect(), next_cursor }))
}

/// Pair the display that shows a code.
///
/// Creates a key with the rights of a display in this room, as far as the caller has them, and hands it to the display. A code is
/// used once; the same request of the same caller returns the same display (200). Ten wrong codes in ten minutes are answered `429`.
#[utoipa::path(post, path = "/v1/displays", operation_id = "pairDisplay", tag = "displays", request_body = PairDisplayRequest,
    responses(
        (status = 200, description = "The caller paired this display before", body = DisplayView),
        (status = 201, description = "The display is paired", body = DisplayView),
        (status = 409, description = "Another key has the name", body = Problem, content_type = "application/problem+json"),
        ClientErrors,
        NotFound,
        BodyErrors,
    ),
)]
pub(super) async fn pair(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(asked): JsonBody<PairDisplayRequest>,
) -> Result<(StatusCode, Json<DisplayView>), Problem> {
    caller.require(Right::Displays)?;
    let room = caller.require_room(&api, &asked.room)?;
    let code = checked_code(&asked.code)?;
    let name = asked.name.map(|name| name.parse::<KeyName>()).transpose();
    let name = name.map_err(|error| Problem::invalid_member("/name", error))?;
    let pin = asked.pin.map(checked_pin).transpose()?;
    let rights = display_rights(&caller, &room)?;
    let (status, id) = match api.service.pairings.claim(&code, &room, caller.id(), api.service.now()) {
        Err(error) => return Err(error.into()),
        Ok(Claimed::Before(id)) => (StatusCode::OK, id),
        Ok(Claimed::New(claim)) => {
            let order = PairingOrder { room, name, rights, pin };
            // A task of its own: a caller that disconnects must not leave a key that no display has.
            let pairing = tokio::spawn(complete(api.clone(), caller.clone(), claim, order));
            (StatusCode::CREATED, pairing.await.map_err(|_| Problem::shutting_down())??)
        }
    };
    let display = visible_displays(&api, &caller).into_iter().find(|display| display.record.id == id);
    let display = display.ok_or_else(|| Problem::not_found("display"))?;
    Ok((status, Json(view(&display))))
}

/// Remove a display.
///
/// Revokes its key. A display that is connected shows a new code within seconds.
#[utoipa::path(delete, path = "/v1/displays/{id}", operation_id = "removeDisplay", tag = "displays",
    params(("id" = String, Path, description = "The display's id", example = "1f0c9a27be")),
    responses((status = 204, description = "The display is removed"), ClientErrors, NotFound),
)]
pub(super) async fn remove(
    State(api): State<Api>,
    caller: Caller,
    PathParams(id): PathParams<String>,
) -> Result<StatusCode, Problem> {
    caller.require(Right::Displays)?;
    api.service.refresh_displays().await?;
    let known = visible_displays(&api, &caller).into_iter().find(|display| display.record.id.0 == id);
    let display = known.ok_or_else(|| Problem::not_found("display"))?.record;
    let removed = api.service.store.revoke_key_by(display.id, caller.admin_actor(), api.service.now()).await;
    if !removed? {
        return Err(Problem::not_found("display"));
    }
    apply_key_change(&api).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Creates the display's key and hands it over. An error lets the code be entered again.
async fn complete(api: Api, caller: Caller, claim: Claim, order: PairingOrder) -> Result<KeyId, Problem> {
    let PairingOrder { room, name, rights, pin } = order;
    let now = api.service.now();
    let mut new = StoredKey::generate("", rights, DEFAULT_PER_MINUTE);
    let id = new.stored.holder.id.clone();
    let name = name.map_or_else(|| default_name(&room, &id), |name| name.to_string());
    new.stored.holder.name.clone_from(&name);
    let (key, paired_by) = (new.stored, caller.name().to_owned());
    let display = NewDisplay { key, room: room.clone(), paired_by };
    if !api.service.store.pair_display(display, caller.admin_actor(), now).await? {
        return Err(Problem::displays_full(format!("{DISPLAYS_MAX} displays are paired, the maximum.")));
    }
    apply_key_change(&api).await;
    let paired = PairedDisplay { id: id.clone(), name, room, paired_by: caller.id().clone() };
    claim.complete(paired, DisplaySecrets { key: Secret::new(new.token), pin });
    Ok(id)
}

/// Reads the keys and displays that were changed. Without this, they are read within seconds.
async fn apply_key_change(api: &Api) {
    let applied = async {
        api.keys.refresh().await?;
        api.service.refresh_displays().await
    };
    if let Err(error) = applied.await {
        tracing::warn!(%error, "cannot read the changed keys and displays at once");
    }
}

fn visible_displays(api: &Api, caller: &Caller) -> Vec<DisplayStatus> {
    let is_visible = |display: &DisplayStatus| {
        display.record.room.parse().is_ok_and(|room: RoomAddress| caller.can_see(&room))
    };
    api.service.display_statuses().into_iter().filter(is_visible).collect()
}

fn view(display: &DisplayStatus) -> DisplayView {
    DisplayView::of(&display.record, display.state)
}

/// The code without spaces. Anything but six digits is a mistake in writing, and no attempt.
fn checked_code(text: &str) -> Result<String, Problem> {
    let code: String = text.chars().filter(|letter| !letter.is_whitespace()).take(CODE_LEN + 1).collect();
    if code.len() == CODE_LEN && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(code);
    }
    Err(Problem::invalid_member("/code", format!("A code has {CODE_LEN} digits.")))
}

fn checked_pin(pin: String) -> Result<Secret, Problem> {
    let is_pin = (4..=12).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit());
    if is_pin {
        Ok(Secret::new(pin))
    } else {
        Err(Problem::invalid_member("/pin", "A PIN has 4 to 12 digits."))
    }
}

/// The rights of a display in this room, as far as the caller has them. A display that may not read its room shows nothing.
fn display_rights(caller: &Caller, room: &RoomAddress) -> Result<Rights, Problem> {
    caller.require(Right::Read)?;
    let granted = Right::DISPLAY.into_iter().filter(|right| caller.rights().allow(*right));
    let only_this = RoomPattern::of_room(room).ok_or_else(|| {
        Problem::invalid_member("/room", "A display is paired with one room; `*` or `?` would mean several.")
    })?;
    Ok(Rights::new([only_this], granted))
}

/// A name that tells the room, and that no other key has by chance.
fn default_name(room: &RoomAddress, id: &KeyId) -> String {
    let local = room.as_str().split('@').next().unwrap_or_default();
    let part: String = local.chars().take(NAME_PART_MAX).collect();
    format!("{part} display {id}")
}

impl From<ClaimError> for Problem {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NoSuchCode => Self::no_such_code(),
            ClaimError::TooManyWrongCodes(wait) => {
                Self::too_many_wrong_codes(u32::try_from(wait.num_seconds() + 1).unwrap_or(u32::MAX))
            }
        }
    }
}

impl DisplayView {
    pub(crate) fn of(record: &DisplayRecord, state: DisplayState) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            room: record.room.clone(),
            state,
            paired_at: record.paired.into(),
            paired_by: record.paired_by.clone(),
            last_contact_at: record.last_contact.map(Into::into),
            version: record.version.clone(),
        }
    }
}

impl Problem {
    /// No display shows this pairing code.
    fn no_such_code() -> Self {
        let detail = "No display shows this code, or it was used already.";
        Self {
            next: "read the code on the display again: it shows a new one every ten minutes",
            ..Self::new(StatusCode::NOT_FOUND, ProblemType::NoSuchCode, "Code not found", detail)
        }
    }

    /// The caller sent too many wrong pairing codes.
    fn too_many_wrong_codes(wait_s: u32) -> Self {
        let detail = format!("The key has sent too many wrong codes; the next one is allowed in {wait_s} s.");
        let status = StatusCode::TOO_MANY_REQUESTS;
        let problem = Self::new(status, ProblemType::RateLimited, "Too many wrong codes", detail);
        Self { retry_after: NonZeroU32::new(wait_s), ..problem }
    }

    /// The maximum number of displays is paired, or of keys is in force.
    fn displays_full(detail: impl ToString) -> Self {
        Self {
            fault: Fault::Administrator,
            next: "remove displays or revoke keys that are no longer used",
            ..Self::unavailable(detail)
        }
    }
}
