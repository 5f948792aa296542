//! Looking for the one byte that matters, sixteen at a time.
//!
//! On x86-64 the vectors are SSE2, which every such processor has, so that no feature needs to be detected; elsewhere
//! the same loop runs byte by byte. Memory is only ever read through references: a body may end at the last byte of a
//! page. The naive twin of each function is in the tests.

/// Runs `work` compiled for AVX2 where the processor has it, else as it is. Only what is inlined into `work` gains.
#[inline(always)]
pub(super) fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi1") {
        return avx2::run(work);
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "a function compiled for another processor; the proof is beside the call")]
mod avx2 {
    /// Only to be called where the processor has AVX2 and BMI1.
    #[inline(always)]
    pub(super) fn run<R>(work: impl FnOnce() -> R) -> R {
        // SAFETY: unsafe to call for one reason only, that the processor might lack the features, and the caller
        // asked the processor. Nothing but `work` is run, which is safe code.
        unsafe { compiled(work) }
    }

    #[target_feature(enable = "avx2,bmi1")]
    fn compiled<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// Where the run of ordinary text at the start of `bytes` ends: at a `<`, an `&` or a control character (any byte
/// below the space). The length of `bytes` if nothing ends it.
#[inline(always)]
pub(super) fn text_len(bytes: &[u8]) -> usize {
    first(bytes, lanes::ends_text, |byte| matches!(byte, b'<' | b'&') || byte < b' ')
}

/// Where the run of ordinary attribute value at the start of `bytes` ends: at a `"`, `<`, `&` or a control character.
#[inline(always)]
pub(super) fn value_len(bytes: &[u8]) -> usize {
    first(bytes, lanes::ends_value, |byte| matches!(byte, b'"' | b'<' | b'&') || byte < b' ')
}

/// Where the element name at the start of `bytes` ends: at a `>`, `/`, or anything up to the space.
#[inline(always)]
pub(super) fn name_len(bytes: &[u8]) -> usize {
    first(bytes, lanes::ends_name, |byte| matches!(byte, b'>' | b'/') || byte <= b' ')
}

/// The first position where `one` holds; `sixteen` says the same of a whole vector, a bit for each byte.
#[inline(always)]
fn first(bytes: &[u8], sixteen: impl Fn(&[u8; 16]) -> u32, one: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let hits = sixteen(lane);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    bytes[at..].iter().position(|byte| one(*byte)).map_or(bytes.len(), |tail| at + tail)
}

/// SSE2, which `x86_64` always has.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[allow(unsafe_code, reason = "vector instructions; every call's proof is beside it")]
mod lanes {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    // SAFETY, of all three calls: the functions below are unsafe to call for one reason only, that the processor
    // might lack SSE2. This module is compiled only where the target has it (`cfg` above), so it cannot. They take
    // and give plain values and touch no memory but their argument, which is a reference.

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

    /// Two halves of eight bytes; the compiler makes one unaligned load of it.
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
mod lanes {
    pub(super) fn ends_text(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'<' | b'&') || byte < b' ')
    }

    pub(super) fn ends_value(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'"' | b'<' | b'&') || byte < b' ')
    }

    pub(super) fn ends_name(lane: &[u8; 16]) -> u32 {
        bits(lane, |byte| matches!(byte, b'>' | b'/') || byte <= b' ')
    }

    fn bits(lane: &[u8; 16], ends: impl Fn(u8) -> bool) -> u32 {
        lane.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(ends(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every position of a run long enough for two vectors and a tail.
    #[test]
    fn each_function_stops_where_its_naive_twin_stops() {
        for special in 0..=u8::MAX {
            for at in 0..40 {
                let mut bytes = [b'x'; 40];
                bytes[at] = special;
                for len in [at, at + 1, 40] {
                    let bytes = &bytes[..len];
                    let naive = |ends: fn(u8) -> bool| bytes.iter().position(|b| ends(*b)).unwrap_or(len);
                    assert_eq!(
                        text_len(bytes),
                        naive(|b| b"<&".contains(&b) || b < 0x20),
                        "{special} at {at}"
                    );
                    assert_eq!(
                        value_len(bytes),
                        naive(|b| b"\"<&".contains(&b) || b < 0x20),
                        "{special} at {at}"
                    );
                    assert_eq!(
                        name_len(bytes),
                        naive(|b| b">/".contains(&b) || b <= 0x20),
                        "{special} at {at}"
                    );
                }
            }
        }
    }
}
