//! Names of enumerated values. Never drops an unknown name: it is kept verbatim.

use crate::ews::types::{CalendarItemType, FreeBusyStatus, ResponseClass, ResponseType, Sensitivity, Text};

/// `t:CalendarItemTypeType`.
pub(crate) fn calendar_item_type(name: Text<'_>) -> CalendarItemType<'_> {
    match &*name {
        "Single" => CalendarItemType::Single,
        "Occurrence" => CalendarItemType::Occurrence,
        "Exception" => CalendarItemType::Exception,
        "RecurringMaster" => CalendarItemType::RecurringMaster,
        _ => CalendarItemType::Unknown(name),
    }
}

/// `t:ResponseTypeType`.
pub(crate) fn response_type(name: Text<'_>) -> ResponseType<'_> {
    match &*name {
        "Unknown" => ResponseType::Unknown,
        "Organizer" => ResponseType::Organizer,
        "Tentative" => ResponseType::Tentative,
        "Accept" => ResponseType::Accept,
        "Decline" => ResponseType::Decline,
        "NoResponseReceived" => ResponseType::NoResponseReceived,
        _ => ResponseType::Other(name),
    }
}

/// `t:LegacyFreeBusyType`.
pub(crate) fn free_busy_status(name: Text<'_>) -> FreeBusyStatus<'_> {
    match &*name {
        "Free" => FreeBusyStatus::Free,
        "Tentative" => FreeBusyStatus::Tentative,
        "Busy" => FreeBusyStatus::Busy,
        "OOF" => FreeBusyStatus::Oof,
        "NoData" => FreeBusyStatus::NoData,
        "WorkingElsewhere" => FreeBusyStatus::WorkingElsewhere,
        _ => FreeBusyStatus::Unknown(name),
    }
}

/// `t:SensitivityChoicesType`.
pub(crate) fn sensitivity(name: Text<'_>) -> Sensitivity<'_> {
    match &*name {
        "Normal" => Sensitivity::Normal,
        "Personal" => Sensitivity::Personal,
        "Private" => Sensitivity::Private,
        "Confidential" => Sensitivity::Confidential,
        _ => Sensitivity::Unknown(name),
    }
}

/// `t:ResponseClassType`. An unknown class has no value, because the response cannot be interpreted without it.
pub(crate) fn response_class(name: &str) -> Option<ResponseClass> {
    match name {
        "Success" => Some(ResponseClass::Success),
        "Warning" => Some(ResponseClass::Warning),
        "Error" => Some(ResponseClass::Error),
        _ => None,
    }
}
