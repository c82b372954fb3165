//! Numbers for tests that look random and are the same with every run: a linear congruential generator with Knuth's MMIX constants.

/// Dice that fall alike for the same seed.
pub(crate) struct Dice {
    pub seed: u64,
}

impl Dice {
    /// The next number, which is less than `below`.
    pub fn next(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }
}
