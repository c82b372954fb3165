//! Types that an engine means otherwise, and casts to them.

use sqlparser::ast::{DataType, ExactNumberInfo, Expr};

use super::{NotRewritten, Warehouse, typed};

/// Rewrites the value and the type of a cast.
pub(super) fn rewrite(engine: Warehouse, value: &mut Expr, to: &mut DataType) -> Result<(), NotRewritten> {
    in_postgresql_words(engine, to)?;
    match to {
        DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_) => *value = typed::text(engine, value),
        DataType::SmallInt(_) | DataType::Integer(_) | DataType::BigInt(_) => *value = typed::whole(engine, value),
        _ => {}
    }
    Ok(())
}

fn in_postgresql_words(engine: Warehouse, to: &mut DataType) -> Result<(), NotRewritten> {
    use ExactNumberInfo::{None as Any, Precision, PrecisionAndScale};
    if is_whole(to) {
        *to = match (engine, &*to) {
            (Warehouse::Spark, DataType::BigInt(_)) => DataType::BigInt(None),
            (Warehouse::Spark, DataType::SmallInt(_) | DataType::TinyInt(_)) => DataType::SmallInt(None),
            (Warehouse::Spark, _) => DataType::Integer(None),
            // A whole number of Snowflake has up to 38 digits, and one of BigQuery 64 bits.
            (Warehouse::Snowflake | Warehouse::BigQuery, _) => DataType::BigInt(None),
        };
        return Ok(());
    }
    *to = match (engine, &*to) {
        (_, DataType::String(_)) => DataType::Text,
        (Warehouse::Spark, DataType::Varchar(_) | DataType::Char(_) | DataType::Character(_)) => DataType::Text,
        (_, DataType::Numeric(Any) | DataType::Decimal(Any) | DataType::Dec(Any)) => {
            let (precision, scale) = match engine {
                Warehouse::Snowflake => (38, 0),
                Warehouse::BigQuery => (38, 9),
                Warehouse::Spark => (10, 0),
            };
            DataType::Decimal(PrecisionAndScale(precision, scale))
        }
        (Warehouse::Snowflake, DataType::Custom(name, digits)) if name.to_string().eq_ignore_ascii_case("number") => {
            match digits.as_slice() {
                [] => DataType::Decimal(PrecisionAndScale(38, 0)),
                [precision] => match precision.parse() {
                    Ok(precision) => DataType::Decimal(Precision(precision)),
                    Err(_) => return Ok(()),
                },
                [precision, scale, ..] => match (precision.parse(), scale.parse()) {
                    (Ok(precision), Ok(scale)) => DataType::Decimal(PrecisionAndScale(precision, scale)),
                    _ => return Ok(()),
                },
            }
        }
        (Warehouse::Snowflake, DataType::Float(_) | DataType::Real | DataType::Double(_)) => DataType::DoublePrecision,
        (Warehouse::Spark, DataType::Float(_)) => DataType::Real,
        (Warehouse::BigQuery, DataType::BigNumeric(_) | DataType::BigDecimal(_)) => {
            return Err(NotRewritten::new("`bignumeric` is not supported", "write `numeric`, or `decimal(38, 9)`"));
        }
        _ => return Ok(()),
    };
    Ok(())
}

fn is_whole(to: &DataType) -> bool {
    matches!(
        to,
        DataType::TinyInt(_)
            | DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Int64
    )
}
