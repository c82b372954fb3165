//! Reads text in UTF-16, which a byte order mark at its beginning tells, as UTF-8. No more of it is held than is read at once.

use std::io::{self, Read};

/// So many bytes are read at a time.
const READ_BYTES: usize = 16 << 10;
/// A byte that no text in UTF-8 has: it stands for half a code unit.
const HALF_A_UNIT: u8 = 0xff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    BigEndian,
    LittleEndian,
}

/// The text as UTF-8, if it begins with the byte order mark of UTF-16; else its bytes as they are.
pub(super) fn as_utf8(mut text: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    text.by_ref().take(4).read_to_end(&mut head)?;
    let order = match head.as_slice() {
        // The mark of UTF-32.
        [0xff, 0xfe, 0, 0] => None,
        [0xff, 0xfe, ..] => Some(Order::LittleEndian),
        [0xfe, 0xff, ..] => Some(Order::BigEndian),
        _ => None,
    };
    let Some(order) = order else {
        return Ok(Box::new(io::Cursor::new(head).chain(text)));
    };
    let waiting = head.split_off(2);
    Ok(Box::new(Transcoder { text, order, waiting, high: None, decoded: Vec::new(), taken: 0, is_at_end: false }))
}

/// Decodes code units to UTF-8. What is no character in UTF-16 becomes bytes that are none in UTF-8, so that the record that
/// holds them is a bad one, and no other.
struct Transcoder<R> {
    text: R,
    order: Order,
    /// Bytes that were read and are not decoded yet.
    waiting: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    decoded: Vec<u8>,
    /// How many of the decoded bytes were given away.
    taken: usize,
    is_at_end: bool,
}

impl<R: Read> Transcoder<R> {
    /// Decodes what is read next.
    fn refill(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.taken = 0;
        let read = self.text.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.waiting)?;
        let waiting = std::mem::take(&mut self.waiting);
        let (units, half) = waiting.as_chunks::<2>();
        for unit in units {
            self.push(match self.order {
                Order::BigEndian => u16::from_be_bytes(*unit),
                Order::LittleEndian => u16::from_le_bytes(*unit),
            });
        }
        self.waiting.extend(half);
        if read == 0 {
            self.is_at_end = true;
            if let Some(high) = self.high.take() {
                self.push_lone(high);
            }
            if !self.waiting.is_empty() {
                self.decoded.push(HALF_A_UNIT);
            }
        }
        Ok(())
    }

    fn push(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            match char::decode_utf16([high, unit]).next() {
                Some(Ok(letter)) => return self.push_letter(letter),
                _ => self.push_lone(high),
            }
        }
        match char::decode_utf16([unit]).next() {
            Some(Ok(letter)) => self.push_letter(letter),
            // Its second half comes next.
            _ if is_high(unit) => self.high = Some(unit),
            _ => self.push_lone(unit),
        }
    }

    fn push_letter(&mut self, letter: char) {
        self.decoded.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Half of a surrogate pair alone, in the bytes that UTF-8 would have for it if it were a character.
    fn push_lone(&mut self, unit: u16) {
        let [high, low] = unit.to_be_bytes();
        self.decoded.extend([0xe0 | (high >> 4), 0x80 | ((high & 0x0f) << 2) | (low >> 6), 0x80 | (low & 0x3f)]);
    }
}

fn is_high(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.taken == self.decoded.len() && !self.is_at_end {
            self.refill()?;
        }
        let left = self.decoded.get(self.taken..).unwrap_or_default();
        let (now, _) = left.split_at(left.len().min(buffer.len()));
        let (wanted, _) = buffer.split_at_mut(now.len());
        wanted.copy_from_slice(now);
        self.taken += now.len();
        Ok(now.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(units: impl IntoIterator<Item = u16>, order: Order) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            Order::BigEndian => unit.to_be_bytes(),
            Order::LittleEndian => unit.to_le_bytes(),
        };
        [0xfeff].into_iter().chain(units).flat_map(bytes).collect()
    }

    /// Gives one byte at a time.
    struct Slow(io::Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(bytes: &[u8]) -> Vec<u8> {
        let (mut quick, mut slow) = (Vec::new(), Vec::new());
        as_utf8(io::Cursor::new(bytes.to_vec())).unwrap().read_to_end(&mut quick).unwrap();
        as_utf8(Slow(io::Cursor::new(bytes.to_vec()))).unwrap().read_to_end(&mut slow).unwrap();
        assert_eq!(quick, slow);
        quick
    }

    #[test]
    fn the_mark_says_in_which_order_bytes_come() {
        for order in [Order::BigEndian, Order::LittleEndian] {
            assert_eq!(read(&bytes("a,é,😀\n".encode_utf16(), order)), "a,é,😀\n".as_bytes());
            assert_eq!(read(&bytes([], order)), b"");
        }
        for plain in [&b"a,b\n"[..], b"", b"\xff", b"\xff\xfe\0\0a\0\0\0", b"\xef\xbb\xbfa"] {
            assert_eq!(read(plain), plain, "{plain:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_none_in_utf_8_either() {
        for (units, expected) in [
            (&[0xd83d, 0x61][..], &b"\xed\xa0\xbda"[..]),
            (&[0xde00, 0x61], b"\xed\xb8\x80a"),
            (&[0xd83d, 0xd83d, 0xde00], b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
            (&[0x61, 0xd83d], b"a\xed\xa0\xbd"),
        ] {
            let found = read(&bytes(units.iter().copied(), Order::LittleEndian));
            assert_eq!(found, expected);
            assert!(std::str::from_utf8(&found).is_err());
        }
        let mut cut = bytes([0x61], Order::BigEndian);
        cut.push(0);
        assert_eq!(read(&cut), b"a\xff");
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in "\\PC{0,40}") {
            for order in [Order::BigEndian, Order::LittleEndian] {
                prop_assert_eq!(read(&bytes(text.encode_utf16(), order)), text.as_bytes());
            }
        }
    }
}
