//! What functions of other engines become, as text.

use sqlparser::ast::Expr;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::{portable, rewritten};

fn shown(sql: &str) -> Option<String> {
    let expression = Parser::new(&GenericDialect).try_with_sql(sql).and_then(|mut parser| parser.parse_expr()).unwrap();
    let Expr::Function(function) = expression else { panic!("{sql} is no call") };
    rewritten(&function).map(|expr| expr.to_string())
}

#[test]
fn calls_become_postgresqls() {
    let cases = [
        ("iff(a > 1, 'x', 'y')", "CASE WHEN a > 1 THEN 'x' ELSE 'y' END"),
        ("zeroifnull(a)", "coalesce(a, 0)"),
        ("decode(a, 1, 'x', 2, 'y', 'z')", "CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE 'z' END"),
        ("decode(a, null, 'x')", "CASE WHEN (a) IS NOT DISTINCT FROM (NULL) THEN 'x' END"),
        ("charindex('b', a)", "strpos(a, 'b')"),
        ("sha2(a, 512)", "encode(sha512(a), 'hex')"),
        (
            "count_if(a > 1) filter (where b) over (partition by c)",
            "count(CASE WHEN a > 1 THEN 1 END) FILTER (WHERE b) OVER (PARTITION BY c)",
        ),
        ("approx_count_distinct(a)", "count(DISTINCT a)"),
        ("listagg(a, '-') within group (order by b)", "string_agg(a, '-' ORDER BY b)"),
        ("group_concat(distinct a)", "string_agg(DISTINCT a, ',')"),
        ("arg_max(a, b)", "first_value(a ORDER BY b DESC, a ASC) FILTER (WHERE ((a) IS NOT NULL AND (b) IS NOT NULL))"),
        ("datediff(day, a, b)", "CAST((CAST(b AS DATE) - CAST(a AS DATE)) AS BIGINT)"),
        ("year(a)", "CAST(EXTRACT(YEAR FROM a) AS BIGINT)"),
    ];
    for (sql, expected) in cases {
        assert_eq!(shown(sql).as_deref(), Some(expected), "{sql}");
    }
}

#[test]
fn what_has_several_meanings_is_left() {
    let cases = [
        "decode(a, 'hex')",
        "decode(f(a), null, 1)",
        "iff(a, b)",
        "iff(a, b, c) over ()",
        "count_if(distinct a)",
        "listagg(a)",
        "listagg(distinct a, ',') within group (order by b)",
        "datediff(a, b)",
        "datediff(a, b, day)",
        "datediff('week', a, b)",
        "sha2(a, 1)",
        "max_by(a, b)",
        "x.iff(a, b, c)",
    ];
    for sql in cases {
        assert_eq!(shown(sql), None, "{sql}");
    }
}

#[test]
fn nested_calls_do_not_double_each_time() {
    let long = format!("datediff('month', a, {})", ["a"; 1_500].join(" + "));
    assert_eq!(shown(&long), None);
}

#[test]
fn a_function_of_another_engine_has_a_remedy() {
    for name in ["div0", "regexp_extract", "dateadd", "mode", "json_extract"] {
        assert!(portable(name).is_some(), "{name}");
    }
    assert_eq!(portable("coalesc"), None);
}
