//! Chance that is the same everywhere and for ever: the shop's bytes must not change with a library's version.

/// `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// One stream for each thing that is made, so that the thousandth order is the same in every size of shop.
    pub(super) fn new(seed: u64, stream: u64, index: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(stream.wrapping_mul(GAMMA))).wrapping_add(index.wrapping_mul(GAMMA))))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        // multiply and shift: the bias is below 2^-32 and stays the same for ever
        ((u64::from((self.next() >> 32) as u32) * u64::from(end)) >> 32) as u32
    }

    /// True in `percent` cases of a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }

    /// One of the entries, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let mut left = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, entry) in from {
            if left < *weight {
                return *entry;
            }
            left -= weight;
        }
        unreachable!("`left` is below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        let mut rng = Rng(1_234_567);
        let told: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        // the reference implementation's first numbers for this state
        assert_eq!(told, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn weights_are_kept() {
        let mut rng = Rng::new(1, 2, 3);
        let heads = (0..10_000).filter(|_| rng.weighted(&[(1, false), (3, true)])).count();
        assert!((7300..7700).contains(&heads), "{heads}");
    }
}
