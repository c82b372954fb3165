//! What is wrong with a call or a cast of literals, and where it stands in the statement.

use std::fmt;
use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};
use sqlparser::ast::{self, Spanned as _, Value, ValueWithSpan, Visit, Visitor};
use sqlparser::tokenizer::Span;

use super::rewrite::{shown, type_name};
use super::wording::{fact_and_remedy, lower_first};
use crate::diag::{Code, Diagnostic};

/// A call or cast that can never be computed, whatever the rows are.
#[derive(Debug)]
pub(super) struct LiteralFault {
    message: String,
    help: String,
    code: Code,
    /// By which names the call may be written; empty if it is no call and no cast.
    names: Vec<String>,
    /// The literals in it, as they may be written.
    literals: Vec<String>,
}

impl fmt::Display for LiteralFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for LiteralFault {}

impl From<LiteralFault> for DataFusionError {
    fn from(fault: LiteralFault) -> DataFusionError {
        DataFusionError::External(Box::new(fault))
    }
}

impl LiteralFault {
    pub fn of(expr: &Expr, message: String) -> LiteralFault {
        let lowered = message.to_lowercase();
        let is_of_types = ["coerc", "type", "cast"].iter().any(|word| lowered.contains(word));
        let (names, arguments) = call_of(expr);
        let (message, help) = match fact_and_remedy(&message) {
            Some((fact, remedy)) => (fact.to_owned(), remedy),
            None => (message, "correct the value: it is the same in every row".to_owned()),
        };
        LiteralFault {
            message,
            help,
            code: if is_of_types { Code::WrongType } else { Code::InvalidPlan },
            names,
            literals: arguments.iter().filter_map(literal).collect(),
        }
    }

    pub fn with_help(self, help: String) -> LiteralFault {
        LiteralFault { help, ..self }
    }

    pub fn of_types(self) -> LiteralFault {
        LiteralFault { code: Code::WrongType, ..self }
    }

    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(self.code, lower_first(&self.message)).help(&self.help)
    }

    /// Where it stands: a literal that the message is about, or the call.
    pub fn place(&self, statement: &ast::Statement) -> Option<Span> {
        let mut finder = CallFinder { fault: self, among: &self.literals, found: None };
        let _stopped = statement.visit(&mut finder);
        if finder.found.is_none() {
            // What was computed for the plan reads otherwise than what was written.
            finder.among = &[];
            let _stopped = statement.visit(&mut finder);
        }
        finder.found
    }
}

/// The names by which a call may be written, and its arguments.
fn call_of(expr: &Expr) -> (Vec<String>, &[Expr]) {
    let named = |name: &str, aliases: &[String]| {
        let others = others(name).iter().map(|other| (*other).to_owned());
        std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).chain(others).collect()
    };
    match expr {
        Expr::Cast(cast) => (vec!["cast".to_owned()], std::slice::from_ref(cast.expr.as_ref())),
        Expr::ScalarFunction(function) if function.name().starts_with("to_") && function.args.len() == 1 => {
            (vec!["cast".to_owned(), function.name().to_owned()], &function.args)
        }
        Expr::ScalarFunction(function) => (named(function.name(), function.func.aliases()), &function.args),
        Expr::AggregateFunction(function) => {
            (named(function.func.name(), function.func.aliases()), &function.params.args)
        }
        Expr::WindowFunction(function) => {
            let names = match &function.fun {
                WindowFunctionDefinition::WindowUDF(window) => named(window.name(), window.aliases()),
                WindowFunctionDefinition::AggregateUDF(aggregate) => named(aggregate.name(), aggregate.aliases()),
            };
            (names, &function.params.args)
        }
        _ => (Vec::new(), &[]),
    }
}

/// Forms of SQL that become a call of this name.
fn others(name: &str) -> &'static [&'static str] {
    match name {
        "substr" => &["substring"],
        "timezone" => &["at time zone"],
        _ => &[],
    }
}

/// A literal as it is written in SQL, without its sign and quotes.
fn literal(expr: &Expr) -> Option<String> {
    let value = match expr {
        Expr::Literal(value, _) => value,
        Expr::Cast(cast) => return literal(&cast.expr),
        Expr::Negative(inner) => return literal(inner),
        _ => return None,
    };
    match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => text.clone(),
        value if value.data_type().is_numeric() && !value.is_null() => {
            Some(value.to_string().trim_start_matches('-').to_owned())
        }
        _ => None,
    }
}

/// A call of literals and columns as its author may have written it.
pub(super) fn as_written(expr: &Expr) -> String {
    let argument = |expr: &Expr| match expr {
        Expr::Literal(value, _) => match literal_text(value) {
            Some(text) => format!("'{}'", text.replace('\'', "''")),
            None => value.to_string(),
        },
        other => as_written(other),
    };
    match expr {
        Expr::ScalarFunction(function) if !function.name().contains(' ') => {
            let arguments: Vec<String> = function.args.iter().map(argument).collect();
            format!("{}({})", function.name(), arguments.join(", "))
        }
        Expr::Cast(cast) if is_text_literal(&cast.expr) => argument(&cast.expr),
        Expr::Cast(cast) => format!("cast({} as {})", argument(&cast.expr), type_name(cast.field.data_type())),
        Expr::Literal(..) => argument(expr),
        other => shown(other),
    }
}

/// Whether it is a literal that nobody need cast.
pub(super) fn is_text_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.data_type().is_string())
}

fn literal_text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

/// Looks for the innermost call of one of the names with all of the literals.
struct CallFinder<'f> {
    fault: &'f LiteralFault,
    among: &'f [String],
    found: Option<Span>,
}

impl CallFinder<'_> {
    /// The place of the literal that the message quotes, of the only literal of a cast, or of the call's name.
    fn place_in(&self, call: &ast::Expr, literals: &[ValueWithSpan]) -> Option<Span> {
        let quoted: Vec<&str> = self.fault.message.split('`').skip(1).step_by(2).collect();
        let is_quoted = |found: &&ValueWithSpan| {
            let text = text_of(&found.value);
            text.is_some_and(|text| quoted.iter().any(|quoted| quoted.trim_start_matches('-') == text))
        };
        let place = literals.iter().find(is_quoted).map(|found| found.span);
        let of_cast = || literals.first().filter(|_| is_cast(call)).map(|found| found.span);
        let name = || match call {
            ast::Expr::Function(function) => Some(function.name.span()),
            other => Some(other.span()),
        };
        place.or_else(of_cast).or_else(name).filter(|span| span.start.line > 0)
    }
}

impl Visitor for CallFinder<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &ast::Expr) -> ControlFlow<()> {
        let is_call = self.fault.names.iter().any(|name| match expression {
            ast::Expr::Function(function) => function.name.to_string().eq_ignore_ascii_case(name),
            ast::Expr::Substring { .. } => name == "substring",
            ast::Expr::Overlay { .. } => name == "overlay",
            ast::Expr::AtTimeZone { .. } => name == "at time zone",
            other => is_cast(other) && name == "cast",
        });
        if !is_call {
            return ControlFlow::Continue(());
        }
        let literals = literals_of(expression);
        let has = |wanted: &String| literals.iter().any(|found| text_of(&found.value) == Some(wanted.as_str()));
        if !self.among.iter().all(has) {
            return ControlFlow::Continue(());
        }
        self.found = self.place_in(expression, &literals);
        if self.found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_cast(expression: &ast::Expr) -> bool {
    matches!(expression, ast::Expr::Cast { .. } | ast::Expr::TypedString(_))
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
        Value::Number(digits, _) => Some(digits),
        _ => None,
    }
}

/// All literals in an expression.
fn literals_of(expression: &ast::Expr) -> Vec<ValueWithSpan> {
    struct Literals(Vec<ValueWithSpan>);
    impl Visitor for Literals {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &ast::Expr) -> ControlFlow<()> {
            match expression {
                ast::Expr::Value(value) => self.0.push(value.clone()),
                ast::Expr::TypedString(typed) => self.0.push(typed.value.clone()),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut literals = Literals(Vec::new());
    let _whole = expression.visit(&mut literals);
    literals.0
}
