//! What to write instead of a function that only other engines have.

/// The portable spelling of another engine's function, for the help of an error.
pub(in crate::analyze) fn portable(name: &str) -> Option<&'static str> {
    of_values(name).or_else(|| of_texts(name)).or_else(|| of_times(name)).or_else(|| of_groups(name))
}

fn of_values(name: &str) -> Option<&'static str> {
    Some(match name {
        "iff" | "if" | "iif" => "write `case when … then … else … end`",
        "decode" => "write `case a when 1 then 'x' else 'y' end`; for a null `a is null`",
        "isnull" => "write `coalesce(a, b)`, or `a is null`",
        "div0" => {
            "write `case when b = 0 then 0 else a / b end`, with a cast to decimal or double precision for fractions"
        }
        "div0null" => "write `case when b = 0 or b is null then 0 else a / b end`, with a cast for fractions",
        "safe_divide" => "write `a / nullif(b, 0)`, with a cast for fractions",
        "sign" => "write `case when a > 0 then 1 when a < 0 then -1 when a = 0 then 0 end`",
        "width_bucket" => "write `floor((a - low) / width) + 1`, with a CASE for what lies outside",
        "try_to_number" | "try_to_decimal" | "try_to_numeric" => "write `try_cast(a as decimal(18, 2))`",
        "try_to_date" => "write `try_cast(a as date)`",
        "try_to_timestamp" => "write `try_cast(a as timestamp)`",
        "to_number" | "to_decimal" | "to_numeric" | "to_double" => "write `cast(a as decimal(18, 2))`",
        "to_varchar" => "write `cast(a as text)`, or `to_char(t, 'YYYY-MM-DD')`",
        "hash" | "farm_fingerprint" | "xxhash64" => {
            "engines compute different hashes: write `md5(concat_ws('|', a, b))`"
        }
        "parse_json"
        | "json_extract"
        | "json_extract_string"
        | "json_extract_path"
        | "json_extract_path_text"
        | "json_value"
        | "json_query"
        | "get_json_object"
        | "json_get_str"
        | "get_path"
        | "json_extract_scalar" => "karat has no functions for JSON: declare the values as columns of the source",
        "bit_count" => "karat counts no bits: take them apart with `%` and `/`",
        "struct_pack" => "write `named_struct('a', 1)`, or a column for each value",
        "typeof" | "pg_typeof" => "`karat show` has the types of all columns: leave it out",
        "columns" => "name the columns, or write `* exclude (…)`",
        "json_agg" | "jsonb_agg" | "json_object_agg" | "to_json" | "to_jsonb" | "json_build_object" => {
            "karat has no functions for JSON: keep the values as columns, or join texts with `string_agg`"
        }
        "crosstab" => "write `sum(x) filter (where k = 'a') as a` for each column",
        _ => return None,
    })
}

fn of_texts(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" => "write `length(text)`, or `array_length(list)`",
        "charindex" | "locate" | "instr" => "write `strpos(text, part)`",
        "split" | "string_split" | "str_split" => {
            "write `string_to_array(text, ',')`; an empty text becomes an array without elements"
        }
        "split_to_array" => "write `string_to_array(text, ',')`",
        "regexp_extract" | "regexp_substr" => {
            "write `(regexp_match(text, 'pattern'))[1]`: the first group in parentheses, or the whole match if there is none"
        }
        "rlike" | "regexp_matches" | "regexp_contains" | "regexp_full_match" => {
            "write `text ~ 'pattern'`, with `^` and `$` where the whole text is meant"
        }
        "quote_literal" | "quote_ident" => "a model writes no SQL: use the text itself, or `concat(, a, )`",
        "format" | "printf" => "write `concat(a, ' ', b)`, or `to_char(t, 'YYYY-MM-DD')`",
        _ => return None,
    })
}

fn of_times(name: &str) -> Option<&'static str> {
    Some(match name {
        "dateadd" | "date_add" | "timestampadd" | "timestamp_add" | "datetime_add" => {
            "write `d + 7` for days of a date, and `t + interval '1 month'` for other units"
        }
        "date_sub" | "timestamp_sub" | "datetime_sub" => {
            "write `d - 7` for days of a date, and `t - interval '1 month'` for other units"
        }
        "datediff" | "date_diff" | "timestampdiff" | "timestamp_diff" => {
            "write `datediff('day', from, to)`, with 'year', 'quarter', 'month', 'hour', 'minute' or 'second'; for weeks divide days by 7"
        }
        "add_months" => "write `d + interval '1 month'`: the last day of a month is kept only where the day is missing",
        "months_between" => "write `datediff('month', from, to)`, which counts the firsts of months between",
        "last_day" => "write `last_day(date)`, the last day of its month",
        "make_interval" => "write `interval '3 days'`",
        "make_timestamp" => "write `make_date(2024, 1, 31) + interval '12 hours'`",
        "age" => "write `datediff('month', from, to)`, or `a - b` for days of dates and an interval of timestamps",
        "epoch" => "write `extract(epoch from t)`",
        "epoch_ms" | "unix_millis" => {
            "write `extract(epoch from t) * 1000`; to read milliseconds `to_timestamp(a / 1000.0)`"
        }
        "unix_timestamp" | "unix_seconds" => "write `extract(epoch from t)`",
        "dayofweek" | "weekday" => {
            "write `extract(dow from d)`, where Sunday is 0, or `extract(isodow from d)`, where it is 7"
        }
        "week" => "write `extract(week from d)`, the week of ISO 8601",
        "dayname" => "write `to_char(d, 'FMDay')`, or `to_char(d, 'Dy')` for three letters",
        "monthname" => "write `to_char(d, 'FMMonth')`, or `to_char(d, 'Mon')` for three letters",
        "strptime" | "try_strptime" | "parse_date" | "parse_timestamp" | "str_to_date" => {
            "write `to_date(text, 'YYYY-MM-DD')` or `to_timestamp(text, 'YYYY-MM-DD HH24:MI:SS')`"
        }
        "format_date" | "format_timestamp" | "date_format" | "strftime" => {
            "write `to_char(…, 'YYYY-MM-DD')`, whose patterns are PostgreSQL's"
        }
        "datepart" => "write `extract(year from …)`",
        "datetrunc" => "write `date_trunc('month', …)`",
        _ => return None,
    })
}

fn of_groups(name: &str) -> Option<&'static str> {
    Some(match name {
        "listagg" | "group_concat" => "write `string_agg(a, ',' order by b)`",
        "max_by" => {
            "engines differ where the value is null: write `first_value(a order by b desc) filter (where b is not null)`"
        }
        "min_by" => {
            "engines differ where the value is null: write `first_value(a order by b) filter (where b is not null)`"
        }
        "arg_max" | "argmax" => "write `first_value(a order by b desc) filter (where b is not null)`",
        "arg_min" | "argmin" => "write `first_value(a order by b) filter (where b is not null)`",
        "count_if" | "countif" => "write `count(*) filter (where …)`",
        "sum_if" | "sumif" => "write `sum(a) filter (where …)`",
        "mode" => {
            "count the values in a subquery, and take the first with `row_number() over (order by n desc, value)`"
        }
        "percentile_disc" | "quantile_disc" => {
            "write `percentile_cont(0.5) within group (order by a)`, or number the rows"
        }
        "quantile" | "quantile_cont" | "percentile" => "write `percentile_cont(0.5) within group (order by a)`",
        "approx_count_distinct" => "write `count(distinct a)`",
        "list" | "collect_list" | "array_concat_agg" => "write `array_agg(a)`",
        "collect_set" => "write `array_agg(distinct a)`",
        "histogram" => "count the values: `select a, count(*) from … group by a`",
        "skewness" | "kurtosis" => "compute it from `avg(a)`, `avg(power(a, 2))` and the higher powers",
        "any_value" | "arbitrary" => "write `min(a)`, which is the same in every run",
        "ratio_to_report" => "write `a / sum(a) over (partition by …)`",
        _ => return None,
    })
}

/// Why a function that gives another value each time is not offered.
pub(in crate::analyze) fn remedy_of_random(name: &str) -> Option<&'static str> {
    let is_random =
        ["gen_random_uuid", "generate_uuid", "uuid_string", "newid", "rand", "randn", "uniform"].contains(&name);
    is_random.then_some("derive the value from columns: `md5(concat_ws('|', a, b))`")
}
