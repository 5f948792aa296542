//! Checks that Graph refuses the mailboxes that must be out of scope. A request is the only proof: the roles of Exchange Online and the
//! consents in Entra add up, and no command shows both.

use super::super::{FindingId, FindingStatus, Findings};
use super::GraphDoctorTarget;
use crate::calendar::RoomAddress;
use crate::engine::{CalendarError, ErrorKind};
use crate::graph::{OptionalRight, RequestError};

const CHECK: &str = "scope";
/// Optional rights that open mailboxes.
const OPENS_MAILBOXES: [OptionalRight; 2] = [OptionalRight::ReadMail, OptionalRight::ReadMailboxItems];

/// Whether Graph refuses every mailbox of `doctor.out_of_scope`.
pub(super) async fn check_out_of_scope(target: &GraphDoctorTarget, findings: &mut Findings) {
    if target.out_of_scope.is_empty() {
        findings.warn(
            FindingId::ScopeNotProven,
            CHECK,
            "no check proves that the application is kept out of other mailboxes",
            "list a mailbox that it must not reach in doctor.out_of_scope; with [[connections]], one per connection that matches its rooms",
        );
    }
    for outsider in &target.out_of_scope {
        match target.graph.check_calendar(outsider).await {
            Ok(()) => report_open(outsider, "Calendars.ReadWrite", findings),
            Err(RequestError::Refused(kind, code)) if is_refusal(kind) => {
                check_optional_rights(target, outsider, code, findings).await;
            }
            Err(failed) => report_unclear(outsider, failed, findings),
        }
    }
}

/// The calendar is refused; an optional right may open the rest of the mailbox.
async fn check_optional_rights(
    target: &GraphDoctorTarget,
    outsider: &RoomAddress,
    code: String,
    findings: &mut Findings,
) {
    let mut is_open = false;
    for right in OPENS_MAILBOXES {
        if target.graph.check_right(outsider, right).await.is_ok() {
            report_open(outsider, right.name(), findings);
            is_open = true;
        }
    }
    if !is_open {
        let says = format!("{outsider} is refused, as it must be");
        findings.add(CHECK, FindingStatus::Pass, says).code = Some(code);
    }
}

fn is_refusal(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Denied | ErrorKind::Permission | ErrorKind::ImpersonationDenied)
}

fn report_open(outsider: &RoomAddress, right: &str, findings: &mut Findings) {
    let says = format!(
        "the application can open {outsider}, which must be out of its scope: a consent in Entra to {right} opens every mailbox \
         of the tenant, whatever the management scope"
    );
    let remedy = format!(
        "in Entra, revoke the consent (Enterprise applications > the application > Permissions: {right}, and its .All form); then \
         look for an assignment with a wider scope (Get-ManagementRoleAssignment -RoleAssignee OBJECT-ID | fl Role, \
         CustomResourceScope); a change takes 30 minutes to 2 hours"
    );
    findings.fail(FindingId::ScopeTooWide, CHECK, says, remedy);
}

fn report_unclear(outsider: &RoomAddress, failed: RequestError, findings: &mut Findings) {
    let CalendarError { advice, code, .. } = CalendarError::from(failed);
    let says = format!("cannot determine whether {outsider} is out of scope: {advice}");
    let remedy = "list an existing mailbox of Exchange Online by its primary address in doctor.out_of_scope";
    findings.warn(FindingId::ScopeUnclear, CHECK, says, remedy).code = Some(code);
}
