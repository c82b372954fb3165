//! Views of DuckDB: through its extension `delta`, which reads the log, or over the files of one version.

use std::fmt::Write;

use super::names::{qualified, quoted, text};
use super::types::of_duckdb;
use super::{CannotRegister, RegisteredTable, Registration, ShownTables, Statements};
use crate::day::parse_stored;
use crate::delta::{DataFile, StoredColumn, directory};

/// Views that read the newest version of each table, whenever they are asked.
pub(super) struct DeltaViews;

/// Views over the files of fixed versions.
pub(super) struct ViewsOfFiles;

const ZONED: &str =
    "it has a time zone there, and is shown in that of the session; `SET TimeZone = 'UTC'` shows it as karat does";

/// The column that says which file a row is from. No table has a column of this name that anyone could read by accident.
const FILE: &str = "karat: file of row";

impl Statements for DeltaViews {
    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        if of.shown != ShownTables::Newest {
            return ViewsOfFiles.needs(of);
        }
        let mut lines =
            vec!["DuckDB downloads its extension `delta` once; `karat attach` makes views that need none.".to_owned()];
        lines.extend(secret(of));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        match of.shown {
            ShownTables::Newest => format!("INSTALL delta;\nLOAD delta;\n{}", schemas(of)),
            ShownTables::Pinned(_) => schemas(of),
        }
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        match of.shown {
            ShownTables::Newest => Ok(format!(
                "CREATE OR REPLACE VIEW {} AS\nSELECT * FROM delta_scan({});\n",
                qualified(quoted, &table.name),
                text(&of.location(table)),
            )),
            ShownTables::Pinned(_) => ViewsOfFiles.table(of, table),
        }
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        (delta_type == "timestamp").then_some(ZONED)
    }
}

impl Statements for ViewsOfFiles {
    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let mut lines = vec![
            "The views name the files of these versions. When `karat gc` has removed one of them, reading is an error."
                .to_owned(),
        ];
        lines.extend(secret(of));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        schemas(of)
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let files = FilesOfView::new(of, table)?;
        // The last branch has every column with its type, also those that no file has.
        Ok(format!(
            "CREATE OR REPLACE VIEW {} AS\nSELECT {} FROM (\n{}  SELECT {} WHERE false\n);\n",
            qualified(quoted, &table.name),
            columns.join(", "),
            files.rows()?,
            nulls(table)?,
        ))
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        DeltaViews.type_note(delta_type)
    }
}

fn schemas(of: &Registration<'_>) -> String {
    of.schemas().iter().map(|schema| format!("CREATE SCHEMA IF NOT EXISTS {};\n", quoted(schema))).collect()
}

/// Which secret a bucket needs. What it holds is the user's.
fn secret(of: &Registration<'_>) -> Option<String> {
    let bucket = of.bucket?;
    let mut options = vec!["TYPE s3".to_owned(), "PROVIDER credential_chain".to_owned()];
    options.extend(bucket.region.as_ref().map(|region| format!("REGION {}", text(region))));
    if let Some(endpoint) = &bucket.endpoint {
        let address = endpoint.value.to_string();
        let server = address.split_once("://").map_or(address.as_str(), |(_, server)| server);
        options.push(format!("ENDPOINT {}", text(server)));
        options.push(format!("USE_SSL {}", endpoint.value.is_https()));
        if bucket.path_style.unwrap_or(true) {
            options.push("URL_STYLE 'path'".to_owned());
        }
    }
    Some(format!("The bucket needs a secret, with your own credentials: CREATE SECRET ({});", options.join(", ")))
}

fn nulls(table: &RegisteredTable) -> Result<String, CannotRegister> {
    let null =
        |column: &StoredColumn| Ok(format!("CAST(NULL AS {}) AS {}", type_of(table, column)?, quoted(&column.name)));
    Ok(table.columns.iter().map(null).collect::<Result<Vec<_>, _>>()?.join(", "))
}

fn type_of(table: &RegisteredTable, column: &StoredColumn) -> Result<String, CannotRegister> {
    of_duckdb(&column.delta_type).ok_or_else(|| CannotRegister {
        message: format!(
            "`{}` has a column `{}` of type {}, which DuckDB does not know",
            table.name,
            column.name,
            column.type_in_words()
        ),
        help: "leave the table out: `--exclude`".to_owned(),
    })
}

/// The files of a table, and where the values of its partition columns come from.
struct FilesOfView<'t> {
    table: &'t RegisteredTable,
    /// The partition columns in the order of their names in the log.
    partitions: Vec<&'t StoredColumn>,
    files: Vec<PlacedFile<'t>>,
    lake: &'t str,
}

struct PlacedFile<'t> {
    file: &'t DataFile,
    place: String,
}

impl<'t> FilesOfView<'t> {
    fn new(of: &'t Registration<'_>, table: &'t RegisteredTable) -> Result<Self, CannotRegister> {
        let folder = of.location(table);
        let place = |file: &'t DataFile| match file.path.contains("://") {
            true => PlacedFile { file, place: file.path.to_string() },
            false => PlacedFile { file, place: format!("{folder}/{}", file.path.as_str()) },
        };
        let partition = |name: &String| table.columns.iter().find(|column| column.name == *name);
        let partitions: Option<Vec<_>> = table.partition_columns.iter().map(partition).collect();
        let partitions = partitions.ok_or_else(|| CannotRegister {
            message: format!("the log of `{}` names a partition column that the table does not have", table.name),
            help: "`karat doctor` looks at the table".to_owned(),
        })?;
        Ok(Self { table, partitions, files: table.files.iter().map(place).collect(), lake: &of.lake })
    }

    /// The branch of the rows, with the words that join it to the next one; empty if there are no files.
    fn rows(&self) -> Result<String, CannotRegister> {
        if self.files.is_empty() {
            return Ok(String::new());
        }
        let mut list = String::new();
        for (index, file) in self.files.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(list, "{comma}\n    {}", text(&without_wildcards(&file.place))).expect("a String takes every text");
        }
        let source = match (self.partitions.is_empty(), self.are_told_by_paths()) {
            (true, _) => format!("read_parquet([{list}\n  ], union_by_name = true, hive_partitioning = false)"),
            (false, true) => {
                let named =
                    |column: &&StoredColumn| Ok(format!("{}: {}", text(&column.name), type_of(self.table, column)?));
                let named = self.partitions.iter().map(named).collect::<Result<Vec<_>, CannotRegister>>()?;
                let named = named.join(", ");
                format!(
                    "read_parquet([{list}\n  ], union_by_name = true, hive_partitioning = true, hive_types = {{{named}}})"
                )
            }
            (false, false) => self.joined(&list)?,
        };
        Ok(format!("  SELECT * FROM {source}\n  UNION ALL BY NAME\n"))
    }

    /// The values of partition columns as the log has them, joined by the name of the file.
    fn joined(&self, list: &str) -> Result<String, CannotRegister> {
        let file = quoted(FILE);
        let names: Vec<String> = self.partitions.iter().map(|column| quoted(&column.name)).collect();
        let mut values = String::new();
        for (index, placed) in self.files.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let of_file = self.partitions.iter().map(|column| self.value(placed.file, column));
            let of_file = of_file.collect::<Result<Vec<_>, _>>()?.join(", ");
            write!(values, "{comma}\n    ({}, {of_file})", text(&placed.place)).expect("a String takes every text");
        }
        Ok(format!(
            "read_parquet([{list}\n  ], union_by_name = true, hive_partitioning = false, filename = {})\n  \
             JOIN (VALUES{values}\n  ) AS live({file}, {}) USING ({file})",
            text(FILE),
            names.join(", "),
        ))
    }

    fn value(&self, file: &DataFile, column: &StoredColumn) -> Result<String, CannotRegister> {
        let sql_type = type_of(self.table, column)?;
        let Some(value) = file.partition.value(&column.name) else { return Ok(format!("CAST(NULL AS {sql_type})")) };
        if sql_type != "TIMESTAMPTZ" {
            return Ok(format!("CAST({} AS {sql_type})", text(value)));
        }
        // A log may leave the zone out, which is UTC. DuckDB would take its own.
        let time = parse_stored(value).ok_or_else(|| CannotRegister {
            message: format!("`{value}` in the log of `{}` is no time", self.table.name),
            help: "`karat doctor` looks at the table".to_owned(),
        })?;
        Ok(format!("CAST('{}+00' AS TIMESTAMPTZ)", time.format("%Y-%m-%d %H:%M:%S%.6f")))
    }

    /// Whether the folders of all files tell the values of partition columns, so that every engine reads the same from them:
    /// DuckDB then reads only the files that a query needs.
    fn are_told_by_paths(&self) -> bool {
        let is_told = |placed: &PlacedFile<'_>| {
            let value = |column: &&StoredColumn| {
                (column.name.clone(), placed.file.partition.value(&column.name).map(str::to_owned))
            };
            let values: Vec<(String, Option<String>)> = self.partitions.iter().map(value).collect();
            let are_plain = values.iter().all(|(name, value)| is_plain(name) && value.as_deref().is_some_and(is_plain));
            are_plain
                && placed.file.path.strip_prefix(directory(&values).as_str()).is_some_and(|name| !name.contains('='))
        };
        // A folder above the table that looks like a partition would be one.
        !self.lake.contains('=') && self.files.iter().all(is_told)
    }
}

/// Whether a value is written in a path as it is. DuckDB takes the text `null` in a path for a null.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && !value.eq_ignore_ascii_case("null")
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
}

/// A place that DuckDB takes as it is, and not for a pattern.
fn without_wildcards(place: &str) -> String {
    let mut plain = String::with_capacity(place.len());
    for letter in place.chars() {
        match letter {
            '*' | '?' | '[' => plain.extend(['[', letter, ']']),
            other => plain.push(other),
        }
    }
    plain
}
