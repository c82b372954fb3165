//! A piece of text that is cheap to copy.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{Array, StringViewArray};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text, or a cell of a column that others share. A table's files have thousands of paths and statistics, which are read
/// at once and copied with every version of the table: so many texts of their own would cost more than all else that is done
/// with them.
#[derive(Clone)]
pub(crate) struct SharedText(TextPlace);

#[derive(Clone)]
enum TextPlace {
    Own(Arc<str>),
    /// The row is one of the column.
    Cell(Arc<StringViewArray>, usize),
}

impl SharedText {
    /// The text in a row of a column. Returns `None` if it is null or not there.
    pub fn cell(column: &Arc<StringViewArray>, row: usize) -> Option<SharedText> {
        (row < column.len() && column.is_valid(row)).then(|| SharedText(TextPlace::Cell(Arc::clone(column), row)))
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            TextPlace::Own(text) => text,
            TextPlace::Cell(column, row) => column.value(*row),
        }
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> SharedText {
        SharedText(TextPlace::Own(Arc::from(text)))
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> SharedText {
        SharedText::from(text.as_str())
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &SharedText) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SharedText {}

impl PartialOrd for SharedText {
    fn partial_cmp(&self, other: &SharedText) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SharedText {
    fn cmp(&self, other: &SharedText) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SharedText, D::Error> {
        String::deserialize(deserializer).map(SharedText::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_like_a_text_of_its_own() {
        let column = Arc::new(StringViewArray::from(vec![Some("2023"), None, Some("")]));
        assert_eq!(SharedText::cell(&column, 0), Some(SharedText::from("2023")));
        assert_eq!((SharedText::cell(&column, 1), SharedText::cell(&column, 3)), (None, None));
        assert!(SharedText::cell(&column, 2).unwrap() < SharedText::from("2"));
        assert_eq!(serde_json::to_string(&SharedText::from("a\"b")).unwrap(), r#""a\"b""#);
        assert_eq!(serde_json::from_str::<SharedText>(r#""a\"b""#).unwrap(), SharedText::from("a\"b"));
    }
}
