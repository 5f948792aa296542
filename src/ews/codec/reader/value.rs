//! Decodes the value of one element: a token, a time, a boolean, a number.
//!
//! Never fails because of a value: an unreadable one is `None`, so that one odd property does not cost a page of events.

use chrono::{DateTime, Utc};

use super::super::error::DecodeResult;
use super::super::rules;
use super::document::{XmlDocument, XmlElement};
use crate::ews::types::Text;

/// A code or a name, trimmed. `None` if it is empty.
pub(super) fn token<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<Text<'a>>> {
    let token = rules::token(document.text(element)?);
    Ok((!token.is_empty()).then_some(token))
}

/// A time. Exchange has been seen to write `recurrence-id` in place of one.
pub(super) fn time<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<DateTime<Utc>>> {
    Ok(rules::time::date_time(&document.text(element)?))
}

/// A boolean.
pub(super) fn boolean<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<bool>> {
    Ok(rules::boolean(&document.text(element)?))
}

/// A whole number.
pub(super) fn number<'a, T: std::str::FromStr>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<T>> {
    Ok(rules::number(&document.text(element)?))
}

/// A whole number in an attribute.
pub(super) fn number_in(element: &XmlElement<'_>, attribute: &str) -> Option<u32> {
    element.attribute(attribute).and_then(|value| rules::number(&value))
}

/// A boolean in an attribute.
pub(super) fn boolean_in(element: &XmlElement<'_>, attribute: &str) -> Option<bool> {
    element.attribute(attribute).and_then(|value| rules::boolean(&value))
}
