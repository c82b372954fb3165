//! Everything that properties files say of source tables, located or not: artifacts repeat it, and freshness is asked for in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::freshness::SourceFreshness;
use super::node::{Node, YamlFields, YamlKind};
use super::resources::DeclaringFile;
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::TableName;
use crate::span::{Span, Spanned};

/// A source table as it was written.
#[derive(Debug, Clone)]
pub struct SourceProperties {
    /// The package whose file declares it.
    pub package: String,
    /// What the source says of all of its tables, but for these and its description.
    pub source: Map<String, Value>,
    pub source_description: String,
    /// What the table says, but for its columns, tests and description.
    pub table: Map<String, Value>,
    pub description: String,
    /// The columns with all that is said of them, but for tests.
    pub columns: Vec<WrittenColumn>,
    pub freshness: SourceFreshness,
    /// The package, the folders of the file, the source and the table: the way to it in the project file.
    pub fqn: Vec<String>,
    /// `enabled`, if it is said.
    enabled: Option<bool>,
    /// The table's name where it is declared.
    pub span: Span,
}

/// A column of a source as it was written.
#[derive(Debug, Clone)]
pub struct WrittenColumn {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    pub written: Map<String, Value>,
}

/// A source whose tables are read.
pub(super) struct SourceOfTables<'a> {
    pub name: &'a Spanned<String>,
    pub fields: &'a YamlFields<'a>,
    pub file: DeclaringFile<'a>,
    /// What it says of all of its tables.
    pub freshness: SourceFreshness,
}

impl SourceProperties {
    /// Reads a table of a source. Mistakes in what others read too are theirs to report.
    pub(super) fn read(
        source: &SourceOfTables<'_>,
        table: &YamlFields<'_>,
        name: &Spanned<String>,
    ) -> SourceProperties {
        let unsaid = &mut Sink::default();
        let columns = table.list("columns", unsaid).iter().filter_map(written_column).collect();
        let mut fqn = source.file.fqn(&source.name.value);
        fqn.push(name.value.clone());
        SourceProperties {
            package: source.file.package.to_owned(),
            source: source.fields.written_without(&["name", "description", "tables"]),
            source_description: source.fields.description(unsaid),
            table: table.written_without(&["name", "description", "columns", "data_tests", "tests"]),
            description: table.description(unsaid),
            columns,
            freshness: source.freshness.clone(),
            fqn,
            enabled: enabled_in(table, unsaid).or_else(|| enabled_in(source.fields, unsaid)),
            span: name.span,
        }
    }

    /// A table of which nothing is said but its name.
    #[cfg(test)]
    pub(crate) fn plain(package: &str, name: &TableName, span: Span) -> SourceProperties {
        SourceProperties {
            package: package.to_owned(),
            source: Map::new(),
            source_description: String::new(),
            table: Map::new(),
            description: String::new(),
            columns: Vec::new(),
            freshness: SourceFreshness::default(),
            fqn: vec![package.to_owned(), name.schema.to_string(), name.table.clone()],
            enabled: None,
            span,
        }
    }

    /// Whether it is switched off.
    pub fn is_disabled(&self) -> bool {
        self.enabled == Some(false)
    }

    /// The value of a key of the table, or else of the source.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.table.get(key).or_else(|| self.source.get(key)).filter(|value| !value.is_null())
    }
}

/// `enabled` in the `config` of a source or of a table.
pub(super) fn enabled_in(fields: &YamlFields<'_>, sink: &mut Sink) -> Option<bool> {
    let config = YamlFields::of(fields.get("config")?, "`config`", &mut Sink::default()).ok()?;
    config.read("enabled", Node::expect_bool, sink)
}

fn written_column(node: &Node) -> Option<WrittenColumn> {
    let unsaid = &mut Sink::default();
    let fields = YamlFields::of(node, "a column", unsaid).ok()?;
    let data_type = fields.text("data_type", unsaid).or_else(|| fields.text("type", unsaid));
    Some(WrittenColumn {
        name: fields.name("a column", unsaid).ok()?.value,
        description: fields.description(unsaid),
        data_type: data_type.map(|written| written.value),
        written: fields.written_without(&["name", "description", "data_type", "type", "data_tests", "tests"]),
    })
}

/// Adds what the project file says of sources below `sources:`, where these say nothing themselves: dbt takes the one or the
/// other. `of_package` is the package whose file it is; the project's own says something of all.
pub(super) fn add_project_configs(
    project: &YamlFields<'_>,
    of_package: Option<&str>,
    sources: &mut BTreeMap<TableName, SourceProperties>,
    sink: &mut Sink,
) {
    let Some(folder) = project.get("sources") else { return };
    let Ok(root) = YamlFields::of(folder, "`sources`", sink) else { return };
    warn_of_others(&root, sink);
    for source in sources.values_mut().filter(|source| of_package.is_none_or(|package| package == source.package)) {
        let mut said = SourceFreshness::default();
        let mut enabled = None;
        let mut fields = root;
        let mut parts = source.fqn.iter();
        loop {
            // Mistakes were reported once, for the whole mapping.
            said.add_of_folder(&fields, &mut Sink::default());
            enabled = enabled_of_folder(&fields, &mut Sink::default()).or(enabled);
            let Some(below) = below(&fields, &mut parts) else { break };
            fields = below;
        }
        source.freshness.fill(said);
        source.enabled = source.enabled.or(enabled);
    }
}

/// The next folder on the way to a source. Folders of files may be left out.
fn below<'a>(fields: &YamlFields<'a>, parts: &mut std::slice::Iter<'_, String>) -> Option<YamlFields<'a>> {
    let node = parts.find_map(|part| fields.get(part))?;
    YamlFields::of(node, "a folder", &mut Sink::default()).ok()
}

fn enabled_of_folder(fields: &YamlFields<'_>, sink: &mut Sink) -> Option<bool> {
    ["enabled", "+enabled"].into_iter().find_map(|key| fields.read(key, Node::expect_bool, sink))
}

/// Reports what is wrong with the configs of sources, and those that do nothing here.
fn warn_of_others(fields: &YamlFields<'_>, sink: &mut Sink) {
    SourceFreshness::default().add_of_folder(fields, sink);
    enabled_of_folder(fields, sink);
    for (key, node) in fields.entries() {
        let word = key.value.trim_start_matches('+');
        if matches!(word, "enabled" | "freshness" | "loaded_at_field" | "loaded_at_query") {
            continue;
        }
        let is_folder = matches!(node.kind, YamlKind::Mapping(_)) && !key.value.starts_with('+');
        match YamlFields::of(node, "a folder", &mut Sink::default()) {
            Ok(below) if is_folder => warn_of_others(&below, sink),
            _ => sink
                .warn(Diagnostic::warning(Code::UnknownKey, format!("`{}` is not used yet", key.value)).at(key.span)),
        }
    }
}

impl SourceFreshness {
    /// Takes what is not said nearer to the source.
    fn fill(&mut self, farther: SourceFreshness) {
        if !self.is_said {
            self.freshness = farther.freshness;
        }
        if self.loaded_at_field.is_none() && self.loaded_at_query.is_none() {
            self.loaded_at_field = farther.loaded_at_field;
            self.loaded_at_query = farther.loaded_at_query;
        }
    }
}
