//! Decodes JSON of Graph into its resource types, without copying text. Pure; an error names a place and never quotes the body,
//! which has subjects and names.

use std::fmt;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::text_file::strip_bom;

/// Why a body cannot be decoded, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DecodeError {
    category: Category,
    line: usize,
    column: usize,
}

impl DecodeError {
    /// Whether the body is no complete JSON: it was damaged on the way, or another server sent it.
    pub(super) fn is_damaged(self) -> bool {
        self.category != Category::Data
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.category {
            Category::Eof => "JSON that ends too early",
            Category::Syntax | Category::Io => "a body that is not valid JSON",
            Category::Data => "JSON with another structure than documented",
        };
        write!(f, "{what}, at line {}, column {}", self.line, self.column)
    }
}

impl std::error::Error for DecodeError {}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self { category: error.classify(), line: error.line(), column: error.column() }
    }
}

/// Decodes a body. A byte order mark before it is ignored.
pub(super) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    Ok(serde_json::from_slice(strip_bom(body))?)
}

/// Decodes one element of a list.
pub(super) fn decode_element<'a, T: Deserialize<'a>>(element: &'a RawValue) -> Result<T, DecodeError> {
    Ok(serde_json::from_str(element.get())?)
}

#[cfg(test)]
mod tests {
    use super::super::resources::{
        EXCEPTIONS_MAX, ErrorBody, EventResource, PAGE_ELEMENTS_MAX, Page, SeriesExceptions,
    };
    use super::*;

    const EVENT: &str = r#"{"id":"A\u00e9","changeKey":"k","type":"aFutureType","futureProperty":{"a":[1,2]},
        "isAllDay":null,"attendees":[{"status":null},{}]}"#;

    #[test]
    fn unknown_properties_and_members_are_skipped_and_missing_ones_stay_empty() {
        let event: EventResource<'_> = decode(EVENT.as_bytes()).unwrap();
        assert_eq!(event.id.as_deref(), Some("Aé"));
        assert_eq!(event.event_type.as_deref(), Some("aFutureType"));
        assert_eq!(event.attendees.map(|all| all.len()), Some(2));
        assert_eq!((event.is_all_day, event.subject), (None, None));
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let event: EventResource<'_> = decode(EVENT.as_bytes()).unwrap();
        assert!(matches!(event.change_key.unwrap().0, std::borrow::Cow::Borrowed("k")));
    }

    #[test]
    fn a_byte_order_mark_is_ignored_and_a_property_that_occurs_twice_is_an_error() {
        let marked = [b"\xef\xbb\xbf", EVENT.as_bytes()].concat();
        assert!(decode::<EventResource<'_>>(&marked).is_ok());
        for twice in [r#"{"id":"A","id":"A"}"#, r#"{"id":"A","\u0069d":"B"}"#] {
            let error = decode::<EventResource<'_>>(twice.as_bytes()).unwrap_err();
            assert_eq!(error.category, Category::Data, "{twice}");
        }
        let other = r#"{"id":"A","x":1,"x":2}"#;
        assert!(decode::<EventResource<'_>>(other.as_bytes()).is_ok(), "a property that nothing reads");
    }

    #[test]
    fn every_cut_of_a_body_is_an_error() {
        let whole = r#"{"value":[{"id":"A","start":{"dateTime":"2026-01-01T00:00:00"}}],"@odata.nextLink":"https://x/"}"#;
        for cut in 0..whole.len() {
            assert!(decode::<Page<'_>>(&whole.as_bytes()[..cut]).is_err(), "{cut}");
        }
        assert_eq!(decode::<Page<'_>>(whole.as_bytes()).unwrap().value.unwrap().len(), 1);
    }

    #[test]
    fn depth_has_a_limit_where_it_is_read_and_costs_no_stack_where_it_is_skipped() {
        let deep = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
        let skipped = format!(r#"{{"value":[],"x":{}}}"#, deep(100_000));
        assert!(decode::<Page<'_>>(skipped.as_bytes()).is_ok());
        let element = format!(r#"{{"value":[{}]}}"#, deep(100_000));
        assert!(decode::<Page<'_>>(element.as_bytes()).is_ok());
        let errors = format!(r#"{{"error":{}null{}}}"#, r#"{"innerError":"#.repeat(1_000), "}".repeat(1_000));
        assert!(decode::<ErrorBody<'_>>(errors.as_bytes()).is_err());
    }

    #[test]
    fn a_list_has_a_limit_before_it_is_kept() {
        let list = |count: usize, element: &str| vec![element; count].join(",");
        let page = |count| format!(r#"{{"value":[{}]}}"#, list(count, "0"));
        assert!(decode::<Page<'_>>(page(PAGE_ELEMENTS_MAX).as_bytes()).is_ok());
        let error = decode::<Page<'_>>(page(PAGE_ELEMENTS_MAX + 1).as_bytes()).unwrap_err();
        assert!(!error.is_damaged(), "it would be the same again");
        let dates = |count| format!(r#"{{"exceptionOccurrences":[{}]}}"#, list(count, "{}"));
        assert!(decode::<SeriesExceptions<'_>>(dates(EXCEPTIONS_MAX).as_bytes()).is_ok());
        assert!(decode::<SeriesExceptions<'_>>(dates(EXCEPTIONS_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn the_code_of_an_error_may_be_a_number() {
        for body in [r#"{"error":{"code":5016}}"#, r#"{"error":{"code":"5016"}}"#] {
            let code = decode::<ErrorBody<'_>>(body.as_bytes()).unwrap().error.unwrap().code.unwrap();
            assert_eq!(code.to_string(), "5016", "{body}");
        }
    }

    #[test]
    fn an_error_never_quotes_the_body() {
        let error = decode::<EventResource<'_>>(br#"{"isAllDay":"board meeting"}"#).unwrap_err();
        assert_eq!(error.to_string(), "JSON with another structure than documented, at line 1, column 27");
    }
}
