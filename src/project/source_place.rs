//! Where the files of a source without `location` are: by what the target says of all sources, or dbt-duckdb's `external_location`.

use super::node::{Node, YamlFields};
use super::source::SourceLack;
use super::source_files::{format_of_ending, inside, invalid};
use crate::column_type::ColumnType;
use crate::diag::{Checked, Diagnostic, Sink, all_of, any_of};
use crate::name::{SchemaName, TableName};
use crate::span::Spanned;

/// What may stand in braces in a place of sources.
const PARTS: [&str; 5] = ["database", "identifier", "name", "schema", "source"];

/// The item of `sources:` that a table belongs to.
#[derive(Debug, Clone)]
pub(super) struct SourceGroup {
    /// The first argument of `source()`.
    pub(super) name: SchemaName,
    /// `schema`: that of the tables, which is the group's name if nothing else is said.
    pub(super) schema: String,
    database: String,
    /// dbt-duckdb's `external_location`.
    external: Option<Spanned<String>>,
}

/// A table of a source that says nothing of where its files are.
#[derive(Debug, Clone)]
pub(super) struct UnplacedTable {
    pub(super) group: SourceGroup,
    pub(super) node: Node,
}

impl UnplacedTable {
    /// Returns `None` if it has no name, which is reported where it is placed.
    pub(super) fn name(&self) -> Option<TableName> {
        let unsaid = &mut Sink::default();
        let fields = YamlFields::of(&self.node, "an item of `tables`", unsaid).ok()?;
        let table = fields.name("a source table", unsaid).ok()?.value;
        Some(TableName { schema: self.group.name.clone(), table })
    }
}

/// The names of one table, as a place of sources may use them.
#[derive(Debug, Clone)]
pub(super) struct TableNames<'a> {
    pub(super) group: &'a SourceGroup,
    /// The second argument of `source()`.
    pub(super) name: &'a str,
    /// `identifier`: the name that the table really has.
    pub(super) identifier: &'a str,
}

/// What a target says of all sources: a path with the parts of names in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlaces(Spanned<String>);

impl SourceGroup {
    pub(super) fn read(name: SchemaName, fields: &YamlFields<'_>, sink: &mut Sink) -> SourceGroup {
        let schema = fields.text("schema", sink).map_or_else(|| name.as_str().to_owned(), |schema| schema.value);
        let database = fields.text("database", sink).map_or_else(|| "lake".to_owned(), |database| database.value);
        SourceGroup { schema, database, external: external_location(fields), name }
    }
}

impl SourcePlaces {
    /// Reads `sources` of a target. What does not depend on a name is checked now, once, and not for every source.
    pub(super) fn read(node: &Node, sink: &mut Sink) -> Checked<SourcePlaces> {
        let written = node.expect_text("`sources`", sink)?;
        let places = SourcePlaces(written);
        let found = places.parts().map_err(|diagnostic| sink.error(diagnostic))?;
        if !["identifier", "name"].iter().any(|part| found.iter().any(|one| one == part)) {
            let diagnostic = invalid("`sources` names the same files for every table", places.0.span);
            return Err(
                sink.error(diagnostic.help("write `{identifier}` where the name of the table stands in the path"))
            );
        }
        if format_of_ending(&places.0.value).is_none() && !places.is_of_folders() {
            let diagnostic = invalid("the extension of `sources` does not determine the format", places.0.span);
            let help = "end it with `.csv`, `.jsonl` or `.parquet`, like `raw/{schema}/{identifier}/*.parquet`, or with the name of \
                        a Delta table's folder, like `lake/{schema}/{identifier}`";
            return Err(sink.error(diagnostic.help(help)));
        }
        places.path_of(&|part| part.to_owned(), sink)?;
        Ok(places)
    }

    /// Whether each place is the folder of a Delta table: its last part has neither an ending nor a wildcard.
    fn is_of_folders(&self) -> bool {
        let last = self.0.value.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        !self.0.value.contains(['*', '?', '[']) && !last.contains('.')
    }

    /// What stands in braces, in order.
    fn parts(&self) -> Result<Vec<String>, Diagnostic> {
        let mut found = Vec::new();
        for piece in self.0.value.split('{').skip(1) {
            let part = piece.split_once('}').map_or(piece, |(part, _)| part);
            if !PARTS.contains(&part) || !piece.contains('}') {
                let diagnostic = invalid(format!("`{{{part}}}` is not a part of a source's name"), self.0.span);
                let diagnostic = diagnostic.suggest(part, PARTS);
                return Err(diagnostic.help(format!("in braces can stand {}", any_of(PARTS))));
            }
            found.push(part.to_owned());
        }
        Ok(found)
    }

    /// The path, with a value for each part.
    fn path_of(&self, value: &dyn Fn(&str) -> String, sink: &mut Sink) -> Checked<Spanned<String>> {
        let mut path = String::new();
        let mut pieces = self.0.value.split('{');
        path.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (part, rest) = piece.split_once('}').unwrap_or((piece, ""));
            path.push_str(&value(part));
            path.push_str(rest);
        }
        inside(&Spanned::new(path, self.0.span), sink)
    }

    /// Where the files of one table are.
    pub(super) fn location(&self, names: &TableNames<'_>, sink: &mut Sink) -> Checked<Spanned<String>> {
        let value = |part: &str| match part {
            "database" => names.group.database.clone(),
            "identifier" => names.identifier.to_owned(),
            "schema" => names.group.schema.clone(),
            "source" => names.group.name.as_str().to_owned(),
            _ => names.name.to_owned(),
        };
        self.path_of(&value, sink)
    }
}

/// `external_location` of a table, or that of its group.
pub(super) fn external_of(fields: &YamlFields<'_>, group: &SourceGroup) -> Option<Spanned<String>> {
    external_location(fields).or_else(|| group.external.clone())
}

/// dbt-duckdb reads it in `config`, in `meta`, and in the `meta` of `config`.
fn external_location(fields: &YamlFields<'_>) -> Option<Spanned<String>> {
    let unsaid = &mut Sink::default();
    let config = fields.get("config").and_then(|config| YamlFields::of(config, "`config`", unsaid).ok());
    let metas = [Some(*fields), config].into_iter().flatten().filter_map(|owner| owner.get("meta"));
    let metas: Vec<YamlFields<'_>> =
        metas.filter_map(|meta| YamlFields::of(meta, "`meta`", &mut Sink::default()).ok()).collect();
    let owners = config.into_iter().chain(metas);
    owners.into_iter().find_map(|owner| owner.text("external_location", &mut Sink::default()))
}

/// dbt-duckdb's `external_location` as a place of files. It may be any expression of DuckDB there; here it is a path, or a call
/// that reads one.
pub(super) fn external_places(written: &Spanned<String>) -> Result<SourcePlaces, SourceLack> {
    let text = written.value.trim();
    let path = path_in_call(text).unwrap_or_else(|| text.trim_matches('\''));
    let places = SourcePlaces(Spanned::new(path.to_owned(), written.span));
    let is_call = path.contains('(');
    let is_elsewhere = (path.contains("://") && !path.starts_with("s3://")) || path.starts_with('/');
    if is_call || is_elsewhere || places.parts().is_err() || format_of_ending(path).is_none() {
        return Err(SourceLack::Path(written.value.clone()));
    }
    Ok(places)
}

/// The path in `read_csv('…', header = true)` and the like. Returns `None` for what is not such a call, and for one with an option
/// that files are not read by anyway.
fn path_in_call(text: &str) -> Option<&str> {
    const AS_EVER: [&str; 3] = ["auto_detect", "header", "union_by_name"];
    let (function, arguments) = text.split_once('(')?;
    let format = match function.trim_end().to_ascii_lowercase().as_str() {
        "read_csv" | "read_csv_auto" => "csv",
        "read_json" | "read_json_auto" | "read_ndjson" | "read_ndjson_auto" => "json",
        "parquet_scan" | "read_parquet" => "parquet",
        _ => return None,
    };
    let (path, options) = arguments.strip_suffix(')')?.trim().strip_prefix('\'')?.split_once('\'')?;
    let mut options = options.split(',').map(str::trim);
    let is_alone = options.next().is_some_and(str::is_empty);
    let is_as_ever = |option: &str| {
        option.split_once('=').is_some_and(|(name, value)| {
            AS_EVER.contains(&name.trim().to_ascii_lowercase().as_str())
                && ["1", "true"].contains(&value.trim().to_ascii_lowercase().as_str())
        })
    };
    (is_alone && options.all(is_as_ever) && format_of_ending(path) == Some(format)).then_some(path)
}

/// What the columns of a table lack to be compiled against. Returns `None` if every one of them has a type.
pub(super) fn lacking_columns(fields: &YamlFields<'_>, location: &str) -> Option<SourceLack> {
    let unsaid = &mut Sink::default();
    let columns = fields.list("columns", unsaid);
    if columns.is_empty() {
        return Some(SourceLack::Columns { location: location.to_owned() });
    }
    let columns = columns.iter().filter_map(|column| YamlFields::of(column, "a column", &mut Sink::default()).ok());
    let is_typed = |column: &YamlFields<'_>| {
        let written = ["data_type", "type"].iter().find_map(|key| column.text(key, &mut Sink::default()));
        written.is_some_and(|written| ColumnType::parse(&written.value).is_some())
    };
    let untyped = columns.filter(|column| !is_typed(column));
    let names = untyped.filter_map(|column| column.name("a column", &mut Sink::default()).ok()).map(|name| name.value);
    let names: Vec<String> = names.collect();
    if names.is_empty() { None } else { Some(SourceLack::Types { location: location.to_owned(), columns: names }) }
}

impl SourceLack {
    /// What is wrong with the source `name`, and what to write. `declared` is where its table is declared.
    pub(crate) fn describe(&self, name: &str, identifier: &str) -> LackText {
        let table = name.rsplit('.').next().unwrap_or(name);
        match self {
            SourceLack::Place => LackText {
                message: format!("the source `{name}` has no `location`"),
                help: format!(
                    "add where its files are, like `location: data/{table}/*.csv`, or a seed `{identifier}.csv`, or say for all sources \
                     of the target `sources: raw/{{schema}}/{{identifier}}/*.parquet`"
                ),
            },
            SourceLack::Columns { location } => LackText {
                message: format!(
                    "the source `{name}` declares no columns, and models are compiled without reading `{location}`"
                ),
                help: format!(
                    "`karat source infer --write` adds those that the files have; or add them to the table `{table}`, like \
                     `columns: [{{ name: id, type: integer }}]`"
                ),
            },
            SourceLack::Types { location, columns } => LackText {
                message: format!(
                    "the source `{name}` declares no type that files are read by for {}, and models are compiled without reading `{location}`",
                    all_of(columns.iter().map(String::as_str))
                ),
                help: format!(
                    "`karat source infer --write` adds those that the files have; or add `data_type` to each; the types are {}",
                    all_of(ColumnType::WORDS)
                ),
            },
            SourceLack::Path(written) => LackText {
                message: format!(
                    "the `external_location` of the source `{name}` is not a path inside the project: `{written}`"
                ),
                help: format!("add `location: data/{table}/*.parquet` with its path, and its columns with their types"),
            },
        }
    }
}

/// What to say of a source that cannot be read.
pub(crate) struct LackText {
    pub(crate) message: String,
    pub(crate) help: String,
}

#[cfg(test)]
mod tests {
    use super::path_in_call;
    use crate::project::SourceLack;
    use crate::project::testing::load;

    const PROJECT: &str =
        "name: p\ntargets: {local: {lake: l, sources: '{database}/{schema}-{source}/{name}.{identifier}.parquet'}}";

    #[test]
    fn the_parts_of_a_name_are_those_of_dbt() {
        let yaml = "
sources:
- name: app
  schema: prod
  database: wh
  tables:
  - {name: a, identifier: a_v2, columns: [{name: id, type: integer}]}
- name: raw
  tables: [{name: b, columns: [{name: id, type: integer}]}, {name: c, location: c.csv, columns: [{name: id, type: text}]}]
";
        let project = load(PROJECT, &[("models/s.yml", yaml)]).unwrap();
        let found = project
            .sources
            .values()
            .map(|source| format!("{} {} {}", source.name(), source.location.value, source.has_origin_columns));
        assert_eq!(
            found.collect::<Vec<_>>(),
            ["app.a wh/prod-app/a.a_v2.parquet false", "raw.b lake/raw-raw/b.b.parquet false", "raw.c c.csv true"]
        );
    }

    #[test]
    fn an_external_location_of_a_table_goes_before_that_of_its_source_and_before_the_target() {
        let yaml = "
sources:
- name: app
  config: {external_location: 'data/{name}.csv'}
  tables:
  - {name: a, columns: [{name: id, type: integer}]}
  - {name: b, meta: {external_location: \"'b.parquet'\"}, columns: [{name: id, type: integer}]}
  - {name: c, config: {meta: {external_location: 'https://x/c.csv'}}, columns: [{name: id, type: integer}]}
  - {name: d, columns: [{name: id}, {name: at, type: timestamp}]}
";
        let project = load(PROJECT, &[("models/s.yml", yaml)]).unwrap();
        let locations = project.sources.values().map(|source| source.location.value.as_str());
        assert_eq!(locations.collect::<Vec<_>>(), ["data/a.csv", "b.parquet"]);
        let lacks = project.tables.iter().map(|(name, table)| (name.table.as_str(), table.lack.clone()));
        let columns = vec!["id".to_owned()];
        assert_eq!(
            lacks.collect::<Vec<_>>(),
            [
                ("c", SourceLack::Path("https://x/c.csv".to_owned())),
                ("d", SourceLack::Types { location: "data/d.csv".to_owned(), columns })
            ]
        );
    }

    #[test]
    fn a_call_that_reads_a_path_is_that_path() {
        for (call, path) in [
            ("read_csv_auto('./jaffle-data/{name}.csv', header=1)", Some("./jaffle-data/{name}.csv")),
            ("READ_CSV ( 'a.csv.gz' , HEADER = true, union_by_name=1 )", Some("a.csv.gz")),
            ("read_parquet('a/*.parquet')", Some("a/*.parquet")),
            ("read_ndjson_auto('a.jsonl')", Some("a.jsonl")),
            ("read_csv('a.csv', delim = ';')", None),
            ("read_csv('a.csv', header = false)", None),
            ("read_csv('a.parquet')", None),
            ("read_csv(['a.csv', 'b.csv'])", None),
            ("read_csv('a.csv') where x", None),
            ("read_csv('a.csv' || 'b')", None),
            ("delta_scan('a')", None),
            ("a.csv", None),
        ] {
            assert_eq!(path_in_call(call), path, "{call}");
        }
    }
}
