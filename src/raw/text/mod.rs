//! Turns the text of a field into a value, strictly: nothing is trimmed, rounded or guessed. Other forms than the usual
//! ones are read where a source declares them.

mod boolean;
mod number;
mod time;

pub(super) use boolean::{boolean, declared_boolean};
pub(super) use number::{comma_float, decimal, declared_decimal, float, integer, lenient_integer};
pub(super) use time::{date, plain_timestamp, timestamp};

#[cfg(test)]
use super::field::Field;

/// Converts a text that ends the block and one with more text behind it; both must agree.
#[cfg(test)]
fn both<T: PartialEq + std::fmt::Debug>(convert: impl Fn(Field<'_>) -> Option<T>, text: &str) -> Option<T> {
    let value = convert(Field::new(text.as_bytes()));
    let block = format!("{text},12345678901234567890");
    assert_eq!(convert(Field::within(block.as_bytes(), text.len())), value, "{text}");
    value
}
