//! Expressions: operators that mean something else in PostgreSQL, and forms that the planner does not know.

use sqlparser::ast::{BinaryOperator, Expr, Interval, Spanned, Value, ValueWithSpan};

use super::StatementWalk;
use crate::analyze::foreign;

/// How an operator binds, where PostgreSQL lets it stand once in a row only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    Comparison,
    Match,
    Distinct,
}

impl StatementWalk<'_> {
    pub(super) fn expression(&mut self, expression: &Expr) {
        self.chained(expression);
        let at = expression.span();
        match expression {
            Expr::Function(function) => self.function(function),
            Expr::BinaryOp { left: _, op, right: _ } => self.binary(op, expression),
            Expr::Like { negated, any, expr: _, pattern, escape_char }
            | Expr::ILike { negated, any, expr: _, pattern, escape_char } => {
                if *any && (*negated || foreign::patterns_of(pattern).is_none()) {
                    self.unsupported(at, "like any", "write one LIKE for each pattern, with `or` between them");
                }
                self.escape(escape_char.as_ref());
                self.dangling_escape(pattern);
            }
            Expr::SimilarTo { .. } => self.unsupported(at, "similar to", "write `a ~ '^(…)$'`, a regular expression"),
            Expr::RLike { expr, .. } => self.unsupported(expr.span(), "rlike", "write `a ~ '…'`"),
            Expr::Cast { kind: _, expr: _, data_type: _, array, format } => {
                if *array || format.is_some() {
                    self.unsupported(at, "cast with a format", "write `to_date(…)` or `to_timestamp(…)`");
                }
            }
            Expr::Convert { .. } => self.unsupported(at, "convert", "write `cast(… as …)`"),
            Expr::Collate { .. } => {
                self.unsupported(at, "collate", "leave it out: texts compare by their bytes, as in `\"C\"`");
            }
            Expr::IsNormalized { .. } => self.unsupported(at, "is normalized", "compare the texts themselves"),
            Expr::InUnnest { .. } => self.unsupported(at, "in unnest", "write `a = any(…)`"),
            Expr::Prefixed { .. } => self.unsupported(at, "a text with a character set", "write the text alone"),
            Expr::MatchAgainst { .. } => self.unsupported(at, "match against", "write `a ~ '…'`"),
            Expr::MemberOf(_) => self.unsupported(at, "member of", "write `a = any(…)`"),
            Expr::OuterJoin(_) => self.unsupported(at, "(+)", "write `left join … on`"),
            Expr::JsonAccess { value, path: _ } => {
                let help = "for a name write `… as name`; karat has no paths into JSON: declare the values as columns of the source";
                self.unsupported(value.span(), ":", help);
            }
            Expr::Prior(_) => self.unsupported(at, "prior", "write `with recursive`"),
            Expr::Named { .. } => self.unsupported(at, "as in an expression", "name the column in the SELECT list"),
            Expr::Interval(Interval {
                value: _,
                leading_field: _,
                leading_precision,
                last_field,
                fractional_seconds_precision,
            }) => {
                if leading_precision.is_some() || last_field.is_some() || fractional_seconds_precision.is_some() {
                    self.unsupported(at, "interval … to …", "write the units out: `interval '1 day 2 hours'`");
                }
            }
            _ => self.plain(expression),
        }
    }

    /// Every other form: the planner obeys all of its fields, or says that it does not know it.
    fn plain(&mut self, expression: &Expr) {
        let at = expression.span();
        match expression {
            Expr::Value(ValueWithSpan { value, span }) => self.value(value, *span),
            Expr::Identifier(name) => {
                if name.quote_style.is_none() && name.value.starts_with('@') {
                    let message = format!("`{name}` is a variable, and a model has none");
                    self.refuse(at, message, "pass the value as a variable: `{{ var('…') }}`");
                }
            }
            Expr::CompoundIdentifier(_) | Expr::Nested(_) | Expr::Wildcard(_) => {}
            Expr::CompoundFieldAccess { root: _, access_chain: _ } => {}
            Expr::IsFalse(_) | Expr::IsNotFalse(_) | Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsNull(_) => {}
            Expr::IsNotNull(_) | Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => {}
            Expr::IsDistinctFrom(_, _) | Expr::IsNotDistinctFrom(_, _) => {}
            Expr::InList { expr: _, list: _, negated: _ } | Expr::InSubquery { expr: _, subquery: _, negated: _ } => {}
            Expr::Between { expr: _, negated: _, low: _, high: _ } | Expr::UnaryOp { op: _, expr: _ } => {}
            Expr::AnyOp { left: _, compare_op: _, right: _, is_some: _ } => {}
            Expr::AllOp { left: _, compare_op: _, right: _ } | Expr::AtTimeZone { timestamp: _, time_zone: _ } => {}
            Expr::Extract { field: _, syntax: _, expr: _ } | Expr::Position { expr: _, r#in: _ } => {}
            Expr::Ceil { expr: _, field: _ } | Expr::Floor { expr: _, field: _ } => {}
            Expr::Substring { expr: _, substring_from: _, substring_for: _, special: _, shorthand: _ } => {}
            Expr::Trim { trim_where: _, trim_what: _, expr: _, trim_characters: _ } => {}
            Expr::Overlay { expr: _, overlay_what: _, overlay_from: _, overlay_for: _ } => {}
            Expr::TypedString(_) | Expr::Subquery(_) | Expr::Exists { subquery: _, negated: _ } => {}
            Expr::Case { case_token: _, end_token: _, operand: _, conditions: _, else_result: _ } => {}
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) | Expr::Tuple(_) => {}
            Expr::Struct { values: _, fields: _ } | Expr::Dictionary(_) | Expr::Map(_) | Expr::Array(_) => {}
            Expr::QualifiedWildcard(_, _) | Expr::Lambda(_) => {}
            // Looked at above.
            Expr::Function(_)
            | Expr::BinaryOp { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::SimilarTo { .. }
            | Expr::RLike { .. }
            | Expr::Cast { .. }
            | Expr::Convert { .. }
            | Expr::Collate { .. }
            | Expr::IsNormalized { .. }
            | Expr::InUnnest { .. }
            | Expr::Prefixed { .. }
            | Expr::MatchAgainst { .. }
            | Expr::MemberOf(_)
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::JsonAccess { .. }
            | Expr::Named { .. }
            | Expr::Interval(_) => {}
        }
    }

    fn value(&mut self, value: &Value, at: sqlparser::tokenizer::Span) {
        if let Value::Placeholder(name) = value {
            let message = format!("`{name}` is a parameter, and a model has none");
            self.refuse(at, message, "pass the value as a variable: `{{ var('…') }}`");
        }
    }

    fn binary(&mut self, op: &BinaryOperator, expression: &Expr) {
        let at = expression.span();
        match op {
            // PostgreSQL raises to a power, the engine takes bits.
            BinaryOperator::BitwiseXor | BinaryOperator::PGExp => {
                self.unsupported(at, "^", "write `power(a, b)`; for bits `(a | b) - (a & b)`");
            }
            BinaryOperator::DuckIntegerDivide => {
                self.unsupported(at, "//", "write `a / b`: of two integers it is a whole number, cut off towards zero");
            }
            BinaryOperator::Xor => self.unsupported(at, "xor", "write `a <> b`"),
            BinaryOperator::Spaceship => self.unsupported(at, "<=>", "write `a is not distinct from b`"),
            BinaryOperator::Assignment => self.unsupported(at, ":=", "write `=` to compare"),
            BinaryOperator::Overlaps => {
                self.unsupported(at, "overlaps", "write `a.start < b.end and b.start < a.end`");
            }
            BinaryOperator::Arrow
            | BinaryOperator::LongArrow
            | BinaryOperator::HashArrow
            | BinaryOperator::HashLongArrow
            | BinaryOperator::Question
            | BinaryOperator::QuestionAnd
            | BinaryOperator::QuestionPipe
            | BinaryOperator::HashMinus
            | BinaryOperator::AtQuestion
            | BinaryOperator::AtAt => {
                let help = "karat has no paths into JSON and no lambdas: declare the values as columns of the source, or unnest an array";
                self.unsupported(at, &op.to_string(), help);
            }
            _ => {}
        }
    }

    /// PostgreSQL stops at a pattern that ends with its escape character, and the engine matches something.
    fn dangling_escape(&mut self, pattern: &Expr) {
        let patterns = foreign::patterns_of(pattern).unwrap_or_else(|| vec![pattern]);
        for pattern in patterns {
            let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), span }) = pattern else { continue };
            let backslashes = text.len() - text.trim_end_matches('\\').len();
            if backslashes % 2 == 1 {
                let message = format!("the pattern `{text}` ends with a backslash that escapes nothing");
                self.refuse(*span, message, "write two of them for a backslash of the text: `'a\\\\'`");
            }
        }
    }

    /// The engine knows one escape character.
    fn escape(&mut self, escape: Option<&ValueWithSpan>) {
        let Some(ValueWithSpan { value, span }) = escape else {
            return;
        };
        if !matches!(value, Value::SingleQuotedString(text) if text == "\\") {
            let message = format!("`escape {value}` is not supported");
            self.refuse(*span, message, "escape with a backslash, which needs no `escape`: `like '50\\%'`");
        }
    }

    /// `a = b = c` is an error in PostgreSQL, and means one thing here and another thing elsewhere.
    fn chained(&mut self, expression: &Expr) {
        let Some((chain, operands)) = operands(expression) else {
            return;
        };
        let again = operands.into_iter().find(|operand| self::chain(operand) == Some(chain));
        if again.is_some() {
            let message = "chained comparisons do not compare all of their sides".to_owned();
            self.refuse(expression.span(), message, "compare two at a time: `a < b and b < c`; or use parentheses");
        }
    }
}

fn chain(expression: &Expr) -> Option<Chain> {
    match expression {
        Expr::BinaryOp { op, .. } if compares(op) => Some(Chain::Comparison),
        Expr::Like { .. } | Expr::ILike { .. } | Expr::Between { .. } => Some(Chain::Match),
        Expr::InList { .. } | Expr::InSubquery { .. } => Some(Chain::Match),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => Some(Chain::Distinct),
        _ => None,
    }
}

/// An expression that may not stand in its like without parentheses, and what it stands between.
fn operands(expression: &Expr) -> Option<(Chain, Vec<&Expr>)> {
    let operands: Vec<&Expr> = match expression {
        Expr::BinaryOp { left, op: _, right } => vec![&**left, &**right],
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => vec![&**expr, &**pattern],
        Expr::Between { expr, high, .. } => vec![&**expr, &**high],
        Expr::InList { expr, .. } | Expr::InSubquery { expr, .. } => vec![&**expr],
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => vec![&**left, &**right],
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => return Some((Chain::Distinct, vec![&**inner])),
        Expr::IsTrue(inner) | Expr::IsNotTrue(inner) => return Some((Chain::Distinct, vec![&**inner])),
        Expr::IsFalse(inner) | Expr::IsNotFalse(inner) => return Some((Chain::Distinct, vec![&**inner])),
        _ => return None,
    };
    Some((chain(expression)?, operands))
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}
