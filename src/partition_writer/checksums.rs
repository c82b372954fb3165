//! Checksums of a file's bytes, kept in its footer: a bit that flips on a disk must not become another number.
//!
//! Parquet has checksums of single pages, but the library does not write them, and its footers and indexes of pages have none.
//! So the bytes before the end are cut into blocks of equal size, whatever they hold, and a reader that wants some bytes reads
//! whole blocks. The checksums are a text among the file's key-value pairs, which other programs pass over:
//!
//! ```text
//! │ block │ block │ … │ block │ indexes of pages, footer: `karat-crc32 end=… block=65536 until=… of=…;` │
//! └──────── one checksum each ┘└──────────── one checksum, for which its own digits count as zeros ──────┘
//! ```

use std::ops::Range;

use flate2::Crc;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

/// The bytes of a block: small enough for a reader of one column, large enough for the list to be short.
const BLOCK_BYTES: u64 = 1 << 16;
const KEY: &str = "karat.checksums";
const MARK: &str = "karat-crc32 end=";
/// The digits of a checksum.
const DIGITS: usize = 8;
/// What the writer's name in a footer says of a file that has checksums.
pub(crate) const BUILD: &str = "(build crc32)";

/// What the bytes of a file are by its footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksums {
    block_bytes: u64,
    /// Where the blocks end, and with them what has a checksum of its own for every block.
    until: u64,
    blocks: Vec<u32>,
    end: u32,
}

/// The bytes are not those that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherBytes(pub String);

/// Takes the checksums of blocks while a file is written.
#[derive(Debug, Default)]
pub(super) struct BlockSums {
    blocks: Vec<u32>,
    current: Crc,
    bytes: u64,
}

impl BlockSums {
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK_BYTES - self.bytes % BLOCK_BYTES).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.current.update(part);
            self.bytes += part.len() as u64;
            if self.bytes.is_multiple_of(BLOCK_BYTES) {
                self.blocks.push(self.current.sum());
                self.current.reset();
            }
            bytes = rest;
        }
    }

    /// The checksums of all blocks; the last may be shorter than the others.
    pub(super) fn finish(mut self) -> Checksums {
        if !self.bytes.is_multiple_of(BLOCK_BYTES) {
            self.blocks.push(self.current.sum());
        }
        Checksums { block_bytes: BLOCK_BYTES, until: self.bytes, blocks: self.blocks, end: 0 }
    }
}

impl Checksums {
    /// What goes into the footer; its own checksum follows in [`seal`].
    pub(super) fn key_value(&self) -> KeyValue {
        KeyValue::new(KEY.to_owned(), self.text())
    }

    fn text(&self) -> String {
        let blocks: String = self.blocks.iter().map(|sum| format!("{sum:08x}")).collect();
        format!("{MARK}{:08x} block={} until={} of={blocks};", self.end, self.block_bytes, self.until)
    }

    /// Finds the checksums in the last bytes of a file. Returns `None` for files that have none.
    pub(crate) fn find(footer: &[u8]) -> Result<Option<Checksums>, OtherBytes> {
        let Some(place) = place_of_mark(footer) else {
            // The writer's name promises checksums: a footer without them was damaged, and is not another program's.
            return match memchr::memmem::find(footer, BUILD.as_bytes()) {
                Some(_) => Err(OtherBytes("its footer has lost its checksums".to_owned())),
                None => Ok(None),
            };
        };
        let text = footer.get(place..).unwrap_or_default();
        let text = text.split(|byte| *byte == b';').next().unwrap_or_default();
        let parsed = std::str::from_utf8(text).ok().and_then(Checksums::parse);
        parsed.map(Some).ok_or_else(|| OtherBytes("the checksums in its footer cannot be read".to_owned()))
    }

    fn parse(text: &str) -> Option<Checksums> {
        let (end, rest) = text.strip_prefix(MARK)?.split_once(" block=")?;
        let (block_bytes, rest) = rest.split_once(" until=")?;
        let (until, blocks) = rest.split_once(" of=")?;
        let sums = blocks.as_bytes().chunks(DIGITS);
        let checksums = Checksums {
            block_bytes: block_bytes.parse().ok().filter(|bytes| *bytes > 0)?,
            until: until.parse().ok()?,
            blocks: sums.map(|digits| number(std::str::from_utf8(digits).ok()?)).collect::<Option<_>>()?,
            end: number(end)?,
        };
        let has_all = checksums.until.div_ceil(checksums.block_bytes) == checksums.blocks.len() as u64;
        has_all.then_some(checksums)
    }

    /// Where the blocks end, and the bytes begin that [`Checksums::check_end`] wants.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// Holds all bytes behind the blocks against their checksum.
    pub(crate) fn check_end(&self, end: &[u8]) -> Result<(), OtherBytes> {
        match sum_of_end(end) {
            Some((_, sum)) if sum == self.end => Ok(()),
            Some(_) | None => Err(OtherBytes("its footer is not what was written".to_owned())),
        }
    }

    /// The blocks in which these bytes lie, as a range of bytes.
    pub(crate) fn whole_blocks(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start / self.block_bytes * self.block_bytes;
        let end = range.end.div_ceil(self.block_bytes).saturating_mul(self.block_bytes);
        start.min(self.until)..end.min(self.until)
    }

    /// Holds whole blocks, which begin at a place in the file, against their checksums.
    pub(crate) fn check_blocks(&self, start: u64, bytes: &[u8]) -> Result<(), OtherBytes> {
        let size = usize::try_from(self.block_bytes).unwrap_or(usize::MAX);
        // Blocks are numbered by where they lie, so any part of a file can be checked by itself.
        let first = usize::try_from(start / self.block_bytes).unwrap_or(usize::MAX);
        for (number, block) in bytes.chunks(size).enumerate() {
            let mut sum = Crc::new();
            sum.update(block);
            if self.blocks.get(first + number) != Some(&sum.sum()) {
                let from = start + (number * size) as u64;
                let to = from + block.len() as u64;
                return Err(OtherBytes(format!("among its bytes {from} to {to} are some that were not written so")));
            }
        }
        Ok(())
    }
}

/// Ends a file in memory, with its checksums.
pub(crate) fn with_checksums(mut writer: ArrowWriter<Vec<u8>>) -> Result<Vec<u8>, ParquetError> {
    // What is flushed so far makes the blocks. Their checksums go behind them, and the checksum of that end is written
    // last, in its place.
    writer.flush()?;
    writer.sync()?;
    let mut sums = BlockSums::default();
    sums.add(writer.inner());
    let checksums = sums.finish();
    writer.append_key_value_metadata(checksums.key_value());
    let mut bytes = writer.into_inner()?;
    let until = usize::try_from(checksums.until).unwrap_or(usize::MAX);
    seal(bytes.get_mut(until..).unwrap_or_default());
    Ok(bytes)
}

/// Holds a whole file in memory against its checksums, if it has some.
pub(crate) fn check_whole(bytes: &[u8]) -> Result<(), OtherBytes> {
    let Some(checksums) = Checksums::find(bytes)? else { return Ok(()) };
    let until = usize::try_from(checksums.until).unwrap_or(usize::MAX);
    let Some((blocks, end)) = bytes.split_at_checked(until) else {
        return Err(OtherBytes("its footer speaks of bytes that it does not have".to_owned()));
    };
    checksums.check_end(end)?;
    checksums.check_blocks(0, blocks)
}

/// Writes the checksum of the end of a file, with its checksums of blocks, into that end.
pub(super) fn seal(end: &mut [u8]) {
    if let Some((place, sum)) = sum_of_end(end)
        && let Some(digits) = end.get_mut(place..place + DIGITS)
    {
        digits.copy_from_slice(format!("{sum:08x}").as_bytes());
    }
}

/// The checksum of the end of a file without its own digits, and where those stand.
fn sum_of_end(end: &[u8]) -> Option<(usize, u32)> {
    let place = place_of_mark(end)? + MARK.len();
    let mut sum = Crc::new();
    sum.update(end.get(..place)?);
    sum.update(&[b'0'; DIGITS]);
    sum.update(end.get(place + DIGITS..)?);
    Some((place, sum.sum()))
}

/// The last one: behind the key-value pairs of a footer nothing stands that comes out of a table's rows.
fn place_of_mark(end: &[u8]) -> Option<usize> {
    memchr::memmem::rfind(end, MARK.as_bytes())
}

fn number(digits: &str) -> Option<u32> {
    (digits.len() == DIGITS).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (Checksums, Vec<u8>) {
        let mut sums = BlockSums::default();
        for part in bytes.chunks(1000) {
            sums.add(part);
        }
        let checksums = sums.finish();
        let mut end = format!("index {MARK}of a value; {} 4-byte PAR1", checksums.text()).into_bytes();
        seal(&mut end);
        (checksums, end)
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for length in [0, 1, 65_535, 65_536, 200_000] {
            let mut bytes: Vec<u8> = (0..length).map(|place: u32| (place % 251) as u8).collect();
            let (written, mut end) = file(&bytes);
            let digits = place_of_mark(&end).unwrap() + MARK.len();
            let digits = digits..digits + DIGITS;
            let found = Checksums::find(&end).unwrap().unwrap();
            assert_eq!(Checksums { end: written.end, ..found.clone() }, written);
            found.check_end(&end).unwrap();
            found.check_blocks(0, &bytes).unwrap();
            for place in (0..bytes.len()).step_by(9_973) {
                bytes[place] ^= 1 << (place % 8);
                let block = found.whole_blocks(&(place as u64..place as u64 + 1));
                let read = &bytes[block.start as usize..block.end as usize];
                assert!(found.check_blocks(block.start, read).is_err(), "{place}");
                bytes[place] ^= 1 << (place % 8);
            }
            for place in 0..end.len() {
                end[place] ^= 1 << (place % 8);
                let is_told = match Checksums::find(&end) {
                    // A digit of its own in capitals is the same digit.
                    Ok(Some(same)) if digits.contains(&place) && same == found => true,
                    Ok(Some(other)) => other.check_end(&end).is_err(),
                    Ok(None) => false,
                    Err(_) => true,
                };
                assert!(is_told, "{place} of {}", end.len());
                end[place] ^= 1 << (place % 8);
            }
        }
    }

    #[test]
    fn a_file_in_memory_is_told_when_it_changes() {
        use arrow::array::{ArrayRef, Int64Array, RecordBatch};

        let numbers: ArrayRef = std::sync::Arc::new((0..20_000_i64).map(|n| Some(n * n * n)).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let mut bytes = with_checksums(writer).unwrap();
        check_whole(&bytes).unwrap();
        for place in (0..bytes.len()).step_by(313) {
            bytes[place] ^= 4;
            assert!(check_whole(&bytes).is_err(), "{place}");
            bytes[place] ^= 4;
        }
        assert!(check_whole(&bytes[10..]).is_err());
    }

    #[test]
    fn a_range_is_read_in_whole_blocks() {
        let (checksums, _) = file(&[7; 200_000]);
        assert_eq!(checksums.whole_blocks(&(70_000..70_001)), 65_536..131_072);
        assert_eq!(checksums.whole_blocks(&(0..65_536)), 0..65_536);
        assert_eq!(checksums.whole_blocks(&(140_000..200_000)), 131_072..200_000);
    }

    #[test]
    fn a_footer_of_ours_without_checksums_has_lost_them() {
        assert_eq!(Checksums::find(b"parquet-mr version 1.2 (build abc)"), Ok(None));
        assert!(Checksums::find(format!("karat version 1 {BUILD}").as_bytes()).is_err());
    }
}
