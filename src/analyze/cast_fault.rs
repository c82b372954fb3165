//! What the engine says of a value that has no place in a type, in the words of SQL: it names its own types, `Int32` and
//! `Decimal128(38, 10)`, which no author has written.

use std::str::FromStr as _;

use arrow::datatypes::DataType;

use super::rewrite::type_name;

/// A value that cannot be cast.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CastFault {
    /// One short fact.
    pub message: String,
    /// What to write where the value differs from row to row.
    pub help: String,
}

impl CastFault {
    /// Reads a message of the engine. Returns `None` if it is about something else.
    pub fn of_engine(message: &str) -> Option<CastFault> {
        let message = message.lines().next().unwrap_or(message).trim_end_matches('.');
        not_of_the_type(message).or_else(|| too_large(message)).or_else(|| no_cast(message))
    }
}

/// A text that is no value of a type.
fn not_of_the_type(message: &str) -> Option<CastFault> {
    let rest = ["Cannot cast string '", "Cannot cast value '"].iter().find_map(|start| after(message, start))?;
    let (text, rest) = rest.rsplit_once("' to value of ")?;
    let data_type = sql_type(rest.strip_suffix(" type")?)?;
    // A text is read with all digits that a decimal can have, whatever the digits of the type are.
    let word = data_type.split('(').next().unwrap_or(&data_type);
    Some(CastFault {
        message: format!("the text `{text}` is not of the type {word}"),
        help: format!("write `try_cast(… as {word})`, which is null there, or leave such rows out with `where`"),
    })
}

/// A number that the type does not hold.
fn too_large(message: &str) -> Option<CastFault> {
    let (value, data_type) = if let Some(rest) = after(message, "Can't cast value ") {
        let (value, data_type) = rest.split_once(" to type ")?;
        (value, sql_type(data_type)?)
    } else if let Some((start, rest)) = message.split_once(" to store in a Decimal") {
        let (value, _) = start.rsplit_once(" is too ")?;
        let value = value.rsplit(' ').next()?;
        let precision: u8 = rest.split_once("precision ")?.1.split('.').next()?.parse().ok()?;
        // The digits behind the point are those of the bound, and of the value.
        let scale = value.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        (value, format!("decimal({precision}, {scale})"))
    } else if let Some(rest) = after(message, "Cannot cast to ") {
        let (data_type, value) = rest.split_once(". Overflowing on ")?;
        (value, sql_type(data_type)?)
    } else {
        let (data_type, rest) = message.split_once("Array overflow on ")?;
        let data_type = data_type.rsplit(' ').next()?;
        (rest, sql_type(data_type)?)
    };
    Some(CastFault {
        message: format!("`{value}` does not fit the type {data_type}"),
        help: "cast it to a wider type: `bigint`, `decimal(38, 10)`".to_owned(),
    })
}

/// Types between which there is no cast.
fn no_cast(message: &str) -> Option<CastFault> {
    let rest = ["Unsupported CAST from ", "Casting from "].iter().find_map(|start| after(message, start))?;
    let (from, to) = rest.split_once(" to ")?;
    let to = to.strip_suffix(" not supported").unwrap_or(to);
    Some(CastFault {
        message: format!("{} is not cast to {}", sql_type(from)?, sql_type(to)?),
        help: "say with `case` what each value becomes".to_owned(),
    })
}

fn after<'m>(message: &'m str, start: &str) -> Option<&'m str> {
    message.split_once(start).map(|(_, rest)| rest)
}

/// What PostgreSQL calls a type that the engine has written.
fn sql_type(written: &str) -> Option<String> {
    DataType::from_str(written.trim()).ok().map(|data_type| type_name(&data_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_sql() {
        let cases = [
            (
                "Cast error: Cannot cast string 'x-1' to value of Int16 type",
                "the text `x-1` is not of the type smallint",
            ),
            ("Cannot cast string 'a' to value of Decimal128(38, 10) type", "the text `a` is not of the type decimal"),
            ("Cannot cast value 'abc' to value of Boolean type", "the text `abc` is not of the type boolean"),
            ("Cast error: Can't cast value 99999 to type Int16", "`99999` does not fit the type smallint"),
            (
                "9999.00 is too large to store in a Decimal128 of precision 4. Max is 99.99",
                "`9999.00` does not fit the type decimal(4, 2)",
            ),
            ("Compute error: Int16Array overflow on abs(-32768)", "`abs(-32768)` does not fit the type smallint"),
            ("This feature is not implemented: Unsupported CAST from Boolean to Date32", "boolean is not cast to date"),
        ];
        for (message, expected) in cases {
            assert_eq!(CastFault::of_engine(message).map(|fault| fault.message).as_deref(), Some(expected));
        }
        assert_eq!(CastFault::of_engine("Cannot cast string 'a'"), None);
    }
}
