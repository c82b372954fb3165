//! A source declared by looking at its files: YAML with their columns and types.

use std::fmt::Write;

use datafusion::common::DataFusionError;

use super::load::Loaded;
use crate::catalog::list_sources;
use crate::diag::{Code, Diagnostic, any_of};
use crate::failure::Failure;
use crate::figures::counted;
use crate::name::{SchemaName, SourceTableName};
use crate::project::{
    CsvFormat, MissingColumn, OnBadRow, OnMissing, Source, SourceFormat, UnknownColumn, format_of_ending, scalar,
};
use crate::raw::{CsvOptions, InferredFiles, RawFile, RawKind, infer};
use crate::span::{SourceFiles, Span, Spanned};
use crate::store::SourceFolder;
use crate::table::SourceEntry;

/// So many files are looked at, spread evenly over all of them.
const MOST_FILES: usize = 20;
/// The formats that files can have.
const FORMATS: [&str; 3] = ["csv", "json", "parquet"];

/// What is asked about files.
pub(crate) struct InferenceRequest {
    /// A path or glob inside the project.
    pub location: String,
    /// `raw.orders`
    pub name: Option<String>,
    /// One of `csv`, `json` and `parquet`, if the ending does not tell.
    pub format: Option<String>,
}

/// A source of which the columns are not known yet.
struct Undeclared<'a> {
    source: Source,
    word: &'a str,
    folder: SourceFolder,
}

impl Loaded {
    /// The YAML for a source with the files of this location. What is wrong with the request is said with places in `files`.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// Returns a failure if no file is there, one cannot be read, or the request makes no sense.
    pub fn infer_source(&self, request: &InferenceRequest, files: &mut SourceFiles) -> Result<String, Failure> {
        let file = files.add("<location>", request.location.as_str());
        let span = Span::new(file, 0..request.location.len());
        let undeclared = self.undeclared(request, span).map_err(Failure::Project)?;
        let looked = look_at(&undeclared.source, &undeclared.folder)?;
        let mut yaml =
            format!("# Inferred from the first rows of {} of {}.\n", looked.sample, counted(looked.files, "file"));
        undeclared.write(&looked.found, &mut yaml);
        Ok(yaml)
    }

    fn undeclared<'a>(&self, request: &'a InferenceRequest, span: Span) -> Result<Undeclared<'a>, Diagnostic> {
        let location = request.location.as_str();
        let wrong = |message: String| Diagnostic::error(Code::InvalidConfig, message).at(span);
        if location.starts_with("s3://") {
            let diagnostic = wrong("only files of the project can be looked at".to_owned());
            return Err(diagnostic.help("copy some of the objects into the project, and change `location` afterwards"));
        }
        // What leads out of the project is refused before anything is listed.
        if location.starts_with('/') || location.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let diagnostic = wrong(format!("`{location}` is no path inside the project"));
            return Err(diagnostic.help("write the path from the project's folder, like `data/orders/*.csv`"));
        }
        let word = request.format.as_deref().or_else(|| format_of_ending(location)).ok_or_else(|| {
            wrong(format!("the ending of `{location}` does not tell the format"))
                .help(format!("add `--format` with {}", any_of(FORMATS)))
        })?;
        let format = match word {
            "csv" => SourceFormat::Csv(CsvFormat::default()),
            "json" => SourceFormat::Json,
            _ => SourceFormat::Parquet,
        };
        let (schema, table) = match &request.name {
            Some(name) => name.split_once('.').map(|(schema, table)| (schema.to_owned(), table.to_owned())),
            None => Some(names_of(location)),
        }
        .ok_or_else(|| wrong("`--name` is a schema and a table, like `raw.orders`".to_owned()))?;
        let unnamed = |name: &str, reason: &str| {
            wrong(format!("`{name}` is not a name for a source: {reason}")).help("give one with `--name raw.orders`")
        };
        let schema_name = SchemaName::parse(&schema).map_err(|reason| unnamed(&schema, &reason.to_string()))?;
        let table_name = SourceTableName::parse(&table).map_err(|reason| unnamed(&table, &reason.to_string()))?;
        let key = SourceKey { schema: schema_name, table: table_name };
        let source = without_columns(key, Spanned::new(location.to_owned(), span), format);
        Ok(Undeclared { source, word, folder: self.source_folder() })
    }
}

/// What a source is called.
pub(super) struct SourceKey {
    pub schema: SchemaName,
    pub table: SourceTableName,
}

/// A source of which only its files are known.
pub(super) fn without_columns(name: SourceKey, location: Spanned<String>, format: SourceFormat) -> Source {
    Source {
        schema: name.schema,
        table: name.table,
        description: String::new(),
        span: location.span,
        location,
        format,
        forms: std::sync::Arc::default(),
        columns: Vec::new(),
        has_origin_columns: true,
        on_bad_row: OnBadRow::Quarantine,
        max_bad_rows: None,
        max_rescued: None,
        on_missing: OnMissing::Rebuild,
        missing_columns: MissingColumn::Allow,
        unknown_columns: UnknownColumn::Ignore,
        event_time: None,
        tests: Vec::new(),
    }
}

/// What was found in files, and how many of how many were looked at.
pub(super) struct Looked {
    pub found: InferredFiles,
    pub sample: usize,
    pub files: usize,
}

/// Looks at some of the files of a source. Blocks.
///
/// # Errors
///
/// Returns a failure if no file is there, none has a column, or one cannot be read.
pub(super) fn look_at(source: &Source, folder: &SourceFolder) -> Result<Looked, Failure> {
    let kind = match source.format {
        SourceFormat::Csv(_) => RawKind::Csv(CsvOptions::default()),
        SourceFormat::Json => RawKind::JsonLines,
        SourceFormat::Parquet | SourceFormat::Delta => RawKind::Parquet,
    };
    let entries = list_sources(folder, source)?.entries;
    let sample: Vec<RawFile> = spread(&entries).into_iter().map(|entry| folder.raw_file(entry, &kind)).collect();
    let found = infer(&sample, &kind);
    let found = found.map_err(|error| Failure::from(DataFusionError::External(Box::new(error))))?;
    if found.columns.is_empty() {
        let message = format!("the files of `{}` have no columns", source.location.value);
        let diagnostic = Diagnostic::error(Code::InvalidSourceFile, message).at(source.location.span);
        return Err(Failure::Project(diagnostic.help("put files with rows there")));
    }
    Ok(Looked { found, sample: sample.len(), files: entries.len() })
}

/// The keys, besides its columns, that a source needs to be read as its files are.
pub(super) fn keys_of(found: &InferredFiles, format: &SourceFormat) -> Vec<String> {
    let delimiter = found.delimiter.map(|delimiter| match delimiter {
        '\t' => "delimiter: tab".to_owned(),
        other => format!("delimiter: \"{other}\""),
    });
    let coerce = found.needs_coerce.then(|| "coerce: true".to_owned());
    let options: Vec<String> = delimiter.into_iter().chain(coerce).collect();
    let options = (!options.is_empty()).then(|| format!("options: {{ {} }}", options.join(", ")));
    // Of JSON and Parquet, files may lack columns anyway.
    let is_uneven = found.is_uneven && matches!(format, SourceFormat::Csv(_));
    options.into_iter().chain(is_uneven.then(|| "missing_columns: allow".to_owned())).collect()
}

impl Undeclared<'_> {
    /// The declaration.
    fn write(&self, found: &InferredFiles, yaml: &mut String) {
        let Source { schema, table, location, .. } = &self.source;
        let mut line = |indent: usize, text: String| {
            let _infallible = writeln!(yaml, "{}{text}", " ".repeat(indent));
        };
        line(0, "sources:".to_owned());
        line(2, format!("- name: {schema}"));
        line(4, "tables:".to_owned());
        line(6, format!("- name: {}", table.as_str()));
        line(8, format!("location: {}", scalar(&location.value)));
        if format_of_ending(&location.value) != Some(self.word) {
            line(8, format!("format: {}", self.word));
        }
        for key in keys_of(found, &self.source.format) {
            line(8, key);
        }
        line(8, "columns:".to_owned());
        for column in &found.columns {
            let data_type = scalar(&column.data_type.yaml_word());
            line(10, format!("- {{ name: {}, type: {data_type} }}", scalar(&column.name)));
        }
    }
}

/// Some of the files: the first and the last, and those at equal distances between them.
fn spread(entries: &[SourceEntry]) -> Vec<&SourceEntry> {
    let taken = entries.len().min(MOST_FILES);
    let last = entries.len().saturating_sub(1);
    let places = (0..taken).map(|number| number * last / (taken - 1).max(1));
    places.filter_map(|place| entries.get(place)).collect()
}

/// Schema and table by the folders of a location, or by the name of a single file.
fn names_of(location: &str) -> (String, String) {
    let is_name = |part: &&str| !part.contains(['*', '?', '[', '{', '=']);
    let parts: Vec<&str> = location.split('/').take_while(is_name).collect();
    let plain = |part: &str| {
        let stem = part.split('.').next().unwrap_or(part);
        let letters = stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
        letters.collect::<String>().to_ascii_lowercase()
    };
    match parts.as_slice() {
        [.., schema, table] => (plain(schema), plain(table)),
        [table] => ("raw".to_owned(), plain(table)),
        [] => ("raw".to_owned(), "files".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_after_its_folders() {
        let named = |location: &str| {
            let (schema, table) = names_of(location);
            format!("{schema}.{table}")
        };
        assert_eq!(named("data/shop/orders/*.csv"), "shop.orders");
        assert_eq!(named("data/shop/Order-Lines/day=*/*.csv"), "shop.order_lines");
        assert_eq!(named("data/orders.csv.gz"), "data.orders");
        assert_eq!(named("orders.csv"), "raw.orders");
        assert_eq!(named("*.csv"), "raw.files");
    }

    #[test]
    fn files_are_looked_at_from_the_first_to_the_last() {
        let entry = |number: usize| SourceEntry { path: number.to_string(), size: 0, modified: 0, etag: None };
        let taken = |count: usize| {
            let entries: Vec<SourceEntry> = (0..count).map(entry).collect();
            spread(&entries).into_iter().map(|entry| entry.path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(taken(1), ["0"]);
        assert_eq!(taken(3), ["0", "1", "2"]);
        let many = taken(365);
        assert_eq!((many.len(), many[0].as_str(), many[19].as_str()), (20, "0", "364"));
    }

    #[test]
    fn yaml_keeps_what_is_no_plain_word_in_quotes() {
        assert_eq!(scalar("data/**/*.csv"), "data/**/*.csv");
        assert_eq!(scalar("On"), "\"On\"");
        assert_eq!(scalar("a: \"b\""), "\"a: \\\"b\\\"\"");
        assert_eq!(scalar("decimal(20, 0)"), "\"decimal(20, 0)\"");
        assert_eq!(scalar("7"), "\"7\"");
    }
}
