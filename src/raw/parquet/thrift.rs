//! Looks over the footer of a Parquet file before the library reads it: it reserves memory for as many row groups as the
//! footer says there are, and a process whose memory cannot be reserved ends.

/// A list may say that it has more items than there are bytes behind it.
pub(super) fn is_sound(footer: &[u8]) -> bool {
    let mut walk = ThriftWalk { rest: footer };
    walk.structure(MOST_NESTED).is_some()
}

/// Nothing in a footer is nested as deeply.
const MOST_NESTED: usize = 32;

/// Thrift's compact protocol, of which only the lengths matter.
struct ThriftWalk<'a> {
    rest: &'a [u8],
}

impl ThriftWalk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, length: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    /// Fields until the one of type 0.
    fn structure(&mut self, depth: usize) -> Option<()> {
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            if head >> 4 == 0 {
                // The field's number does not follow from the one before it.
                self.number()?;
            }
            match head & 0x0f {
                // The value of a boolean is its type.
                1 | 2 => {}
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        // The recursion is bounded: a hostile footer nests without an end.
        let below = depth.checked_sub(1)?;
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
                self.items(count, head & 0x0f, below)
            }
            12 => self.structure(below),
            _ => None,
        }
    }

    fn items(&mut self, count: u64, kind: u8, depth: usize) -> Option<()> {
        // Every item has at least one byte.
        if count > self.rest.len() as u64 {
            return None;
        }
        (0..count).try_for_each(|_| self.value(kind, depth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_as_many_items_as_there_are_bytes() {
        // Field 1 is a list of three numbers, field 2 a text.
        assert!(is_sound(&[0x19, 0x35, 2, 4, 6, 0x18, 1, b'x', 0]));
        assert!(!is_sound(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 2, 4, 6, 0]));
        assert!(!is_sound(&[0x18, 9, b'x', 0]));
        assert!(!is_sound(&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
        assert!(!is_sound(&[0x1c; 100]), "nested without an end");
    }
}
