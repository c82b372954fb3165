//! The configs of seeds: what YAML says of how their files are read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::config::{flag, invalid, setting, wrong_type};
use super::dialect::SqlDialect;
use super::files::ProjectFiles;
use super::model::{Column, Model, model_named};
use super::node::ended_by_comma;
use super::seed::{Seed, SeedConfig, SeedType};
use super::settings::Settings;
use super::source::{SourceLack, UnlocatedSource};
use crate::column_type::ColumnType;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::name::ModelName;
use crate::span::Spanned;

/// Reads the configs of the seeds. Returns what is wrong with them, and with the files of those that are not disabled: it stops the
/// seed and what reads it.
pub(super) fn settle(
    files: &ProjectFiles,
    models: &mut BTreeMap<ModelName, Model>,
    dialect: SqlDialect,
) -> BTreeMap<ModelName, Vec<Diagnostic>> {
    let mut faults = BTreeMap::new();
    for model in models.values_mut() {
        let Some(seed) = &mut model.seed else { continue };
        let sink = &mut Sink::default();
        if let Some(fault) =
            files.seeds.iter().find(|seed| seed.found.file == model.file).and_then(|seed| seed.fault.clone())
        {
            sink.error(fault);
        }
        if let Ok(config) = config(&model.settings, dialect, sink) {
            seed.config = config;
        }
        seed.add_declared_types(&model.columns, dialect, sink);
        let said = sink.take();
        if !said.is_empty() {
            faults.insert(model.name.clone(), said);
        }
    }
    faults
}

/// Switches on the seeds that are switched off and read as the table of a source: dbt reads the table that an earlier load has left, which
/// here nothing has left.
pub(super) fn enable_read_as_sources<'a>(
    models: &mut BTreeMap<ModelName, Model>,
    tables: impl Iterator<Item = &'a UnlocatedSource>,
    sink: &mut Sink,
) {
    let mut first = None;
    let mut names = Vec::new();
    for table in tables.filter(|table| table.is_seed && table.lack == SourceLack::Place) {
        let Some(name) = model_named(models, &table.identifier) else { continue };
        let Some(seed) = models.get_mut(&name).filter(|seed| seed.seed.is_some() && seed.is_disabled()) else {
            continue;
        };
        let off = seed.settings.values.remove("enabled");
        first = first.or(off.map(|off| off.span));
        names.push(name);
    }
    let Some(first) = first else { return };
    let seeds = all_of(names.iter().map(ModelName::as_str));
    let message = match names.len() {
        1 => format!("the seed {seeds} is loaded although it is disabled: a source reads its table"),
        _ => format!("the seeds {seeds} are loaded although they are disabled: sources read their tables"),
    };
    let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(first);
    sink.warn(diagnostic.help(
        "say where the files of the sources are, with `location` or with `sources` of the target, to read others",
    ));
}

/// Gives every setting its type.
fn config(settings: &Settings, dialect: SqlDialect, sink: &mut Sink) -> Checked<SeedConfig> {
    let column_types = column_types(settings, dialect, sink);
    let quote_columns = flag(settings, "quote_columns", sink);
    let delimiter = delimiter(settings, sink);
    Ok(SeedConfig {
        column_types: column_types?,
        quote_columns: quote_columns?.unwrap_or(false),
        delimiter: delimiter?,
    })
}

impl Seed {
    /// A `data_type` in the list of columns counts where `column_types` does not speak of the column.
    fn add_declared_types(&mut self, columns: &[Column], dialect: SqlDialect, sink: &mut Sink) {
        for column in columns {
            let Some(word) = &column.data_type else { continue };
            // Both are checked, also the one that does not count.
            let is_typed = self.config.column_types.iter().any(|(name, _)| name.value == column.name.value);
            if let Ok(data_type) = seed_type(word, &column.name.value, dialect, sink)
                && !is_typed
            {
                self.config.column_types.push((column.name.clone(), data_type));
            }
        }
    }
}

/// The types that `column_types` gives, in the order of the names.
fn column_types(
    settings: &Settings,
    dialect: SqlDialect,
    sink: &mut Sink,
) -> Checked<Vec<(Spanned<String>, SeedType)>> {
    let Some(found) = setting(settings, "column_types") else {
        return Ok(Vec::new());
    };
    let Value::Object(written) = &found.value else {
        return Err(sink.error(wrong_type("column_types", "a mapping of columns to types", found)));
    };
    sink.check_all(written, |(column, word), sink| {
        // `column_types: { id: 5 }` is a wrong type like any other, not another kind of error.
        let word = match word {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        let data_type = seed_type(&Spanned::new(word, found.span), column, dialect, sink)?;
        Ok((Spanned::new(column.clone(), found.span), data_type))
    })
}

/// The type that a word stands for.
fn seed_type(word: &Spanned<String>, column: &str, dialect: SqlDialect, sink: &mut Sink) -> Checked<SeedType> {
    if let Some(data_type) = ColumnType::parse(&word.value) {
        return Ok(SeedType::Is(data_type));
    }
    let lower = word.value.trim().to_ascii_lowercase();
    if lower == "number" {
        // Snowflake's and Oracle's, of which no other dialect knows.
        return Ok(SeedType::Is(ColumnType::Decimal { precision: 38, scale: 0 }));
    }
    if matches!(lower.as_str(), "decimal" | "numeric" | "dec") {
        return Ok(match dialect {
            SqlDialect::Postgres => SeedType::AnyDecimal,
            SqlDialect::DuckDb => SeedType::Is(ColumnType::Decimal { precision: 18, scale: 3 }),
            SqlDialect::Snowflake => SeedType::Is(ColumnType::Decimal { precision: 38, scale: 0 }),
            SqlDialect::BigQuery => SeedType::Is(ColumnType::Decimal { precision: 38, scale: 9 }),
            SqlDialect::Spark => SeedType::Is(ColumnType::Decimal { precision: 10, scale: 0 }),
        });
    }
    if let Some(diagnostic) = ended_by_comma(&word.value, word.span) {
        return Err(sink.error(diagnostic));
    }
    if ["timestamptz", "timestamp with time zone", "timestamp_tz", "timestamp_ltz", "timestamp with local time zone"]
        .contains(&lower.as_str())
    {
        let message =
            format!("the column `{column}` of a seed cannot be `{}`: a table holds times without a zone", word.value);
        let diagnostic = invalid(Some(word.span), message);
        let help = "write `timestamp`: values with a zone become times in UTC, and `… at time zone 'UTC'` makes instants of them";
        return Err(sink.error(diagnostic.help(help)));
    }
    let message = format!("`{}` is not a type for the column `{column}` of a seed", word.value);
    let diagnostic = invalid(Some(word.span), message).suggest(&word.value, ColumnType::WORDS);
    Err(sink.error(diagnostic.help(format!("the types are {}", all_of(ColumnType::WORDS)))))
}

/// One character that is neither a quote nor the end of a line.
fn delimiter(settings: &Settings, sink: &mut Sink) -> Checked<u8> {
    let Some(found) = setting(settings, "delimiter") else {
        return Ok(SeedConfig::default().delimiter);
    };
    let text = found.value.as_str().unwrap_or_default();
    match text.as_bytes() {
        _ if matches!(text, "tab" | "\\t") => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b'"') => Ok(*byte),
        _ => {
            let wanted = "one character of ASCII other than `\"`, or `\\t`";
            Err(sink.error(wrong_type("delimiter", wanted, found)))
        }
    }
}
