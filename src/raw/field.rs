//! The text of one field, before anybody asks what it means.

use memchr::memchr;

/// A field's text, and what follows it in the block, so that short texts can be read as whole words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    tail: &'a [u8],
    length: usize,
}

impl<'a> Field<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { tail: text, length: text.len() }
    }

    /// The field of this length at the beginning of `tail`.
    #[inline]
    pub(super) fn within(tail: &'a [u8], length: usize) -> Self {
        Self { tail, length: length.min(tail.len()) }
    }

    /// The field without blanks around it.
    pub(super) fn trimmed(self) -> Self {
        Self::new(self.text().trim_ascii())
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.length
    }

    #[inline]
    pub(super) fn text(self) -> &'a [u8] {
        self.tail.get(..self.length).unwrap_or_default()
    }

    /// The field and all that follows it.
    #[inline]
    pub(super) fn tail(self) -> &'a [u8] {
        self.tail
    }

    /// The field's first bytes and what follows them, if there is that much in the block.
    #[inline]
    pub(super) fn chunk<const N: usize>(self) -> Option<&'a [u8; N]> {
        self.tail.first_chunk()
    }
}

/// The text of a raw field: without its quotes, and doubled quotes made one.
pub(super) fn unquote<'a>(raw: &'a [u8], quote: u8, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let inner = match raw {
        [first, inner @ .., _] if *first == quote => inner,
        _ => return raw,
    };
    if memchr(quote, inner).is_none() {
        return inner;
    }
    scratch.clear();
    let mut rest = inner;
    while let Some(offset) = memchr(quote, rest) {
        // Inside a record that was found to be whole, quotes come in pairs.
        let (text, pair) = rest.split_at(offset + 1);
        scratch.extend_from_slice(text);
        rest = pair.get(1..).unwrap_or_default();
    }
    scratch.extend_from_slice(rest);
    scratch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoting_takes_the_quotes_away_and_halves_doubled_ones() {
        for (raw, text) in
            [("a", "a"), ("\"a,b\"", "a,b"), ("\"\"", ""), ("\"a\"\"b\"\"\"", "a\"b\""), ("\"\"\"\"", "\"")]
        {
            assert_eq!(unquote(raw.as_bytes(), b'"', &mut vec![]), text.as_bytes(), "{raw}");
        }
    }
}
