//! Random expressions: a grammar of what karat documents, and a seed that makes the same sentences on every machine.
//!
//! `{int}` in a template stands for another expression of that kind, in parentheses unless it is a single word.

/// A kind of expressions: its name, those without parts, and those with parts.
struct Kind {
    name: &'static str,
    leaves: &'static [&'static str],
    templates: &'static [&'static str],
}

const KINDS: [Kind; 12] = [
    Kind {
        name: "int",
        leaves: &["i", "i", "l", "l", "i", "2", "7", "0", "-3", "m"],
        templates: &[
            "{int} + {int}",
            "{int} - {int}",
            "{int} * {int}",
            "{int} / nullif({int}, 0)",
            "{int} / {int}",
            "{int} % nullif({int}, 0)",
            "-{int}",
            "abs({int})",
            "case when {bool} then {int} else {int} end",
            "case {int} when {int} then {int} when 3 then {int} end",
            "coalesce({int}, {int}, 5)",
            "nullif({int}, {int})",
            "greatest({int}, {int})",
            "least({int}, {int}, 4)",
            "length({text})",
            "octet_length({text})",
            "strpos({text}, {pattern})",
            "position({pattern} in {text})",
            "ascii({text})",
            "cast({num} as int)",
            "cast({num} as bigint)",
            "cast({dbl} as bigint)",
            "cast({bool} as int)",
            "{date} - {date}",
            "cast(extract({part} from {date}) as int)",
            "cast(extract({part} from {ts}) as int)",
            "cast(extract({span} from {iv}) as bigint)",
            "regexp_count({text}, '[a-c]')",
            "{int} & {int}",
            "{int} | {int}",
            "i << 2",
            "l >> 1",
            "cast({digits} as int)",
        ],
    },
    Kind {
        name: "num",
        leaves: &["x", "x", "y", "1.5", "0.25", "-2.0", "x"],
        templates: &[
            "{num} + {num}",
            "{num} - {num}",
            "{num} * {num}",
            "{num} / nullif({num}, 0)",
            "{num} / {num}",
            "{num} % nullif({num}, 0)",
            "{num} + {int}",
            "{int} * {num}",
            "{num} / nullif(i, 0)",
            "-{num}",
            "abs({num})",
            "round({num}, 1)",
            "round({num})",
            "trunc({num}, 1)",
            "trunc({num})",
            "ceil({num})",
            "floor({num})",
            "case when {bool} then {num} else {num} end",
            "case when {bool} then {num} else {int} end",
            "coalesce({num}, {int})",
            "nullif({num}, {num})",
            "greatest({num}, {num}, 1)",
            "least({num}, {int})",
            "cast({num} as numeric(12, 1))",
            "cast({int} as numeric)",
            "cast({dbl} as numeric(20, 3))",
            "cast({digits} as numeric(10, 2))",
            "extract(second from {ts})",
            "extract(epoch from {ts})",
            "extract({span} from {iv})",
        ],
    },
    Kind {
        name: "dbl",
        leaves: &["f", "f", "f", "h", "cast(0.1 as double precision)"],
        templates: &[
            "{dbl} + {dbl}",
            "{dbl} - {dbl}",
            "{dbl} * {dbl}",
            "{dbl} / nullif({dbl}, 0)",
            "{dbl} / {dbl}",
            "{dbl} + {num}",
            "{int} * {dbl}",
            "-{dbl}",
            "abs({dbl})",
            "round({dbl})",
            "trunc({dbl})",
            "ceil({dbl})",
            "floor({dbl})",
            "sqrt(abs({dbl}))",
            "sqrt({dbl})",
            "exp({dbl})",
            "ln({dbl})",
            "log10({dbl})",
            "power({dbl}, 2)",
            "power({dbl}, {dbl})",
            "cbrt({dbl})",
            "atan({dbl})",
            "sin({dbl})",
            "degrees({dbl})",
            "radians({dbl})",
            "case when {bool} then {dbl} else {num} end",
            "coalesce({dbl}, {int})",
            "nullif({dbl}, {int})",
            "greatest({dbl}, {dbl})",
            "least({dbl}, {num}, {int})",
            "cast({num} as double precision)",
            "cast({int} as double precision)",
            "cast({digits} as double precision)",
            "cast({int} as real)",
        ],
    },
    Kind {
        name: "text",
        leaves: &["t", "t", "u", "u", "g", "'abc'", "'Xy'", "''"],
        templates: &[
            "{text} || {text}",
            "{text} || {int}",
            "upper({text})",
            "lower({text})",
            "initcap({text})",
            "reverse({text})",
            "trim({text})",
            "ltrim({text}, 'a ')",
            "rtrim({text}, 'dc')",
            "btrim({text}, ' 4')",
            "trim(both 'a' from {text})",
            "substring({text}, {small})",
            "substring({text}, {small}, 3)",
            "substring({text} from {small} for 2)",
            "substr({text}, 2)",
            "left({text}, {small})",
            "right({text}, {small})",
            "replace({text}, {pattern}, {text})",
            "translate({text}, 'abc', 'xy')",
            "lpad({text}, 8, '*-')",
            "rpad({text}, {small}, 'xy')",
            "lpad({text}, 4)",
            "repeat({text}, {small})",
            "split_part({text}, ',', 2)",
            "split_part({text}, 'b', 1)",
            "overlay({text} placing 'ZZ' from 2 for 1)",
            "concat({text}, {int}, {bool})",
            "concat_ws('-', {text}, {text}, {int})",
            "md5({text})",
            "chr(65 + i)",
            "case when {bool} then {text} else {text} end",
            "case {text} when 'abc' then {text} when {text} then 'same' else {text} end",
            "coalesce({text}, {text})",
            "nullif({text}, {text})",
            "greatest({text}, {text})",
            "least({text}, {text})",
            "cast({int} as text)",
            "cast({bool} as text)",
            "cast({date} as text)",
            "cast({ts} as text)",
            "cast({dbl} as text)",
            "cast(x * y as text)",
            "cast({text} as varchar(3))",
            "to_char({ts}, {mask})",
            "to_char({date}, {mask})",
            "regexp_replace({text}, '[a-c]+', 'X')",
            "regexp_replace({text}, '([a-z])([a-z])', '\\2\\1', 'g')",
            "regexp_replace({text}, 'B', '_', 'gi')",
            "array_to_string(string_to_array({text}, ','), '/')",
        ],
    },
    Kind {
        name: "bool",
        leaves: &["b", "b", "c", "true", "false"],
        templates: &[
            "{int} {compare} {int}",
            "{num} {compare} {num}",
            "{dbl} {compare} {dbl}",
            "{text} {compare} {text}",
            "{bool} {compare} {bool}",
            "{date} {compare} {date}",
            "{ts} {compare} {ts}",
            "{iv} {compare} {iv}",
            "{date} {compare} {ts}",
            "{int} {compare} {num}",
            "{num} {compare} {dbl}",
            "{int} {compare} {dbl}",
            "{bool} and {bool}",
            "{bool} or {bool}",
            "{bool} and {bool} or {bool}",
            "not {bool}",
            "{int} is null",
            "{text} is not null",
            "{bool} is true",
            "{bool} is not true",
            "{bool} is false",
            "{bool} is not false",
            "{bool} is unknown",
            "{bool} is not unknown",
            "{int} is distinct from {int}",
            "{text} is not distinct from {text}",
            "{dbl} is distinct from {num}",
            "{int} in (1, 3, {int})",
            "{int} not in (3, {int}, null)",
            "{num} in (1.25, 2.5, {int})",
            "{text} in ('abc', '', {text})",
            "{text} not in ('abc', {text})",
            "{date} in ('2024-01-31', {date})",
            "{dbl} in (2.5, {int})",
            "{int} between {int} and {int}",
            "{num} not between {int} and {dbl}",
            "{text} between 'A' and {text}",
            "{date} between '2000-01-01' and {date}",
            "{ts} between {date} and {ts}",
            "{text} like {wild}",
            "{text} not like {wild}",
            "{text} ilike {wild}",
            "{text} like {text}",
            "{text} ~ {regex}",
            "{text} ~* {regex}",
            "{text} !~ {regex}",
            "{text} !~* {regex}",
            "starts_with({text}, {pattern})",
            "regexp_like({text}, {regex})",
            "{int} = any(array[1, 3, 10])",
            "{int} <> all(array[3, 7])",
            "{text} = any(string_to_array('abc,xyz', ','))",
            "coalesce({bool}, {bool})",
            "nullif({bool}, {bool})",
            "case when {bool} then {bool} else {bool} end",
            "cast(i as boolean)",
            "greatest({bool}, {bool})",
        ],
    },
    Kind {
        name: "date",
        leaves: &["d", "e", "e", "date '2024-02-29'", "date '1999-12-31'"],
        templates: &[
            "{date} + {small}",
            "{date} - {small}",
            "cast({ts} as date)",
            "cast(date_trunc({unit}, {ts}) as date)",
            "case when {bool} then {date} else {date} end",
            "coalesce({date}, '2020-01-01')",
            "nullif({date}, {date})",
            "greatest({date}, {date})",
            "least({date}, '2010-10-10')",
            "to_date(to_char({date}, 'YYYY-MM-DD'), 'YYYY-MM-DD')",
            "cast(cast({date} as text) as date)",
            "make_date(2024, 2, 1 + abs(i) % 28)",
            "cast({tz} at time zone 'America/New_York' as date)",
            "cast({date} + {iv} as date)",
        ],
    },
    Kind {
        name: "ts",
        leaves: &["ts", "r", "r", "timestamp '2024-02-29 23:59:59.5'"],
        templates: &[
            "{ts} + {iv}",
            "{ts} - {iv}",
            "{date} + interval '90 minutes'",
            "cast({date} as timestamp)",
            "date_trunc({unit}, {ts})",
            "date_trunc({unit}, cast({date} as timestamp))",
            "date_bin(interval '15 minutes', {ts}, timestamp '2001-01-01')",
            "{tz} at time zone 'Europe/Berlin'",
            "{tz} at time zone 'UTC'",
            "case when {bool} then {ts} else {date} end",
            "coalesce({ts}, {date})",
            "nullif({ts}, {ts})",
            "greatest({ts}, {ts})",
            "least({ts}, {date})",
            "cast(cast({ts} as text) as timestamp)",
        ],
    },
    Kind {
        name: "tz",
        leaves: &["timestamptz '2024-03-31 01:30:00+00'", "timestamptz '2024-07-04 12:00:00+02'"],
        templates: &[
            "{ts} at time zone 'UTC'",
            "{ts} at time zone 'Europe/Berlin'",
            "{tz} + {iv}",
            "to_timestamp({small} * 86400)",
            "case when {bool} then {tz} else {tz} end",
        ],
    },
    Kind {
        name: "iv",
        leaves: &[
            "interval '1 day'",
            "interval '1 month'",
            "interval '-1 year 2 months'",
            "interval '3 days 4 hours 5 minutes 6.5 seconds'",
            "interval '90 minutes'",
        ],
        templates: &[
            "{ts} - {ts}",
            "{iv} + {iv}",
            "{iv} - {iv}",
            "-{iv}",
            "coalesce({iv}, {iv})",
            "case when {bool} then {iv} else {iv} end",
        ],
    },
    Kind {
        name: "agg",
        leaves: &["count(*)"],
        templates: &[
            "count({int})",
            "count(distinct {text})",
            "count(*) filter (where {bool})",
            "cast(sum({int}) as numeric)",
            "sum({num})",
            "sum({dbl})",
            "cast(sum(distinct {int}) as numeric)",
            "sum({num}) filter (where {bool})",
            "avg({int})",
            "avg({num})",
            "avg({dbl})",
            "avg({int}) filter (where {bool})",
            "min({int})",
            "max({num})",
            "min({dbl})",
            "max({dbl})",
            "min({text})",
            "max({text})",
            "min({date})",
            "max({ts})",
            "bool_and({bool})",
            "bool_or({bool})",
            "string_agg({text}, ',' order by id)",
            "string_agg({text}, '' order by id desc)",
            "string_agg(distinct t, '-' order by t)",
            "array_to_string(array_agg({int} order by id), ',')",
            "cast(stddev({dbl}) as double precision)",
            "stddev_pop(cast({num} as double precision))",
            "cast(stddev_samp(i) as double precision)",
            "cast(var_pop(i) as double precision)",
            "cast(var_samp({dbl}) as double precision)",
            "var_samp(cast({num} as double precision))",
            "corr({dbl}, {int})",
            "covar_pop({dbl}, {dbl})",
            "covar_samp({num}, {dbl})",
            "regr_slope({dbl}, {int})",
            "percentile_cont(0.5) within group (order by {dbl})",
            "{total} + {total}",
            "{total} / nullif({total}, 0)",
            "coalesce({total}, 0)",
            "{total} > {total}",
            "round({total}, 2)",
            "{total} * 2",
        ],
    },
    Kind {
        name: "total",
        leaves: &["count(*)", "sum(i)", "avg(i)", "sum(x)", "avg(y)"],
        templates: &[
            "cast(sum({int}) as numeric)",
            "sum({num})",
            "avg({int})",
            "avg({num}) filter (where {bool})",
            "count({text})",
            "max({num})",
            "min({int})",
            "{total} - {total}",
            "{total} / nullif({total}, 0)",
        ],
    },
    Kind {
        name: "win",
        leaves: &["row_number() over (order by id)"],
        templates: &[
            "row_number() over ({window})",
            "rank() over ({ranks})",
            "dense_rank() over ({ranks})",
            "percent_rank() over ({ranks})",
            "cume_dist() over ({ranks})",
            "ntile(3) over (order by id)",
            "lag({int}) over ({window})",
            "lag({text}, 2, 'none') over ({window})",
            "lead({num}, 1, 0) over ({window})",
            "lead({date}) over ({window})",
            "first_value(lower({text})) over ({window})",
            "last_value({int}) over ({window} {frame})",
            "nth_value({int}, 2) over ({window} {frame})",
            "cast(sum({int}) over ({window}) as numeric)",
            "sum({num}) over ({window} {frame})",
            "sum({dbl}) over ({window} {frame})",
            "avg({int}) over ({window} {frame})",
            "avg({num}) over ({window})",
            "avg({dbl}) over (partition by g)",
            "min({text}) over ({window} {frame})",
            "max({int}) over (partition by b)",
            "count(*) over ({ranks})",
            "count({text}) over ({window} {frame})",
            "cast(sum({int}) filter (where {bool}) over ({window}) as numeric)",
            "cast(sum(i) over ({ranks}) as numeric)",
            "string_agg({text}, ',') over ({window})",
        ],
    },
];

/// What is not an expression, and stands in templates without parentheses.
const WORDS: [(&str, &[&str]); 13] = [
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

/// A SplitMix64 generator.
pub(crate) struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len())]
    }

    fn expression(&mut self, kind: &Kind, depth: usize) -> String {
        let is_leaf = depth == 0 || (depth < 3 && self.below(4) == 0);
        if is_leaf {
            return self.one_of(kind.leaves).to_owned();
        }
        let template = self.one_of(kind.templates);
        self.filled(template, depth - 1)
    }

    fn filled(&mut self, template: &str, depth: usize) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            text.push_str(before);
            if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == name) {
                text.push_str(self.one_of(words));
            } else {
                let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
                let part = self.expression(kind, depth);
                text.push_str(&if is_closed(&part) { part } else { format!("({part})") });
            }
            rest = after;
        }
        text + rest
    }
}

/// Whether an expression is a word, a literal or a call, so that every operator may stand beside it.
fn is_closed(expression: &str) -> bool {
    let end_of_name = expression.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '.');
    let Some(end) = end_of_name else { return true };
    let rest = expression.split_at(end).1;
    match rest.chars().next() {
        Some('\'') => end == 0 && rest.split('\'').count() == 3 && rest.ends_with('\''),
        Some('(') => end > 0 && end_of_parenthesis(rest) == Some(rest.len() - 1),
        _ => false,
    }
}

/// Where the parenthesis ends that a text begins with. No template has one within a literal.
fn end_of_parenthesis(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(place, letter)| {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(place)
    })
}

/// So many different expressions of the kinds in turn.
pub(crate) fn expressions(seed: u64, kinds: &[&str], count: usize) -> Vec<String> {
    let mut random = Random(seed);
    let mut made: Vec<String> = Vec::new();
    for kind in kinds.iter().cycle() {
        if made.len() == count {
            break;
        }
        let kind = KINDS.iter().find(|known| known.name == *kind).unwrap();
        let depth = 1 + random.below(3);
        let expression = random.expression(kind, depth);
        if !made.contains(&expression) {
            made.push(expression);
        }
    }
    made
}
