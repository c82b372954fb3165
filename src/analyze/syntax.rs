//! What is rewritten in the parsed statement: types in microseconds and of numbers, texts of a length, numbers with an
//! exponent, and `at time zone` as a function.

use std::ops::ControlFlow;

use super::arithmetic::{WrittenNumber, written};
use super::{column_name, foreign, references, written_casts};
use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use sqlparser::ast::{
    BinaryOperator, CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Select, Statement, TableFactor, TimezoneInfo,
    Value, ValueWithSpan, VisitMut, VisitorMut,
};

/// The statement with every type as PostgreSQL means it.
pub(super) fn in_postgresql_types(mut statement: Statement) -> Result<Statement> {
    match statement.visit(&mut Rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(statement),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = DataFusionError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        column_name::give(&mut select.projection);
        references::complete_wildcards(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        foreign::in_known_words(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<DataFusionError> {
        foreign::series_as_table(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        foreign::in_known_forms(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let checked = match expr {
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast | CastKind::SafeCast,
                data_type,
                ..
            } => in_postgresql_type(data_type),
            Expr::TypedString(typed) => in_postgresql_type(&mut typed.data_type),
            _ => Ok(()),
        };
        if let Err(error) = checked {
            return ControlFlow::Break(error);
        }
        match expr {
            // PostgreSQL's own name for `time at time zone zone`.
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("timezone", [(**time_zone).clone(), (**timestamp).clone()]);
            }
            // A decimal of any digits has those of the value.
            Expr::Cast { kind, expr: value, data_type, .. } if is_decimal_of_any_digits(data_type) => {
                let is_try = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
                *expr = call(if is_try { "try_numeric" } else { "numeric" }, [(**value).clone()]);
            }
            Expr::Cast { expr: value, data_type, .. } => {
                written_casts::mark(value, data_type);
                if let Some(length) = most_letters(data_type) {
                    keep_first_letters(expr, length);
                }
            }
            Expr::Function(function) => {
                if let Some([left, right]) = remainder_of(function) {
                    let remainder =
                        Expr::BinaryOp { left: nested(left), op: BinaryOperator::Modulo, right: nested(right) };
                    *expr = Expr::Nested(Box::new(remainder));
                } else if let Some(rewritten) = foreign::rewritten(function) {
                    *expr = rewritten;
                }
            }
            // The engine has no type for an array of numbers beside a number of another type.
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: _ } => {
                if let Expr::Array(array) = right.as_mut()
                    && !array.elem.iter().all(is_text)
                {
                    let expression = Box::new(std::mem::replace(&mut **left, Expr::value(Value::Null)));
                    let list = std::mem::take(&mut array.elem);
                    *expr = Expr::InList { expr: expression, list, negated: false };
                }
            }
            Expr::Value(literal) => {
                let Value::Number(number, _) = &mut literal.value else { return ControlFlow::Continue(()) };
                match written(number) {
                    Ok(WrittenNumber::Plain(plain)) => *number = plain,
                    Ok(WrittenNumber::Whole(digits)) => {
                        let precision = u64::try_from(digits.len()).unwrap_or(u64::MAX);
                        let decimal = DataType::Numeric(ExactNumberInfo::PrecisionAndScale(precision, 0));
                        *expr = as_type(digits, decimal);
                    }
                    Ok(WrittenNumber::Double) => *expr = as_type(std::mem::take(number), DataType::DoublePrecision),
                    Err(message) => return ControlFlow::Break(plan_datafusion_err!("{message}")),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn in_postgresql_type(data_type: &mut DataType) -> Result<()> {
    other_name(data_type);
    if let Some((word, help)) = not_a_type(data_type) {
        return Err(plan_datafusion_err!("`{word}` is not a type of karat: {help}"));
    }
    match data_type {
        DataType::Timestamp(precision, _) => match precision {
            None | Some(6) => {
                *precision = Some(6);
                Ok(())
            }
            Some(digits) => Err(plan_datafusion_err!(
                "`timestamp({digits})` is not a type of karat, whose timestamps have microseconds: \
                 write `timestamp`, and `date_trunc('second', …)` where fractions are not wanted"
            )),
        },
        DataType::Datetime(None | Some(6)) | DataType::TimestampNtz(_) => {
            *data_type = DataType::Timestamp(Some(6), TimezoneInfo::None);
            Ok(())
        }
        // The engine would take 32 bits for all of these, and ten digits behind the point for a decimal of any digits.
        DataType::Float(ExactNumberInfo::None) => {
            *data_type = DataType::DoublePrecision;
            Ok(())
        }
        DataType::Float(ExactNumberInfo::Precision(bits)) => {
            *data_type = match bits {
                1..=24 => DataType::Real,
                25..=53 => DataType::DoublePrecision,
                _ => return Err(plan_datafusion_err!("`{data_type}` is not a type: a float has 1 to 53 bits")),
            };
            Ok(())
        }
        DataType::Numeric(digits) | DataType::Decimal(digits) | DataType::Dec(digits) => match digits {
            ExactNumberInfo::Precision(precision) | ExactNumberInfo::PrecisionAndScale(precision, _)
                if *precision > 38 =>
            {
                Err(plan_datafusion_err!("`{data_type}` is not a type of karat, whose decimals have at most 38 digits"))
            }
            _ => Ok(()),
        },
        DataType::Char(_) => Err(plan_datafusion_err!(
            "`{data_type}` is not a type of karat, whose texts are not filled up with blanks: write `varchar(n)` or `text`"
        )),
        DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(item, _)) => in_postgresql_type(item),
        _ => Ok(()),
    }
}

/// Names that other engines have for the same types.
fn other_name(data_type: &mut DataType) {
    *data_type = match data_type {
        DataType::CharacterVarying(size) | DataType::CharVarying(size) | DataType::Nvarchar(size) => {
            DataType::Varchar(size.take())
        }
        DataType::Int64 => DataType::BigInt(None),
        DataType::Int32 => DataType::Integer(None),
        DataType::Int16 => DataType::SmallInt(None),
        DataType::Float64 => DataType::DoublePrecision,
        DataType::Float32 => DataType::Real,
        DataType::Bytes(None) | DataType::Blob(None) | DataType::Varbinary(None) => DataType::Bytea,
        _ => return,
    };
}

/// Types that karat has not, and what to write instead.
fn not_a_type(data_type: &DataType) -> Option<(&'static str, &'static str)> {
    match data_type {
        DataType::Uuid => Some(("uuid", "write `text`, in which a UUID is kept as it is written")),
        DataType::JSON => Some(("json", "write `text`")),
        DataType::JSONB => Some(("jsonb", "write `text`")),
        DataType::UTinyInt => Some(("utinyint", "write `smallint`")),
        DataType::USmallInt => Some(("usmallint", "write `integer`")),
        DataType::UBigInt => Some(("ubigint", "write `decimal(20, 0)`")),
        DataType::UHugeInt => Some(("uhugeint", "write `decimal(38, 0)`")),
        DataType::HugeInt => Some(("hugeint", "write `decimal(38, 0)`")),
        DataType::Custom(name, digits) if name.to_string().eq_ignore_ascii_case("number") => match digits.as_slice() {
            [] => Some(("number", "write `numeric`, or `decimal(38, 0)` for whole numbers")),
            _ => Some(("number", "write `decimal(p, s)`")),
        },
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("variant") => {
            Some(("variant", "write `text`"))
        }
        _ => None,
    }
}

/// Takes the length off a `varchar(n)`, to which a cast cuts its text. The engine would pass it over.
fn most_letters(data_type: &mut DataType) -> Option<u64> {
    let DataType::Varchar(size) = data_type else { return None };
    match size.take() {
        Some(CharacterLength::IntegerLength { length, unit: _ }) => Some(length),
        Some(CharacterLength::Max) | None => None,
    }
}

fn keep_first_letters(text: &mut Expr, length: u64) {
    let length = Expr::value(Value::Number(length.to_string(), false));
    let written = std::mem::replace(text, Expr::value(Value::Null));
    *text = call("left", [written, length]);
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), span: _ }))
}

/// The number as a text that is cast.
fn as_type(number: String, data_type: DataType) -> Expr {
    let value = Expr::value(Value::SingleQuotedString(number));
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(value), data_type, array: false, format: None }
}

/// The arguments of `mod(a, b)`, which is `a % b`.
pub(super) fn remainder_of(function: &Function) -> Option<[&Expr; 2]> {
    let name = function.name.0.last()?.as_ident()?;
    let FunctionArguments::List(list) = &function.args else { return None };
    let is_plain = function.over.is_none() && function.filter.is_none() && list.clauses.is_empty();
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(left)), FunctionArg::Unnamed(FunctionArgExpr::Expr(right))]
            if is_plain && function.name.0.len() == 1 && name.value.eq_ignore_ascii_case("mod") =>
        {
            Some([left, right])
        }
        _ => None,
    }
}

fn nested(expr: &Expr) -> Box<Expr> {
    Box::new(Expr::Nested(Box::new(expr.clone())))
}

fn is_decimal_of_any_digits(data_type: &DataType) -> bool {
    use ExactNumberInfo::None as Any;
    matches!(data_type, DataType::Numeric(Any) | DataType::Decimal(Any) | DataType::Dec(Any))
}

pub(super) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let args = arguments.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
