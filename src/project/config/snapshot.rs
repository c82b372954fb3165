//! What the config of a snapshot says of keys, changes and deletions.

use serde_json::Value;

use super::{Settings, columns, flag, invalid, one_of, setting, text, wrong_type};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::ColumnName;
use crate::project::snapshot::{CheckedColumns, HardDeletes, SnapshotColumns, SnapshotConfig, SnapshotStrategy};
use crate::span::{Span, Spanned};

/// The words of `strategy`.
#[derive(Debug, Clone, Copy)]
enum StrategyWord {
    Timestamp,
    Check,
}

const STRATEGIES: [(&str, StrategyWord); 2] = [("timestamp", StrategyWord::Timestamp), ("check", StrategyWord::Check)];

/// Gives every setting its type. What is missing is reported at the snapshot's name.
pub(super) fn read(settings: &Settings, name: Span, sink: &mut Sink) -> Checked<SnapshotConfig> {
    let unique_key = unique_key(settings, name, sink);
    let strategy = strategy(settings, name, sink);
    let hard_deletes = hard_deletes(settings, sink);
    let valid_to_current = text(settings, "dbt_valid_to_current", sink);
    let columns = meta_columns(settings, sink);
    Ok(SnapshotConfig {
        unique_key: unique_key?,
        strategy: strategy?,
        hard_deletes: hard_deletes?,
        valid_to_current: valid_to_current?,
        columns: columns?,
    })
}

fn unique_key(settings: &Settings, name: Span, sink: &mut Sink) -> Checked<Vec<Spanned<String>>> {
    let key = columns(settings, "unique_key", sink)?.unwrap_or_default();
    if key.is_empty() {
        let message = "a snapshot needs `unique_key`";
        let note = "`unique_key` is the column, or the list of columns, that identifies a row of the query";
        let diagnostic = invalid(Some(name), message).note(note);
        return Err(sink.error(diagnostic.help("add it to the config, like `unique_key='order_id'`")));
    }
    Ok(key)
}

fn strategy(settings: &Settings, name: Span, sink: &mut Sink) -> Checked<SnapshotStrategy> {
    let Some(word) = text(settings, "strategy", sink)? else {
        let diagnostic = invalid(Some(name), "a snapshot needs `strategy`");
        let help = "`strategy='timestamp', updated_at='updated_at'` if the rows have a time at which they changed";
        return Err(
            sink.error(diagnostic.help(help).help("`strategy='check', check_cols='all'` compares their values"))
        );
    };
    let updated_at = text(settings, "updated_at", sink);
    let checked = checked_columns(settings, sink);
    let strategy = one_of("strategy", &word, &STRATEGIES, sink)?;
    let updated_at = updated_at?;
    let checked = checked?;
    match (strategy, updated_at, checked) {
        (StrategyWord::Timestamp, None, _) => {
            let message = "`strategy='timestamp'` needs `updated_at`";
            let note = "`updated_at` is the column that says when a row was changed last";
            let help = "add it to the config, or compare values with `strategy='check', check_cols='all'`";
            Err(sink.error(invalid(Some(word.span), message).note(note).help(help)))
        }
        (StrategyWord::Timestamp, Some(_), Some(_)) => {
            let place = settings.get("check_cols").map(|found| found.span);
            let message = "`check_cols` does not apply to `strategy='timestamp'`";
            Err(sink.error(invalid(place, message).help("remove it, or set `strategy='check'`")))
        }
        (StrategyWord::Timestamp, Some(updated_at), None) => Ok(SnapshotStrategy::Timestamp { updated_at }),
        (StrategyWord::Check, _, None) => {
            let message = "`strategy='check'` needs `check_cols`";
            let help = "name the columns that are compared, like `check_cols=['status']`, or write `check_cols='all'`";
            Err(sink.error(invalid(Some(word.span), message).help(help)))
        }
        (StrategyWord::Check, updated_at, Some(columns)) => Ok(SnapshotStrategy::Check { columns, updated_at }),
    }
}

/// `check_cols`: the word `all`, or a list.
fn checked_columns(settings: &Settings, sink: &mut Sink) -> Checked<Option<CheckedColumns>> {
    let Some(found) = setting(settings, "check_cols") else { return Ok(None) };
    if found.value.as_str() == Some("all") {
        return Ok(Some(CheckedColumns::All));
    }
    let named = if found.value.is_array() { columns(settings, "check_cols", sink)? } else { None };
    match named {
        Some(named) if named.is_empty() => {
            let diagnostic = invalid(Some(found.span), "`check_cols` names no column");
            Err(sink.error(diagnostic.help("name the columns that are compared, or write `check_cols='all'`")))
        }
        Some(named) => Ok(Some(CheckedColumns::These(named))),
        None => Err(sink.error(wrong_type("check_cols", "`all` or a list of columns", found))),
    }
}

/// `hard_deletes`, or its older form `invalidate_hard_deletes`.
fn hard_deletes(settings: &Settings, sink: &mut Sink) -> Checked<HardDeletes> {
    let invalidates = flag(settings, "invalidate_hard_deletes", sink);
    let word = text(settings, "hard_deletes", sink)?;
    match (word, invalidates?) {
        (Some(word), None) => one_of("hard_deletes", &word, &HardDeletes::ALL, sink),
        (Some(word), Some(_)) => {
            let message = "`hard_deletes` and `invalidate_hard_deletes` cannot both be set";
            let older = settings.get("invalidate_hard_deletes").map(|found| found.span);
            let diagnostic = invalid(Some(word.span), message);
            let diagnostic = match older.filter(|older| *older != word.span) {
                Some(older) => diagnostic.labelled(older, "the older form"),
                None => diagnostic,
            };
            Err(sink.error(diagnostic.help("`hard_deletes='invalidate'` is what `invalidate_hard_deletes=true` was")))
        }
        (None, Some(true)) => Ok(HardDeletes::Invalidate),
        (None, Some(false) | None) => Ok(HardDeletes::Ignore),
    }
}

/// `snapshot_meta_column_names`: other names for the columns that a snapshot adds.
fn meta_columns(settings: &Settings, sink: &mut Sink) -> Checked<SnapshotColumns> {
    const KEY: &str = "snapshot_meta_column_names";
    let mut names = SnapshotColumns::default();
    let Some(found) = setting(settings, KEY) else { return Ok(names) };
    let Value::Object(written) = &found.value else {
        return Err(sink.error(wrong_type(KEY, "a mapping of names to names", found)));
    };
    sink.check_all(written, |(key, value), sink| {
        let name = match key.as_str() {
            "dbt_scd_id" => &mut names.scd_id,
            "dbt_updated_at" => &mut names.updated_at,
            "dbt_valid_from" => &mut names.valid_from,
            "dbt_valid_to" => &mut names.valid_to,
            "dbt_is_deleted" => &mut names.is_deleted,
            unknown => {
                let defaults = SnapshotColumns::default();
                let known = defaults.all();
                let message = format!("a snapshot adds no column `{unknown}` that could be called otherwise");
                let diagnostic = Diagnostic::error(Code::UnknownKey, message).at(found.span);
                return Err(sink.error(diagnostic.suggest(unknown, known)));
            }
        };
        match value.as_str() {
            Some(text) if ColumnName::parse(text).is_ok() => {
                *name = text.to_owned();
                Ok(())
            }
            Some(_) | None => {
                let message = format!("`{key}` cannot be called {value}: a name has only letters, digits and `_`");
                Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(found.span)))
            }
        }
    })?;
    let mut all = names.all().map(str::to_lowercase).to_vec();
    all.sort();
    if let Some([twice, _]) = all.windows(2).find(|pair| matches!(pair, [one, other] if one == other)) {
        let message = format!("`{KEY}` calls two columns `{twice}`");
        return Err(sink.error(invalid(Some(found.span), message)));
    }
    Ok(names)
}

impl SnapshotColumns {
    fn all(&self) -> [&str; 5] {
        [&self.scd_id, &self.updated_at, &self.valid_from, &self.valid_to, &self.is_deleted]
    }
}
