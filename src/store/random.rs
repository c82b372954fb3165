//! Randomness of the store: tokens of commits, names of files, and the jitter of waiting.

use std::io;
use std::time::Duration;

use crate::locked::Locked;

/// Where random numbers come from.
#[derive(Debug)]
pub(crate) enum StoreRandom {
    /// The machine.
    Machine,
    /// A seed: the same numbers in the same order, for simulations.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a simulation wants the same numbers again"))]
    Seeded(Locked<u64>),
}

impl StoreRandom {
    /// 64 random bits.
    pub fn number(&self) -> io::Result<u64> {
        match self {
            StoreRandom::Machine => getrandom::u64()
                .map_err(|error| io::Error::other(format!("the machine gives no random numbers: {error}"))),
            StoreRandom::Seeded(state) => {
                let mut state = state.lock();
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                Ok(mixed(*state))
            }
        }
    }

    /// 128 random bits as 32 hex digits.
    pub fn token(&self) -> io::Result<String> {
        Ok(format!("{:016x}{:016x}", self.number()?, self.number()?))
    }

    /// Something between half of the length and the whole of it: writers that failed together do not try again together.
    pub fn jittered(&self, length: Duration) -> Duration {
        let share = self.number().map_or(0.5, |number| (number >> 11) as f64 / (1_u64 << 53) as f64);
        length.mul_f64(0.5 + share / 2.0)
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn mixed(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
