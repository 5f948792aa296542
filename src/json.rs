//! Reads JSON as servers write it: with a byte order mark, and with numbers as text. RFC 8259, section 8.1, allows a
//! reader to ignore the mark; token endpoints send the second (`"expires_in":"3599"`).

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::text_file::strip_bom;

/// Deserializes a response body.
pub(crate) fn from_slice<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(strip_bom(body))
}

/// A number of seconds, as a number or as text. A negative one is `None`; a huge one becomes the longest duration.
pub(crate) fn duration_in_seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => Some(duration),
        Err(_) if seconds > 0.0 => Some(Duration::MAX),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_are_read_as_numbers_and_as_text() {
        for value in [json!(3599), json!("3599"), json!(" 3599 "), json!(3599.0), json!("3599.0")] {
            assert_eq!(duration_in_seconds(&value), Some(Duration::from_secs(3599)), "{value}");
        }
        for huge in [json!(1e300), json!("99999999999999999999999"), json!("inf")] {
            assert_eq!(duration_in_seconds(&huge), Some(Duration::MAX), "{huge}");
        }
        for none in
            [json!(-1), json!("-1"), json!("soon"), json!(""), json!("NaN"), json!(null), json!([3599])]
        {
            assert_eq!(duration_in_seconds(&none), None, "{none}");
        }
    }

    #[test]
    fn a_byte_order_mark_before_an_answer_is_ignored() {
        assert_eq!(from_slice::<Value>(b"\xef\xbb\xbf{}").unwrap(), json!({}));
        assert!(from_slice::<Value>(b"{").is_err());
    }
}
