//! Reads the calendar of every configured room, which proves the right and its scope. Reads only: that the application may also write
//! is the write test's to prove.

use super::super::room_probes::probe_rooms;
use super::super::{DoctorFinding, FindingId, Findings};
use super::{GRANT, GraphDoctorTarget};
use crate::calendar::RoomAddress;
use crate::engine::{CalendarError, ErrorKind};
use crate::graph::RequestError;
use crate::progress::{PhaseProgress, ProgressListener};

const CHECK: &str = "calendars";

/// A room that the application may read, for the checks that follow.
pub(super) async fn check_rooms(
    target: &GraphDoctorTarget,
    progress: Option<&ProgressListener>,
    findings: &mut Findings,
) -> Option<RoomAddress> {
    let phase = format!("{}: rooms", target.settings.name);
    let progress = PhaseProgress::begin(progress, &phase, target.rooms.len());
    let answers = probe_rooms(&target.rooms, progress, |room| {
        let graph = target.graph.clone();
        async move { graph.check_calendar(&room).await }
    });
    let answers = answers.await;
    let all = answers.len();
    let readable = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
    let first = answers.iter().find(|(_, answer)| answer.is_ok()).map(|(room, _)| room.clone());
    if readable == all {
        findings.pass(CHECK, format!("the application may read the calendars of all {all} configured rooms"));
        return first;
    }
    if let Some(code) = code_of_general_denial(&answers) {
        let says = format!("the application may open none of the {all} configured rooms");
        findings.fail(FindingId::NoRoomAccessible, CHECK, says, GRANT).code = Some(code);
        return None;
    }
    for (room, answer) in answers {
        if let Err(failed) = answer {
            report_room(failed, findings).room = Some(room.to_string());
        }
    }
    findings.warn(
        FindingId::RoomsIncomplete,
        CHECK,
        format!("the application may read the calendars of {readable} of {all} configured rooms"),
        "correct the rooms listed above",
    );
    first
}

/// The code, if every room is denied: then the right is missing, or its scope holds no room.
fn code_of_general_denial(answers: &[(RoomAddress, Result<(), RequestError>)]) -> Option<String> {
    let denied = |answer: &Result<(), RequestError>| match answer {
        Err(RequestError::Refused(ErrorKind::Denied | ErrorKind::Permission, code)) => Some(code.clone()),
        _ => None,
    };
    let codes: Option<Vec<String>> = answers.iter().map(|(_, answer)| denied(answer)).collect();
    codes?.into_iter().next()
}

fn report_room(failed: RequestError, findings: &mut Findings) -> &mut DoctorFinding {
    let CalendarError { kind, advice, code, .. } = CalendarError::from(failed);
    let (id, check, remedy) = match kind {
        ErrorKind::Denied | ErrorKind::Permission => (
            FindingId::RoomAccessDenied,
            CHECK,
            "extend the management scope to this room (adjourn setup --deployment online --protocol graph prints the commands; \
             Test-ServicePrincipalAuthorization -Resource ROOM shows InScope), or remove the room from scope.rooms; a change takes \
             30 minutes to 2 hours",
        ),
        ErrorKind::ImpersonationDenied => (
            FindingId::RoomBlockedByPolicy,
            CHECK,
            "an access policy limits a consent in Entra. Grant the role with a management scope in its place (adjourn setup \
             --deployment online --protocol graph), then revoke the consent; or add the room to the policy's group \
             (Get-ApplicationAccessPolicy)",
        ),
        ErrorKind::NoMailbox => (
            FindingId::RoomNotFound,
            "mailbox",
            "use the primary address of the room's mailbox; a group or an external contact has none (Get-Mailbox ROOM)",
        ),
        ErrorKind::WrongServer => (
            FindingId::RoomOnPremises,
            "mailbox",
            "give the room to a connection with protocol = \"ews\"; if Get-Mailbox ROOM shows it in Exchange Online, its mailbox is \
             inactive or has no licence",
        ),
        _ => (FindingId::RoomUnreadable, "mailbox", "try again; then ask Exchange's administrator"),
    };
    let finding = findings.fail(id, check, advice, remedy);
    finding.code = Some(code);
    finding
}
