//! Which materialization the words of a config stand for, and which of the other configs it has no use for.

use super::UpdatedColumns;
use crate::diag::{Code, Diagnostic};
use crate::project::materialize::{self, Materialization};
use crate::span::{Span, Spanned};

/// What decides over the materialization of a model.
pub(super) struct Choice<'a> {
    materialized: Option<&'a Spanned<&'static str>>,
    strategy: Option<&'a Spanned<&'static str>>,
    has_event_time: bool,
    has_key: bool,
    has_updated_columns: bool,
}

/// The words that name a materialization.
#[derive(Clone, Copy)]
pub(super) struct WrittenWords<'a> {
    pub materialized: Option<&'a Spanned<&'static str>>,
    pub strategy: Option<&'a Spanned<&'static str>>,
}

impl<'a> Choice<'a> {
    pub fn new(
        written: WrittenWords<'a>,
        has_event_time: bool,
        unique_key: &[Spanned<String>],
        updated_columns: &UpdatedColumns,
    ) -> Self {
        let WrittenWords { materialized, strategy } = written;
        let has_updated_columns = *updated_columns != UpdatedColumns::All;
        Self { materialized, strategy, has_event_time, has_key: !unique_key.is_empty(), has_updated_columns }
    }

    /// The materialization that the words stand for. A word of `materialized` that stands for one alone takes any strategy:
    /// folders set one for all of their models.
    pub fn make(&self) -> &'static dyn Materialization {
        let Some(materialized) = self.materialized else { return materialize::DEFAULT };
        let mut of_word = materialize::ALL.iter().filter(|one| one.word() == materialized.value);
        let first = of_word.clone().next().expect("the word is one of theirs");
        let strategy = match (self.strategy, first.strategy()) {
            (Some(strategy), _) => Some(strategy.value),
            (None, Some(_)) => Some(self.default_strategy()),
            (None, None) => None,
        };
        of_word.find(|one| one.strategy() == strategy).map_or(*first, |one| *one)
    }

    /// What an incremental model does that names no strategy. With a key or without one it is what dbt's adapters for
    /// PostgreSQL and DuckDB do; `event_time` alone means slices, which no key is needed for.
    fn default_strategy(&self) -> &'static str {
        match (self.has_key, self.has_updated_columns, self.has_event_time) {
            (true, true, _) => "merge",
            (true, false, _) => "delete+insert",
            (false, _, true) => "microbatch",
            (false, _, false) => "append",
        }
    }

    /// Where `materialized` was written, if batches are added only because nothing says otherwise.
    pub fn assumed_append(&self) -> Option<Span> {
        let is_assumed = self.strategy.is_none() && self.make().strategy() == Some("append");
        self.materialized.filter(|_| is_assumed).map(|word| word.span)
    }
}

/// A config that a materialization has no use for. dbt ignores it too, so no row depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleConfig {
    key: &'static str,
    /// What has no use for it, as a message names it.
    of: String,
    span: Span,
}

/// Takes the key and the updated columns from a config whose materialization has no use for them.
pub(super) fn take_idle(
    chosen: &dyn Materialization,
    unique_key: &mut Vec<Spanned<String>>,
    updated_columns: &mut UpdatedColumns,
) -> Vec<IdleConfig> {
    let of = match chosen.strategy() {
        Some(strategy) => format!("with `incremental_strategy='{strategy}'`"),
        None => format!("in a model that is a `{}`", chosen.word()),
    };
    let mut idle = Vec::new();
    if let Some(first) = unique_key.first()
        && !chosen.finds_rows_by_key()
    {
        idle.push(IdleConfig { key: "unique_key", of: of.clone(), span: first.span });
        unique_key.clear();
    }
    if let Some((key, span)) = updated_columns.word().zip(updated_columns.span())
        && !chosen.updates_columns()
    {
        idle.push(IdleConfig { key, of, span });
        *updated_columns = UpdatedColumns::All;
    }
    idle
}

/// One warning for each kind of config without a use, at the first of them.
pub fn idle_configs<'a>(all: impl Iterator<Item = &'a IdleConfig>) -> Vec<Diagnostic> {
    let mut kinds: Vec<(&IdleConfig, usize)> = Vec::new();
    for one in all {
        match kinds.iter_mut().find(|(first, _)| first.key == one.key && first.of == one.of) {
            Some((_, count)) => *count += 1,
            None => kinds.push((one, 1)),
        }
    }
    let warn = |(first, count): (&IdleConfig, usize)| {
        let warning = Diagnostic::warning(Code::InvalidConfig, format!("`{}` does nothing {}", first.key, first.of));
        let warning = warning.at(first.span);
        match count {
            1 => warning,
            _ => warning.note(format!("{count} models set it; this is the first")),
        }
    };
    kinds.into_iter().map(warn).collect()
}

/// The warning for a model that appends all of its rows with every batch, though nobody said that it should.
pub fn appends_everything(materialized: Span) -> Diagnostic {
    let message = "every batch of this model adds all of its rows again";
    Diagnostic::warning(Code::InvalidConfig, message)
        .at(materialized)
        .note("without `incremental_strategy`, `unique_key` and `event_time` an incremental model appends, and this one does not ask `is_incremental()`")
        .help("select new rows only, below `{% if is_incremental() %}`")
        .help("or set `event_time`, the column that divides the table into slices")
        .help("or set `incremental_strategy='append'` if that is meant")
}
