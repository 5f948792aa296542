//! Byte search with vector instructions: finds the byte that ends a text, a value or a name, many bytes at a time.
//!
//! A [`ByteScanner`] is one implementation. [`Avx2`] takes 32 bytes at a time, and a value of it exists only where the processor has AVX2;
//! [`Baseline`] takes 16 with SSE2, which every x86-64 has, and single bytes elsewhere. Never reads memory except through references: a body
//! may end at the last byte of a page. The tests compare both with a naive version, and the fuzz targets run all of it under AddressSanitizer.

use chrono::{DateTime, Utc};

use super::rules::time;

/// One implementation of the searches. Each function returns the length of the run at the start of `bytes`, which is the length of
/// `bytes` if no byte ends the run.
pub(super) trait ByteScanner: Copy {
    /// Runs `work` compiled with the target features of this implementation. Only code inlined into `work` gains.
    fn with_target_features<R>(self, work: impl FnOnce() -> R) -> R;

    /// Length of plain text: ends at a `<`, an `&` or a control character (any byte below the space).
    fn text_len(self, bytes: &[u8]) -> usize;

    /// Length of a plain attribute value: ends at a `"`, `<`, `&` or a control character.
    fn value_len(self, bytes: &[u8]) -> usize;

    /// As [`ByteScanner::text_len`] for 32 bytes, and a bit for each byte that equals its counterpart in `other`.
    fn text_len_and_equal(self, lane: &[u8; 32], other: &[u8; 32]) -> (usize, u32);

    /// Length of an element's name: ends at a `>`, `/`, or any byte up to the space.
    fn name_len(self, bytes: &[u8]) -> usize;

    /// Parses the time at the start of a lane, in the form `YYYY-MM-DDTHH:MM:SSZ` only.
    fn time(self, lane: &[u8; 32]) -> Option<DateTime<Utc>>;
}

fn ends_text(byte: u8) -> bool {
    matches!(byte, b'<' | b'&') || byte < b' '
}

fn ends_value(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'&') || byte < b' '
}

fn ends_name(byte: u8) -> bool {
    matches!(byte, b'>' | b'/') || byte <= b' '
}

fn ends_unescaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'&' | b'<' | b'>') || byte < b' ' || !byte.is_ascii()
}

/// Whether a writer need not escape anything: ASCII without `<`, `>`, `&`, `"` and control characters. The last lane may overlap the one
/// before.
#[inline]
pub(super) fn is_unescaped(bytes: &[u8]) -> bool {
    let (lanes, tail) = bytes.as_chunks();
    let tail_is_unescaped = match bytes.last_chunk() {
        Some(last) => sse2::ends_unescaped(last) == 0,
        None => !tail.iter().any(|byte| ends_unescaped(*byte)),
    };
    tail_is_unescaped && lanes.iter().all(|lane| sse2::ends_unescaped(lane) == 0)
}

/// The first position where `one` holds; `many` tests a whole lane and sets a bit for each byte.
#[inline(always)]
fn find_first<const N: usize>(
    bytes: &[u8],
    many: impl Fn(&[u8; N]) -> u32,
    one: impl Fn(u8) -> bool,
) -> usize {
    let mut at = 0;
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<N>) {
        let hits = many(lane);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += N;
    }
    bytes[at..].iter().position(|byte| one(*byte)).map_or(bytes.len(), |tail| at + tail)
}

/// The compiler's baseline: sixteen bytes at a time with SSE2, single bytes on other processors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline;

impl ByteScanner for Baseline {
    #[inline(always)]
    fn with_target_features<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline(always)]
    fn text_len(self, bytes: &[u8]) -> usize {
        find_first(bytes, sse2::ends_text, ends_text)
    }

    #[inline(always)]
    fn value_len(self, bytes: &[u8]) -> usize {
        find_first(bytes, sse2::ends_value, ends_value)
    }

    #[inline(always)]
    fn text_len_and_equal(self, lane: &[u8; 32], other: &[u8; 32]) -> (usize, u32) {
        let equal = lane.iter().zip(other).rev().fold(0, |bits, (a, b)| bits << 1 | u32::from(a == b));
        (self.text_len(lane), equal)
    }

    #[inline(always)]
    fn name_len(self, bytes: &[u8]) -> usize {
        find_first(bytes, sse2::ends_name, ends_name)
    }

    #[inline(always)]
    fn time(self, lane: &[u8; 32]) -> Option<DateTime<Utc>> {
        time::utc_seconds(lane.first_chunk()?)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

/// AVX2, on processors that have it.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; the proof is beside each call")]
mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_or_si128, _mm_packus_epi16,
        _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_extracti128_si256,
        _mm256_loadu_si256, _mm256_maddubs_epi16, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_set1_epi16, _mm256_shuffle_epi8, _mm256_sub_epi8,
    };

    use chrono::{DateTime, Utc};

    use super::{ByteScanner, ends_name, ends_text, ends_value, find_first, time};

    /// Proof that the processor has AVX2 and BMI1: only [`Avx2::detect`] creates a value.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx2(());

    impl Avx2 {
        /// Detects the features; the standard library caches the result.
        #[inline(always)]
        pub(in super::super) fn detect() -> Option<Self> {
            let has =
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi1");
            has.then_some(Self(()))
        }
    }

    #[target_feature(enable = "avx2,bmi1")]
    fn compiled<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// The bytes that end a run: those of `table`, each at the index of its low four bits (its high bit is clear), and every byte up to
    /// `ceiling`.
    struct StopSet {
        table: [u8; 16],
        ceiling: u8,
    }

    /// Unused entries hold a byte above 127, which no look-up matches.
    const fn stop_set(bytes: &[u8], ceiling: u8) -> StopSet {
        let mut table = [0xff_u8; 16];
        let mut at = 0;
        while at < bytes.len() {
            table[(bytes[at] & 15) as usize] = bytes[at];
            at += 1;
        }
        StopSet { table, ceiling }
    }

    const TEXT_STOPS: StopSet = stop_set(b"<&", 0x1f);
    const VALUE_STOPS: StopSet = stop_set(b"\"<&", 0x1f);
    const NAME_STOPS: StopSet = stop_set(b">/", b' ');

    impl ByteScanner for Avx2 {
        #[inline(always)]
        fn with_target_features<R>(self, work: impl FnOnce() -> R) -> R {
            // SAFETY: the only requirement is a processor with these features; `self` proves that it has them. Nothing but `work` runs,
            // which is safe code.
            unsafe { compiled(work) }
        }

        #[inline(always)]
        fn text_len(self, bytes: &[u8]) -> usize {
            find_first(bytes, |lane| self.hits(lane, &TEXT_STOPS), ends_text)
        }

        #[inline(always)]
        fn value_len(self, bytes: &[u8]) -> usize {
            find_first(bytes, |lane| self.hits(lane, &VALUE_STOPS), ends_value)
        }

        #[inline(always)]
        fn text_len_and_equal(self, lane: &[u8; 32], other: &[u8; 32]) -> (usize, u32) {
            // SAFETY: the only requirement is a processor with AVX2; `self` proves that it has it.
            let equal = unsafe { equal(lane, other) };
            (self.hits(lane, &TEXT_STOPS).trailing_zeros() as usize, equal)
        }

        #[inline(always)]
        fn name_len(self, bytes: &[u8]) -> usize {
            find_first(bytes, |lane| self.hits(lane, &NAME_STOPS), ends_name)
        }

        #[inline(always)]
        fn time(self, lane: &[u8; 32]) -> Option<DateTime<Utc>> {
            // SAFETY: the only requirement is a processor with AVX2; `self` proves that it has it.
            time::from_packed_numbers(unsafe { numbers(lane) }?)
        }
    }

    impl Avx2 {
        #[inline(always)]
        fn hits(self, lane: &[u8; 32], stops: &StopSet) -> u32 {
            // SAFETY: the only requirement is a processor with AVX2; `self` proves that it has it.
            unsafe { hits(lane, stops) }
        }
    }

    /// A bit for each byte that ends a run. The look-up by the low four bits yields the one stop that the byte can equal; a byte above
    /// 127 yields zero, which it does not equal.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn hits(lane: &[u8; 32], stops: &StopSet) -> u32 {
        let lane = load(lane);
        let candidates = _mm256_shuffle_epi8(table(&stops.table), lane);
        let listed = _mm256_cmpeq_epi8(candidates, lane);
        let low = _mm256_min_epu8(lane, _mm256_set1_epi8(stops.ceiling as i8));
        let low = _mm256_cmpeq_epi8(low, lane);
        _mm256_movemask_epi8(_mm256_or_si256(listed, low)) as u32
    }

    /// The shape of a time. The lane's bytes after its 20 do not matter.
    const SHAPE: &[u8; 32] = b"0000-00-00T00:00:00Z............";

    /// How far each byte may exceed the shape: nine for a digit, zero for a separator.
    const ABOVE: [u8; 32] = {
        let mut above = [0xff; 32];
        let mut at = 0;
        while at < 20 {
            above[at] = if SHAPE[at] == b'0' { 9 } else { 0 };
            at += 1;
        }
        above
    };

    /// Shuffle that puts the digits of each number side by side in each half; the seconds, alone in the second half, take bytes that
    /// the first leaves zero. An index with its high bit set yields zero.
    const DIGITS: [u8; 32] = {
        const N: u8 = 0x80;
        [
            0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, N, N, N, N, //
            N, N, N, N, N, N, N, N, N, N, N, N, 1, 2, N, N,
        ]
    };

    /// The weights of tens and ones, as two bytes.
    const TENS_AND_ONES: i16 = 0x010a;

    /// The numbers of a time's digit pairs, one in each byte, the first in the lowest.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn numbers(lane: &[u8; 32]) -> Option<u64> {
        let digits = _mm256_sub_epi8(load(lane), load(SHAPE));
        let fine = _mm256_cmpeq_epi8(_mm256_min_epu8(digits, load(&ABOVE)), digits);
        if _mm256_movemask_epi8(fine) != -1 {
            return None;
        }
        let pairs = _mm256_shuffle_epi8(digits, load(&DIGITS));
        let numbers = _mm256_maddubs_epi16(pairs, _mm256_set1_epi16(TENS_AND_ONES));
        let together = _mm_or_si128(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
        Some(_mm_cvtsi128_si64(_mm_packus_epi16(together, together)) as u64)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(lane: &[u8; 32], other: &[u8; 32]) -> u32 {
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(load(lane), load(other))) as u32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(lane: &[u8; 32]) -> __m256i {
        // SAFETY: reads the 32 bytes of a reference to 32 bytes; the instruction requires no alignment.
        unsafe { _mm256_loadu_si256(lane.as_ptr().cast()) }
    }

    /// The table in both halves, as the shuffle instruction requires.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn table(table: &[u8; 16]) -> __m256i {
        // SAFETY: reads the 16 bytes of a reference to 16 bytes; the instruction requires no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use no_avx2::Avx2;

/// Uninhabited: other processors use [`Baseline`].
#[cfg(not(target_arch = "x86_64"))]
mod no_avx2 {
    use chrono::{DateTime, Utc};

    use super::{Baseline, ByteScanner};

    #[derive(Debug, Clone, Copy)]
    pub(in super::super) enum Avx2 {}

    impl Avx2 {
        pub(in super::super) fn detect() -> Option<Self> {
            None
        }
    }

    impl ByteScanner for Avx2 {
        fn with_target_features<R>(self, work: impl FnOnce() -> R) -> R {
            work()
        }

        fn text_len(self, bytes: &[u8]) -> usize {
            Baseline.text_len(bytes)
        }

        fn value_len(self, bytes: &[u8]) -> usize {
            Baseline.value_len(bytes)
        }

        fn text_len_and_equal(self, lane: &[u8; 32], other: &[u8; 32]) -> (usize, u32) {
            Baseline.text_len_and_equal(lane, other)
        }

        fn name_len(self, bytes: &[u8]) -> usize {
            Baseline.name_len(bytes)
        }

        fn time(self, lane: &[u8; 32]) -> Option<DateTime<Utc>> {
            Baseline.time(lane)
        }
    }
}

/// SSE2, which `x86_64` always has.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[expect(unsafe_code, reason = "vector instructions; the proof is beside each call")]
mod sse2 {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    // SAFETY, for all four calls: the only requirement is a processor with SSE2, and this module is compiled only where the target
    // has it (`cfg` above). The functions take and return plain values and touch no memory but their argument, which is a
    // reference.

    #[inline(always)]
    pub(super) fn ends_text(lane: &[u8; 16]) -> u32 {
        unsafe { text(lane) }
    }

    #[inline(always)]
    pub(super) fn ends_value(lane: &[u8; 16]) -> u32 {
        unsafe { value(lane) }
    }

    #[inline(always)]
    pub(super) fn ends_name(lane: &[u8; 16]) -> u32 {
        unsafe { name(lane) }
    }

    #[inline(always)]
    pub(super) fn ends_unescaped(lane: &[u8; 16]) -> u32 {
        unsafe { unescaped(lane) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn text(lane: &[u8; 16]) -> u32 {
        let lane = load(lane);
        bits(_mm_or_si128(_mm_or_si128(equal(lane, b'<'), equal(lane, b'&')), at_most(lane, 0x1f)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn value(lane: &[u8; 16]) -> u32 {
        let lane = load(lane);
        let marks = _mm_or_si128(_mm_or_si128(equal(lane, b'"'), equal(lane, b'<')), equal(lane, b'&'));
        bits(_mm_or_si128(marks, at_most(lane, 0x1f)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn name(lane: &[u8; 16]) -> u32 {
        let lane = load(lane);
        bits(_mm_or_si128(_mm_or_si128(equal(lane, b'>'), equal(lane, b'/')), at_most(lane, b' ')))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn unescaped(lane: &[u8; 16]) -> u32 {
        let lane = load(lane);
        let quotes = _mm_or_si128(equal(lane, b'"'), equal(lane, b'&'));
        let brackets = _mm_or_si128(equal(lane, b'<'), equal(lane, b'>'));
        // The highest bit of a byte is set beyond ASCII, and in each byte of a comparison that holds.
        let beyond = _mm_or_si128(lane, at_most(lane, 0x1f));
        bits(_mm_or_si128(_mm_or_si128(quotes, brackets), beyond))
    }

    /// Loads two halves of eight bytes; the compiler makes one unaligned load of them.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(lane: &[u8; 16]) -> __m128i {
        let both = u128::from_le_bytes(*lane);
        _mm_set_epi64x((both >> 64) as i64, both as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal(lane: __m128i, byte: u8) -> __m128i {
        _mm_cmpeq_epi8(lane, _mm_set1_epi8(byte as i8))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn at_most(lane: __m128i, byte: u8) -> __m128i {
        let ceiling = _mm_set1_epi8(byte as i8);
        _mm_cmpeq_epi8(_mm_min_epu8(lane, ceiling), lane)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn bits(lane: __m128i) -> u32 {
        _mm_movemask_epi8(lane) as u32
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
mod sse2 {
    pub(super) fn ends_text(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'<' | b'&') || byte < b' ')
    }

    pub(super) fn ends_value(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'"' | b'<' | b'&') || byte < b' ')
    }

    pub(super) fn ends_name(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'>' | b'/') || byte <= b' ')
    }

    pub(super) fn ends_unescaped(lane: &[u8; 16]) -> u32 {
        bits(lane, super::ends_unescaped)
    }

    fn bits(lane: &[u8; 16], ends: impl Fn(u8) -> bool) -> u32 {
        lane.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(ends(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal_bits(lane: &[u8; 32], byte: u8) -> u32 {
        (0..32).map(|at| u32::from(lane[at] == byte) << at).sum()
    }

    /// Tries every byte at every position of a run that spans two lanes and a tail.
    fn stops_where_its_naive_twin_stops(vector: impl ByteScanner) {
        for special in 0..=u8::MAX {
            for at in 0..72 {
                let mut bytes = [b'x'; 72];
                bytes[at] = special;
                for len in [at, at + 1, 72] {
                    let bytes = &bytes[..len];
                    let naive = |ends: fn(u8) -> bool| bytes.iter().position(|b| ends(*b)).unwrap_or(len);
                    assert_eq!(vector.text_len(bytes), naive(ends_text), "{special} at {at} in text");
                    assert_eq!(vector.value_len(bytes), naive(ends_value), "{special} at {at} in a value");
                    assert_eq!(vector.name_len(bytes), naive(ends_name), "{special} at {at} in a name");
                    let unescaped = naive(ends_unescaped) == len;
                    assert_eq!(is_unescaped(bytes), unescaped, "{special} at {at}, unescaped");
                    if let Some(lane) = bytes.first_chunk::<32>() {
                        let expected = (naive(ends_text).min(32), equal_bits(lane, b'x'));
                        assert_eq!(
                            vector.text_len_and_equal(lane, &[b'x'; 32]),
                            expected,
                            "{special} at {at}"
                        );
                    }
                }
            }
        }
    }

    /// Tries every byte at every position of a time, and every number in every pair.
    fn reads_the_times_that_the_general_way_reads(vector: impl ByteScanner) {
        let mut tried = 0;
        let mut same = |lane: [u8; 32]| {
            tried += 1;
            let general = std::str::from_utf8(&lane[..20]).ok().filter(|text| text.ends_with('Z'));
            let general = general.filter(|text| text.trim() == *text).and_then(time::date_time);
            let shown = String::from_utf8_lossy(&lane);
            assert_eq!(vector.time(&lane), general, "{shown}");
        };
        for base in [*b"2026-11-24T09:30:59Z</t:Start><t", *b"2024-02-29T23:59:00Z\xff\0 999999999"] {
            for at in 0..32 {
                for byte in 0..=u8::MAX {
                    let mut lane = base;
                    lane[at] = byte;
                    same(lane);
                }
            }
            for at in [0, 2, 5, 8, 11, 14, 17] {
                for number in 0..100 {
                    let mut lane = base;
                    lane[at] = b'0' + number / 10;
                    lane[at + 1] = b'0' + number % 10;
                    same(lane);
                }
            }
        }
        assert!(tried > 17_000);
    }

    #[test]
    fn baseline_reads_times() {
        reads_the_times_that_the_general_way_reads(Baseline);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn avx2_reads_times() {
        match Avx2::detect() {
            Some(avx2) => reads_the_times_that_the_general_way_reads(avx2),
            None => println!("skipped: this processor has no AVX2"),
        }
    }

    #[test]
    fn baseline_stops_where_its_naive_twin_stops() {
        stops_where_its_naive_twin_stops(Baseline);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn avx2_stops_where_its_naive_twin_stops() {
        match Avx2::detect() {
            Some(avx2) => stops_where_its_naive_twin_stops(avx2),
            None => println!("skipped: this processor has no AVX2"),
        }
    }
}
