//! Whether the account may act in every configured room, and in nobody else's mailbox; and what the rooms' own calendar
//! processing leaves for the rules to see. Reads only.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::{DoctorTarget, Findings};
use crate::calendar::{Copy, Event, RoomAddress, Window};
use crate::clock::Clock;
use crate::engine::{Calendar as _, CalendarError};
use crate::exchange::{Access, ErrorKind, Exchange, RequestError};

/// Rooms looked at at once.
const MAX_CONCURRENT_ROOMS: usize = 8;
/// Rooms whose meetings are read to see what is erased.
const ROOMS_READ: usize = 5;

/// Whether at least one room can be acted in.
pub(super) async fn check_room_access(
    patient: &DoctorTarget,
    progress: &(dyn Fn() + Sync),
    findings: &mut Findings,
) -> bool {
    let access = patient.settings.access;
    let answers = probe_rooms(&patient.exchange, access, &patient.rooms, progress).await;
    let reached = answers.iter().filter(|(_, answer)| matches!(answer, Ok(RoomAccess::Write))).count();
    let readable = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    let (all, by) = (answers.len(), access_name(patient.settings.access));
    if reached == all {
        findings.pass(by, format!("the account may act in all {all} configured rooms"));
        return true;
    }
    let denied = |kind: &ErrorKind| {
        matches!(kind, ErrorKind::ImpersonationDenied | ErrorKind::Denied | ErrorKind::Gone)
    };
    let first_denied = answers.iter().find_map(|(_, answer)| match answer {
        Err(RequestError::Refused(kind, code)) if denied(kind) => Some(code.clone()),
        _ => None,
    });
    if readable == 0
        && let Some(code) = first_denied
    {
        let says = format!("the account may act in none of the {all} configured rooms");
        findings.fail(by, says, grant_remedy(patient.settings.access)).code = Some(code);
        return false;
    }
    for (room, answer) in answers {
        let finding = match answer {
            Ok(RoomAccess::Write) => continue,
            Ok(RoomAccess::ReadOnly) => report_read_only_room(by, &room, findings),
            Err(failed) => report_unreachable_room(by, failed, findings),
        };
        finding.room = Some(room.to_string());
    }
    findings.warn(
        by,
        format!("the account may act in {reached} of {all} configured rooms"),
        "see the rooms above",
    );
    readable > 0
}

/// What the account may do in a room's calendar.
enum RoomAccess {
    /// Read and write, as far as Exchange reports it.
    Write,
    /// Read only.
    ReadOnly,
}

/// A folder permission such as Reviewer lets displays work and makes every action fail.
fn report_read_only_room<'f>(
    by: &'static str,
    room: &RoomAddress,
    findings: &'f mut Findings,
) -> &'f mut super::DoctorFinding {
    let says = "the account can read this room's calendar, and not write in it";
    let remedy = format!(
        "Add-MailboxPermission -Identity {room} -User ACCOUNT -AccessRights FullAccess -AutoMapping $false; granted less than an \
         hour ago? it may not have reached the server yet"
    );
    findings.fail(by, says, remedy)
}

fn report_unreachable_room<'f>(
    by: &'static str,
    failed: RequestError,
    findings: &'f mut Findings,
) -> &'f mut super::DoctorFinding {
    let CalendarError { advice, code, .. } = CalendarError::from(failed.clone());
    let (check, remedy) = match &failed {
        RequestError::Refused(ErrorKind::ImpersonationDenied | ErrorKind::Denied, _) => (
            by,
            "widen the scope by this room, or take the room out of scope.rooms; granted less than two hours ago? try again later",
        ),
        RequestError::Refused(ErrorKind::NoMailbox | ErrorKind::WrongServer, _) => (
            "mailbox",
            "check the address (its primary one); a room moved to the cloud belongs to another connection",
        ),
        RequestError::Refused(ErrorKind::EwsDisabled, _) => {
            ("EWS", "Set-CASMailbox -Identity ROOM -EwsEnabled $true")
        }
        _ => ("mailbox", "try again; then ask Exchange's administrator"),
    };
    let finding = findings.fail(check, advice, remedy);
    finding.code = Some(code);
    finding
}

/// Whether mailboxes that must be out of reach are.
pub(super) async fn check_out_of_scope(patient: &DoctorTarget, findings: &mut Findings) {
    if patient.out_of_scope.is_empty() {
        findings.warn(
            "scope",
            "that the account is kept out of other mailboxes is not proven",
            "name a mailbox that it must not reach in doctor.out_of_scope; with [[connections]], one for each, meant by its rooms",
        );
    }
    for outsider in &patient.out_of_scope {
        match patient.exchange.check_calendar(outsider).await {
            Ok(_) => {
                findings.fail(
                    "scope",
                    format!("the account can act in {outsider}, which must be out of its scope"),
                    "narrow the scope (adjourn setup); online, also take back full_access_as_app: grants add up, and it has no \
                     scope",
                );
            }
            Err(RequestError::Refused(_, code)) if is_out_of_scope(patient.settings.access, &code) => {
                findings
                    .add("scope", super::FindingStatus::Pass, format!("{outsider} is refused, as it must be"))
                    .code = Some(code);
            }
            Err(failed) => {
                let CalendarError { advice, code, .. } = CalendarError::from(failed.clone());
                let why = match failed {
                    RequestError::Refused(ErrorKind::ImpersonationDenied | ErrorKind::Denied, _) => {
                        "it was refused, but not for want of rights"
                    }
                    _ => &advice,
                };
                let says = format!("whether {outsider} is out of scope cannot be told: {why}");
                let remedy = "name an existing mailbox by its primary address in doctor.out_of_scope (with server.impersonate_by \
                              = \"principal-name\", one whose user principal name is that address)";
                findings.warn("scope", says, remedy).code = Some(code);
            }
        }
    }
}

/// Whether it was refused for want of rights, and not for an address or a header that names nobody: that would be said to an
/// account that may act everywhere, too.
fn is_out_of_scope(access: Access, code: &str) -> bool {
    match access {
        Access::Impersonation => {
            matches!(code, "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" | "ErrorAccessDenied")
        }
        // Without any right to a mailbox, its folders are not there (docs/impersonation.md).
        Access::Delegate => matches!(code, "ErrorAccessDenied" | "ErrorFolderNotFound" | "ErrorItemNotFound"),
    }
}

/// The booking attendant's defaults delete what some rules look at (Set-CalendarProcessing: AddOrganizerToSubject,
/// DeleteSubject, RemovePrivateProperty). What EWS shows of that is the events themselves.
pub(super) async fn check_calendar_processing(
    patient: &DoctorTarget,
    clock: &dyn Clock,
    findings: &mut Findings,
) {
    let now = clock.now();
    let Ok(window) = Window::new(now - TimeDelta::days(7), now + TimeDelta::days(30)) else { return };
    let mut meetings = Vec::new();
    for room in patient.rooms.iter().take(ROOMS_READ) {
        let events = patient.exchange.events(room, window).await.unwrap_or_default().events;
        meetings.extend(events.into_iter().filter(|event| event.copy == Some(Copy::Attendee)));
    }
    if meetings.is_empty() {
        findings.add("calendar processing", super::FindingStatus::Skip, "no meeting in sight to see it from");
        return;
    }
    let all = meetings.len();
    let named = meetings.iter().filter(|event| is_named_after_its_organizer(event)).count();
    let private = meetings.iter().filter(|event| event.is_private).count();
    let says = format!(
        "of {all} meetings, {named} have their organizer's name for a subject, {private} are marked private"
    );
    if patient.spares_private && private == 0 {
        findings.warn(
            "calendar processing",
            format!("{says}; cleanup.exceptions.private may find nothing to spare"),
            "Set-CalendarProcessing -Identity ROOM -RemovePrivateProperty $false keeps the mark on the room's copy",
        );
    } else {
        findings.pass("calendar processing", says);
    }
}

fn is_named_after_its_organizer(event: &Event) -> bool {
    let subject = event.subject.as_deref().unwrap_or_default().trim();
    let name = event.organizer.as_ref().and_then(|person| person.name.as_deref());
    subject.is_empty() || name.is_some_and(|name| subject == name)
}

/// An impersonated room owns its calendar, so only delegate access needs a look at the effective rights.
async fn probe_room(
    exchange: &Exchange,
    access: Access,
    room: &RoomAddress,
) -> Result<RoomAccess, RequestError> {
    match access {
        Access::Impersonation => exchange.check_calendar(room).await.map(|_| RoomAccess::Write),
        Access::Delegate => match exchange.can_create_items(room).await? {
            Some(false) => Ok(RoomAccess::ReadOnly),
            Some(true) | None => Ok(RoomAccess::Write),
        },
    }
}

async fn probe_rooms(
    exchange: &Arc<Exchange>,
    access: Access,
    rooms: &[RoomAddress],
    progress: &(dyn Fn() + Sync),
) -> Vec<(RoomAddress, Result<RoomAccess, RequestError>)> {
    let mut waiting = rooms.iter().cloned().enumerate();
    let mut looking = JoinSet::new();
    let mut all = Vec::with_capacity(rooms.len());
    loop {
        while looking.len() < MAX_CONCURRENT_ROOMS
            && let Some((place, room)) = waiting.next()
        {
            let exchange = exchange.clone();
            looking.spawn(async move {
                let answer = probe_room(&exchange, access, &room).await;
                (place, room, answer)
            });
        }
        match looking.join_next().await {
            None => break,
            Some(Ok(looked)) => all.push(looked),
            // It panicked: a defect of ours, which the missing room shows.
            Some(Err(_)) => {}
        }
        progress();
    }
    all.sort_by_key(|(place, ..)| *place);
    all.into_iter().map(|(_, room, answer)| (room, answer)).collect()
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Impersonation => "impersonation",
        Access::Delegate => "full access",
    }
}

fn grant_remedy(access: Access) -> &'static str {
    match access {
        Access::Impersonation => {
            "grant the role with a scope that holds the rooms (adjourn setup prints the commands); granted less than two hours \
             ago? it may not have reached the server yet"
        }
        Access::Delegate => {
            "Add-MailboxPermission -Identity ROOM -User ACCOUNT -AccessRights FullAccess -AutoMapping $false, for each room; \
             granted less than an hour ago? it may not have reached the server yet"
        }
    }
}
