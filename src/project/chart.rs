//! The charts that a properties file declares on a model.

use std::collections::BTreeMap;

use super::node::{Node, YamlFields, YamlKind};
use super::scalar::{Scalar, Typed};
use super::schema;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, nearest};
use crate::span::{Span, Spanned};

/// A chart of a model's columns, as it was declared.
#[derive(Debug, Clone)]
pub struct DeclaredChart {
    /// One name on a model: letters, digits, `_` and `-`, for it may become that of a file.
    pub name: Spanned<String>,
    pub kind: Spanned<ChartKind>,
    /// What stands above it.
    pub title: String,
    /// Empty if there is none.
    pub description: String,
    /// The column along the chart: required but for a number.
    pub x: Option<Spanned<String>>,
    /// The columns that are measured; empty for a histogram, which counts rows.
    pub y: Vec<Spanned<String>>,
    /// A column whose values each become a series of the one measure.
    pub split: Option<Spanned<String>>,
    /// A SQL condition: only these rows are drawn.
    pub filter: Option<Spanned<String>>,
    /// At most so many places along the chart: the newest or largest.
    pub limit: Option<usize>,
    /// Into how many ranges a histogram divides its values, about.
    pub bins: usize,
    pub format: ValueFormat,
}

/// What a chart looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Line,
    Bar,
    /// One value, the newest.
    Number,
    /// How many rows have a value in each of some ranges.
    Histogram,
}

/// How the values of a chart are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueFormat {
    #[default]
    Number,
    /// A share: 0.25 is 25 %.
    Percent,
    Bytes,
    /// A length of time in seconds.
    Seconds,
    /// A length of time in milliseconds.
    Milliseconds,
}

/// Ranges of a histogram if the author says nothing.
const BINS: usize = 20;
/// More cannot be told apart.
const MOST_BINS: usize = 100;

impl ChartKind {
    const ALL: [ChartKind; 4] = [ChartKind::Line, ChartKind::Bar, ChartKind::Number, ChartKind::Histogram];

    pub fn word(self) -> &'static str {
        match self {
            ChartKind::Line => "line",
            ChartKind::Bar => "bar",
            ChartKind::Number => "number",
            ChartKind::Histogram => "histogram",
        }
    }

    /// The keys that mean something for it, beside those of every chart.
    fn keys(self) -> &'static [&'static str] {
        match self {
            ChartKind::Line | ChartKind::Bar => &["x", "y", "split", "limit"],
            ChartKind::Number => &["x", "y"],
            ChartKind::Histogram => &["x", "bins"],
        }
    }

    /// Those among them that it cannot do without.
    fn required(self) -> &'static [&'static str] {
        match self {
            ChartKind::Line | ChartKind::Bar => &["x", "y"],
            ChartKind::Number => &["y"],
            ChartKind::Histogram => &["x"],
        }
    }
}

impl ValueFormat {
    const ALL: [ValueFormat; 5] = [
        ValueFormat::Number,
        ValueFormat::Percent,
        ValueFormat::Bytes,
        ValueFormat::Seconds,
        ValueFormat::Milliseconds,
    ];

    pub fn word(self) -> &'static str {
        match self {
            ValueFormat::Number => "number",
            ValueFormat::Percent => "percent",
            ValueFormat::Bytes => "bytes",
            ValueFormat::Seconds => "seconds",
            ValueFormat::Milliseconds => "milliseconds",
        }
    }
}

/// The charts of a model. Those that are wrong are reported and left out.
pub(super) fn charts(fields: &YamlFields<'_>, sink: &mut Sink) -> Vec<DeclaredChart> {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    let mut charts = Vec::new();
    for node in fields.list("charts", sink) {
        let Ok(chart) = chart(node, sink) else { continue };
        if let Some(first) = seen.insert(chart.name.value.clone(), chart.name.span) {
            let message = format!("two charts of the model are called `{}`", chart.name.value);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(chart.name.span);
            sink.error(diagnostic.labelled(first, "the first one"));
            continue;
        }
        charts.push(chart);
    }
    charts
}

fn chart(node: &Node, sink: &mut Sink) -> Checked<DeclaredChart> {
    let fields = YamlFields::of(node, "an item of `charts`", sink)?;
    schema::CHART.check(&fields, sink);
    let name = fields.name("a chart", sink)?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.value.is_empty() || !name.value.chars().all(is_letter) {
        let message = format!("`{}` is not a name for a chart", name.value);
        let diagnostic = Diagnostic::error(Code::InvalidName, message).at(name.span);
        return Err(sink.error(diagnostic.help("use letters, digits, `_` and `-`; `title` takes any text")));
    }
    let kind = kind(&fields, &name, sink)?;
    check_keys(&fields, &name, kind.value, sink)?;
    let y = fields.read("y", Node::expect_texts, sink).unwrap_or_default();
    let split = fields.text("split", sink);
    if let (Some(split), [_, second, ..]) = (&split, y.as_slice()) {
        let message = "a chart that is split has one measure";
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).labelled(second.span, "the second measure");
        let diagnostic = diagnostic.labelled(split.span, "splits the chart");
        return Err(sink.error(diagnostic.help("declare a chart for each measure")));
    }
    if let (ChartKind::Number, [_, second, ..]) = (kind.value, y.as_slice()) {
        let diagnostic = Diagnostic::error(Code::InvalidConfig, "a `number` has one measure").at(second.span);
        return Err(sink.error(diagnostic.help("declare a chart for each measure")));
    }
    let title = fields.text("title", sink).map_or_else(|| title_of(&name.value), |title| title.value);
    Ok(DeclaredChart {
        title,
        description: fields.description(sink),
        x: fields.text("x", sink),
        y,
        split,
        filter: fields.text("where", sink),
        limit: count(&fields, "limit", usize::MAX, sink),
        bins: count(&fields, "bins", MOST_BINS, sink).unwrap_or(BINS),
        format: format(&fields, sink),
        name,
        kind,
    })
}

/// `daily_active_users` as `Daily active users`.
fn title_of(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn kind(fields: &YamlFields<'_>, name: &Spanned<String>, sink: &mut Sink) -> Checked<Spanned<ChartKind>> {
    let words = ChartKind::ALL.map(ChartKind::word);
    let Some(node) = fields.get("type") else {
        let message = format!("the chart `{}` has no `type`", name.value);
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(name.span);
        return Err(sink.error(diagnostic.help(format!("add `type: …`, one of {}", words.join(", ")))));
    };
    let written = node.expect_text("`type`", sink)?;
    let found = ChartKind::ALL.into_iter().find(|kind| kind.word() == written.value);
    found.map(|kind| Spanned::new(kind, written.span)).ok_or_else(|| {
        let message = format!("`{}` is not a type of chart", written.value);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(written.span);
        sink.error(suggested(diagnostic, &written.value, &words, "types"))
    })
}

fn format(fields: &YamlFields<'_>, sink: &mut Sink) -> ValueFormat {
    let Some(written) = fields.text("format", sink) else { return ValueFormat::default() };
    let found = ValueFormat::ALL.into_iter().find(|format| format.word() == written.value);
    found.unwrap_or_else(|| {
        let message = format!("`{}` is not a format of charts", written.value);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(written.span);
        sink.error(suggested(diagnostic, &written.value, &ValueFormat::ALL.map(ValueFormat::word), "formats"));
        ValueFormat::default()
    })
}

/// Adds the nearest word, or, if none is near, all of them.
fn suggested(diagnostic: Diagnostic, typed: &str, known: &[&str], what: &str) -> Diagnostic {
    let suggestion = nearest(typed, known.iter().copied());
    match suggestion {
        Some(_) => diagnostic.suggest(typed, known.iter().copied()),
        None => diagnostic.help(format!("the {what} are {}", known.join(", "))),
    }
}

/// Reports keys that mean nothing for this type of chart, and those that it lacks.
fn check_keys(fields: &YamlFields<'_>, name: &Spanned<String>, kind: ChartKind, sink: &mut Sink) -> Checked<()> {
    let own = ["x", "y", "split", "limit", "bins"];
    let is_idle = |word: &str| own.contains(&word) && !kind.keys().contains(&word);
    if let Some((key, _)) = fields.entries().iter().find(|(key, _)| is_idle(&key.value)) {
        let message = format!("`{}` means nothing for a chart of type `{}`", key.value, kind.word());
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(key.span);
        let keys = all_of(kind.keys().iter().copied());
        return Err(sink.error(diagnostic.help(format!("beside those of every chart, its keys are {keys}"))));
    }
    if let Some(missing) = kind.required().iter().find(|key| fields.get(key).is_none()) {
        let message = format!("the chart `{}` has no `{missing}`", name.value);
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(name.span);
        let what = match (*missing, kind) {
            ("x", ChartKind::Histogram) => "the column whose values are counted",
            ("x", _) => "the column along the chart",
            _ => "the column that is measured",
        };
        return Err(sink.error(diagnostic.help(format!("add `{missing}: …`, {what}"))));
    }
    Ok(())
}

/// A whole number from 1.
fn count(fields: &YamlFields<'_>, key: &str, most: usize, sink: &mut Sink) -> Option<usize> {
    let node = fields.get(key)?;
    let written = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(number), .. }) => usize::try_from(*number).ok(),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
    };
    let found = written.filter(|number| (1..=most).contains(number));
    if found.is_none() {
        let upper = if most == usize::MAX { String::new() } else { format!(" to {most}") };
        let message = format!("`{key}` must be a whole number from 1{upper}");
        sink.error(Diagnostic::error(Code::InvalidConfig, message).at(node.place()));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::project::testing::{load, said};

    const MODEL: (&str, &str) = ("models/gold/daily.sql", "select 1");

    #[test]
    fn a_chart_has_a_title_without_one() {
        let yaml = "models: [{name: daily, charts: [{name: daily_users, type: line, x: day, y: users}]}]";
        let project = load("name: p", &[MODEL, ("models/a.yml", yaml)]).unwrap();
        let charts = &project.models.values().next().unwrap().charts;
        assert_eq!(charts[0].title, "Daily users");
        assert_eq!(charts[0].y[0].value, "users");
    }

    #[test]
    fn a_type_of_chart_has_its_keys() {
        let yaml = "
models:
- name: daily
  charts:
  - {name: a, type: lines, x: day, y: users}
  - {name: b, type: pie, x: day, y: users}
  - {name: c, type: line, x: day}
  - {name: d, type: histogram, x: day, y: users}
  - {name: e, type: bar, x: day, y: [users, sessions], split: country}
  - {name: j, x: day}
";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", yaml)]), @r"
        error[invalid-config]: `lines` is not a type of chart
         --> models/a.yml:5:21
          |
        5 |   - {name: a, type: lines, x: day, y: users}
          |                     ^^^^^
          |
          = help: did you mean `line`?

        error[invalid-config]: `pie` is not a type of chart
         --> models/a.yml:6:21
          |
        6 |   - {name: b, type: pie, x: day, y: users}
          |                     ^^^
          |
          = help: the types are line, bar, number, histogram

        error[invalid-yaml]: the chart `c` has no `y`
         --> models/a.yml:7:12
          |
        7 |   - {name: c, type: line, x: day}
          |            ^
          |
          = help: add `y: …`, the column that is measured

        error[invalid-config]: `y` means nothing for a chart of type `histogram`
         --> models/a.yml:8:40
          |
        8 |   - {name: d, type: histogram, x: day, y: users}
          |                                        ^
          |
          = help: beside those of every chart, its keys are `x` and `bins`

        error[invalid-config]: a chart that is split has one measure
         --> models/a.yml:9:45
          |
        9 |   - {name: e, type: bar, x: day, y: [users, sessions], split: country}
          |                                             ^^^^^^^^          ------- splits the chart
          |                                             |
          |                                             the second measure
          |
          = help: declare a chart for each measure

        error[invalid-yaml]: the chart `j` has no `type`
          --> models/a.yml:10:12
           |
        10 |   - {name: j, x: day}
           |            ^
           |
           = help: add `type: …`, one of line, bar, number, histogram
        ");
    }

    #[test]
    fn a_chart_has_a_name_and_values_that_it_can_have() {
        let yaml = "
models:
- name: daily
  charts:
  - {name: f, type: bar, x: day, y: users, limit: 0}
  - {name: g, type: bar, x: day, y: users, fromat: percent}
  - {name: g, type: bar, x: day, y: users}
  - {name: h i, type: bar, x: day, y: users}
  - {type: bar}
  - {name: k, type: histogram, x: day, bins: 1000}
  - {name: l, type: number, y: users, format: percents}
";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", yaml)]), @r"
        error[invalid-config]: `limit` must be a whole number from 1
         --> models/a.yml:5:51
          |
        5 |   - {name: f, type: bar, x: day, y: users, limit: 0}
          |                                                   ^

        error[unknown-key]: `fromat` is not a key of a chart
         --> models/a.yml:6:44
          |
        6 |   - {name: g, type: bar, x: day, y: users, fromat: percent}
          |                                            ^^^^^^
          |
          = help: did you mean `format`?

        error[duplicate-name]: two charts of the model are called `g`
         --> models/a.yml:7:12
          |
        6 |   - {name: g, type: bar, x: day, y: users, fromat: percent}
          |            - the first one
        7 |   - {name: g, type: bar, x: day, y: users}
          |            ^

        error[invalid-name]: `h i` is not a name for a chart
         --> models/a.yml:8:12
          |
        8 |   - {name: h i, type: bar, x: day, y: users}
          |            ^^^
          |
          = help: use letters, digits, `_` and `-`; `title` takes any text

        error[invalid-yaml]: a chart has no `name`
         --> models/a.yml:9:6
          |
        9 |   - {type: bar}
          |      ^^^^
          |
          = help: add `name: …`

        error[invalid-config]: `bins` must be a whole number from 1 to 100
          --> models/a.yml:10:46
           |
        10 |   - {name: k, type: histogram, x: day, bins: 1000}
           |                                              ^^^^

        error[invalid-config]: `percents` is not a format of charts
          --> models/a.yml:11:47
           |
        11 |   - {name: l, type: number, y: users, format: percents}
           |                                               ^^^^^^^^
           |
           = help: did you mean `percent`?
        ");
    }
}
