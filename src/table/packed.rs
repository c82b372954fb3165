//! Numbers and texts in few bytes: what a table remembers of every slice and every source file, and what is kept of types.
//!
//! Numbers are written as in LEB128: seven bits a byte, the lowest first, and the top bit says that more follow. Texts follow
//! their length. An object as a whole is compressed with zstd.

use std::io;

use chrono::DateTime;

use super::{SliceKey, SliceRows};

/// What claims to be larger when unpacked is no object of ours.
const MOST_BYTES: usize = 1 << 30;

/// Most bytes are hashes, which no level makes smaller: this one does not try for long.
const QUICK: i32 = -3;

/// Writes values one after the other.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    bytes: Vec<u8>,
}

/// Reads them back in the same order; `None` where the bytes are no such value.
#[derive(Debug)]
pub(crate) struct Unpacker<'b> {
    rest: &'b [u8],
}

impl Packer {
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Small numbers take few bytes, below zero too.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    /// A number that may be any of its size.
    pub fn hash(&mut self, hash: u128) {
        self.bytes.extend(hash.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend(bytes);
    }

    pub fn slice(&mut self, slice: SliceKey) {
        match slice {
            SliceKey::All => self.number(0),
            SliceKey::NullTime => self.number(1),
            SliceKey::At(time) => {
                self.number(2);
                self.signed(time.and_utc().timestamp());
            }
        }
    }

    pub fn rows(&mut self, rows: SliceRows) {
        self.number(rows.rows);
        self.hash(rows.hash);
    }

    pub fn flag(&mut self, flag: bool) {
        self.number(u64::from(flag));
    }

    /// Several values of a kind, after their number.
    pub fn many<T>(&mut self, values: impl ExactSizeIterator<Item = T>, write: impl Fn(&mut Packer, T)) {
        self.number(values.len() as u64);
        values.for_each(|value| write(self, value));
    }

    pub fn compressed(self) -> Vec<u8> {
        zstd::bulk::compress(&self.bytes, QUICK).expect("compressing memory into memory cannot fail")
    }
}

impl<'b> Unpacker<'b> {
    pub fn new(bytes: &'b [u8]) -> Unpacker<'b> {
        Unpacker { rest: bytes }
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            // What does not fit is no number: each has one form.
            if (bits << shift) >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn hash(&mut self) -> Option<u128> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u128::from_le_bytes(*bytes))
    }

    pub fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub fn slice(&mut self) -> Option<SliceKey> {
        match self.number()? {
            0 => Some(SliceKey::All),
            1 => Some(SliceKey::NullTime),
            2 => Some(SliceKey::At(DateTime::from_timestamp(self.signed()?, 0)?.naive_utc())),
            _ => None,
        }
    }

    pub fn rows(&mut self) -> Option<SliceRows> {
        Some(SliceRows { rows: self.number()?, hash: self.hash()? })
    }

    pub fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// So many values of a kind. A number that the bytes cannot hold ends where they do.
    pub fn many<T, C: FromIterator<T>>(&mut self, read: impl Fn(&mut Unpacker<'b>) -> Option<T>) -> Option<C> {
        let count = self.number()?;
        // Each takes a byte at least, so no number makes room for more than could come.
        let mut values = Vec::with_capacity(usize::try_from(count).ok()?.min(self.rest.len()));
        for _ in 0..count {
            values.push(read(self)?);
        }
        Some(values.into_iter().collect())
    }

    /// Returns `None` if something is left.
    pub fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// The bytes that were compressed.
pub(crate) fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size < MOST_BYTES);
    let mut unpacked = Vec::with_capacity(size.map_or_else(|| bytes.len().saturating_mul(2), |size| size + 1));
    let decoder = zstd::Decoder::with_buffer(bytes)?;
    io::Read::read_to_end(&mut io::Read::take(decoder, MOST_BYTES as u64), &mut unpacked)?;
    if unpacked.len() == MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_read_back_as_they_were_written(
            numbers in prop::collection::vec(any::<u64>(), 0..8), signed in any::<i64>(), hash in any::<u128>(), text in ".{0,20}",
        ) {
            let mut packer = Packer::default();
            packer.many(numbers.iter().copied(), Packer::number);
            packer.signed(signed);
            packer.hash(hash);
            packer.text(&text);
            let compressed = packer.compressed();
            let bytes = decompressed(&compressed).unwrap();
            let mut unpacker = Unpacker::new(&bytes);
            prop_assert_eq!(unpacker.many::<_, Vec<_>>(Unpacker::number), Some(numbers));
            prop_assert_eq!((unpacker.signed(), unpacker.hash(), unpacker.text()), (Some(signed), Some(hash), Some(&*text)));
            prop_assert_eq!(unpacker.end(), Some(()));
        }

        #[test]
        fn any_bytes_are_values_or_not(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut unpacker = Unpacker::new(&bytes);
            let read = unpacker.many::<_, Vec<_>>(|unpacker| Some((unpacker.slice()?, unpacker.text()?.to_owned(), unpacker.rows()?)));
            prop_assert!(read.is_none_or(|read| read.len() <= bytes.len()));
        }
    }

    #[test]
    fn extreme_numbers_are_read_back_and_longer_forms_are_none() {
        for number in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut packer = Packer::default();
            packer.signed(number);
            assert_eq!(Unpacker::new(&packer.bytes).signed(), Some(number));
        }
        assert_eq!(Unpacker::new(&[0xff; 11]).number(), None);
        assert_eq!(Unpacker::new(&[0x80; 3]).number(), None);
    }
}
