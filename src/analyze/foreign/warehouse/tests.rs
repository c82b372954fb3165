//! What statements of the three engines become, as text.

use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::{Warehouse, read};
use crate::analyze::foreign::RewriteNotes;
use crate::project::SqlReading;

fn shown(engine: Warehouse, expression: &str) -> String {
    let sql = format!("SELECT {expression} AS a FROM t");
    let mut statements = Parser::parse_sql(&GenericDialect, &sql).unwrap();
    let mut statement: Statement = statements.pop().unwrap();
    let reading = SqlReading::default();
    let mut notes = RewriteNotes::new(&reading, false);
    let refused = read(&mut statement, engine, &mut notes);
    if let Some(refused) = refused.first() {
        return format!("refused: {}", refused.message);
    }
    let shown = statement.to_string();
    shown.trim_start_matches("SELECT ").trim_end_matches(" AS a FROM t").to_owned()
}

#[test]
fn expressions_become_postgresqls() {
    use Warehouse::{BigQuery, Snowflake, Spark};
    let cases = [
        (Snowflake, "a / b", "snowflake_quotient(a, b)"),
        (Snowflake, "CAST(a AS NUMBER)", "CAST(a AS DECIMAL(38,0))"),
        (Snowflake, "CAST(a AS FLOAT)", "CAST(a AS DOUBLE PRECISION)"),
        (Snowflake, "\"ID\"", "\"id\""),
        (Snowflake, "a LIKE 'x\\y'", "a LIKE 'x\\\\y'"),
        (Snowflake, "to_char(d, 'YYYY-MM-DD')", "to_char(d, 'YYYY-MM-DD')"),
        (Snowflake, "try_to_number(a)", "TRY_CAST(a AS DECIMAL(38,0))"),
        (Snowflake, "regexp_replace(a, 'x', 'y')", "regexp_replace(a, 'x', 'y', 'g')"),
        (Snowflake, "rank() OVER (ORDER BY n DESC)", "rank() OVER (ORDER BY n DESC)"),
        (BigQuery, "rank() OVER (ORDER BY n DESC)", "rank() OVER (ORDER BY n DESC NULLS LAST)"),
        (BigQuery, "date_trunc(d, MONTH)", "bigquery_like(d, date_trunc('month', d))"),
        (BigQuery, "\"text\"", "'text'"),
        (BigQuery, "log(x, 10)", "(ln(CAST(x AS DOUBLE PRECISION)) / ln(CAST(10 AS DOUBLE PRECISION)))"),
        (BigQuery, "extract(DAYOFWEEK FROM d)", "(CAST(EXTRACT(DOW FROM d) AS BIGINT) + 1)"),
        (Spark, "rank() OVER (ORDER BY n)", "rank() OVER (ORDER BY n NULLS FIRST)"),
        (Spark, "datediff(a, b)", "CAST((CAST(a AS DATE) - CAST(b AS DATE)) AS BIGINT)"),
        (Spark, "date_format(d, 'yyyy-MM')", "to_char(d, 'YYYY-MM')"),
        (Spark, "regexp_replace(a, '(x)', '$1y')", "regexp_replace(a, '(x)', '\\1y', 'g')"),
        (Spark, "a[0]", "a[1]"),
    ];
    for (engine, sql, expected) in cases {
        assert_eq!(shown(engine, sql), expected, "{engine:?}: {sql}");
    }
}

#[test]
fn what_has_no_words_is_refused() {
    use Warehouse::{BigQuery, Snowflake, Spark};
    let cases = [
        (Snowflake, "substr(a, -3)"),
        (Snowflake, "to_char(d, 'YYYY WW')"),
        (Snowflake, "regexp_instr(a, 'x')"),
        (BigQuery, "date_trunc(d, WEEK)"),
        (BigQuery, "extract(WEEK FROM d)"),
        (BigQuery, "a[offset(2)]"),
        (BigQuery, "CAST(a AS BIGNUMERIC)"),
        (Spark, "datediff(MONTH, a, b)"),
        (Spark, "split(a, '[,;]')"),
        (Spark, "size(a)"),
        (Spark, "a[n]"),
    ];
    for (engine, sql) in cases {
        assert!(shown(engine, sql).starts_with("refused: "), "{engine:?}: {sql}");
    }
}
