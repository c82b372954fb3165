//! The types of the columns of sources and seeds, by the words that YAML has for them.

/// The type of a column in a file of text, as YAML names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    /// A 64-bit integer.
    Integer,
    /// A 64-bit float.
    Float,
    Boolean,
    /// A day.
    Date,
    /// A UTC instant in microseconds.
    Timestamp,
    Decimal {
        precision: u8,
        scale: i8,
    },
}

impl ColumnType {
    /// The words for the types, one for each.
    pub const WORDS: [&'static str; 7] = ["text", "integer", "float", "boolean", "date", "timestamp", "decimal(18, 2)"];

    /// The type with its article, as the end of a sentence.
    pub fn word(self) -> &'static str {
        match self {
            ColumnType::Text => "a text",
            ColumnType::Integer => "an integer",
            ColumnType::Float => "a float",
            ColumnType::Boolean => "a boolean",
            ColumnType::Date => "a date",
            ColumnType::Timestamp => "a timestamp",
            ColumnType::Decimal { .. } => "a decimal",
        }
    }

    /// The word that YAML has for it.
    pub fn yaml_word(self) -> String {
        match self {
            ColumnType::Text => "text".to_owned(),
            ColumnType::Integer => "integer".to_owned(),
            ColumnType::Float => "float".to_owned(),
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Timestamp => "timestamp".to_owned(),
            ColumnType::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        }
    }

    /// What PostgreSQL calls the type that a column has once it is read.
    pub fn sql_name(self) -> String {
        match self {
            ColumnType::Text => "text".to_owned(),
            ColumnType::Integer => "bigint".to_owned(),
            ColumnType::Float => "double precision".to_owned(),
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Timestamp => "timestamp".to_owned(),
            ColumnType::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
        }
    }

    /// Parses the word for a type, also the ones that are usual elsewhere: `bigint`, `varchar(20)`, `numeric(18, 2)`.
    pub fn parse(text: &str) -> Option<ColumnType> {
        let lower = text.trim().to_ascii_lowercase();
        let (word, arguments) = match lower.strip_suffix(')').and_then(|open| open.split_once('(')) {
            Some((word, arguments)) => (word.trim_end(), Some(arguments)),
            None => (lower.as_str(), None),
        };
        match (word, arguments) {
            (
                "text" | "string" | "varchar" | "nvarchar" | "character varying" | "character" | "char" | "bpchar",
                None,
            ) => Some(ColumnType::Text),
            ("text" | "string" | "varchar" | "nvarchar" | "character varying" | "character" | "char", Some(length)) => {
                let is_length = length.trim() == "max" || length.trim().parse::<u32>().is_ok();
                is_length.then_some(ColumnType::Text)
            }
            (
                "integer" | "bigint" | "int" | "smallint" | "tinyint" | "byteint" | "long" | "int2" | "int4" | "int8"
                | "int16" | "int32" | "int64",
                None,
            ) => Some(ColumnType::Integer),
            ("float" | "double" | "double precision" | "real" | "float4" | "float8" | "float32" | "float64", None) => {
                Some(ColumnType::Float)
            }
            ("boolean" | "bool", None) => Some(ColumnType::Boolean),
            ("date", None) => Some(ColumnType::Date),
            ("timestamp" | "timestamp without time zone" | "timestamp_ntz" | "timestampntz" | "datetime", None) => {
                Some(ColumnType::Timestamp)
            }
            // More digits of a second than six are none that a table holds: values that have them do not convert.
            ("timestamp" | "timestamp_ntz" | "datetime", Some(digits)) => {
                digits.trim().parse::<u8>().ok().filter(|digits| *digits <= 9).map(|_| ColumnType::Timestamp)
            }
            ("decimal" | "numeric" | "number" | "dec", Some(arguments)) => decimal(arguments),
            ("hugeint", None) => Some(ColumnType::Decimal { precision: 38, scale: 0 }),
            _ => None,
        }
    }
}

/// Precision and scale, as they fit 128 bits.
fn decimal(arguments: &str) -> Option<ColumnType> {
    let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
    let precision: u8 = precision.trim().parse().ok().filter(|precision| (1..=38).contains(precision))?;
    let scale: i8 = scale.trim().parse().ok().filter(|scale| *scale >= 0)?;
    (scale.unsigned_abs() <= precision).then_some(ColumnType::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use super::ColumnType;

    #[test]
    fn a_type_has_the_words_that_are_usual_elsewhere() {
        for word in ColumnType::WORDS {
            assert!(ColumnType::parse(word).is_some(), "{word}");
        }
        assert_eq!(ColumnType::parse("VARCHAR(20)"), Some(ColumnType::Text));
        assert_eq!(ColumnType::parse("numeric(10,2)"), Some(ColumnType::Decimal { precision: 10, scale: 2 }));
        assert_eq!(ColumnType::parse("NUMBER(38)"), Some(ColumnType::Decimal { precision: 38, scale: 0 }));
        assert_eq!(ColumnType::parse("timestamp_ntz(9)"), Some(ColumnType::Timestamp));
        for wrong in [
            "",
            "decimal",
            "timestamptz",
            "varchar(x)",
            "decimal(0,0)",
            "decimal(39,1)",
            "decimal(3,4)",
            "decimal(3,-1)",
            "blob",
            "date(",
        ] {
            assert_eq!(ColumnType::parse(wrong), None, "{wrong}");
        }
    }
}
