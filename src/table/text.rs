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
pub(crate) struct Text(Kept);

#[derive(Clone)]
enum Kept {
    Own(Arc<str>),
    /// The row is one of the column.
    Cell(Arc<StringViewArray>, usize),
}

impl Text {
    /// The text in a row of a column; nothing if it is null or not there.
    pub fn cell(column: &Arc<StringViewArray>, row: usize) -> Option<Text> {
        (row < column.len() && column.is_valid(row)).then(|| Text(Kept::Cell(Arc::clone(column), row)))
    }

    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Own(text) => text,
            Kept::Cell(column, row) => column.value(*row),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Kept::Own(Arc::from(text)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::from(text.as_str())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_like_a_text_of_its_own() {
        let column = Arc::new(StringViewArray::from(vec![Some("2023"), None, Some("")]));
        assert_eq!(Text::cell(&column, 0), Some(Text::from("2023")));
        assert_eq!((Text::cell(&column, 1), Text::cell(&column, 3)), (None, None));
        assert!(Text::cell(&column, 2).unwrap() < Text::from("2"));
        assert_eq!(serde_json::to_string(&Text::from("a\"b")).unwrap(), r#""a\"b""#);
        assert_eq!(serde_json::from_str::<Text>(r#""a\"b""#).unwrap(), Text::from("a\"b"));
    }
}
