//! The value of one element: a text, a name, a time, a truth, a number.
//!
//! A value that cannot be read is `None`, never an error: one odd property must not cost a page of events.

use chrono::{DateTime, Utc};

use super::super::error::DecodeError;
use super::super::rules;
use super::document::{XmlDocument, XmlElement};
use crate::ews::types::Text;

type Result<T> = std::result::Result<T, DecodeError>;

/// A code or a name, without the white space around it. `None` when nothing is left.
pub(super) fn token<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> Result<Option<Text<'a>>> {
    let token = rules::token(document.text(element)?);
    Ok((!token.is_empty()).then_some(token))
}

/// A time. Exchange has been seen to write `recurrence-id` where one is due.
pub(super) fn time<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> Result<Option<DateTime<Utc>>> {
    Ok(rules::time::date_time(&document.text(element)?))
}

/// A truth.
pub(super) fn boolean<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> Result<Option<bool>> {
    Ok(rules::boolean(&document.text(element)?))
}

/// A whole number.
pub(super) fn number<'a, T: std::str::FromStr>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> Result<Option<T>> {
    Ok(rules::number(&document.text(element)?))
}

/// A whole number in an attribute.
pub(super) fn number_in(element: &XmlElement<'_>, attribute: &str) -> Option<u32> {
    element.attribute(attribute).and_then(|value| rules::number(&value))
}

/// A truth in an attribute.
pub(super) fn boolean_in(element: &XmlElement<'_>, attribute: &str) -> Option<bool> {
    element.attribute(attribute).and_then(|value| rules::boolean(&value))
}
