//! Why a number cannot be computed: what PostgreSQL stops at, so that no wrapped, infinite or undefined value is stored.

use std::fmt;

use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;

/// An expression that has no value of its type for some row.
#[derive(Debug)]
pub(crate) struct ArithmeticFault {
    /// As its author wrote it.
    expression: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    DoesNotFit(&'static str),
    DividesByZero,
    /// As the logarithm of a negative number.
    Undefined,
    /// The result is not zero, but nearer to it than any number of its type.
    Vanishes,
}

impl fmt::Display for ArithmeticFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expression = &self.expression;
        match self.kind {
            Kind::DoesNotFit(data_type) => write!(formatter, "`{expression}` does not fit the type {data_type}"),
            Kind::DividesByZero => write!(formatter, "`{expression}` divides by zero"),
            Kind::Undefined => write!(formatter, "`{expression}` has no result for one of the values"),
            Kind::Vanishes => write!(formatter, "`{expression}` is too small for a floating-point number"),
        }
    }
}

impl std::error::Error for ArithmeticFault {}

impl ArithmeticFault {
    /// What to write instead.
    pub fn help(&self) -> &'static str {
        match self.kind {
            Kind::DoesNotFit("double precision" | "real") => {
                "leave such rows out with `where`, or compute with decimals: `cast(… as decimal(38, 10))`"
            }
            Kind::DoesNotFit(_) => "compute it in a wider type: `cast(… as decimal(38, 0))`",
            Kind::DividesByZero => "make the result null where the divisor is zero: `… / nullif(divisor, 0)`",
            Kind::Undefined => "leave such rows out with `where`, or say with `case` what they should become",
            Kind::Vanishes => "round the values before, or say with `case` where the result is zero",
        }
    }
}

fn fault(expression: &str, kind: Kind) -> DataFusionError {
    DataFusionError::External(Box::new(ArithmeticFault { expression: expression.to_owned(), kind }))
}

/// The error of an expression whose result does not fit its type.
pub(in crate::analyze) fn overflow_of(expression: &str, data_type: &DataType) -> DataFusionError {
    let data_type = match data_type {
        DataType::Int8 | DataType::UInt8 => "tinyint",
        DataType::Int16 | DataType::UInt16 => "smallint",
        DataType::Int32 | DataType::UInt32 => "integer",
        DataType::Int64 | DataType::UInt64 => "bigint",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        _ => "decimal",
    };
    fault(expression, Kind::DoesNotFit(data_type))
}

pub(super) fn division_by_zero(expression: &str) -> DataFusionError {
    fault(expression, Kind::DividesByZero)
}

pub(super) fn undefined(expression: &str) -> DataFusionError {
    fault(expression, Kind::Undefined)
}

pub(super) fn vanishing(expression: &str) -> DataFusionError {
    fault(expression, Kind::Vanishes)
}
