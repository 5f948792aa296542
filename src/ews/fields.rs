//! The fields of a calendar item: one table, from which its type, both decoders and the properties of requests are made. Holds
//! nothing else.
//!
//! ```text
//! fields.rs ─┬─► types.rs                                  CalendarItem
//!            ├─► op/property.rs                            Property: what requests name
//!            ├─► codec/scanner/{field,calendar_item}.rs
//!            └─► codec/reader/item.rs
//! ```
//!
//! A new field is one row here. A new kind of value does not compile until `types.rs`, the scanner and the reader know it.

/// Passes the rows to the macro `$define`. A row is
///
/// ```text
/// field of CalendarItem: variant of Property and Field, element, kind of value, requests for it;
/// ```
///
/// Requests for `event` are those for any event, requests for `series` those for a series master; the word after it is the class in
/// the property's `FieldURI`, and `since` the oldest version that has the property. A field without requests is decoded only: the id,
/// which is in every response, and properties that other clients request. The rows are in the order in which Exchange sends the
/// elements, because the scanner expects them so (lists aside).
macro_rules! calendar_item_fields {
    ($define:ident) => {
        $define! {
            item_id:                 ItemId                "ItemId"                item_id;
            subject:                 Subject               "Subject"               text, event item;
            sensitivity:             Sensitivity           "Sensitivity"           sensitivity, event item;
            categories:              Categories            "Categories"            strings;
            date_time_created:       DateTimeCreated       "DateTimeCreated"       time, event item;
            last_modified_time:      LastModifiedTime      "LastModifiedTime"      time, event item;
            uid:                     Uid                   "UID"                   text, event calendar;
            /// The occurrence's original date in its series; only on occurrences and exceptions.
            recurrence_id:           RecurrenceId          "RecurrenceId"          time, event calendar;
            start:                   Start                 "Start"                 time, event calendar;
            end:                     End                   "End"                   time, event calendar;
            original_start:          OriginalStart         "OriginalStart"         time, event calendar;
            is_all_day_event:        IsAllDayEvent         "IsAllDayEvent"         boolean, event calendar;
            legacy_free_busy_status: LegacyFreeBusyStatus  "LegacyFreeBusyStatus"  free_busy_status, event calendar;
            location:                Location              "Location"              text;
            is_meeting:              IsMeeting             "IsMeeting"             boolean, event calendar;
            is_cancelled:            IsCancelled           "IsCancelled"           boolean, event calendar;
            is_recurring:            IsRecurring           "IsRecurring"           boolean;
            calendar_item_type:      CalendarItemType      "CalendarItemType"      calendar_item_type, event calendar;
            my_response_type:        MyResponseType        "MyResponseType"        response_type, event calendar;
            organizer:               Organizer             "Organizer"             organizer, event calendar;
            required_attendees:      RequiredAttendees     "RequiredAttendees"     attendees;
            optional_attendees:      OptionalAttendees     "OptionalAttendees"     attendees;
            resources:               Resources             "Resources"             attendees;
            /// Only on a series master: the occurrences that were changed.
            modified_occurrences:    ModifiedOccurrences   "ModifiedOccurrences"   occurrences, series calendar;
            /// Bit 1 meeting, 2 received, 4 cancelled (read-only).
            appointment_state:       AppointmentState      "AppointmentState"      number, event calendar;
            /// Exchange 2013 (MS-OXWSMTGS R80047, R80048).
            is_organizer:            IsOrganizer           "IsOrganizer"           boolean, event calendar since Exchange2013;
        }
    };
}
pub(in crate::ews) use calendar_item_fields;
