//! Response codes: what Exchange says, and the one table that says what each means for us.
//!
//! Texts beside a code are localized and never looked at. A code that is not in the table is kept verbatim and means
//! [`Meaning::Unknown`]: after a write that is a doubt, not a refusal.

use std::borrow::Cow;

use serde::Serialize;

/// A response code, kept verbatim: unknown ones are as good as known ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ResponseCode<'a>(pub Cow<'a, str>);

/// What a response code means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// Done.
    Success,
    /// Not done for now: too much asked of this mailbox. Wait, as long as `BackOffMilliseconds` says.
    Busy,
    /// Not done for now: too many requests at once. Wait, and ask fewer at once.
    TooManyAtOnce,
    /// A failure of the moment. Whether a write was carried out is not known.
    Transient,
    /// An earlier item of the batch failed; this one was not touched.
    NotReached,
    /// The item is not there, or not visible to the account.
    Gone,
    /// The id in the request is no item id of this server: malformed, cut off, of another kind.
    InvalidId,
    /// The stored item is damaged or incomplete, so that Exchange cannot process it.
    Corrupt,
    /// Somebody changed the item since it was read.
    Conflict,
    /// The account may not do this to that mailbox.
    Denied,
    /// The folder is not there, or not visible to the account. Every mailbox has the folders that are asked for.
    NoFolder,
    /// The account may not act for that mailbox, or the header that says so is wrong.
    NotImpersonated,
    /// There is no such mailbox, or it has moved or is closed.
    NoMailbox,
    /// The mailbox is another server's, to which this one does not pass the request on.
    Elsewhere,
    /// Nobody of that name: the directory's answer, not a failure.
    NobodyFound,
    /// More than one of that name.
    SeveralFound,
    /// The calendar's own rules forbid it: not the organizer, already cancelled, a master instead of an occurrence, …
    Forbidden,
    /// The window or the result is larger than the server gives at once.
    TooLarge,
    /// The server does not speak the version asked for.
    Version,
    /// The request is wrong: ours to mend.
    BadRequest,
    /// The server keeps no more of these for this mailbox, however long one waits.
    Full,
    /// The server does not tell of changes by that name any more: subscribe, or synchronise, from the beginning.
    StartAnew,
    /// The account is locked, expired or must change its password.
    Account,
    /// Not in the table.
    Unknown,
}

impl ResponseCode<'_> {
    /// What it means.
    pub fn meaning(&self) -> Meaning {
        meaning(&self.0)
    }
}

/// What a code means (the documentation's `ResponseCode` page, read with MS-OXWSCDATA 2.2.5.24).
pub fn meaning(code: &str) -> Meaning {
    match TABLE.binary_search_by(|(known, _)| (*known).cmp(code)) {
        Ok(at) => TABLE.get(at).map_or(Meaning::Unknown, |(_, meaning)| *meaning),
        Err(_) => Meaning::Unknown,
    }
}

/// Whether Exchange can report this after it has stored the item: the mail about it, or the copy, failed then.
pub fn may_follow_a_change(code: &str) -> bool {
    AFTER_A_CHANGE.contains(&code)
}

const AFTER_A_CHANGE: &[&str] = &[
    "ErrorInvalidRecipients",
    "ErrorMailRecipientNotFound",
    "ErrorMessagePerFolderCountReceiveQuotaExceeded",
    "ErrorMessageSizeExceeded",
    "ErrorMessageSubmissionBlocked",
    "ErrorQuotaExceeded",
    "ErrorQuotaExceededOnDelete",
    "ErrorRecoverableItemsAccessDenied",
    "ErrorSendAsDenied",
    "ErrorSubmissionQuotaExceeded",
];

/// Every code of the table, for tests and support.
pub fn known() -> impl Iterator<Item = (&'static str, Meaning)> {
    TABLE.iter().copied()
}

/// Sorted by name; a test sees to it.
const TABLE: &[(&str, Meaning)] = &[
    ("ErrorADOperation", Meaning::Transient),
    ("ErrorADUnavailable", Meaning::Transient),
    ("ErrorAccessDenied", Meaning::Denied),
    ("ErrorAccessDeniedDueToCompliance", Meaning::Denied),
    ("ErrorAccountDisabled", Meaning::Account),
    ("ErrorBatchProcessingStopped", Meaning::NotReached),
    ("ErrorCalendarCannotMoveOrCopyOccurrence", Meaning::Forbidden),
    ("ErrorCalendarCannotUpdateDeletedItem", Meaning::Gone),
    ("ErrorCalendarCannotUseIdForOccurrenceId", Meaning::Forbidden),
    ("ErrorCalendarCannotUseIdForRecurringMasterId", Meaning::Forbidden),
    ("ErrorCalendarDurationIsTooLong", Meaning::BadRequest),
    ("ErrorCalendarEndDateIsEarlierThanStartDate", Meaning::BadRequest),
    ("ErrorCalendarFolderIsInvalidForCalendarView", Meaning::BadRequest),
    ("ErrorCalendarInvalidPropertyState", Meaning::Corrupt),
    ("ErrorCalendarInvalidPropertyValue", Meaning::BadRequest),
    ("ErrorCalendarInvalidRecurrence", Meaning::Corrupt),
    ("ErrorCalendarIsCancelledForAccept", Meaning::Forbidden),
    ("ErrorCalendarIsCancelledForDecline", Meaning::Forbidden),
    ("ErrorCalendarIsCancelledForRemove", Meaning::Forbidden),
    ("ErrorCalendarIsCancelledForTentative", Meaning::Forbidden),
    ("ErrorCalendarIsDelegatedForAccept", Meaning::Forbidden),
    ("ErrorCalendarIsDelegatedForDecline", Meaning::Forbidden),
    ("ErrorCalendarIsNotOrganizer", Meaning::Forbidden),
    ("ErrorCalendarIsOrganizerForAccept", Meaning::Forbidden),
    ("ErrorCalendarIsOrganizerForDecline", Meaning::Forbidden),
    ("ErrorCalendarIsOrganizerForRemove", Meaning::Forbidden),
    ("ErrorCalendarIsOrganizerForTentative", Meaning::Forbidden),
    ("ErrorCalendarMeetingRequestIsOutOfDate", Meaning::Conflict),
    ("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", Meaning::Gone),
    ("ErrorCalendarOccurrenceIsDeletedFromRecurrence", Meaning::Gone),
    ("ErrorCalendarOutOfRange", Meaning::BadRequest),
    ("ErrorCalendarViewRangeTooBig", Meaning::TooLarge),
    ("ErrorCannotDeleteObject", Meaning::Forbidden),
    ("ErrorCannotUseFolderIdForItemId", Meaning::InvalidId),
    ("ErrorCannotUseItemIdForFolderId", Meaning::InvalidId),
    ("ErrorChangeKeyRequired", Meaning::BadRequest),
    ("ErrorChangeKeyRequiredForWriteOperations", Meaning::BadRequest),
    ("ErrorConnectionFailed", Meaning::Transient),
    ("ErrorCorruptData", Meaning::Corrupt),
    ("ErrorCreateItemAccessDenied", Meaning::Denied),
    ("ErrorCreateSubfolderAccessDenied", Meaning::Denied),
    ("ErrorCrossMailboxMoveCopy", Meaning::BadRequest),
    ("ErrorCrossSiteRequest", Meaning::Elsewhere),
    ("ErrorDataSizeLimitExceeded", Meaning::TooLarge),
    ("ErrorDuplicateSOAPHeader", Meaning::BadRequest),
    ("ErrorExceededConnectionCount", Meaning::TooManyAtOnce),
    ("ErrorExceededFindCountLimit", Meaning::TooLarge),
    ("ErrorExceededSubscriptionCount", Meaning::Full),
    ("ErrorExpiredSubscription", Meaning::StartAnew),
    ("ErrorFolderNotFound", Meaning::NoFolder),
    ("ErrorImpersonateUserDenied", Meaning::NotImpersonated),
    ("ErrorImpersonationDenied", Meaning::NotImpersonated),
    ("ErrorImpersonationFailed", Meaning::NotImpersonated),
    ("ErrorIncorrectSchemaVersion", Meaning::Version),
    ("ErrorInsufficientResources", Meaning::Busy),
    ("ErrorInternalServerError", Meaning::Transient),
    ("ErrorInternalServerTransientError", Meaning::Transient),
    ("ErrorInvalidChangeKey", Meaning::Conflict),
    ("ErrorInvalidExchangeImpersonationHeaderData", Meaning::NotImpersonated),
    ("ErrorInvalidFolderId", Meaning::NoFolder),
    ("ErrorInvalidId", Meaning::InvalidId),
    ("ErrorInvalidIdEmpty", Meaning::InvalidId),
    ("ErrorInvalidIdMalformed", Meaning::InvalidId),
    ("ErrorInvalidIdMalformedEwsLegacyIdFormat", Meaning::InvalidId),
    ("ErrorInvalidIdMonikerTooLong", Meaning::InvalidId),
    ("ErrorInvalidIdNotAnItemAttachmentId", Meaning::InvalidId),
    ("ErrorInvalidIdReturnedByResolveNames", Meaning::InvalidId),
    ("ErrorInvalidIdStoreObjectIdTooLong", Meaning::InvalidId),
    ("ErrorInvalidIdTooManyAttachmentLevels", Meaning::InvalidId),
    ("ErrorInvalidIdXml", Meaning::InvalidId),
    ("ErrorInvalidItemForOperationCancelItem", Meaning::Forbidden),
    ("ErrorInvalidItemForOperationDeclineItem", Meaning::Forbidden),
    ("ErrorInvalidLicense", Meaning::Forbidden),
    ("ErrorInvalidOperation", Meaning::BadRequest),
    ("ErrorInvalidPropertySet", Meaning::BadRequest),
    ("ErrorInvalidRecipients", Meaning::Forbidden),
    ("ErrorInvalidRequest", Meaning::BadRequest),
    ("ErrorInvalidSecurityDescriptor", Meaning::NotImpersonated),
    ("ErrorInvalidServerVersion", Meaning::Version),
    ("ErrorInvalidSmtpAddress", Meaning::NoMailbox),
    ("ErrorInvalidSubscription", Meaning::StartAnew),
    ("ErrorInvalidSyncStateData", Meaning::StartAnew),
    ("ErrorInvalidUserPrincipalName", Meaning::NotImpersonated),
    ("ErrorInvalidWatermark", Meaning::StartAnew),
    ("ErrorIrresolvableConflict", Meaning::Conflict),
    ("ErrorItemCorrupt", Meaning::Corrupt),
    ("ErrorItemNotFound", Meaning::Gone),
    ("ErrorItemSave", Meaning::Transient),
    ("ErrorItemSavePropertyError", Meaning::Forbidden),
    ("ErrorMailRecipientNotFound", Meaning::NobodyFound),
    ("ErrorMailboxConfiguration", Meaning::NoMailbox),
    ("ErrorMailboxFailover", Meaning::Transient),
    ("ErrorMailboxLogonFailed", Meaning::Transient),
    ("ErrorMailboxMoveInProgress", Meaning::Transient),
    ("ErrorMailboxStoreUnavailable", Meaning::Transient),
    ("ErrorMessageDispositionRequired", Meaning::BadRequest),
    ("ErrorMessagePerFolderCountReceiveQuotaExceeded", Meaning::Forbidden),
    ("ErrorMessageSizeExceeded", Meaning::Forbidden),
    ("ErrorMessageSubmissionBlocked", Meaning::Denied),
    ("ErrorMimeContentInvalid", Meaning::BadRequest),
    ("ErrorMissedNotificationEvents", Meaning::StartAnew),
    ("ErrorMissingEmailAddress", Meaning::NoMailbox),
    ("ErrorMoreThanOneAccessModeSpecified", Meaning::NotImpersonated),
    ("ErrorMoveCopyFailed", Meaning::Transient),
    ("ErrorNameResolutionMultipleResults", Meaning::SeveralFound),
    ("ErrorNameResolutionNoMailbox", Meaning::NobodyFound),
    ("ErrorNameResolutionNoResults", Meaning::NobodyFound),
    ("ErrorNoRespondingCASInDestinationSite", Meaning::Transient),
    ("ErrorNonExistentMailbox", Meaning::NoMailbox),
    ("ErrorNonPrimarySmtpAddress", Meaning::NotImpersonated),
    ("ErrorNotEnoughMemory", Meaning::Busy),
    ("ErrorObjectTypeChanged", Meaning::Conflict),
    ("ErrorOccurrenceCrossingBoundary", Meaning::Forbidden),
    ("ErrorOccurrenceTimeSpanTooBig", Meaning::Forbidden),
    ("ErrorOperationNotAllowedWithPublicFolderRoot", Meaning::BadRequest),
    ("ErrorParentFolderNotFound", Meaning::NoFolder),
    ("ErrorPasswordChangeRequired", Meaning::Account),
    ("ErrorPasswordExpired", Meaning::Account),
    ("ErrorProxiedSubscriptionCallFailure", Meaning::Transient),
    ("ErrorProxyCallFailed", Meaning::Transient),
    ("ErrorProxyGroupSidLimitExceeded", Meaning::Denied),
    ("ErrorProxyRequestNotAllowed", Meaning::Elsewhere),
    ("ErrorProxyServiceDiscoveryFailed", Meaning::Elsewhere),
    ("ErrorQuotaExceeded", Meaning::Forbidden),
    ("ErrorQuotaExceededOnDelete", Meaning::Forbidden),
    ("ErrorRecoverableItemsAccessDenied", Meaning::Denied),
    ("ErrorRecurrenceHasNoOccurrence", Meaning::Gone),
    ("ErrorRequestAborted", Meaning::Transient),
    ("ErrorResponseSchemaValidation", Meaning::Transient),
    ("ErrorSchemaValidation", Meaning::BadRequest),
    ("ErrorSendAsDenied", Meaning::Denied),
    ("ErrorSendMeetingCancellationsRequired", Meaning::BadRequest),
    ("ErrorSendMeetingInvitationsOrCancellationsRequired", Meaning::BadRequest),
    ("ErrorSendMeetingInvitationsRequired", Meaning::BadRequest),
    ("ErrorServerBusy", Meaning::Busy),
    ("ErrorServiceDiscoveryFailed", Meaning::Transient),
    ("ErrorStaleObject", Meaning::Conflict),
    ("ErrorSubmissionQuotaExceeded", Meaning::Forbidden),
    ("ErrorSubscriptionAccessDenied", Meaning::StartAnew),
    ("ErrorSubscriptionDelegateAccessNotSupported", Meaning::Denied),
    ("ErrorSubscriptionNotFound", Meaning::StartAnew),
    ("ErrorSubscriptionUnsubscribed", Meaning::StartAnew),
    ("ErrorSyncFolderNotFound", Meaning::NoFolder),
    ("ErrorTimeIntervalTooBig", Meaning::TooLarge),
    ("ErrorTimeoutExpired", Meaning::Transient),
    ("ErrorTokenSerializationDenied", Meaning::NotImpersonated),
    ("ErrorTooManyObjectsOpened", Meaning::Busy),
    ("ErrorUpdatePropertyMismatch", Meaning::BadRequest),
    ("ErrorUserNotAllowedByPolicy", Meaning::Denied),
    ("ErrorWrongServerVersion", Meaning::Elsewhere),
    ("NoError", Meaning::Success),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_without_repetition() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn known_codes_are_found_and_unknown_ones_kept() {
        assert_eq!(meaning("NoError"), Meaning::Success);
        assert_eq!(meaning("ErrorServerBusy"), Meaning::Busy);
        assert_eq!(meaning("ErrorIrresolvableConflict"), Meaning::Conflict);
        for denial in ["ErrorCreateItemAccessDenied", "ErrorAccessDeniedDueToCompliance", "ErrorSendAsDenied"]
        {
            assert_eq!(meaning(denial), Meaning::Denied, "{denial}");
        }
        for late in AFTER_A_CHANGE {
            assert_ne!(meaning(late), Meaning::Unknown, "{late}");
        }
        assert_eq!(meaning("ErrorOfTomorrow"), Meaning::Unknown);
        assert_eq!(meaning(""), Meaning::Unknown);
    }
}
