//! Random numbers from a seed: the same ones on every machine and with every version of a library.

/// `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x5DEE_CE66)
    }

    /// Another generator of the same seed. What was added to the harness later decides by this one, so that a seed decides
    /// everything else as it did before.
    pub(super) fn beside(seed: u64) -> Self {
        Self::new(seed ^ 0x0BE5_1DE5_0BE5_1DE5)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// A number below `limit`, which is positive.
    pub(super) fn number(&mut self, limit: i32) -> i32 {
        let limit: u64 = limit.unsigned_abs().into();
        i32::try_from(self.bits() % limit).expect("it is below another one")
    }

    /// Whether this happens, once in `times`.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// The number of a document in its collection.
pub(super) fn position(at: usize) -> i32 {
    i32::try_from(at).expect("a collection has few documents")
}
