//! Statements of all engines for tables in a bucket, with awkward names and values.

use serde_json::json;

use super::*;
use crate::delta::{PartitionValues, TableSchema};
use crate::name::SchemaName;
use crate::project::Endpoint;
use crate::span::{SourceFiles, Span, Spanned};

/// A file in a folder that its values name, or in another one.
fn file(path: &str, values: &[(&str, Option<&str>)]) -> DataFile {
    let partition = PartitionValues::from_iter(values.iter().copied());
    DataFile { path: path.into(), partition, bytes: 1, rows: Some(1), stats: None }
}

fn columns(types: &[(&str, serde_json::Value)]) -> Vec<StoredColumn> {
    let field = |(name, kind): &(&str, serde_json::Value)| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let fields: Vec<_> = types.iter().map(field).collect();
    TableSchema::from(json!({"type": "struct", "fields": fields}).to_string()).columns().unwrap()
}

fn table(partition_columns: &[&str], types: &[(&str, serde_json::Value)], files: Vec<DataFile>) -> RegisteredTable {
    RegisteredTable {
        name: TableName { schema: SchemaName::parse("gold").unwrap(), table: "sales".to_owned() },
        version: Version::new(7),
        columns: columns(types),
        partition_columns: partition_columns.iter().map(|name| (*name).to_owned()).collect(),
        files,
    }
}

fn bucket(endpoint: Option<&str>) -> BucketLocation {
    let span = Span::new(SourceFiles::default().add("project.yml", ""), 0..0);
    let endpoint = endpoint.map(|text| Spanned::new(Endpoint::parse(text).unwrap(), span));
    let place = BucketLocation::of_environment(&Spanned::new("acme", span));
    BucketLocation { endpoint, region: Some("eu-central-1".to_owned()), prefix: "lake".to_owned(), ..place }
}

struct Place {
    lake: &'static str,
    bucket: Option<BucketLocation>,
}

impl Place {
    fn aws() -> Place {
        Place { lake: "s3://acme/lake", bucket: Some(bucket(None)) }
    }

    fn folder(lake: &'static str) -> Place {
        Place { lake, bucket: None }
    }

    fn of(&self, shown: ShownTables, table: RegisteredTable) -> Registration<'_> {
        Registration {
            project: "shop",
            target: "prod",
            lake: self.lake.to_owned(),
            bucket: self.bucket.as_ref(),
            catalog: None,
            shown,
            tables: vec![table],
            without_table: Vec::new(),
        }
    }
}

fn pinned() -> ShownTables {
    ShownTables::Pinned("release 3".to_owned())
}

/// The lines that are no comments.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("--") && !line.starts_with('#') && !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn plain() -> RegisteredTable {
    table(&[], &[("id", json!("long")), ("at", json!("timestamp"))], vec![file("part-1.parquet", &[])])
}

#[test]
fn every_engine_finds_tables_in_a_bucket() {
    let place = Place::aws();
    let live = place.of(ShownTables::Newest, plain());
    let told: Vec<String> = QueryEngine::ALL.iter().map(|engine| code(&live.statements(*engine).unwrap())).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    INSTALL delta;
    LOAD delta;
    CREATE SCHEMA IF NOT EXISTS "gold";
    CREATE OR REPLACE VIEW "gold"."sales" AS
    SELECT * FROM delta_scan('s3://acme/lake/gold/sales');

    CREATE SCHEMA IF NOT EXISTS "delta"."gold";
    CALL "delta".system.register_table(schema_name => 'gold', table_name => 'sales', table_location => 's3://acme/lake/gold/sales');

    CREATE DATABASE IF NOT EXISTS `gold`;
    CREATE EXTERNAL TABLE IF NOT EXISTS `gold`.`sales`
    LOCATION 's3://acme/lake/gold/sales/'
    TBLPROPERTIES ('table_type' = 'DELTA');

    CREATE SCHEMA IF NOT EXISTS `spark_catalog`.`gold`;
    CREATE TABLE IF NOT EXISTS `spark_catalog`.`gold`.`sales`
    USING DELTA
    LOCATION 's3://acme/lake/gold/sales';

    CREATE SCHEMA IF NOT EXISTS `main`.`gold`;
    CREATE TABLE IF NOT EXISTS `main`.`gold`.`sales`
    USING DELTA
    LOCATION 's3://acme/lake/gold/sales';

    import polars as pl
    storage_options = {
        "AWS_REGION": "eu-central-1",
    }
    tables = {}
    tables["gold.sales"] = pl.scan_delta("s3://acme/lake/gold/sales", storage_options=storage_options)
    sql = pl.SQLContext(tables)
    "#);
}

#[test]
fn tables_of_a_release_have_their_versions() {
    let place = Place::aws();
    let released = place.of(pinned(), plain());
    let of = |engine: QueryEngine| code(&released.statements(engine).unwrap());
    let trino = of(QueryEngine::Trino);
    assert!(trino.contains("\"delta\".\"gold\".\"sales\" FOR VERSION AS OF 7;"), "{trino}");
    assert!(trino.contains("CREATE OR REPLACE VIEW \"delta\".\"gold_released\".\"sales\" AS"), "{trino}");
    let spark = of(QueryEngine::Spark);
    assert!(spark.contains("SELECT * FROM `spark_catalog`.`gold`.`sales` VERSION AS OF 7;"), "{spark}");
    let polars = of(QueryEngine::Polars);
    assert!(polars.contains("pl.scan_delta(\"s3://acme/lake/gold/sales\", version=7, storage_options"), "{polars}");
    let duckdb = of(QueryEngine::DuckDb);
    assert!(duckdb.contains("    's3://acme/lake/gold/sales/part-1.parquet'\n"), "{duckdb}");
    assert!(!duckdb.contains("delta_scan"), "{duckdb}");
    let refused = released.statements(QueryEngine::Athena).unwrap_err();
    assert_eq!(refused.help, "leave `--release` out");
}

#[test]
fn athena_reads_buckets_of_aws_only() {
    let other_server = Place { lake: "s3://acme/lake", bucket: Some(bucket(Some("http://127.0.0.1:9000"))) };
    for place in [Place::folder("/data/lake"), other_server] {
        let refused = place.of(ShownTables::Newest, plain()).statements(QueryEngine::Athena).unwrap_err();
        assert!(refused.message.contains("in S3 only"), "{}", refused.message);
    }
}

#[test]
fn what_a_server_needs_is_told_without_a_credential() {
    let place = Place { lake: "s3://acme/lake", bucket: Some(bucket(Some("http://127.0.0.1:9000"))) };
    let live = place.of(ShownTables::Newest, plain());
    let duckdb = live.statements(QueryEngine::DuckDb).unwrap();
    let secret = "CREATE SECRET (TYPE s3, PROVIDER credential_chain, REGION 'eu-central-1', ENDPOINT '127.0.0.1:9000', \
                  USE_SSL false, URL_STYLE 'path');";
    assert!(duckdb.contains(secret), "{duckdb}");
    let polars = live.statements(QueryEngine::Polars).unwrap();
    assert!(
        polars.contains("\"AWS_ENDPOINT_URL\": \"http://127.0.0.1:9000\",\n    \"AWS_ALLOW_HTTP\": \"true\","),
        "{polars}"
    );
}

#[test]
fn a_type_that_reads_differently_is_told_wherever_it_is_inside() {
    let list = json!({"type": "array", "elementType": "timestamp", "containsNull": true});
    let map = json!({"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": true});
    let types = [("times", list), ("Counts\nDROP", map), ("id", json!("long"))];
    let place = Place::folder("/data/lake");
    let told = |engine| {
        let text = place.of(ShownTables::Newest, table(&[], &types, Vec::new())).statements(engine).unwrap();
        text.lines().filter(|line| line.contains("gold.sales: ")).map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(QueryEngine::Trino), @r"
    -- gold.sales: column `times`, array(timestamp): it has milliseconds there: the digits of microseconds are lost
    -- gold.sales: column `Counts␊DROP`, map(text, bigint): it is called `counts␊drop` there
    ");
    insta::assert_snapshot!(told(QueryEngine::Polars), @r"
    # gold.sales: column `times`, array(timestamp): it is a Datetime in microseconds with the time zone UTC
    # gold.sales: column `Counts␊DROP`, map(text, bigint): it is a List of a Struct with `key` and `value`: Polars has no maps
    ");
}

#[test]
fn duckdb_reads_partitions_from_paths_only_where_these_tell_the_values() {
    let types = [("day", json!("date")), ("n", json!("long"))];
    let told = |place: &Place, files: Vec<DataFile>| {
        let text = code(&place.of(pinned(), table(&["day"], &types, files)).views_of_files().unwrap());
        (text.contains("hive_types = {'day': DATE}"), text.contains("JOIN (VALUES"))
    };
    let place = Place::folder("/data/lake");
    let told_by_path = || file("day=2023-05-01/a.parquet", &[("day", Some("2023-05-01"))]);
    assert_eq!(told(&place, vec![told_by_path()]), (true, false));
    assert_eq!(told(&place, vec![told_by_path(), file("day=x/a.parquet", &[("day", None)])]), (false, true));
    let elsewhere = file("a.parquet", &[("day", Some("2023-05-01"))]);
    assert_eq!(told(&place, vec![elsewhere]), (false, true));
    let wrong = file("day=2023-05-02/a.parquet", &[("day", Some("2023-05-01"))]);
    assert_eq!(told(&place, vec![wrong]), (false, true), "the log is right, whatever the folder is called");
    assert_eq!(told(&Place::folder("/data/day=1/lake"), vec![told_by_path()]), (false, true));
    let text_null = file("day=NULL/a.parquet", &[("day", Some("NULL"))]);
    assert_eq!(told(&place, vec![text_null]), (false, true), "DuckDB would take the text for a null");
}

#[test]
fn values_of_partitions_are_written_as_sql_reads_them() {
    let types = [("at", json!("timestamp")), ("city", json!("string")), ("n", json!("long"))];
    let values = [("at", Some("2023-05-01 10:00:00")), ("city", Some("O'Hara"))];
    let place = Place::folder("/data/[1]/lake");
    let files = vec![file("x.parquet", &values)];
    let text = code(&place.of(pinned(), table(&["at", "city"], &types, files)).views_of_files().unwrap());
    insta::assert_snapshot!(text, @r#"
    CREATE SCHEMA IF NOT EXISTS "gold";
    CREATE OR REPLACE VIEW "gold"."sales" AS
    SELECT "at", "city", "n" FROM (
      SELECT * FROM read_parquet([
        '/data/[[]1]/lake/gold/sales/x.parquet'
      ], union_by_name = true, hive_partitioning = false, filename = 'karat: file of row')
      JOIN (VALUES
        ('/data/[1]/lake/gold/sales/x.parquet', CAST('2023-05-01 10:00:00.000000+00' AS TIMESTAMPTZ), CAST('O''Hara' AS VARCHAR))
      ) AS live("karat: file of row", "at", "city") USING ("karat: file of row")
      UNION ALL BY NAME
      SELECT CAST(NULL AS TIMESTAMPTZ) AS "at", CAST(NULL AS VARCHAR) AS "city", CAST(NULL AS BIGINT) AS "n" WHERE false
    );
    "#);
}

#[test]
fn quotes_in_places_end_no_text() {
    let place = Place::folder("/data/o'hara\\x");
    let of = |engine| code(&place.of(ShownTables::Newest, plain()).statements(engine).unwrap());
    assert!(of(QueryEngine::DuckDb).contains("delta_scan('/data/o''hara\\x/gold/sales')"));
    assert!(of(QueryEngine::Spark).contains("LOCATION 'file:///data/o\\'hara\\\\x/gold/sales'"));
    assert!(of(QueryEngine::Polars).contains("pl.scan_delta(\"/data/o'hara\\\\x/gold/sales\""));
}
