//! Response codes of Exchange, and the table that gives each a meaning for Adjourn. Never reads the localized texts beside a code.
//!
//! A code that is not in the table is kept verbatim and means [`CodeMeaning::Unknown`]: after a write that leaves the outcome in doubt; it is
//! not a refusal.

use std::borrow::Cow;

use serde::Serialize;

/// A response code, kept verbatim, known or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ResponseCode<'a>(pub Cow<'a, str>);

/// The meaning of a response code for the sender of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeMeaning {
    /// The operation succeeded.
    Success,
    /// Not executed: the server throttles this mailbox. Wait as long as `BackOffMilliseconds` says.
    Busy,
    /// Not executed: too many concurrent requests. Wait, and send fewer at once.
    TooManyConcurrentRequests,
    /// A temporary failure. A write may or may not have been executed.
    Transient,
    /// Not executed, because an earlier item of the batch failed.
    BatchStopped,
    /// The item does not exist, or the account cannot see it.
    ItemNotFound,
    /// The id in the request is not an item id of this server: malformed, truncated, or of another kind.
    InvalidId,
    /// The stored item is damaged or incomplete, so that Exchange cannot process it.
    CorruptItem,
    /// The item was changed since it was read.
    Conflict,
    /// The account lacks the permission in that mailbox.
    Denied,
    /// The folder does not exist, or the account cannot see it. Every mailbox has the folders that Adjourn requests.
    FolderNotFound,
    /// The account may not impersonate that mailbox, or the impersonation header is invalid.
    ImpersonationFailed,
    /// The mailbox does not exist, has moved, or is disabled.
    MailboxNotFound,
    /// Another server hosts the mailbox, and this one does not forward the request.
    WrongServer,
    /// The directory has no match. This is an answer, not a failure.
    NoMatch,
    /// The directory has several matches.
    MultipleMatches,
    /// Exchange's calendar rules forbid it: not the organizer, already cancelled, a master instead of an occurrence, …
    Forbidden,
    /// The window or the result exceeds the server's limit.
    TooLarge,
    /// The server does not support the requested schema version.
    UnsupportedVersion,
    /// The request is invalid: a defect of Adjourn.
    BadRequest,
    /// The mailbox has reached its limit of subscriptions; waiting does not help.
    SubscriptionLimit,
    /// The subscription or synchronisation state is no longer valid: subscribe, or synchronise, from the beginning.
    SubscriptionExpired,
    /// The account is locked, expired or must change its password.
    AccountUnusable,
    /// The code is not in the table.
    Unknown,
}

impl ResponseCode<'_> {
    /// The meaning of this code.
    pub fn meaning(&self) -> CodeMeaning {
        meaning(&self.0)
    }
}

/// The meaning of a code (from the documentation's `ResponseCode` page and MS-OXWSCDATA 2.2.5.24).
pub fn meaning(code: &str) -> CodeMeaning {
    match TABLE.binary_search_by(|(known, _)| (*known).cmp(code)) {
        Ok(at) => TABLE.get(at).map_or(CodeMeaning::Unknown, |(_, meaning)| *meaning),
        Err(_) => CodeMeaning::Unknown,
    }
}

/// Whether Exchange can return this code after it has stored the item: the mail or the copy failed then.
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

/// All codes of the table, for tests and support.
pub fn all_codes() -> impl Iterator<Item = (&'static str, CodeMeaning)> {
    TABLE.iter().copied()
}

/// Sorted by name for the binary search; a test checks it.
const TABLE: &[(&str, CodeMeaning)] = &[
    ("ErrorADOperation", CodeMeaning::Transient),
    ("ErrorADUnavailable", CodeMeaning::Transient),
    ("ErrorAccessDenied", CodeMeaning::Denied),
    ("ErrorAccessDeniedDueToCompliance", CodeMeaning::Denied),
    ("ErrorAccountDisabled", CodeMeaning::AccountUnusable),
    ("ErrorBatchProcessingStopped", CodeMeaning::BatchStopped),
    ("ErrorCalendarCannotMoveOrCopyOccurrence", CodeMeaning::Forbidden),
    ("ErrorCalendarCannotUpdateDeletedItem", CodeMeaning::ItemNotFound),
    ("ErrorCalendarCannotUseIdForOccurrenceId", CodeMeaning::Forbidden),
    ("ErrorCalendarCannotUseIdForRecurringMasterId", CodeMeaning::Forbidden),
    ("ErrorCalendarDurationIsTooLong", CodeMeaning::BadRequest),
    ("ErrorCalendarEndDateIsEarlierThanStartDate", CodeMeaning::BadRequest),
    ("ErrorCalendarFolderIsInvalidForCalendarView", CodeMeaning::BadRequest),
    ("ErrorCalendarInvalidPropertyState", CodeMeaning::CorruptItem),
    ("ErrorCalendarInvalidPropertyValue", CodeMeaning::BadRequest),
    ("ErrorCalendarInvalidRecurrence", CodeMeaning::CorruptItem),
    ("ErrorCalendarIsCancelledForAccept", CodeMeaning::Forbidden),
    ("ErrorCalendarIsCancelledForDecline", CodeMeaning::Forbidden),
    ("ErrorCalendarIsCancelledForRemove", CodeMeaning::Forbidden),
    ("ErrorCalendarIsCancelledForTentative", CodeMeaning::Forbidden),
    ("ErrorCalendarIsDelegatedForAccept", CodeMeaning::Forbidden),
    ("ErrorCalendarIsDelegatedForDecline", CodeMeaning::Forbidden),
    ("ErrorCalendarIsNotOrganizer", CodeMeaning::Forbidden),
    ("ErrorCalendarIsOrganizerForAccept", CodeMeaning::Forbidden),
    ("ErrorCalendarIsOrganizerForDecline", CodeMeaning::Forbidden),
    ("ErrorCalendarIsOrganizerForRemove", CodeMeaning::Forbidden),
    ("ErrorCalendarIsOrganizerForTentative", CodeMeaning::Forbidden),
    ("ErrorCalendarMeetingRequestIsOutOfDate", CodeMeaning::Conflict),
    ("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", CodeMeaning::ItemNotFound),
    ("ErrorCalendarOccurrenceIsDeletedFromRecurrence", CodeMeaning::ItemNotFound),
    ("ErrorCalendarOutOfRange", CodeMeaning::BadRequest),
    ("ErrorCalendarViewRangeTooBig", CodeMeaning::TooLarge),
    ("ErrorCannotDeleteObject", CodeMeaning::Forbidden),
    ("ErrorCannotUseFolderIdForItemId", CodeMeaning::InvalidId),
    ("ErrorCannotUseItemIdForFolderId", CodeMeaning::InvalidId),
    ("ErrorChangeKeyRequired", CodeMeaning::BadRequest),
    ("ErrorChangeKeyRequiredForWriteOperations", CodeMeaning::BadRequest),
    ("ErrorConnectionFailed", CodeMeaning::Transient),
    ("ErrorCorruptData", CodeMeaning::CorruptItem),
    ("ErrorCreateItemAccessDenied", CodeMeaning::Denied),
    ("ErrorCreateSubfolderAccessDenied", CodeMeaning::Denied),
    ("ErrorCrossMailboxMoveCopy", CodeMeaning::BadRequest),
    ("ErrorCrossSiteRequest", CodeMeaning::WrongServer),
    ("ErrorDataSizeLimitExceeded", CodeMeaning::TooLarge),
    ("ErrorDuplicateSOAPHeader", CodeMeaning::BadRequest),
    ("ErrorExceededConnectionCount", CodeMeaning::TooManyConcurrentRequests),
    ("ErrorExceededFindCountLimit", CodeMeaning::TooLarge),
    ("ErrorExceededSubscriptionCount", CodeMeaning::SubscriptionLimit),
    ("ErrorExpiredSubscription", CodeMeaning::SubscriptionExpired),
    ("ErrorFolderNotFound", CodeMeaning::FolderNotFound),
    ("ErrorImpersonateUserDenied", CodeMeaning::ImpersonationFailed),
    ("ErrorImpersonationDenied", CodeMeaning::ImpersonationFailed),
    ("ErrorImpersonationFailed", CodeMeaning::ImpersonationFailed),
    ("ErrorIncorrectSchemaVersion", CodeMeaning::UnsupportedVersion),
    ("ErrorInsufficientResources", CodeMeaning::Busy),
    ("ErrorInternalServerError", CodeMeaning::Transient),
    ("ErrorInternalServerTransientError", CodeMeaning::Transient),
    ("ErrorInvalidChangeKey", CodeMeaning::Conflict),
    ("ErrorInvalidExchangeImpersonationHeaderData", CodeMeaning::ImpersonationFailed),
    ("ErrorInvalidFolderId", CodeMeaning::FolderNotFound),
    ("ErrorInvalidId", CodeMeaning::InvalidId),
    ("ErrorInvalidIdEmpty", CodeMeaning::InvalidId),
    ("ErrorInvalidIdMalformed", CodeMeaning::InvalidId),
    ("ErrorInvalidIdMalformedEwsLegacyIdFormat", CodeMeaning::InvalidId),
    ("ErrorInvalidIdMonikerTooLong", CodeMeaning::InvalidId),
    ("ErrorInvalidIdNotAnItemAttachmentId", CodeMeaning::InvalidId),
    ("ErrorInvalidIdReturnedByResolveNames", CodeMeaning::InvalidId),
    ("ErrorInvalidIdStoreObjectIdTooLong", CodeMeaning::InvalidId),
    ("ErrorInvalidIdTooManyAttachmentLevels", CodeMeaning::InvalidId),
    ("ErrorInvalidIdXml", CodeMeaning::InvalidId),
    ("ErrorInvalidItemForOperationCancelItem", CodeMeaning::Forbidden),
    ("ErrorInvalidItemForOperationDeclineItem", CodeMeaning::Forbidden),
    ("ErrorInvalidLicense", CodeMeaning::Forbidden),
    ("ErrorInvalidOperation", CodeMeaning::BadRequest),
    ("ErrorInvalidPropertySet", CodeMeaning::BadRequest),
    ("ErrorInvalidRecipients", CodeMeaning::Forbidden),
    ("ErrorInvalidRequest", CodeMeaning::BadRequest),
    ("ErrorInvalidSecurityDescriptor", CodeMeaning::ImpersonationFailed),
    ("ErrorInvalidServerVersion", CodeMeaning::UnsupportedVersion),
    ("ErrorInvalidSmtpAddress", CodeMeaning::MailboxNotFound),
    ("ErrorInvalidSubscription", CodeMeaning::SubscriptionExpired),
    ("ErrorInvalidSyncStateData", CodeMeaning::SubscriptionExpired),
    ("ErrorInvalidUserPrincipalName", CodeMeaning::ImpersonationFailed),
    ("ErrorInvalidWatermark", CodeMeaning::SubscriptionExpired),
    ("ErrorIrresolvableConflict", CodeMeaning::Conflict),
    ("ErrorItemCorrupt", CodeMeaning::CorruptItem),
    ("ErrorItemNotFound", CodeMeaning::ItemNotFound),
    ("ErrorItemSave", CodeMeaning::Transient),
    ("ErrorItemSavePropertyError", CodeMeaning::Forbidden),
    ("ErrorMailRecipientNotFound", CodeMeaning::NoMatch),
    ("ErrorMailboxConfiguration", CodeMeaning::MailboxNotFound),
    ("ErrorMailboxFailover", CodeMeaning::Transient),
    ("ErrorMailboxLogonFailed", CodeMeaning::Transient),
    ("ErrorMailboxMoveInProgress", CodeMeaning::Transient),
    ("ErrorMailboxStoreUnavailable", CodeMeaning::Transient),
    ("ErrorMessageDispositionRequired", CodeMeaning::BadRequest),
    ("ErrorMessagePerFolderCountReceiveQuotaExceeded", CodeMeaning::Forbidden),
    ("ErrorMessageSizeExceeded", CodeMeaning::Forbidden),
    ("ErrorMessageSubmissionBlocked", CodeMeaning::Denied),
    ("ErrorMimeContentInvalid", CodeMeaning::BadRequest),
    ("ErrorMissedNotificationEvents", CodeMeaning::SubscriptionExpired),
    ("ErrorMissingEmailAddress", CodeMeaning::MailboxNotFound),
    ("ErrorMoreThanOneAccessModeSpecified", CodeMeaning::ImpersonationFailed),
    ("ErrorMoveCopyFailed", CodeMeaning::Transient),
    ("ErrorNameResolutionMultipleResults", CodeMeaning::MultipleMatches),
    ("ErrorNameResolutionNoMailbox", CodeMeaning::NoMatch),
    ("ErrorNameResolutionNoResults", CodeMeaning::NoMatch),
    ("ErrorNoRespondingCASInDestinationSite", CodeMeaning::Transient),
    ("ErrorNonExistentMailbox", CodeMeaning::MailboxNotFound),
    ("ErrorNonPrimarySmtpAddress", CodeMeaning::ImpersonationFailed),
    ("ErrorNotEnoughMemory", CodeMeaning::Busy),
    ("ErrorObjectTypeChanged", CodeMeaning::Conflict),
    ("ErrorOccurrenceCrossingBoundary", CodeMeaning::Forbidden),
    ("ErrorOccurrenceTimeSpanTooBig", CodeMeaning::Forbidden),
    ("ErrorOperationNotAllowedWithPublicFolderRoot", CodeMeaning::BadRequest),
    ("ErrorParentFolderNotFound", CodeMeaning::FolderNotFound),
    ("ErrorPasswordChangeRequired", CodeMeaning::AccountUnusable),
    ("ErrorPasswordExpired", CodeMeaning::AccountUnusable),
    ("ErrorProxiedSubscriptionCallFailure", CodeMeaning::Transient),
    ("ErrorProxyCallFailed", CodeMeaning::Transient),
    ("ErrorProxyGroupSidLimitExceeded", CodeMeaning::Denied),
    ("ErrorProxyRequestNotAllowed", CodeMeaning::WrongServer),
    ("ErrorProxyServiceDiscoveryFailed", CodeMeaning::WrongServer),
    ("ErrorQuotaExceeded", CodeMeaning::Forbidden),
    ("ErrorQuotaExceededOnDelete", CodeMeaning::Forbidden),
    ("ErrorRecoverableItemsAccessDenied", CodeMeaning::Denied),
    ("ErrorRecurrenceHasNoOccurrence", CodeMeaning::ItemNotFound),
    ("ErrorRequestAborted", CodeMeaning::Transient),
    ("ErrorResponseSchemaValidation", CodeMeaning::Transient),
    ("ErrorSchemaValidation", CodeMeaning::BadRequest),
    ("ErrorSendAsDenied", CodeMeaning::Denied),
    ("ErrorSendMeetingCancellationsRequired", CodeMeaning::BadRequest),
    ("ErrorSendMeetingInvitationsOrCancellationsRequired", CodeMeaning::BadRequest),
    ("ErrorSendMeetingInvitationsRequired", CodeMeaning::BadRequest),
    ("ErrorServerBusy", CodeMeaning::Busy),
    ("ErrorServiceDiscoveryFailed", CodeMeaning::Transient),
    ("ErrorStaleObject", CodeMeaning::Conflict),
    ("ErrorSubmissionQuotaExceeded", CodeMeaning::Forbidden),
    ("ErrorSubscriptionAccessDenied", CodeMeaning::SubscriptionExpired),
    ("ErrorSubscriptionDelegateAccessNotSupported", CodeMeaning::Denied),
    ("ErrorSubscriptionNotFound", CodeMeaning::SubscriptionExpired),
    ("ErrorSubscriptionUnsubscribed", CodeMeaning::SubscriptionExpired),
    ("ErrorSyncFolderNotFound", CodeMeaning::FolderNotFound),
    ("ErrorTimeIntervalTooBig", CodeMeaning::TooLarge),
    ("ErrorTimeoutExpired", CodeMeaning::Transient),
    ("ErrorTokenSerializationDenied", CodeMeaning::ImpersonationFailed),
    ("ErrorTooManyObjectsOpened", CodeMeaning::Busy),
    ("ErrorUpdatePropertyMismatch", CodeMeaning::BadRequest),
    ("ErrorUserNotAllowedByPolicy", CodeMeaning::Denied),
    ("ErrorWrongServerVersion", CodeMeaning::WrongServer),
    ("NoError", CodeMeaning::Success),
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
        assert_eq!(meaning("NoError"), CodeMeaning::Success);
        assert_eq!(meaning("ErrorServerBusy"), CodeMeaning::Busy);
        assert_eq!(meaning("ErrorIrresolvableConflict"), CodeMeaning::Conflict);
        for denial in ["ErrorCreateItemAccessDenied", "ErrorAccessDeniedDueToCompliance", "ErrorSendAsDenied"]
        {
            assert_eq!(meaning(denial), CodeMeaning::Denied, "{denial}");
        }
        for late in AFTER_A_CHANGE {
            assert_ne!(meaning(late), CodeMeaning::Unknown, "{late}");
        }
        assert_eq!(meaning("ErrorOfTomorrow"), CodeMeaning::Unknown);
        assert_eq!(meaning(""), CodeMeaning::Unknown);
    }
}
