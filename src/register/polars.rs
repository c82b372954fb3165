//! Python for Polars: a LazyFrame for each table.

use super::names::python_text;
use super::{CannotRegister, RegisteredTable, Registration, ShownTables, Statements};

pub(super) struct Polars;

impl Statements for Polars {
    fn comment(&self) -> &'static str {
        "#"
    }

    fn needs(&self, of: &Registration<'_>) -> Vec<String> {
        let mut lines = vec!["It needs the packages `polars` and `deltalake`.".to_owned()];
        if of.shown == ShownTables::Newest {
            lines.push("A table is read as it is when this runs: run it again to see newer versions.".to_owned());
        }
        if of.bucket.is_some() {
            lines.push(
                "Credentials are those of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), or the machine's role."
                    .to_owned(),
            );
        }
        lines
    }

    fn begin(&self, of: &Registration<'_>) -> String {
        let mut options: Vec<String> = Vec::new();
        let mut add =
            |name: &str, value: &str| options.push(format!("    {}: {},\n", python_text(name), python_text(value)));
        if let Some(bucket) = of.bucket {
            if let Some(region) = &bucket.region {
                add("AWS_REGION", region);
            }
            if let Some(endpoint) = &bucket.endpoint {
                add("AWS_ENDPOINT_URL", &endpoint.value.to_string());
                if !endpoint.value.is_https() {
                    add("AWS_ALLOW_HTTP", "true");
                }
                let is_virtual = !bucket.path_style.unwrap_or(true);
                add("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", if is_virtual { "true" } else { "false" });
            }
        }
        let options = if options.is_empty() { "{}".to_owned() } else { format!("{{\n{}}}", options.concat()) };
        format!("import polars as pl\n\nstorage_options = {options}\ntables = {{}}\n")
    }

    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister> {
        let version = match of.shown {
            ShownTables::Newest => String::new(),
            ShownTables::Pinned(_) => format!("version={}, ", table.version),
        };
        Ok(format!(
            "tables[{}] = pl.scan_delta({}, {version}storage_options=storage_options)\n",
            python_text(&table.name.to_string()),
            python_text(&of.location(table)),
        ))
    }

    fn end(&self, _of: &Registration<'_>) -> String {
        "\n# SQL over all of them: sql.execute('SELECT count(*) FROM \"schema.table\"').collect()\nsql = pl.SQLContext(tables)\n"
            .to_owned()
    }

    fn type_note(&self, delta_type: &str) -> Option<&'static str> {
        match delta_type {
            "timestamp" => Some("it is a Datetime in microseconds with the time zone UTC"),
            "map" => Some("it is a List of a Struct with `key` and `value`: Polars has no maps"),
            _ => None,
        }
    }
}
