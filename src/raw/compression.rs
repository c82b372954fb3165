//! Opens a raw file for reading: to the size it was listed with, decompressed by the ending of its name, and as UTF-8.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

use super::utf16;

/// Gives the bytes of one file, from its beginning.
pub(crate) type Opener = Box<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// The bytes of a file at any place.
pub(crate) trait ReadAt: Send + Sync {
    /// How many there are now.
    fn size(&self) -> io::Result<u64>;

    /// Fills the buffer with the bytes from this offset on.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// How a file is opened.
enum Access {
    FromBeginning(Opener),
    AnyPlace(Box<dyn Fn() -> io::Result<Box<dyn ReadAt>> + Send + Sync>),
}

/// One file of a raw source.
pub(crate) struct RawFile {
    /// What `_source_file` shows: the path below the source's root.
    pub(crate) name: Arc<str>,
    /// The size it was listed with. A file that has grown since is read to this size, a shorter one is an error.
    pub(crate) size: u64,
    access: Access,
    /// Columns that have one value in all rows of the file, as text, whatever the file holds: those by which a table is cut.
    pub(super) constants: Vec<(String, Option<String>)>,
}

impl RawFile {
    pub(crate) fn new(name: impl Into<Arc<str>>, size: u64, open: Opener) -> Self {
        Self { name: name.into(), size, access: Access::FromBeginning(open), constants: Vec::new() }
    }

    /// A file that is not read from beginning to end.
    pub(crate) fn at_any_place(
        name: impl Into<Arc<str>>,
        size: u64,
        open: Box<dyn Fn() -> io::Result<Box<dyn ReadAt>> + Send + Sync>,
    ) -> Self {
        Self { name: name.into(), size, access: Access::AnyPlace(open), constants: Vec::new() }
    }

    /// The same with columns that have one value in all its rows.
    pub(crate) fn with_constants(self, constants: Vec<(String, Option<String>)>) -> Self {
        Self { constants, ..self }
    }

    /// The bytes of the file at any place. It has the size that it was listed with.
    pub(super) fn open_at_any_place(&self) -> io::Result<Box<dyn ReadAt>> {
        let Access::AnyPlace(open) = &self.access else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it can only be read from its beginning"));
        };
        let file = open()?;
        let size = file.size()?;
        if size != self.size {
            let listed = self.size;
            let message = format!("it has {size} bytes and was listed with {listed}: it changed, so list it again");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(file)
    }

    /// The text of the file, and a count of the stored bytes that were read for it.
    pub(super) fn open(&self) -> io::Result<(Box<dyn Read + Send>, Arc<AtomicU64>)> {
        let read = Arc::new(AtomicU64::new(0));
        let Access::FromBeginning(open) = &self.access else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it has no beginning to read it from"));
        };
        let stored = ListedBytes { inner: open()?, left: self.size, read: Arc::clone(&read) };
        let text: Box<dyn Read + Send> = match Compression::of(&self.name) {
            Compression::None => Box::new(stored),
            Compression::Gzip => Box::new(Members::new(io::BufReader::new(stored))),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(stored)?),
        };
        Ok((utf16::as_utf8(text)?, read))
    }
}

enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some(ending) if ending.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(ending) if ending.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// The members of a gzip file, one after the other. Zeros behind the last one fill a block of a tape or a disk.
struct Members<R> {
    /// `None` behind the last one.
    current: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(stored: R) -> Self {
        Self { current: Some(GzDecoder::new(stored)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.current {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            // The decoder stops at the end of a member; `gzip a b > c` has several, and all of them are the file.
            let Some(mut rest) = self.current.take().map(GzDecoder::into_inner) else { break };
            while rest.fill_buf()?.first() == Some(&0) {
                rest.consume(1);
            }
            if !rest.fill_buf()?.is_empty() {
                self.current = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// A reader that ends exactly at the listed size.
struct ListedBytes<R> {
    inner: R,
    left: u64,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for ListedBytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A file that grows while it is read gives the rows that were listed, and the rest when it is listed again.
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let (wanted, _) = buffer.split_at_mut(most);
        if wanted.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(wanted)?;
        if count == 0 {
            let left = self.left;
            let message = format!("it is {left} bytes shorter than it was listed: it changed, so list it again");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.left = self.left.saturating_sub(count as u64);
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(name: &str, size: u64, bytes: Vec<u8>) -> RawFile {
        RawFile::new(name, size, Box::new(move || Ok(Box::new(io::Cursor::new(bytes.clone())))))
    }

    fn text(file: &RawFile) -> io::Result<String> {
        let mut text = String::new();
        file.open()?.0.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_file_that_grew_is_read_to_its_listed_size() {
        assert_eq!(text(&file("a.csv", 3, b"abcdef".to_vec())).unwrap(), "abc");
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let error = text(&file("a.csv", 9, b"abcdef".to_vec())).unwrap_err();
        assert!(error.to_string().contains("3 bytes shorter"), "{error}");
    }

    #[test]
    fn the_ending_of_the_name_chooses_the_decompressor() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"one\n").unwrap();
        let mut twice = gzip.finish().unwrap();
        twice.extend(twice.clone());
        assert_eq!(text(&file("a.csv.gz", twice.len() as u64, twice.clone())).unwrap(), "one\none\n");
        twice.extend([0; 512]);
        assert_eq!(text(&file("A.CSV.GZ", twice.len() as u64, twice.clone())).unwrap(), "one\none\n");
        twice.push(1);
        assert!(text(&file("a.csv.gz", twice.len() as u64, twice)).is_err(), "garbage behind the last member");
        let zstd = zstd::encode_all(&b"two\n"[..], 1).unwrap();
        assert_eq!(text(&file("a.csv.zst", zstd.len() as u64, zstd)).unwrap(), "two\n");
    }

    #[test]
    fn a_truncated_gzip_file_is_an_error() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"one\ntwo\nthree\n").unwrap();
        let mut bytes = gzip.finish().unwrap();
        bytes.truncate(bytes.len() - 6);
        assert!(text(&file("a.csv.gz", bytes.len() as u64, bytes)).is_err());
    }
}
