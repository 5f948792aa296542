//! Checks the account's rights: that it may act in every configured room, and in no mailbox outside its scope. Reads only.

use super::room_probes::probe_rooms;
use super::{DoctorFinding, DoctorTarget, FindingId, FindingStatus, Findings};
use crate::calendar::RoomAddress;
use crate::engine::{CalendarError, ErrorKind};
use crate::exchange::{Access, Exchange, RequestError};
use crate::progress::{PhaseProgress, ProgressListener};

/// Whether the account may act in at least one room, or read it.
pub(super) async fn check_room_access(
    target: &DoctorTarget,
    progress: Option<&ProgressListener>,
    findings: &mut Findings,
) -> bool {
    let access = target.settings.access;
    let phase = format!("{}: rooms", target.settings.name);
    let progress = PhaseProgress::begin(progress, &phase, target.rooms.len());
    let answers = probe_rooms(&target.rooms, progress, |room| {
        let exchange = target.exchange.clone();
        async move { probe_room(&exchange, access, &room).await }
    });
    let answers = answers.await;
    let reached = answers.iter().filter(|(_, answer)| matches!(answer, Ok(RoomAccess::Write))).count();
    let readable = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    let (all, by) = (answers.len(), access_name(target.settings.access));
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
        findings.fail(FindingId::NoRoomAccessible, by, says, grant_remedy(target.settings.access)).code =
            Some(code);
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
        FindingId::RoomsIncomplete,
        by,
        format!("the account may act in {reached} of {all} configured rooms"),
        "correct the rooms listed above",
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

/// Reports a folder permission such as Reviewer: displays work and every action fails.
fn report_read_only_room<'f>(
    by: &'static str,
    room: &RoomAddress,
    findings: &'f mut Findings,
) -> &'f mut DoctorFinding {
    let says = "the account may read this room's calendar but not write to it";
    let remedy = format!(
        "Add-MailboxPermission -Identity {room} -User ACCOUNT -AccessRights FullAccess -AutoMapping $false; a grant takes up to \
         an hour to reach the server"
    );
    findings.fail(FindingId::RoomReadOnly, by, says, remedy)
}

fn report_unreachable_room<'f>(
    by: &'static str,
    failed: RequestError,
    findings: &'f mut Findings,
) -> &'f mut DoctorFinding {
    let CalendarError { advice, code, .. } = CalendarError::from(failed.clone());
    let (id, check, remedy) = match &failed {
        RequestError::Refused(ErrorKind::ImpersonationDenied | ErrorKind::Denied, _) => (
            FindingId::RoomAccessDenied,
            by,
            "extend the account's scope to this room, or remove the room from scope.rooms; a grant takes up to two hours",
        ),
        RequestError::Refused(ErrorKind::NoMailbox | ErrorKind::WrongServer, _) => (
            FindingId::RoomNotFound,
            "mailbox",
            "use the mailbox's primary address; a room that moved to the cloud belongs to another connection",
        ),
        RequestError::Refused(ErrorKind::ApiDisabled, _) => {
            (FindingId::RoomEwsDisabled, "EWS", "turn it on: Set-CASMailbox -Identity ROOM -EwsEnabled $true")
        }
        _ => (FindingId::RoomUnreadable, "mailbox", "try again; then ask Exchange's administrator"),
    };
    let finding = findings.fail(id, check, advice, remedy);
    finding.code = Some(code);
    finding
}

/// Whether Exchange refuses the mailboxes that must be out of scope.
pub(super) async fn check_out_of_scope(target: &DoctorTarget, findings: &mut Findings) {
    if target.out_of_scope.is_empty() {
        findings.warn(
            FindingId::ScopeNotProven,
            "scope",
            "no check proves that the account is kept out of other mailboxes",
            "list a mailbox that it must not reach in doctor.out_of_scope; with [[connections]], one per connection that matches its rooms",
        );
    }
    for outsider in &target.out_of_scope {
        match target.exchange.check_calendar(outsider).await {
            Ok(_) => {
                findings.fail(
                    FindingId::ScopeTooWide,
                    "scope",
                    format!("the account can act in {outsider}, which must be out of its scope"),
                    "narrow the scope (adjourn setup); online, also revoke full_access_as_app, which has no scope and adds to every other \
                     grant",
                );
            }
            Err(RequestError::Refused(_, code)) if is_out_of_scope(target.settings.access, &code) => {
                findings
                    .add("scope", FindingStatus::Pass, format!("{outsider} is refused, as it must be"))
                    .code = Some(code);
            }
            Err(failed) => {
                let CalendarError { advice, code, .. } = CalendarError::from(failed.clone());
                let why = match failed {
                    RequestError::Refused(ErrorKind::ImpersonationDenied | ErrorKind::Denied, _) => {
                        "Exchange refused it, but not for missing rights"
                    }
                    _ => &advice,
                };
                let says = format!("cannot determine whether {outsider} is out of scope: {why}");
                let remedy = "list an existing mailbox by its primary address in doctor.out_of_scope (with server.impersonate_by \
                              = \"principal-name\", one whose user principal name is that address)";
                findings.warn(FindingId::ScopeUnclear, "scope", says, remedy).code = Some(code);
            }
        }
    }
}

/// Whether Exchange refused for missing rights. A refusal for an unknown address or header proves nothing: an account that may
/// act everywhere receives it too.
fn is_out_of_scope(access: Access, code: &str) -> bool {
    match access {
        Access::Impersonation => {
            matches!(code, "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" | "ErrorAccessDenied")
        }
        // Exchange reports the folders of a mailbox as absent to an account that has no right to it.
        Access::Delegate => matches!(code, "ErrorAccessDenied" | "ErrorFolderNotFound" | "ErrorItemNotFound"),
    }
}

/// An impersonated room owns its calendar, so only delegate access needs the effective rights.
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

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Impersonation => "impersonation",
        Access::Delegate => "full access",
    }
}

fn grant_remedy(access: Access) -> &'static str {
    match access {
        Access::Impersonation => {
            "grant the role with a scope that holds the rooms (adjourn setup prints the commands); a grant takes up to two \
             hours to reach the server"
        }
        Access::Delegate => {
            "Add-MailboxPermission -Identity ROOM -User ACCOUNT -AccessRights FullAccess -AutoMapping $false, for each room; \
             a grant takes up to an hour to reach the server"
        }
    }
}
