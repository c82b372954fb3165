//! Random numbers that are the same on every machine and for every number of threads.

/// A SplitMix64 generator: one addition and a few multiplications a number, and any state is a good state.
pub(super) struct Random {
    state: u64,
}

/// What a stream of random numbers is for. Each purpose has its own stream for each day or user, so that no part of
/// the data depends on when, or by which thread, another part was made.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    People = 1,
    Metadata,
    Volume,
    Activity,
    Midnight,
    Late,
    Dirt,
}

impl Random {
    pub(super) fn stream(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self { state: mix(seed ^ mix(((purpose as u64) << 56) ^ index)) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number from 0 up to, and without, `bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiplication in the place of a division; its bias is far too small to show.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// One of a list that is never empty.
    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        *list.get(self.below(list.len() as u64) as usize).expect("a list to pick from is never empty")
    }

    /// The index of one of the weights, the heavier the likelier.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut ticket = self.below(weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if ticket < weight {
                return index;
            }
            ticket -= weight;
        }
        0
    }
}

/// Turns any number into one that looks unrelated to it, and different numbers into different ones.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Powers of two for exponents in 1/1024 steps, which turn a bell curve into a log-normal one.
///
/// Only multiplication and square roots make the table, since the standard guarantees their last bit everywhere and
/// that of `exp` nowhere.
pub(super) struct Powers {
    fractions: Vec<u64>,
}

impl Powers {
    pub(super) fn new() -> Self {
        let roots = std::iter::successors(Some(2.0_f64.sqrt()), |root| Some(root.sqrt())).take(10);
        let roots: Vec<f64> = roots.collect();
        Self {
            fractions: (0..1024)
                .map(|step| {
                    let chosen = roots.iter().enumerate().filter(|(bit, _)| step >> (9 - bit) & 1 == 1);
                    (chosen.fold(1.0, |product, (_, root)| product * root) * f64::from(1 << 20)) as u64
                })
                .collect(),
        }
    }

    /// Two to the power of `exponent` / 1024.
    fn power(&self, exponent: u64) -> u64 {
        let fraction = self.fractions.get((exponent % 1024) as usize).copied().unwrap_or_default();
        (fraction << (exponent / 1024).min(40)) >> 20
    }

    /// A log-normal number: `median` is its base-2 logarithm in 1/1024 steps, `bits` are 64 random ones, and about two
    /// thirds of the results lie within a factor of three.
    pub(super) fn log_normal(&self, median: u64, bits: u64) -> u64 {
        // The sum of four uniform numbers is close to a bell curve (Irwin-Hall), and exact in integers.
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
        // Four uniform numbers have a deviation of 0.577 · 65536; the factor makes that 1.6 · 1024.
        let spread = sum * 2840 / 65_536;
        self.power((median + spread).saturating_sub(2 * 2840))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_purpose_and_index() {
        let first = |seed, purpose, index| Random::stream(seed, purpose, index).next();
        assert_eq!(first(7, Purpose::Late, 3), first(7, Purpose::Late, 3));
        let all = [
            first(7, Purpose::Late, 3),
            first(8, Purpose::Late, 3),
            first(7, Purpose::Dirt, 3),
            first(7, Purpose::Late, 4),
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), 4);
    }

    #[test]
    fn powers_of_two_are_right_to_a_thousandth() {
        let powers = Powers::new();
        assert_eq!(powers.power(0), 1);
        assert_eq!(powers.power(10 * 1024), 1024);
        assert!(powers.power(10 * 1024 + 512).abs_diff(1448) <= 1);
    }

    #[test]
    fn half_of_log_normal_numbers_lie_under_the_median() {
        let (powers, mut random) = (Powers::new(), Random::stream(7, Purpose::People, 0));
        let below = (0..10_000).filter(|_| powers.log_normal(14 * 1024, random.next()) < 1 << 14).count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }
}
