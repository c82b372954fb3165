//! What is rewritten in the parsed statement: types in microseconds, texts of a length, and `at time zone` as a function.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use sqlparser::ast::{
    CastKind, CharacterLength, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Statement, TimezoneInfo, Value, VisitMut, VisitorMut,
};

/// The statement with every type of time as PostgreSQL means it.
pub(in crate::analyze) fn in_postgresql_types(mut statement: Statement) -> Result<Statement> {
    match statement.visit(&mut Rewriter) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(statement),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let checked = match expr {
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast | CastKind::SafeCast,
                data_type,
                ..
            } => in_microseconds(data_type),
            Expr::TypedString(typed) => in_microseconds(&mut typed.data_type),
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
            Expr::Cast { data_type, .. } => {
                if let Some(length) = most_letters(data_type) {
                    let length = Expr::value(Value::Number(length.to_string(), false));
                    *expr = call("left", [expr.clone(), length]);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn in_microseconds(data_type: &mut DataType) -> Result<()> {
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
        DataType::Char(_) => Err(plan_datafusion_err!(
            "`{data_type}` is not a type of karat, whose texts are not filled up with blanks: write `varchar(n)` or `text`"
        )),
        DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(item, _)) => in_microseconds(item),
        _ => Ok(()),
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

fn call(name: &str, arguments: [Expr; 2]) -> Expr {
    let args = arguments.map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.to_vec(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
