//! Randomness with a seed, and the seeds of a run of random histories.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// xorshift: small, and the same on every platform.
pub struct SeededRandom(u64);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The upper half, whose bits are better.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next_u64() >> 33) % end
    }
}

/// The seeds of one run: `{PREFIX}_SEED` names the only one, `{PREFIX}_SEEDS` how many, beginning with
/// `{PREFIX}_FIRST` or 0.
pub struct Seeds {
    pub range: Range<u64>,
    prefix: &'static str,
}

impl Seeds {
    pub fn from_environment(prefix: &'static str, default_count: u64) -> Self {
        let number = |name: &str| {
            std::env::var(format!("{prefix}_{name}")).ok().map(|text| text.parse::<u64>().unwrap())
        };
        let range = match (number("SEED"), number("SEEDS")) {
            (Some(seed), _) => seed..seed + 1,
            (None, count) => {
                let first = number("FIRST").unwrap_or(0);
                first..first + count.unwrap_or(default_count)
            }
        };
        Self { range, prefix }
    }

    pub fn count(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Plays every seed. A seed that fails is printed with the arguments of `cargo test` that repeat it.
    pub fn play(&self, test: &str, mut play: impl FnMut(u64)) {
        for seed in self.range.clone() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| play(seed))) {
                eprintln!("seed {seed} failed: {}_SEED={seed} cargo test {test}", self.prefix);
                resume_unwind(panic);
            }
        }
    }
}
