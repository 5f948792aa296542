//! The subject of a booking, from the members `subject` and `organizer_name` of a request. A booking in a room's own calendar has no
//! organizer of its own, so the name stands in the subject, as Exchange writes it for meetings (`AddOrganizerToSubject`).

use super::problem::Problem;
use crate::action::BookingSubject;

/// The subject; `None` for the configured one.
pub(super) fn subject(
    subject: Option<String>,
    organizer_name: Option<String>,
    is_allowed: bool,
) -> Result<Option<BookingSubject>, Problem> {
    let text = match (subject, organizer_name) {
        (None, None) => return Ok(None),
        _ if !is_allowed => return Err(Problem::booking_subject_forbidden()),
        (Some(subject), None) => checked(subject, "/subject")?,
        (None, Some(name)) => checked(name, "/organizer_name")?,
        (Some(subject), Some(name)) => {
            let (subject, name) = (checked(subject, "/subject")?, checked(name, "/organizer_name")?);
            checked(format!("{subject} ({name})"), "/subject")?
        }
    };
    Ok(Some(text))
}

fn checked(text: String, pointer: &str) -> Result<BookingSubject, Problem> {
    let most = BookingSubject::CHARS_MAX;
    BookingSubject::try_from(text).map_err(|_| {
        let detail =
            format!("The subject must have 1 to {most} characters with the name, and no control characters.");
        Problem::invalid_member(pointer, detail)
    })
}
