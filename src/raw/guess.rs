//! The types that texts might have: what all values of a column convert to, and are.

use std::sync::Arc;

use arrow::array::StringArray;

use super::column::{ColumnBuffer, ColumnFields};
use super::field::Field;
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// A whole number up to this many digits is itself in a double.
const EXACT_DIGITS: usize = 15;
/// So many digits has a decimal.
const MOST_DIGITS: usize = 38;
/// From the narrowest to the widest: what is an integer converts to a double as well.
const TRIED: [ColumnType; 5] =
    [ColumnType::Integer, ColumnType::Float, ColumnType::Boolean, ColumnType::Date, ColumnType::Timestamp];

/// The types that are left for a column, after some of its values.
///
/// The reader's own conversion decides what converts, so that a guess and a source agree on what a value is. What the texts
/// look like only takes types away.
#[derive(Debug)]
pub(crate) struct ColumnGuess {
    open: Vec<ColumnType>,
    /// How values are written.
    forms: Arc<Forms>,
    /// Values that are not null.
    values: usize,
    /// A number begins with a zero that a number would lose: it is a code, like `007`.
    has_leading_zero: bool,
    /// Something else than `true` or `false`. That `t`, `yes` and `on` are truth values too is for a config to say.
    has_other_words: bool,
    /// All values are digits with a sign and a point, at most.
    is_plain: bool,
    /// The most digits before and behind the point.
    whole: usize,
    places: usize,
    /// A whole number has more digits than a double keeps.
    is_long: bool,
}

impl Default for ColumnGuess {
    fn default() -> Self {
        Self {
            open: TRIED.to_vec(),
            forms: Arc::default(),
            values: 0,
            has_leading_zero: false,
            has_other_words: false,
            is_plain: true,
            whole: 0,
            places: 0,
            is_long: false,
        }
    }
}

impl ColumnGuess {
    /// For values that are written in other forms than those of sources that say nothing of it.
    pub(crate) fn with_forms(forms: Forms) -> ColumnGuess {
        ColumnGuess { forms: Arc::new(forms), ..ColumnGuess::default() }
    }

    /// Takes values into account. An empty text is none.
    pub(crate) fn add(&mut self, texts: &StringArray) {
        let forms = &self.forms;
        self.open.retain(|data_type| converts(texts, *data_type, forms));
        texts.iter().flatten().filter(|text| !text.is_empty()).for_each(|text| self.look_at(text));
    }

    /// The narrowest type that all values have. A column without values is text, because it would convert to anything.
    pub(crate) fn data_type(&self) -> ColumnType {
        let found = self.open.iter().find(|data_type| self.values > 0 && self.allows(**data_type));
        found.map_or(ColumnType::Text, |data_type| self.exact(*data_type))
    }

    /// The smallest decimal that holds all values. Returns `None` if they have more digits than any decimal. A value that is no
    /// number is found when it is read.
    pub(crate) fn smallest_decimal(&self) -> Option<ColumnType> {
        // A column without values says nothing of its digits.
        if self.values == 0 {
            return Some(ColumnType::Decimal { precision: MOST_DIGITS as u8, scale: 9 });
        }
        let digits = (self.whole + self.places).max(1);
        let precision = u8::try_from(digits).ok().filter(|digits| usize::from(*digits) <= MOST_DIGITS)?;
        Some(ColumnType::Decimal { precision, scale: i8::try_from(self.places).ok()? })
    }

    fn look_at(&mut self, text: &str) {
        self.values += 1;
        self.has_other_words |= !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false");
        let number = text.strip_prefix(['-', '+']).unwrap_or(text);
        let digits = number.as_bytes();
        self.has_leading_zero |= matches!(digits, [b'0', next, ..] if next.is_ascii_digit());
        let (whole, places) = number.split_once('.').unwrap_or((number, ""));
        self.is_plain &=
            !whole.is_empty() && [whole, places].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        self.whole = self.whole.max(whole.len());
        self.places = self.places.max(places.len());
        // A double has 53 bits: from 16 digits on, two numbers may become one.
        self.is_long |= whole.len() > EXACT_DIGITS;
    }

    /// Whether the column may have a type that all of its values convert to.
    fn allows(&self, data_type: ColumnType) -> bool {
        match data_type {
            ColumnType::Integer => !self.has_leading_zero,
            // Of a long number a double would keep the first digits only.
            ColumnType::Float => !self.has_leading_zero && (!self.is_long || self.fits_decimal()),
            ColumnType::Boolean => !self.has_other_words,
            ColumnType::Date | ColumnType::Timestamp | ColumnType::Text | ColumnType::Decimal { .. } => true,
        }
    }

    fn fits_decimal(&self) -> bool {
        self.is_plain && self.whole + self.places <= MOST_DIGITS
    }

    /// The type itself, or the one that keeps all digits.
    fn exact(&self, data_type: ColumnType) -> ColumnType {
        match data_type {
            ColumnType::Float if self.is_long => {
                let scale = i8::try_from(self.places).expect("a decimal has at most 38 digits");
                ColumnType::Decimal { precision: MOST_DIGITS as u8, scale }
            }
            other => other,
        }
    }
}

/// Whether the reader converts all of these texts.
fn converts(texts: &StringArray, data_type: ColumnType, forms: &Arc<Forms>) -> bool {
    // What is converted is dropped with the buffer: only what does not convert is of interest.
    let mut buffer = ColumnBuffer::new(data_type, forms);
    let mut does = true;
    buffer.extend(&Texts(texts), |_, _| does = false);
    does
}

/// Texts of which the empty one is null, as a column of a file.
struct Texts<'a>(&'a StringArray);

impl ColumnFields for Texts<'_> {
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        self.0.iter().for_each(|text| visit(Field::new(text.unwrap_or_default().as_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(batches: &[&[&str]]) -> ColumnType {
        let mut guess = ColumnGuess::default();
        batches.iter().for_each(|texts| guess.add(&StringArray::from(texts.to_vec())));
        guess.data_type()
    }

    #[test]
    fn a_column_has_the_narrowest_type_of_all_its_values() {
        use ColumnType::{Boolean, Date, Decimal, Float, Integer, Text, Timestamp};
        assert_eq!(guessed(&[&["1", "", "-2"]]), Integer);
        assert_eq!(guessed(&[&["1"], &["2.5"]]), Float);
        assert_eq!(guessed(&[&["1"], &["x"], &["2"]]), Text);
        assert_eq!(guessed(&[&["007"]]), Text);
        assert_eq!(guessed(&[&["true", "False"]]), Boolean);
        assert_eq!(guessed(&[&["yes"]]), Text);
        assert_eq!(guessed(&[&["2023-05-03"]]), Date);
        assert_eq!(guessed(&[&["2023-05-03 10:00", "2023-05-03T10:00:00Z"]]), Timestamp);
        assert_eq!(guessed(&[&["12345678901234567890", "0.5"]]), Decimal { precision: 38, scale: 1 });
        assert_eq!(guessed(&[&["", ""]]), Text);
        assert_eq!(guessed(&[]), Text);
    }
}
