//! Parses HTTP dates in the three forms of RFC 9110, section 5.6.7, and waits (`Retry-After`). Reads no clock.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use http::{HeaderMap, header};

/// IMF-fixdate; asctime; and the form of cookies (`Fri, 01-Jan-2027 …`).
const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%a, %d-%b-%Y %H:%M:%S GMT"];
/// RFC 850, whose year has two digits.
const RFC850: &str = "%A, %d-%b-%y %H:%M:%S GMT";
/// A two-digit year further ahead than this belongs to the century before (section 5.6.7).
const YEARS_AHEAD_MAX: i32 = 50;

/// Parses an HTTP date. `now` determines the century of a two-digit year.
pub(crate) fn parse_date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let whole = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let found = whole.or_else(|| {
        let short = NaiveDateTime::parse_from_str(text, RFC850).ok()?;
        let century = now.year().div_euclid(100) * 100;
        let year = century + short.year().rem_euclid(100);
        short.with_year(if year > now.year() + YEARS_AHEAD_MAX { year - 100 } else { year })
    })?;
    Some(found.and_utc())
}

/// The `Date` of a response (section 6.6.1).
pub(crate) fn response_date(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    parse_date(headers.get(header::DATE)?.to_str().ok()?, now)
}

/// `Retry-After` (section 10.2.3): seconds, or a date, measured from the response's own `Date` if present, since the
/// server's clock and ours may differ. A date in the past means no wait. The caller limits the wait.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let until = parse_date(text, now)?;
    let said_at = response_date(headers, now);
    Some((until - said_at.unwrap_or(now)).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-29T08:00:00Z".parse().unwrap()
    }

    fn wait(fields: &[(header::HeaderName, &'static str)]) -> Option<Duration> {
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        retry_after(&fields.collect(), now())
    }

    #[test]
    fn the_three_forms_of_a_date_are_one() {
        let expected = "1994-11-06T08:49:37Z".parse::<DateTime<Utc>>().unwrap();
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_date(text, now()), Some(expected), "{text}");
        }
        let soon = "2026-12-06T08:49:37Z".parse::<DateTime<Utc>>().unwrap();
        assert_eq!(parse_date("Sunday, 06-Dec-26 08:49:37 GMT", now()), Some(soon));
        assert_eq!(parse_date("Sun, 06-Dec-2026 08:49:37 GMT", now()), Some(soon), "of a cookie");
        for none in ["", "tomorrow", "2026-12-06T08:49:37Z", "Sun, 31 Feb 2027 08:49:37 GMT"] {
            assert_eq!(parse_date(none, now()), None, "{none}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        use header::{DATE, RETRY_AFTER};
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(&[(RETRY_AFTER, " 120 ")]), seconds(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Sun, 29 Nov 2026 08:02:00 GMT")]), seconds(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Sunday, 29-Nov-26 08:02:00 GMT")]), seconds(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Sun Nov 29 08:02:00 2026")]), seconds(120));
        let by_their_clock =
            [(RETRY_AFTER, "Sun, 29 Nov 2026 09:00:30 GMT"), (DATE, "Sun, 29 Nov 2026 09:00:00 GMT")];
        assert_eq!(wait(&by_their_clock), seconds(30));
    }

    #[test]
    fn what_is_over_or_absurd_is_told_apart_from_what_is_not_said() {
        use header::RETRY_AFTER;
        assert_eq!(wait(&[(RETRY_AFTER, "Sun, 29 Nov 2020 08:02:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[(RETRY_AFTER, "99999999999999999999999")]), Some(Duration::MAX));
        for none in ["", "-5", "soon", "1.5", "0x10"] {
            assert_eq!(wait(&[(RETRY_AFTER, none)]), None, "{none}");
        }
        assert_eq!(wait(&[]), None);
    }
}
