//! How old the newest row of a source may be, as YAML says it at every level.

use super::node::{Node, YamlFields, YamlKind};
use super::scalar::{Scalar, Typed};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, any_of};
use crate::span::Spanned;

/// How old the newest row of a source may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freshness {
    pub warn_after: Option<Age>,
    pub error_after: Option<Age>,
    /// A SQL condition: only these rows count.
    pub filter: Option<Spanned<String>>,
}

/// A length of time: `12 hour`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    pub count: u64,
    pub period: Period,
}

/// The unit of an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Minute,
    Hour,
    Day,
}

/// How fresh a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshnessStatus {
    Pass,
    Warn,
    Error,
}

/// What is said of the freshness of a source table, all levels together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceFreshness {
    /// `None` if nobody asks, or if a level takes back what one above it has set.
    pub freshness: Option<Freshness>,
    /// The column, or an expression, that says when a row came.
    pub loaded_at_field: Option<Spanned<String>>,
    /// A SELECT of one value: when the newest row came.
    pub loaded_at_query: Option<Spanned<String>>,
    /// Whether a level says anything of the freshness, or takes it back.
    pub(super) is_said: bool,
}

pub const PERIODS: [(&str, Period); 3] = [("minute", Period::Minute), ("hour", Period::Hour), ("day", Period::Day)];

impl Period {
    pub fn word(self) -> &'static str {
        match self {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
        }
    }

    fn seconds(self) -> u64 {
        match self {
            Period::Minute => 60,
            Period::Hour => 3_600,
            Period::Day => 86_400,
        }
    }
}

impl Age {
    fn is_exceeded(self, seconds: f64) -> bool {
        // Ages are far below the integers that a double cannot hold.
        seconds > self.count.saturating_mul(self.period.seconds()) as f64
    }
}

impl Freshness {
    /// What it means that the newest row is so many seconds old.
    pub fn status(&self, seconds: f64) -> FreshnessStatus {
        let exceeds = |age: Option<Age>| age.is_some_and(|age| age.is_exceeded(seconds));
        if exceeds(self.error_after) {
            FreshnessStatus::Error
        } else if exceeds(self.warn_after) {
            FreshnessStatus::Warn
        } else {
            FreshnessStatus::Pass
        }
    }

    fn asks_for_something(&self) -> bool {
        self.warn_after.is_some() || self.error_after.is_some()
    }
}

impl SourceFreshness {
    /// Adds what a source or a table says, beside its name or in its `config`; what is said later holds.
    pub(super) fn add(&mut self, fields: &YamlFields<'_>, sink: &mut Sink) {
        self.add_keys(fields, "", sink);
        if let Some(config) = fields.get("config")
            && let Ok(config) = YamlFields::of(config, "`config`", &mut Sink::default())
        {
            self.add_keys(&config, "", sink);
        }
    }

    /// Adds what a folder of the project file says: keys may have a `+`. As with all configs of folders, its freshness takes
    /// the place of that of the folder above.
    pub(super) fn add_of_folder(&mut self, fields: &YamlFields<'_>, sink: &mut Sink) {
        if fields.get("+freshness").or_else(|| fields.get("freshness")).is_some() {
            self.freshness = None;
        }
        self.add_keys(fields, "+", sink);
        self.add_keys(fields, "", sink);
    }

    fn add_keys(&mut self, fields: &YamlFields<'_>, prefix: &str, sink: &mut Sink) {
        let key = |word: &str| format!("{prefix}{word}");
        let loaded_at_field = fields.text(&key("loaded_at_field"), sink);
        let loaded_at_query = fields.text(&key("loaded_at_query"), sink);
        if let (Some(_), Some(query)) = (&loaded_at_field, &loaded_at_query) {
            let message = "a source has `loaded_at_field` or `loaded_at_query`, not both";
            sink.error(Diagnostic::error(Code::InvalidConfig, message).at(query.span));
        }
        // The one takes the place of the other that a level above has set.
        if loaded_at_field.is_some() || loaded_at_query.is_some() {
            self.loaded_at_field = loaded_at_field;
            self.loaded_at_query = loaded_at_query;
        }
        let written = fields.entries().iter().find(|(found, _)| found.value == key("freshness"));
        let Some((_, node)) = written else { return };
        self.is_said = true;
        if node.is_null() {
            self.freshness = None;
            return;
        }
        let base = self.freshness.take().unwrap_or_default();
        if let Ok(merged) = merged(base, node, sink) {
            self.freshness = Some(merged).filter(Freshness::asks_for_something);
        }
    }
}

/// A level's freshness over that of the level above.
fn merged(base: Freshness, node: &Node, sink: &mut Sink) -> Checked<Freshness> {
    let fields = YamlFields::of(node, "`freshness`", sink)?;
    for (key, _) in fields.entries() {
        const KEYS: [&str; 3] = ["warn_after", "error_after", "filter"];
        if !KEYS.contains(&key.value.as_str()) {
            let message = format!("`{}` is not a key of `freshness`", key.value);
            let diagnostic = Diagnostic::error(Code::UnknownKey, message).at(key.span);
            sink.error(diagnostic.suggest(&key.value, KEYS).help(format!("its keys are {}", all_of(KEYS))));
        }
    }
    let warn_after = age(base.warn_after, &fields, "warn_after", sink);
    let error_after = age(base.error_after, &fields, "error_after", sink);
    let filter = fields.text("filter", sink).or(base.filter);
    Ok(Freshness { warn_after: warn_after?, error_after: error_after?, filter })
}

fn age(base: Option<Age>, fields: &YamlFields<'_>, key: &str, sink: &mut Sink) -> Checked<Option<Age>> {
    let Some((_, node)) = fields.entries().iter().find(|(found, _)| found.value == key) else { return Ok(base) };
    // `warn_after: null` takes back what a level above says.
    if node.is_null() {
        return Ok(None);
    }
    let fields = YamlFields::of(node, &format!("`{key}`"), sink)?;
    let count = fields.get("count").map(|node| count(node, sink)).transpose()?;
    let period = fields.get("period").map(|node| period(node, sink)).transpose()?;
    let count = count.or(base.map(|base| base.count));
    let period = period.or(base.map(|base| base.period));
    match (count, period) {
        (Some(count), Some(period)) => Ok(Some(Age { count, period })),
        (None, None) => Ok(None),
        _ => {
            let message = format!("`{key}` needs both `count` and `period`");
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(node.place());
            Err(sink.error(diagnostic.help(format!("write `{key}: {{ count: 12, period: hour }}`"))))
        }
    }
}

fn count(node: &Node, sink: &mut Sink) -> Checked<u64> {
    let written = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(count), .. }) => u64::try_from(*count).ok(),
        // What a template gives is a text.
        YamlKind::Scalar(Scalar { typed: Typed::Text, text }) => text.trim().parse().ok(),
        _ => None,
    };
    written.ok_or_else(|| {
        sink.error(Diagnostic::error(Code::InvalidConfig, "`count` must be a whole number").at(node.place()))
    })
}

fn period(node: &Node, sink: &mut Sink) -> Checked<Period> {
    let word = node.expect_text("`period`", sink)?;
    let words = PERIODS.map(|(word, _)| word);
    let found = PERIODS.into_iter().find(|(known, _)| *known == word.value);
    found.map(|(_, period)| period).ok_or_else(|| {
        let diagnostic = Diagnostic::error(Code::InvalidConfig, format!("`period` cannot be `{}`", word.value));
        let diagnostic = diagnostic.at(word.span).suggest(&word.value, words);
        sink.error(diagnostic.help(format!("it can be {}", any_of(words))))
    })
}
