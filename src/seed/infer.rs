//! The types of columns that no config gives a type: what all values of the column are.

use std::collections::BTreeMap;

use arrow::array::{Array, StringArray};

use super::fault::SeedFault;
use super::file::{ParsedSeed, SeedFile};
use super::header::Header;
use crate::column_type::ColumnType;
use crate::project::SeedType;
use crate::raw::RawError;

/// A whole number up to this many digits is itself in a double.
const EXACT_DIGITS: usize = 15;
/// So many digits has a decimal.
const MOST_DIGITS: usize = 38;

/// What the texts of a column have in common.
#[derive(Debug, Default)]
struct ColumnLook {
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

/// Returns the types of the columns that are not `declared`, by their places; a column that is not there is text.
///
/// The reader decides what converts, so that a seed and a source agree on what a value is: each type is tried on all columns
/// at once. What is said here in addition only takes types away.
pub(super) fn types(
    file: &SeedFile,
    header: &Header,
    texts: &ParsedSeed,
    declared: &BTreeMap<usize, ColumnType>,
) -> Result<BTreeMap<usize, ColumnType>, RawError> {
    let mut open: BTreeMap<usize, ColumnLook> = BTreeMap::new();
    for index in 0..header.written.len() {
        let look = ColumnLook::at(texts, index);
        // A column without values would convert to anything.
        if !declared.contains_key(&index) && look.values > 0 {
            open.insert(index, look);
        }
    }
    let mut types = BTreeMap::new();
    // From the narrowest to the widest: what is an integer converts to a double as well.
    for tried in [ColumnType::Integer, ColumnType::Float, ColumnType::Boolean, ColumnType::Date, ColumnType::Timestamp]
    {
        let parsed =
            file.parse(header.columns(|index| if open.contains_key(&index) { tried } else { ColumnType::Text }))?;
        for (index, tally) in parsed.tallies.iter().enumerate() {
            let Some(look) = open.get(&index) else { continue };
            if tally.rescued == 0 && look.allows(tried) {
                // The first type that fits is the column's; later ones are not tried on it.
                types.insert(index, look.exact(tried));
                open.remove(&index);
            }
        }
    }
    Ok(types)
}

/// Gives the declared columns their types: a decimal without precision is the smallest that holds all values, so that none is changed.
pub(super) fn decimals(
    header: &Header,
    texts: &ParsedSeed,
    written: &BTreeMap<usize, SeedType>,
) -> Result<BTreeMap<usize, ColumnType>, Vec<SeedFault>> {
    let mut types = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, data_type) in written {
        let name = header.names.get(*index).map(String::as_str).unwrap_or_default();
        match data_type {
            SeedType::Is(data_type) => {
                types.insert(*index, *data_type);
            }
            SeedType::AnyDecimal => match ColumnLook::at(texts, *index).smallest_decimal() {
                Some(data_type) => {
                    types.insert(*index, data_type);
                }
                None => faults.push(SeedFault::no_decimal(name)),
            },
        }
    }
    if faults.is_empty() { Ok(types) } else { Err(faults) }
}

impl ColumnLook {
    /// Returns `None` if the values have more digits than any decimal. A value that is no number is found when it is read.
    fn smallest_decimal(&self) -> Option<ColumnType> {
        // A column without values says nothing of its digits.
        if self.values == 0 {
            return Some(ColumnType::Decimal { precision: MOST_DIGITS as u8, scale: 9 });
        }
        let digits = (self.whole + self.places).max(1);
        let precision = u8::try_from(digits).ok().filter(|digits| usize::from(*digits) <= MOST_DIGITS)?;
        Some(ColumnType::Decimal { precision, scale: i8::try_from(self.places).ok()? })
    }

    fn at(texts: &ParsedSeed, column: usize) -> ColumnLook {
        let mut look = ColumnLook { is_plain: true, ..ColumnLook::default() };
        for batch in &texts.batches {
            let column = batch.column(column).as_any().downcast_ref::<StringArray>();
            let column = column.expect("a column that was read as text is text");
            column.iter().flatten().for_each(|text| look.add(text));
        }
        look
    }

    fn add(&mut self, text: &str) {
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
