//! How an author's expression reads, and the checked calls that keep it, so that their errors can name it.

use arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, Operator};

use super::guard::is_guard;
use super::number_cast::NumberCast;
use super::operator::CheckedOperator;
use super::zero;
use crate::analyze::rewrite::{shown, type_name};

/// `left operator right`, checked.
pub(super) fn operation(left: Expr, operator: Operator, right: Expr) -> Expr {
    let text = format!("{} {operator} {}", operand(&left), operand(&right));
    CheckedOperator::call(text, left, operator, right)
}

/// `-value`, checked; `zero` is of its type.
pub(super) fn negation(zero: Expr, value: Expr) -> Expr {
    let text = format!("-{}", operand(&value));
    CheckedOperator::call(text, zero, Operator::Minus, value)
}

/// A cast of numbers that the author has written.
pub(super) fn written_cast(value: Expr, to: DataType, is_try: bool) -> Expr {
    let function = if is_try { "try_cast" } else { "cast" };
    let text = format!("{function}({} as {})", argument(&value), type_name(&to));
    NumberCast::call(value, to, is_try, text)
}

/// A cast of numbers that is not in the author's text.
pub(super) fn implicit_cast(value: Expr, to: DataType) -> Expr {
    let text = operand(&value);
    NumberCast::call(value, to, false, text)
}

/// What stands between the parentheses of a call or a cast, as the author wrote it.
pub(super) fn argument(expr: &Expr) -> String {
    match expr {
        Expr::ScalarFunction(function) => match CheckedOperator::text_of(function) {
            Some(text) => text.to_owned(),
            None => operand(expr),
        },
        Expr::Cast(cast) => argument(&cast.expr),
        other => operand(other),
    }
}

/// A side of an operator as the author wrote it: without the names of tables, and in parentheses if it has operators.
pub(super) fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => without_tables(&column.name),
        Expr::Cast(cast) => operand(&cast.expr),
        Expr::ScalarFunction(function) => match CheckedOperator::text_of(function) {
            Some(text) => format!("({text})"),
            None => match zero::written(function) {
                Some(value) => operand(value),
                None => NumberCast::text_of(function).unwrap_or_else(|| shown(expr)),
            },
        },
        Expr::Literal(value, _) => value.to_string(),
        Expr::Case(case) => match case.when_then_expr.as_slice() {
            // What guards an operand is not the author's.
            [(when, then)] if is_guard(when) => operand(then),
            _ => shown(expr),
        },
        other => shown(other),
    }
}

/// The name of a column that the engine has computed, `sum(shop.orders.amount)`, without those of tables.
fn without_tables(name: &str) -> String {
    if !name.contains('(') {
        return name.to_owned();
    }
    let mut shown = String::new();
    let mut word = String::new();
    for letter in name.chars() {
        let begins_word = !letter.is_ascii_digit() && (letter.is_alphanumeric() || letter == '_');
        if begins_word || (letter.is_ascii_digit() && !word.is_empty()) {
            word.push(letter);
        } else if letter == '.' && !word.is_empty() {
            word.clear();
        } else {
            shown.push_str(&std::mem::take(&mut word));
            shown.push(letter);
        }
    }
    shown + &word
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn names_of_tables_are_left_out() {
        assert_eq!(without_tables("sum(shop.orders.amount2 * 1.5)"), "sum(amount2 * 1.5)");
        assert_eq!(without_tables("a.b"), "a.b");
    }

    #[test]
    fn an_expression_reads_as_it_was_written() {
        let inner = operation(col("t.a"), Operator::Plus, lit(1_i64));
        let Expr::ScalarFunction(outer) = operation(inner, Operator::Multiply, col("b")) else { panic!() };
        assert_eq!(CheckedOperator::text_of(&outer), Some("(a + 1) * b"));
    }
}
