//! Tables in the catalogs of Trino, Athena, Spark and Unity. These engines read the log by themselves.

use super::names::{backquoted, escaped_text, quoted, text};
use super::{CannotRegister, RegisteredTable, Registration, ShownTables, Statements};

pub(super) struct Trino;
pub(super) struct Athena;
pub(super) struct Spark;
pub(super) struct Unity;

/// Where views of fixed versions are, beside the tables that they read: a name is of one or the other.
const OF_RELEASE: &str = "_released";

const MILLISECONDS: &str = "it has milliseconds there: the digits of microseconds are lost";
const SESSION_ZONE: &str = "it is shown in the time zone of the session; `SET TIME ZONE 'UTC'` shows it as karat does";

/// A name of up to three parts.
fn dotted(quoted: fn(&str) -> String, parts: &[&str]) -> String {
    parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".")
}

/// The schema of the view of a table's version.
fn released(schema: &str) -> String {
    format!("{schema}{OF_RELEASE}")
}

fn lower_case(column: &str) -> Option<String> {
    column.chars().any(char::is_uppercase).then(|| format!("it is called `{}` there", column.to_lowercase()))
}

fn about_release(of: &Registration<'_>) -> Option<String> {
    let is_pinned = of.shown != ShownTables::Newest;
    is_pinned.then(|| {
        format!("The schemas `…{OF_RELEASE}` have the tables of the release, the others their newest versions.")
    })
}

fn about_folder(of: &Registration<'_>, engine: &str) -> Option<String> {
    let is_folder = of.bucket.is_none();
    is_folder.then(|| format!("The lake is a folder: every machine of {engine} must have it at this path."))
}

fn about_server(of: &Registration<'_>, settings: &str) -> Option<String> {
    let bucket = of.bucket?;
    let server = bucket.endpoint.as_ref().map(|endpoint| format!(" at {}", endpoint.value)).unwrap_or_default();
    let region = bucket.region.as_ref().map(|region| format!(", region {region}")).unwrap_or_default();
    Some(format!("The bucket{server}{region} needs your own credentials: {settings}."))
}

/// The names of one catalog, as its engine writes them.
struct EngineCatalog<'c> {
    name: &'c str,
    quoted: fn(&str) -> String,
    /// What stands before the number of a version.
    as_of: &'static str,
}

impl EngineCatalog<'_> {
    fn dotted(&self, parts: &[&str]) -> String {
        dotted(self.quoted, &[&[self.name], parts].concat())
    }

    /// Makes the schemas of the tables, and those of the views of fixed versions if any are shown.
    fn schemas(&self, of: &Registration<'_>) -> String {
        let is_pinned = of.shown != ShownTables::Newest;
        let schemas = of
            .schemas()
            .into_iter()
            .flat_map(|schema| [Some(schema.to_owned()), is_pinned.then(|| released(schema))].into_iter().flatten());
        schemas.map(|schema| format!("CREATE SCHEMA IF NOT EXISTS {};\n", self.dotted(&[&schema]))).collect()
    }

    fn table(&self, table: &RegisteredTable) -> String {
        self.dotted(&[table.name.schema.as_str(), &table.name.table])
    }

    /// Makes the view of a table's version; empty if the newest versions are shown.
    fn view(&self, of: &Registration<'_>, table: &RegisteredTable) -> String {
        if of.shown == ShownTables::Newest {
            return String::new();
        }
        let view = self.dotted(&[&released(table.name.schema.as_str()), &table.name.table]);
        let version = table.version;
        format!("CREATE OR REPLACE VIEW {view} AS\nSELECT * FROM {} {} {version};\n", self.table(table), self.as_of)
    }
}

impl Trino {
    fn catalog<'r>(of: &Registration<'r>) -> EngineCatalog<'r> {
        EngineCatalog { name: of.catalog.unwrap_or("delta"), quoted, as_of: "FOR VERSION AS OF" }
    }
}

impl Statements for Trino {
    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let catalog = Trino::catalog(of).name;
        let mut lines = vec![
            format!("The catalog `{catalog}` has `connector.name=delta_lake` and `delta.register-table-procedure.enabled=true`."),
            "A table that is registered already is an error that changes nothing: `trino --ignore-errors --file FILE` goes on."
                .to_owned(),
        ];
        lines.extend(about_folder(of, "Trino"));
        lines.extend(about_server(of, "`fs.native-s3.enabled=true` and the properties `s3.…` of the catalog"));
        lines.extend(about_release(of));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        Trino::catalog(of).schemas(of)
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        let catalog = Trino::catalog(of);
        // Nothing drops a table first: under this name there may be one whose files would go with it.
        let registered = format!(
            "CALL {}.system.register_table(schema_name => {}, table_name => {}, table_location => {});\n",
            quoted(catalog.name),
            text(table.name.schema.as_str()),
            text(&table.name.table),
            text(&address(of, table)),
        );
        Ok(registered + &catalog.view(of, table))
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        (delta_type == "timestamp").then_some(MILLISECONDS)
    }

    fn name_note(&self, column: &str) -> Option<String> {
        lower_case(column)
    }
}

impl Statements for Athena {
    fn check(&self, of: &Registration<'_>) -> Result<(), CannotRegister> {
        let on_aws = of.bucket.is_some_and(|bucket| bucket.endpoint.is_none());
        if !on_aws {
            return Err(CannotRegister {
                message: format!("Athena reads tables in S3 only, and the lake is `{}`", of.lake),
                help: "choose a target whose lake is in a bucket of AWS: `--target`".to_owned(),
            });
        }
        // A view over the newest version would be another state than was asked for.
        if of.shown != ShownTables::Newest {
            return Err(CannotRegister {
                message: "Athena reads the newest version of a table only, and none of a release".to_owned(),
                help: "leave `--release` out".to_owned(),
            });
        }
        Ok(())
    }

    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let mut lines = vec![
            "Run them one by one, in a workgroup with engine version 3: Athena takes one statement at a time."
                .to_owned(),
        ];
        lines.extend(about_server(of, "the role that runs the queries may list and read it"));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        of.schemas().iter().map(|schema| format!("CREATE DATABASE IF NOT EXISTS {};\n", backquoted(schema))).collect()
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        // The columns are those of the log: Athena refuses any that are written here.
        Ok(format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS {}\nLOCATION {}\nTBLPROPERTIES ('table_type' = 'DELTA');\n",
            dotted(backquoted, &[table.name.schema.as_str(), &table.name.table]),
            text(&format!("{}/", of.location(table))),
        ))
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        (delta_type == "timestamp").then_some(MILLISECONDS)
    }

    fn name_note(&self, column: &str) -> Option<String> {
        lower_case(column)
    }
}

/// A catalog of Spark or Databricks, under its usual name if no other is given.
fn of_spark<'r>(of: &Registration<'r>, usual: &'r str) -> EngineCatalog<'r> {
    EngineCatalog { name: of.catalog.unwrap_or(usual), quoted: backquoted, as_of: "VERSION AS OF" }
}

impl EngineCatalog<'_> {
    /// Makes a table visible in Spark or Databricks.
    fn delta_table(&self, of: &Registration<'_>, table: &RegisteredTable) -> String {
        let name = self.table(table);
        let location = escaped_text(&address(of, table));
        format!("CREATE TABLE IF NOT EXISTS {name}\nUSING DELTA\nLOCATION {location};\n{}", self.view(of, table))
    }
}

/// A location with its scheme: without one, these engines look in their own default file system.
fn address(of: &Registration<'_>, table: &RegisteredTable) -> String {
    let location = of.location(table);
    if of.bucket.is_some() { location } else { format!("file://{location}") }
}

impl Statements for Spark {
    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let mut lines = vec![
            "The session has `spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension` and".to_owned(),
            "`spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog`.".to_owned(),
        ];
        lines.extend(about_folder(of, "Spark"));
        lines.extend(about_server(of, "the settings `spark.hadoop.fs.s3a.…`, with `spark.hadoop.fs.s3.impl=org.apache.hadoop.fs.s3a.S3AFileSystem`"));
        lines.extend(about_release(of));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        of_spark(of, "spark_catalog").schemas(of)
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        Ok(of_spark(of, "spark_catalog").delta_table(of, table))
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        (delta_type == "timestamp").then_some(SESSION_ZONE)
    }
}

impl Statements for Unity {
    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(about_folder(of, "the Unity Catalog"));
        lines.extend(about_server(of, "a storage credential and an external location that covers it"));
        lines.extend(about_release(of));
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        of_spark(of, "main").schemas(of)
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        Ok(of_spark(of, "main").delta_table(of, table))
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        (delta_type == "timestamp").then_some(SESSION_ZONE)
    }
}
