//! The grammar's words: operators, patterns, units and frames.

/// What is not an expression, and stands in templates without parentheses.
pub(super) const WORDS: [(&str, &[&str]); 13] = [
    ("compare", &["=", "<>", "<", "<=", ">", ">="]),
    ("small", &["2", "i", "0", "-1", "3", "1"]),
    ("digits", &["'12'", "' 7 '", "cast(i as text)", "'-3'", "t"]),
    ("pattern", &["'b'", "'a'", "''", "'Abc'", "g", "'%'"]),
    ("wild", &["'a%'", "'%b%'", "'_b_'", "'%\\%%'", "''", "'A%c'", "'%'"]),
    ("regex", &["'^a'", "'[A-C]'", "'^\\d+$'", "'b|x'", "'b+c?'", "'^$'", "'\\s'"]),
    ("part", &["year", "month", "day", "quarter", "week", "dow", "doy", "isodow", "isoyear", "hour", "decade"]),
    ("span", &["year", "month", "day", "hour", "minute", "second", "epoch", "milliseconds", "quarter"]),
    ("unit", &["'year'", "'quarter'", "'month'", "'week'", "'day'", "'hour'", "'minute'", "'second'"]),
    (
        "mask",
        &[
            "'YYYY-MM-DD'",
            "'DD.MM.YY HH24:MI:SS'",
            "'Mon DD'",
            "'IYYY-IW'",
            "'HH12:MI AM'",
            "'DDD Q'",
            "'FMDD. FMMonth'",
        ],
    ),
    (
        "window",
        &[
            "order by id",
            "partition by g order by id",
            "order by i, id",
            "order by x desc, id",
            "partition by b order by f, id",
        ],
    ),
    (
        "ranks",
        &[
            "order by i",
            "order by i desc",
            "partition by g order by x",
            "order by b nulls first",
            "order by f desc nulls last",
            "order by t",
        ],
    ),
    (
        "frame",
        &[
            "rows between 1 preceding and 1 following",
            "rows between unbounded preceding and current row",
            "rows between current row and unbounded following",
            "rows between unbounded preceding and unbounded following",
            "rows 2 preceding",
        ],
    ),
];
