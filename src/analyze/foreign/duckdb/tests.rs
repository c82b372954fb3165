//! What statements of DuckDB become, as text.

use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::read;
use crate::analyze::foreign::RewriteNotes;
use crate::project::SqlReading;

fn shown(expression: &str) -> String {
    let sql = format!("SELECT {expression} AS a FROM t");
    let mut statements = Parser::parse_sql(&GenericDialect, &sql).unwrap();
    let mut statement: Statement = statements.pop().unwrap();
    let reading = SqlReading::default();
    let mut notes = RewriteNotes::new(&reading, false);
    let refused = read(&mut statement, &mut notes);
    if let Some(refused) = refused.first() {
        return refused.message.clone();
    }
    let shown = statement.to_string();
    shown.trim_start_matches("SELECT ").trim_end_matches(" AS a FROM t").to_owned()
}

#[test]
fn expressions_become_postgresqls() {
    let cases = [
        ("n / 2", "(CAST(n AS DOUBLE PRECISION) / CAST(2 AS DOUBLE PRECISION))"),
        ("INTERVAL '1 day' / 2", "INTERVAL '1 day' / 2"),
        ("n % 2", "n % 2"),
        ("CAST(n AS VARCHAR(3))", "duckdb_text(n)"),
        ("CAST(n AS DECIMAL)", "CAST(n AS DECIMAL(18,3))"),
        ("CAST(n AS FLOAT)", "CAST(n AS REAL)"),
        ("a LIKE 'x\\y'", "a LIKE 'x\\\\y'"),
        ("a LIKE b", "a LIKE replace(b, '\\', '\\\\')"),
        ("rank() OVER (ORDER BY n DESC)", "rank() OVER (ORDER BY n DESC NULLS LAST)"),
        ("avg(n)", "(CAST(sum(n) AS DOUBLE PRECISION) / CAST(count(n) AS DOUBLE PRECISION))"),
        ("regexp_matches(a, '\\d.')", "(a ~ '[0-9][^\\n]')"),
        ("regexp_full_match(a, 'x|y')", "(a ~ '^(?:x|y)$')"),
        ("strftime(d, '%Y of %m')", "to_char(d, 'YYYY\" of \"MM')"),
        ("extract(YEAR FROM d)", "CAST(EXTRACT(YEAR FROM d) AS BIGINT)"),
    ];
    for (sql, expected) in cases {
        assert_eq!(shown(sql), expected, "{sql}");
    }
}

#[test]
fn what_has_no_words_is_refused() {
    for sql in
        ["n // 2", "a ~ 'x'", "a[-1]", "substring(a, n)", "regexp_matches(a, b)", "regexp_matches(a, '\\b')", "age(d)"]
    {
        let message = shown(sql);
        assert!(message.contains("support") || message.contains("versions"), "{sql}: {message}");
    }
}
