//! Sources as properties files declare them: `sources:` with tables of raw files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::data_test;
use super::freshness::SourceFreshness;
use super::node::{Node, YamlFields, YamlKind, ended_by_comma};
use super::package::Package;
use super::properties::{UniqueColumns, column};
use super::resources::DeclaringFile;
use super::scalar::{Scalar, Typed};
use super::schema;
use super::source::{Limit, OnBadRow, OnMissing, Source, SourceColumn, SourceFormat, SourceLack, UnlocatedSource};
use super::source_columns::differences;
use super::source_files::{format, invalid, location};
use super::source_forms::forms;
use super::source_place::{
    SourceGroup, SourcePlaces, TableNames, UnplacedTable, external_of, external_places, lacking_columns,
};
use super::source_properties::{SourceOfTables, SourceProperties, add_project_configs, enabled_in};
use crate::column_type::ColumnType;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, any_of};
use crate::name::{RESCUED, SOURCE_FILE, SOURCE_LINE, SchemaName, SourceTableName, TableName};
use crate::span::{Span, Spanned};

/// What karat adds to the columns of every source: where a row came from, and what could not be converted.
const ADDED_COLUMNS: [&str; 3] = [SOURCE_FILE, SOURCE_LINE, RESCUED];

/// The sources of all properties files.
#[derive(Debug, Default)]
pub(super) struct DeclaredSources {
    pub(super) located: BTreeMap<TableName, Source>,
    pub(super) tables: BTreeMap<TableName, UnlocatedSource>,
    pub(super) properties: BTreeMap<TableName, SourceProperties>,
    /// Those that are switched off.
    pub(super) disabled: BTreeMap<TableName, SourceProperties>,
    /// Those without `location`, until [`DeclaredSources::place`].
    unplaced: Vec<UnplacedTable>,
}

/// What decides where a source without `location` is.
pub(super) struct Surroundings<'a> {
    /// What the target says of all sources.
    pub(super) places: Option<&'a SourcePlaces>,
    /// The names of the seeds.
    pub(super) seeds: &'a BTreeSet<&'a str>,
}

/// Adds the sources of one properties file.
pub(super) fn declare(
    fields: &YamlFields<'_>,
    file: DeclaringFile<'_>,
    sources: &mut DeclaredSources,
    sink: &mut Sink,
) {
    for node in fields.list("sources", sink) {
        let Ok(fields) = YamlFields::of(node, "an item of `sources`", sink) else {
            continue;
        };
        schema::SOURCE.check(&fields, sink);
        check_config(&fields, sink);
        let Ok(name) = fields.name("a source", sink) else {
            continue;
        };
        let Ok(schema) = SchemaName::parse(&name.value) else {
            let message = format!("`{}` is not a name for a source", name.value);
            sink.error(invalid_name(message, name.span));
            continue;
        };
        let group = SourceGroup::read(schema, &fields, sink);
        let mut freshness = SourceFreshness::default();
        freshness.add(&fields, sink);
        let source = SourceOfTables { name: &name, fields: &fields, file, freshness };
        for table in fields.list("tables", sink) {
            let Ok(fields) = YamlFields::of(table, "an item of `tables`", sink) else { continue };
            schema::TABLE.check(&fields, sink);
            check_config(&fields, sink);
            if sources.keep(&source, &fields, sink) == SourceState::Disabled {
                // Nothing is read of it.
            } else if fields.get("location").is_none() {
                sources.unplaced.push(UnplacedTable { group: group.clone(), node: table.clone() });
            } else if let Ok(source) = read_table(&fields, &group.name, sink) {
                add(source, &mut sources.located, sink);
            }
        }
    }
}

fn check_config(fields: &YamlFields<'_>, sink: &mut Sink) {
    let Some(config) = fields.get("config") else { return };
    if let Ok(fields) = YamlFields::of(config, "`config`", sink) {
        schema::SOURCE_CONFIG.check(&fields, sink);
    }
    // What is no truth value is said here, once.
    enabled_in(fields, sink);
}

/// Whether a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceState {
    Enabled,
    Disabled,
}

impl DeclaredSources {
    /// Keeps a table as it was written, the first of a name: a second one is an error elsewhere.
    fn keep(&mut self, source: &SourceOfTables<'_>, table: &YamlFields<'_>, sink: &mut Sink) -> SourceState {
        let Ok(name) = table.name("a source table", &mut Sink::default()) else { return SourceState::Enabled };
        let Ok(schema) = SchemaName::parse(&source.name.value) else { return SourceState::Enabled };
        let mut properties = SourceProperties::read(source, table, &name);
        properties.freshness.add(table, sink);
        let name = TableName { schema, table: name.value };
        if properties.is_disabled() {
            self.disabled.insert(name, properties);
            return SourceState::Disabled;
        }
        self.properties.entry(name).or_insert(properties);
        SourceState::Enabled
    }

    /// Adds what project files say of sources, and takes out those that they switch off.
    pub(super) fn configure(&mut self, project: &YamlFields<'_>, packages: &[Package<'_>], sink: &mut Sink) {
        add_project_configs(project, None, &mut self.properties, sink);
        for package in packages {
            // That its file is a mapping was seen when it was read.
            if let Ok(fields) = YamlFields::of(&package.files.project, "the project file", &mut Sink::default()) {
                add_project_configs(&fields, Some(package.name.as_str()), &mut self.properties, sink);
            }
        }
        self.disabled.extend(self.properties.extract_if(.., |_, source| source.is_disabled()));
        let enabled = &self.properties;
        self.unplaced.retain(|table| table.name().is_none_or(|name| enabled.contains_key(&name)));
    }

    /// Finds the files of the tables that do not say where they are. Those that have none are tables of a database for dbt, and the
    /// names of seeds or models here.
    pub(super) fn place(&mut self, surroundings: &Surroundings<'_>, sink: &mut Sink) {
        for table in std::mem::take(&mut self.unplaced) {
            let Ok(fields) = YamlFields::of(&table.node, "an item of `tables`", sink) else { continue };
            self.place_one(&fields, &table.group, surroundings, sink);
        }
    }

    fn place_one(
        &mut self,
        fields: &YamlFields<'_>,
        group: &SourceGroup,
        surroundings: &Surroundings<'_>,
        sink: &mut Sink,
    ) {
        let Ok(name) = fields.name("a source table", sink) else { return };
        let identifier = fields.text("identifier", sink).map_or_else(|| name.value.clone(), |written| written.value);
        let is_seed = surroundings.seeds.contains(identifier.as_str());
        let names = TableNames { group, name: &name.value, identifier: &identifier };
        let source = match placement(fields, &names, surroundings, sink) {
            Ok(Placement::Files(location)) => read_table_at(fields, &group.name, Ok(location), sink),
            // It is a source of files, whose place is missing.
            Ok(Placement::Unsaid) if says_files(fields) => read_table(fields, &group.name, sink),
            Ok(Placement::Unsaid) => {
                warn_of_tests(fields, &name, sink);
                return self.add_table(group, &name, SourceLack::Place, NamedTable { identifier, is_seed });
            }
            Ok(Placement::Lack(lack)) => {
                return self.add_table(group, &name, lack, NamedTable { identifier, is_seed });
            }
            Err(reported) => Err(reported),
        };
        if let Ok(source) = source {
            add(source, &mut self.located, sink);
        }
    }

    fn add_table(&mut self, group: &SourceGroup, name: &Spanned<String>, lack: SourceLack, named: NamedTable) {
        let table = TableName { schema: group.name.clone(), table: name.value.clone() };
        let NamedTable { identifier, is_seed } = named;
        let declared = UnlocatedSource { schema: group.schema.clone(), identifier, is_seed, lack, span: name.span };
        self.tables.insert(table, declared);
    }
}

/// The name that a table really has, and whether a seed has it too.
struct NamedTable {
    identifier: String,
    is_seed: bool,
}

/// What is known of the files of a table without `location`.
enum Placement {
    Files(Spanned<String>),
    Lack(SourceLack),
    Unsaid,
}

/// A seed is in the project, so its rows are meant, wherever the target looks for other sources.
fn placement(
    fields: &YamlFields<'_>,
    names: &TableNames<'_>,
    surroundings: &Surroundings<'_>,
    sink: &mut Sink,
) -> Checked<Placement> {
    let is_seed = !says_files(fields) && surroundings.seeds.contains(names.identifier);
    let places = match external_of(fields, names.group).map(|written| external_places(&written)) {
        Some(Ok(places)) => places,
        Some(Err(lack)) => return Ok(Placement::Lack(lack)),
        None => match surroundings.places.filter(|_| !is_seed) {
            Some(places) => places.clone(),
            None => return Ok(Placement::Unsaid),
        },
    };
    let location = places.location(names, sink)?;
    let lack = lacking_columns(fields, &location.value);
    Ok(lack.map_or(Placement::Files(location), Placement::Lack))
}

/// Whether a table has a key that only a source of files has.
fn says_files(fields: &YamlFields<'_>) -> bool {
    OF_FILES.iter().any(|key| fields.get(key).is_some())
}

/// The tests of a table that is a seed or a model by another name are not run.
fn warn_of_tests(fields: &YamlFields<'_>, name: &Spanned<String>, sink: &mut Sink) {
    let has_tests = |fields: &YamlFields<'_>| ["data_tests", "tests"].iter().any(|key| fields.get(key).is_some());
    let columns = fields.list("columns", &mut Sink::default()).iter();
    let mut of_columns = columns.filter_map(|column| YamlFields::of(column, "a column", &mut Sink::default()).ok());
    if has_tests(fields) || of_columns.any(|column| has_tests(&column)) {
        let message = format!("the data tests of the source table `{}` are not run: it has no `location`", name.value);
        let diagnostic = Diagnostic::warning(Code::InvalidConfig, message).at(name.span);
        sink.warn(diagnostic.help("declare them for the seed or the model that it is"));
    }
}

/// Keys that only a source of files has.
const OF_FILES: [&str; 6] = ["location", "format", "options", "on_bad_row", "on_missing", "event_time"];

fn add(source: Source, sources: &mut BTreeMap<TableName, Source>, sink: &mut Sink) {
    match sources.get(&source.name()) {
        Some(first) => {
            let message = format!("the source table `{}` is declared twice", source.name());
            let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(source.span);
            sink.error(diagnostic.labelled(first.span, "the first one"));
        }
        None => {
            sources.insert(source.name(), source);
        }
    }
}

fn read_table(fields: &YamlFields<'_>, schema: &SchemaName, sink: &mut Sink) -> Checked<Source> {
    let name = fields.name("a source table", sink)?;
    let location = location(fields, &name, sink);
    let source = read_table_at(fields, schema, location, sink)?;
    Ok(Source { has_origin_columns: true, ..source })
}

fn read_table_at(
    fields: &YamlFields<'_>,
    schema: &SchemaName,
    location: Checked<Spanned<String>>,
    sink: &mut Sink,
) -> Checked<Source> {
    let name = fields.name("a source table", sink)?;
    let table = SourceTableName::parse(&name.value)
        .map_err(|_| sink.error(invalid_name(format!("`{}` is not a name for a source table", name.value), name.span)));
    let format = location.as_ref().map_err(|reported| *reported).and_then(|location| format(fields, location, sink));
    let forms = forms(fields, format.as_ref().ok(), sink);
    let columns = columns(fields, &name, sink);
    let event_time = columns.as_ref().ok().and_then(|columns| event_time(fields, columns, sink));
    let on_bad_row = on_bad_row(fields, sink);
    let on_missing = on_missing(fields, sink);
    if let (Ok(SourceFormat::Delta), Ok(OnMissing::Keep)) = (&format, &on_missing) {
        let span = fields.get("on_missing").map_or(name.span, Node::place);
        let diagnostic = invalid("`on_missing: keep` is not for a Delta table", span);
        let note = "its writer replaces files by others with the same rows, which would then be there twice";
        return Err(sink.error(diagnostic.note(note).help("remove `on_missing`")));
    }
    let differences =
        format.as_ref().map_err(|reported| *reported).and_then(|format| differences(fields, format, sink));
    let max_bad_rows = fields.read("max_bad_rows", read_limit, sink);
    let max_rescued = fields.read("max_rescued", read_limit, sink);
    let differences = differences?;
    Ok(Source {
        schema: schema.clone(),
        table: table?,
        description: fields.description(sink),
        location: location?,
        format: format?,
        forms: Arc::new(forms?),
        columns: columns?,
        has_origin_columns: false,
        on_bad_row: on_bad_row?,
        max_bad_rows,
        max_rescued,
        on_missing: on_missing?,
        missing_columns: differences.missing,
        unknown_columns: differences.unknown,
        event_time,
        tests: data_test::read(fields, sink),
        span: name.span,
    })
}

fn invalid_name(message: String, span: Span) -> Diagnostic {
    Diagnostic::error(Code::InvalidName, message).at(span).help("use letters, digits and `_`, and begin with a letter")
}

fn columns(fields: &YamlFields<'_>, table: &Spanned<String>, sink: &mut Sink) -> Checked<Vec<SourceColumn>> {
    let nodes = fields.list("columns", sink);
    if nodes.is_empty() {
        let diagnostic = invalid(format!("the source table `{}` declares no columns", table.value), table.span);
        let note = "models are compiled against the declared columns, without reading the files";
        return Err(sink.error(diagnostic.note(note).help("list them: `columns: [{ name: user_id, type: text }]`")));
    }
    let mut seen = UniqueColumns::default();
    sink.check_all(nodes, |node, sink| source_column(node, &mut seen, sink))
}

fn source_column(node: &Node, seen: &mut UniqueColumns, sink: &mut Sink) -> Checked<SourceColumn> {
    let max_rescued = YamlFields::of(node, "an item of `columns`", sink)?.read("max_rescued", read_limit, sink);
    let column = column(node, &schema::SOURCE_COLUMN, seen, sink)?;
    // Two columns of one name could not be told apart in any SELECT.
    if ADDED_COLUMNS.contains(&column.name.value.as_str()) {
        let message = format!("the column `{}` is one that karat adds itself", column.name.value);
        return Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(column.name.span)));
    }
    let Some(written) = column.data_type else {
        let message = format!("the column `{}` has no type", column.name.value);
        return Err(sink.error(invalid(message, column.name.span).help("add `type: text`")));
    };
    let Some(data_type) = ColumnType::parse(&written.value) else {
        if let Some(diagnostic) = ended_by_comma(&written.value, written.span) {
            return Err(sink.error(diagnostic));
        }
        let diagnostic = invalid(format!("`{}` is not a type of a source column", written.value), written.span);
        let diagnostic = diagnostic.suggest(&written.value, ColumnType::WORDS);
        return Err(sink.error(diagnostic.help(format!("the types are {}", all_of(ColumnType::WORDS)))));
    };
    Ok(SourceColumn {
        name: column.name,
        data_type,
        max_rescued,
        description: column.description,
        tests: column.tests,
        written: column.written,
    })
}

fn event_time(fields: &YamlFields<'_>, columns: &[SourceColumn], sink: &mut Sink) -> Option<Spanned<String>> {
    let written = fields.text("event_time", sink)?;
    match columns.iter().find(|column| column.name.value == written.value) {
        Some(column) if matches!(column.data_type, ColumnType::Date | ColumnType::Timestamp) => Some(written),
        Some(column) => {
            let message = format!("the event time `{}` is neither a date nor a timestamp", written.value);
            sink.error(invalid(message, written.span).labelled(column.name.span, "the column"));
            None
        }
        None => {
            let message = format!("the source has no column `{}`", written.value);
            let known = columns.iter().map(|column| column.name.value.as_str());
            sink.error(Diagnostic::error(Code::MissingColumn, message).at(written.span).suggest(&written.value, known));
            None
        }
    }
}

fn on_bad_row(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<OnBadRow> {
    one_of(fields, "on_bad_row", [("quarantine", OnBadRow::Quarantine), ("fail", OnBadRow::Fail)], sink)
}

fn on_missing(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<OnMissing> {
    one_of(fields, "on_missing", [("rebuild", OnMissing::Rebuild), ("keep", OnMissing::Keep)], sink)
}

/// What one of two words means; the first is the default.
fn one_of<T: Copy>(fields: &YamlFields<'_>, key: &str, meanings: [(&str, T); 2], sink: &mut Sink) -> Checked<T> {
    let [(_, default), _] = meanings;
    let Some(node) = fields.get(key) else {
        return Ok(default);
    };
    let word = node.expect_text(&format!("`{key}`"), sink)?;
    let words = meanings.map(|(word, _)| word);
    let meaning = meanings.into_iter().find(|(known, _)| *known == word.value);
    meaning.map(|(_, meaning)| meaning).ok_or_else(|| {
        let diagnostic = invalid(format!("`{key}` cannot be `{}`", word.value), word.span);
        sink.error(diagnostic.suggest(&word.value, words).help(format!("it can be {}", any_of(words))))
    })
}

fn read_limit(node: &Node, what: &str, sink: &mut Sink) -> Checked<Limit> {
    let limit = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(rows), .. }) => u64::try_from(*rows).ok().map(Limit::Count),
        YamlKind::Scalar(Scalar { typed: Typed::Text, text }) => {
            let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
            percent.filter(|percent| (0.0..=100.0).contains(percent)).map(Limit::Percent)
        }
        _ => None,
    };
    limit.ok_or_else(|| {
        let message = format!("{what} must be a number like `100`, or a share like `5%`");
        sink.error(invalid(message, node.place()))
    })
}

#[cfg(test)]
mod tests;
