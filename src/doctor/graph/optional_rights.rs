//! Checks which optional rights the application has, what Adjourn loses without each, and whether `optional_permissions` agrees.
//! One request for each right; reads only.

use super::super::{FindingId, FindingStatus, Findings};
use super::GraphDoctorTarget;
use crate::calendar::RoomAddress;
use crate::engine::{CalendarError, ErrorKind};
use crate::graph::{OptionalRight, RequestError};

/// What a response shows about a right.
enum Granted {
    Yes,
    No { code: String },
    Unclear(CalendarError),
}

/// Checks each right in this room, which the application may read.
pub(super) async fn check_optional_rights(
    target: &GraphDoctorTarget,
    room: &RoomAddress,
    findings: &mut Findings,
) {
    for right in OptionalRight::ALL {
        let granted = granted(target.graph.check_right(room, right).await);
        report(right, right.is_in(target.settings.rights), granted, findings);
    }
}

fn granted(answer: Result<(), RequestError>) -> Granted {
    match answer {
        Ok(()) => Granted::Yes,
        Err(RequestError::Refused(
            ErrorKind::Denied | ErrorKind::Permission | ErrorKind::ImpersonationDenied,
            code,
        )) => Granted::No { code },
        Err(failed) => Granted::Unclear(failed.into()),
    }
}

fn report(right: OptionalRight, is_configured: bool, granted: Granted, findings: &mut Findings) {
    let (check, name) = ("optional right", right.name());
    match (is_configured, granted) {
        (true, Granted::Yes) => findings.pass(check, format!("{name} is granted: {}", gain(right))),
        (true, Granted::No { code }) => {
            let says = format!("optional_permissions names {name}, and Graph refuses it: {}", loss(right));
            findings.fail(FindingId::OptionalRightRefused, check, says, grant(right)).code = Some(code);
        }
        (true, Granted::Unclear(CalendarError { advice, code, .. })) => {
            let says = format!("cannot determine whether {name} is granted: {advice}");
            let remedy = "try again; the code holds Graph's own reason";
            findings.warn(FindingId::OptionalRightUnclear, check, says, remedy).code = Some(code);
        }
        (false, Granted::Yes) => {
            let says =
                format!("{name} is granted, and optional_permissions does not name it: {}", loss(right));
            let finding = findings.add(check, FindingStatus::Pass, says);
            finding.remedy = Some(format!("add {name} to optional_permissions, or take the right back"));
        }
        (false, Granted::No { .. } | Granted::Unclear(_)) => {
            findings.add(check, FindingStatus::Skip, format!("{name} is not used: {}", loss(right)));
        }
    }
}

fn gain(right: OptionalRight) -> &'static str {
    match right {
        OptionalRight::ReadMail => {
            "after a lost response, Sent Items prove that a decline or cancellation went out"
        }
        OptionalRight::ReadMailboxItems => {
            "after a lost response, Deleted Items prove that an event was removed"
        }
        OptionalRight::ReadPlaces => "scope.room_lists can be read",
        OptionalRight::ReadUsers => "people can be looked up (cleanup.organizer_gone)",
    }
}

fn loss(right: OptionalRight) -> &'static str {
    match right {
        OptionalRight::ReadMail => {
            "after a lost response, the answer says that the event is gone, and not who declined or cancelled it"
        }
        OptionalRight::ReadMailboxItems => {
            "after a lost response, the answer says that the event is gone, and not who removed it"
        }
        OptionalRight::ReadPlaces => "scope.room_lists cannot be read",
        OptionalRight::ReadUsers => "people cannot be looked up (cleanup.organizer_gone)",
    }
}

/// How the right is granted. The first two have roles of Exchange Online; the others open no mailbox.
fn grant(right: OptionalRight) -> String {
    let (name, setup) =
        (right.name(), "adjourn setup --deployment online --protocol graph prints the commands");
    let how = match right {
        OptionalRight::ReadMail | OptionalRight::ReadMailboxItems => {
            format!("assign the role Application {name} with the rooms' management scope ({setup})")
        }
        OptionalRight::ReadPlaces | OptionalRight::ReadUsers => {
            format!("consent to {name} in Entra, which opens no mailbox ({setup})")
        }
    };
    format!("{how}, or remove it from optional_permissions; a change takes 30 minutes to 2 hours")
}
