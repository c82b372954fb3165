//! What is rewritten in the parsed statement: types in microseconds, and `at time zone` as a function.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err};
use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Statement, TimezoneInfo, VisitMut, VisitorMut,
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
        if let Expr::AtTimeZone { timestamp, time_zone } = expr {
            *expr = timezone((**time_zone).clone(), (**timestamp).clone());
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
        DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(item, _)) => in_microseconds(item),
        _ => Ok(()),
    }
}

/// `timezone(zone, time)`, PostgreSQL's own name for `time at time zone zone`.
fn timezone(zone: Expr, time: Expr) -> Expr {
    let args = [zone, time].map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("timezone")]),
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
