//! The names of an event's properties in v1.0. `uid` and `occurrenceId` are not among them: they exist in beta only.

/// Properties that `$select` accepts and a body may contain.
pub(super) const EVENT: &[&str] = &[
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "transactionId",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "iCalUId",
    "reminderMinutesBeforeStart",
    "isReminderOn",
    "hasAttachments",
    "subject",
    "bodyPreview",
    "importance",
    "sensitivity",
    "originalStart",
    "isAllDay",
    "isCancelled",
    "isOrganizer",
    "responseRequested",
    "seriesMasterId",
    "showAs",
    "type",
    "webLink",
    "onlineMeetingUrl",
    "isOnlineMeeting",
    "onlineMeetingProvider",
    "onlineMeeting",
    "allowNewTimeProposals",
    "isDraft",
    "hideAttendees",
    "recurrence",
    "responseStatus",
    "body",
    "start",
    "end",
    "location",
    "locations",
    "attendees",
    "organizer",
    "cancelledOccurrences",
    "exceptionOccurrences",
];

/// Navigation properties that a body may contain; the simulator stores none of them.
pub(super) const NAVIGATION: &[&str] = &[
    "attachments",
    "calendar",
    "extensions",
    "multiValueExtendedProperties",
    "singleValueExtendedProperties",
];

/// Property paths that `$filter` accepts; all others are answered with 501.
pub(super) const FILTERABLE: &[&str] = &[
    "iCalUId",
    "type",
    "start/dateTime",
    "end/dateTime",
    "subject",
    "seriesMasterId",
    "createdDateTime",
    "lastModifiedDateTime",
    "isCancelled",
    "isAllDay",
    "sensitivity",
    "categories",
];

/// Property paths that `$orderby` accepts.
pub(super) const SORTABLE: &[&str] =
    &["start/dateTime", "end/dateTime", "createdDateTime", "lastModifiedDateTime", "subject"];
