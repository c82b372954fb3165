//! Folders of Parquet files that other engines wrote, named after the values of three columns, are sources.

use crate::folder::Folder;
use crate::readers::readers;

const EVENTS: &str = "{{ config(materialized='incremental', event_time='day', partition_by='day') }}\n\
                      select id, at, day, country, level, _rescued from {{ source('raw', 'events') }}";

#[test]
fn the_rows_of_duckdb_polars_and_pyarrow_are_those_that_they_were_given() {
    let Some(readers) = readers() else { return };
    for engine in ["duckdb", "polars", "pyarrow"] {
        let folder = Folder::new();
        folder.write("project.yml", "name: shop\n");
        folder.write("models/events.sql", EVENTS);
        readers.write_partitioned(&folder.root().join("data"));
        let location = format!("data/{engine}/**/*.parquet");
        let inferred = folder.karat(&["source", "infer", &location, "--name", "raw.events"]).printed;
        assert!(inferred.contains("{ name: day, type: date }"), "{inferred}");
        folder.write("models/sources.yml", inferred);
        folder.karat(&["run", "--quiet"]);
        let rows = folder.query("select id, at, day, country, level, _rescued from shop.events order by id");
        let noon = "2023-05-01 12:00:00.000250";
        let expected = [
            ["1", noon, "2023-05-01", "DE", "1", ""],
            ["2", noon, "2023-05-01", "DE", "1", ""],
            ["3", "", "2023-05-01", "Côte d'Ivoire", "-7", ""],
            ["4", noon, "2023-05-02", "a/b=c", "2", ""],
            ["5", noon, "2023-05-02", "50% + 7 ü", "", ""],
            ["6", noon, "", "", "3", ""],
        ];
        assert_eq!(rows, expected, "{engine}");
        // Only what is new is read later.
        let told = folder.karat(&["run"]).printed;
        assert!(told.contains("1 unchanged"), "{told}");
    }
}
