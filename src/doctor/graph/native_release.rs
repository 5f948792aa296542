//! Names the check of Exchange's own release of unused rooms, which Graph does not show. Sends nothing.

use super::super::{FindingStatus, Findings};

/// Exchange releases a room by itself where `EnableAutoRelease` is on, also one that Adjourn's rule would spare.
pub(super) fn report_native_release(findings: &mut Findings) {
    let says = "Graph does not show whether Exchange itself releases unused meetings (EnableAutoRelease); use one of the two in a room";
    let finding = findings.add("native auto-release", FindingStatus::Skip, says);
    finding.remedy = Some(
        "Get-Mailbox -RecipientTypeDetails RoomMailbox -ResultSize Unlimited | Get-CalendarProcessing | Where-Object { \
         $_.EnableAutoRelease } | Format-Table Identity; to turn it off: Set-CalendarProcessing -Identity ROOM -EnableAutoRelease \
         $false"
            .to_owned(),
    );
}
