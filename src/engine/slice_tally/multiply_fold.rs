//! The hash below the digests of rows: two lanes of multiply and fold, the same on every machine and for ever.
//!
//! The mixing function is `wyhash64` of Wang Yi's wyhash (final version 4, <https://github.com/wangyi-fudan/wyhash>, in
//! the public domain), the constants of the first lane are the default secret of that version and those of the second
//! lane the secret of version 3. Digests are kept in the lake: whoever changes a single bit here makes every table look
//! changed.

use std::ops::AddAssign;

const FIRST: [u64; 2] = [0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9];
const SECOND: [u64; 2] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

/// Two hashes of 64 bits that are computed side by side and know nothing of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoldLanes {
    first: u64,
    second: u64,
}

/// Where hashing begins. A state of zero would be the end of whatever it is multiplied with.
pub(super) const START: FoldLanes = FoldLanes { first: 0x4b33_a62e_d433_d4a3, second: 0x8ebc_6af0_9c88_c6e3 };

impl FoldLanes {
    /// The sum of no hashes.
    pub const NONE: FoldLanes = FoldLanes { first: 0, second: 0 };

    /// This hash, continued with a number.
    #[inline]
    pub fn word(self, word: u64) -> FoldLanes {
        FoldLanes { first: mixed(word, self.first, FIRST), second: mixed(word, self.second, SECOND) }
    }

    /// This hash, continued with a number of 128 bits.
    #[inline]
    pub fn wide(self, number: i128) -> FoldLanes {
        let Halves { low, high } = Halves::of(number.cast_unsigned());
        self.word(low).word(high)
    }

    /// This hash, continued with another one: the order matters.
    #[inline]
    pub fn then(self, next: FoldLanes) -> FoldLanes {
        FoldLanes { first: mixed(next.first, self.first, FIRST), second: mixed(next.second, self.second, SECOND) }
    }

    /// This hash, continued with bytes and their length.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> FoldLanes {
        let (blocks, rest) = bytes.as_chunks::<16>();
        let mut state = self;
        for block in blocks {
            state = state.block(Halves::of(u128::from_le_bytes(*block)));
        }
        if !rest.is_empty() {
            state = state.block(last_block(rest));
        }
        state.word(bytes.len() as u64)
    }

    /// One multiplication for 16 bytes. Only a state that a `word` ends has mixed its bits well.
    #[inline]
    fn block(self, Halves { low, high }: Halves) -> FoldLanes {
        let [first, _] = FIRST;
        let [second, _] = SECOND;
        FoldLanes { first: fold(low ^ first, high ^ self.first), second: fold(low ^ second, high ^ self.second) }
    }

    pub fn as_number(self) -> u128 {
        (u128::from(self.first) << 64) | u128::from(self.second)
    }
}

/// Whatever the order of the hashes, their sum is the same; unlike with `xor`, equal ones do not cancel each other out.
impl AddAssign for FoldLanes {
    #[inline]
    fn add_assign(&mut self, other: FoldLanes) {
        self.first = self.first.wrapping_add(other.first);
        self.second = self.second.wrapping_add(other.second);
    }
}

/// `wyhash64`.
#[inline]
fn mixed(word: u64, state: u64, [left, right]: [u64; 2]) -> u64 {
    let Halves { low, high } = product(word ^ left, state ^ right);
    fold(low ^ left, high ^ right)
}

#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let Halves { low, high } = product(left, right);
    low ^ high
}

#[inline]
fn product(left: u64, right: u64) -> Halves {
    Halves::of(u128::from(left) * u128::from(right))
}

/// The two halves of 128 bits.
#[derive(Debug, Clone, Copy)]
struct Halves {
    low: u64,
    high: u64,
}

impl Halves {
    #[inline]
    fn of(number: u128) -> Halves {
        Halves { low: number as u64, high: (number >> 64) as u64 }
    }
}

/// Fewer than 16 bytes as two numbers, which differ between any two texts of the same length.
#[inline]
fn last_block(bytes: &[u8]) -> Halves {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return Halves { low: u64::from_le_bytes(*first), high: u64::from_le_bytes(*last) };
    }
    // The two chunks overlap where there are fewer bytes than both have: with the length, which is hashed too, they still
    // tell every byte.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return Halves { low: u32::from_le_bytes(*first).into(), high: u32::from_le_bytes(*last).into() };
    }
    Halves { low: bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)), high: 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(START.word(0).as_number(), 0x3bc4_db7a_9d46_38e9_7128_1d6a_482d_0742);
        assert_eq!(START.word(u64::MAX).as_number(), 0x39ba_c71a_d00d_9df5_c6fc_d43b_f26c_5b53);
        assert_eq!(START.wide(-1).as_number(), 0xb940_5351_733c_35e0_4969_b525_b76c_643d);
        assert_eq!(START.bytes(b"abc").as_number(), 0xc725_fa80_1ec8_1ad7_3e87_a7e4_8d0b_9ae9);
        assert_eq!(START.bytes(b"abcdefghi").as_number(), 0xbdc4_133f_e1f8_fae5_afef_8b62_397a_fe9b);
        let letters = START.bytes(b"abcdefghijklmnopqrstuvwxyz");
        assert_eq!(letters.as_number(), 0x9061_e843_dc8f_9696_314e_7b96_dd75_f2d2);
    }

    #[test]
    fn every_bit_of_a_text_of_any_length_counts() {
        for length in 0..70_usize {
            let text: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 % 256).unwrap()).collect();
            let flipped = (0..length * 8).map(|bit| {
                let mut other = text.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                START.bytes(&other)
            });
            let longer = START.bytes(&[&text[..], b"\0"].concat());
            let all: Vec<FoldLanes> = flipped.chain([START.bytes(&text), longer]).collect();
            assert_eq!(all.iter().map(|hash| hash.first).collect::<BTreeSet<_>>().len(), all.len(), "{length}");
            assert_eq!(all.iter().map(|hash| hash.second).collect::<BTreeSet<_>>().len(), all.len(), "{length}");
        }
    }

    #[test]
    fn one_bit_of_a_number_turns_half_of_the_bits_of_its_hash() {
        for bit in 0..64 {
            let turned: u32 = (0..64_u64)
                .map(|number| {
                    let (one, other) = (START.word(number), START.word(number ^ (1 << bit)));
                    (one.as_number() ^ other.as_number()).count_ones()
                })
                .sum();
            assert!((60 * 64..68 * 64).contains(&turned), "bit {bit}: {turned} of {}", 128 * 64);
        }
    }
}
