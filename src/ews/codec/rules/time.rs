//! Parses times: `YYYY-MM-DDTHH:MM:SS`, optionally with a fraction, optionally with `Z` or an offset; without a zone it is UTC.
//!
//! Exchange writes the twenty-byte form with `Z` for all properties that Adjourn reads except availability (no zone) and the wall
//! clock properties (offset), so that form has its own arithmetic. Never uses named time zones.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The longest offset in `xs:dateTime`: fourteen hours.
const OFFSET_MINUTES_MAX: u32 = 14 * 60;

/// A time in any of its forms, white space around it ignored.
pub(crate) fn date_time(text: &str) -> Option<DateTime<Utc>> {
    let bytes = super::trim(text).as_bytes();
    if let Ok(fixed) = <&[u8; 20]>::try_from(bytes)
        && let Some(time) = utc_seconds(fixed)
    {
        return Some(time);
    }
    let (seconds, rest) = bytes.split_first_chunk::<19>()?;
    let (nanoseconds, zone) = fraction(rest)?;
    let local = date_and_time(seconds)? + TimeDelta::nanoseconds(nanoseconds);
    local.checked_sub_signed(TimeDelta::minutes(offset_minutes(zone)?))
}

/// `YYYY-MM-DDTHH:MM:SSZ`, exactly.
#[inline(always)]
pub(crate) fn utc_seconds(bytes: &[u8; 20]) -> Option<DateTime<Utc>> {
    let (seconds, zone) = bytes.split_first_chunk::<19>()?;
    if zone != b"Z" {
        return None;
    }
    date_and_time(seconds)
}

/// `YYYY-MM-DDTHH:MM:SS`, exactly: UTC.
#[inline(always)]
pub(crate) fn zoneless_seconds(bytes: &[u8; 19]) -> Option<DateTime<Utc>> {
    date_and_time(bytes)
}

/// Parses eight bytes at a time: checks separators and digits, and combines pairs of digits.
///
/// ```text
/// 2026-11-24T09:30:00
/// ^^^^^^^^               front
///            ^^^^^^^^    back
/// ```
#[inline(always)]
fn date_and_time(bytes: &[u8; 19]) -> Option<DateTime<Utc>> {
    let front = u64::from_le_bytes(*bytes.first_chunk()?);
    let back = u64::from_le_bytes(*bytes.last_chunk()?);
    let [tens, ones] = [bytes[8], bytes[9]].map(|digit| digit.wrapping_sub(b'0'));
    let shaped = has_shape(front, *b"0000-00-") & has_shape(back, *b"00:00:00");
    if !(shaped & (tens < 10) & (ones < 10) & (bytes[10] == b'T')) {
        return None;
    }
    let (front, back) = (pairs(front), pairs(back));
    let day = u32::from(tens * 10 + ones);
    instant([
        pair(front, 0),
        pair(front, 2),
        pair(front, 5),
        day,
        pair(back, 0),
        pair(back, 3),
        pair(back, 6),
    ])
}

/// Builds a time from seven numbers, one in each byte, the century in the lowest.
#[cfg(any(target_arch = "x86_64", test))]
#[inline(always)]
pub(crate) fn from_packed_numbers(numbers: u64) -> Option<DateTime<Utc>> {
    let [century, year, month, day, hour, minute, second, _] = numbers.to_le_bytes().map(u32::from);
    instant([century, year, month, day, hour, minute, second])
}

#[inline(always)]
fn instant([century, year, month, day, hour, minute, second]: [u32; 7]) -> Option<DateTime<Utc>> {
    let date = NaiveDate::from_ymd_opt((century * 100 + year) as i32, month, day)?;
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    Some(date.and_time(time).and_utc())
}

/// Whether each byte of `word` is a digit where `shape` has `0`, and equal to `shape` elsewhere.
///
/// A digit differs from `0` by at most nine, so adding six leaves its high half empty. A byte so large that the sum carries into its
/// neighbour is neither a digit nor a separator itself.
#[inline(always)]
fn has_shape(word: u64, shape: [u8; 8]) -> bool {
    let digits = u64::from_le_bytes(shape.map(|byte| if byte == b'0' { 0xff } else { 0 }));
    let separators = (word ^ u64::from_le_bytes(shape)) & !digits;
    let values = word ^ 0x3030_3030_3030_3030;
    let too_big = (values.wrapping_add(0x0606_0606_0606_0606) | values) & 0xf0f0_f0f0_f0f0_f0f0 & digits;
    separators | too_big == 0
}

/// Computes in each byte the number that it and the next byte spell, for all neighbours at once: at most 15 × 10 + 15, so no byte
/// carries into its neighbour.
#[inline(always)]
fn pairs(word: u64) -> u64 {
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    digits * 10 + (digits >> 8)
}

/// The number of the pair that starts at byte `at`.
#[inline(always)]
fn pair(pairs: u64, at: u32) -> u32 {
    (pairs >> (8 * at)) as u32 & 0xff
}

/// Parses `.` and digits at the start: returns nanoseconds (finer digits are cut off) and the rest.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let scaled = (0..9)
        .fold(0, |sum, at| sum * 10 + digits[..count].get(at).map_or(0, |digit| i64::from(digit - b'0')));
    (count > 0).then_some((scaled, &digits[count..]))
}

fn offset_minutes(zone: &[u8]) -> Option<i64> {
    let sign = match zone.first() {
        None => return Some(0),
        Some(b'Z') if zone.len() == 1 => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let &[h1 @ b'0'..=b'9', h2 @ b'0'..=b'9', b':', m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] = &zone[1..] else {
        return None;
    };
    let two = |tens: u8, ones: u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let minutes = two(h1, h2) * 60 + two(m1, m2);
    (minutes <= OFFSET_MINUTES_MAX).then_some(sign * i64::from(minutes))
}
