//! The sentence about a removed event that its server cannot restore by itself. Text only.

/// How an administrator brings a removed event back where the server has no operation for it. The restored item is shown as
/// declined, and takes its time again once the room has accepted it.
pub(super) fn way_back(room: &str) -> String {
    format!(
        "adjourn: an administrator can bring the event back for 14 days, in Exchange Online PowerShell:\n  \
         Get-RecoverableItems -Identity {room} -SourceFolder DeletedItems -FilterItemType IPM.Appointment\n  \
         Restore-RecoverableItems -Identity {room} -SourceFolder DeletedItems -EntryID <EntryID>"
    )
}
