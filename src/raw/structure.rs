//! Finds delimiters and line feeds, 64 bytes at a time.

/// Delimiters and line feeds of some bytes without quotes.
#[derive(Default)]
pub(super) struct Structure {
    /// Their offsets; only the first `count` are meant.
    marks: Vec<u32>,
    count: usize,
    /// Which of the marks are line feeds; only the first `line_count` are meant.
    lines: Vec<u32>,
    line_count: usize,
}

impl Structure {
    /// Offsets of delimiters and line feeds.
    pub(super) fn marks(&self) -> &[u32] {
        self.marks.get(..self.count).unwrap_or_default()
    }

    /// The places of the line feeds among the marks.
    pub(super) fn lines(&self) -> &[u32] {
        self.lines.get(..self.line_count).unwrap_or_default()
    }

    /// Looks at `bytes`, whose first has the offset `base`.
    pub(super) fn find(&mut self, bytes: &[u8], base: usize, delimiter: u8) {
        let room = bytes.len() + 64;
        if self.marks.len() < room {
            self.marks.resize(room, 0);
            self.lines.resize(room, 0);
        }
        (self.count, self.line_count) = (0, 0);
        let mut base = u32::try_from(base).expect("a block is far smaller than 4 GiB");
        let (chunks, rest) = bytes.as_chunks::<64>();
        for chunk in chunks {
            self.note(chunk, base, delimiter);
            base += 64;
        }
        if !rest.is_empty() {
            // Zero bytes are neither delimiters nor line feeds: a delimiter of zero would find bytes that are not there.
            let mut padded = [if delimiter == 0 { 1 } else { 0 }; 64];
            for (padded, byte) in padded.iter_mut().zip(rest) {
                *padded = *byte;
            }
            self.note(&padded, base, delimiter);
        }
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "64 bits set at most 64 of the 64 slots that the split gives")]
    fn note(&mut self, chunk: &[u8; 64], base: u32, delimiter: u8) {
        let feeds = equal(chunk, b'\n');
        let mut all = feeds | equal(chunk, delimiter);
        let (_, marks) = self.marks.split_at_mut(self.count);
        let (_, lines) = self.lines.split_at_mut(self.line_count);
        let marks = &mut marks[..64];
        let lines = &mut lines[..64];
        let mut count = 0;
        let mut line_count = 0;
        // One turn a mark and none a byte: the last statement clears the lowest bit.
        while all != 0 {
            let bit = all.trailing_zeros();
            marks[count & 63] = base + bit;
            // Written always and counted only for a line feed: no branch to guess.
            lines[line_count & 63] = (self.count + count) as u32;
            line_count += (feeds >> bit & 1) as usize;
            count += 1;
            all &= all - 1;
        }
        self.count += count;
        self.line_count += line_count;
    }
}

/// One bit for each byte of the chunk: whether it is `byte`.
#[inline]
fn equal(chunk: &[u8; 64], byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let pattern = u64::from_ne_bytes([byte; 8]);
    let (words, _) = chunk.as_chunks::<8>();
    // SIMD within a register: eight bytes are compared at a time, by the exact form of the test for a zero byte.
    words.iter().rev().fold(0, |mask, word| {
        let differs = u64::from_le_bytes(*word) ^ pattern;
        // The high bit of each byte that is zero, and of no other.
        let zero = !(((differs & LOW) + LOW) | differs | LOW);
        // The multiplication moves the eight bits, which stand eight apart, side by side into the highest byte.
        mask << 8 | (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_delimiter_and_line_feed_is_found(bytes in proptest::collection::vec(0_u8..=255, 0..300), delimiter in 0_u8..128) {
            prop_assume!(delimiter != b'\n');
            let bytes: Vec<u8> = bytes.iter().map(|byte| match byte % 5 { 0 => delimiter, 1 => b'\n', _ => *byte }).collect();
            let mut structure = Structure::default();
            structure.find(&bytes, 7, delimiter);
            let is_mark = |byte: u8| byte == delimiter || byte == b'\n';
            let marks: Vec<u32> = (7..).zip(&bytes).filter(|(_, byte)| is_mark(**byte)).map(|(at, _)| at).collect();
            let feeds = (0..).zip(&marks).filter(|(_, at)| bytes[**at as usize - 7] == b'\n');
            prop_assert_eq!(structure.lines(), feeds.map(|(place, _)| place).collect::<Vec<u32>>());
            prop_assert_eq!(structure.marks(), marks);
        }
    }
}
