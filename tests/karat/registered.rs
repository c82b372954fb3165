//! What `karat register` and `karat attach` write is run: DuckDB and Polars then see the rows that karat sees.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::readers::{Lake, Readers, built, readers};

/// The rows of each table as DuckDB and Polars see them through what karat writes for them.
fn seen(folder: &Folder, readers: &Readers) -> Value {
    folder.karat(&["attach", "--live", "--quiet"]);
    let frames = folder.karat(&["register", "--for", "polars"]).printed;
    folder.write("frames.py", frames);
    readers.registered(&folder.root().join("attach.sql"), &folder.root().join("frames.py"))
}

fn lake(folder: &Folder) -> Lake {
    Lake::folder(&folder.root().join("lake"))
}

/// Compares with what the engines find in the lake by themselves.
fn check(folder: &Folder, readers: &Readers) -> BTreeMap<String, Value> {
    let tables = readers.tables(&lake(folder));
    let seen = seen(folder, readers);
    assert_eq!(seen["duckdb"], json!(tables));
    assert_eq!(seen["polars"], json!(tables));
    tables
}

#[test]
fn duckdb_and_polars_see_the_tables_before_and_after_an_optimization() {
    let Some(readers) = readers() else { return };
    let folder = built();
    let before = check(&folder, &readers);
    assert!(before.len() > 15, "{before:?}");
    let answer = folder.karat(&["optimize", "--rewrite"]);
    assert!(answer.printed.contains("optimized"), "{}", answer.printed);
    assert_eq!(check(&folder, &readers), before, "every engine sees the same rows in other files");
    folder.karat(&["verify", "--quiet"]);
}

#[test]
fn awkward_values_columns_that_came_and_files_that_went_are_seen_as_karat_sees_them() {
    let Some(readers) = readers() else { return };
    let folder = Folder::with_shop();
    folder.write("data/1.csv", "day,amount\n2023-05-01,1\n2023-05-02,2\n2023-05-03,3\n");
    let towns = "{{ config(materialized='table', partition_by=['town', 'at']) }}\n\
                 select case amount when 1 then 'null' when 2 then 'O''Hara/ ☃=%d' end as town, \
                 cast(day as timestamp) + interval '10 hours' as at, amount, [amount, null] as list, \
                 cast(amount as decimal(10, 2)) / 3 as third from {{ ref('orders') }}";
    folder.write("models/towns.sql", towns);
    folder.write("models/nothing.sql", "select day, amount as \"N é\" from {{ ref('orders') }} where amount > 99");
    let growing = |columns: &str| {
        let config = "materialized='incremental', event_time='day', on_schema_change='append_new_columns'";
        format!("{{{{ config({config}) }}}}\nselect {columns} from {{{{ ref('orders') }}}}")
    };
    folder.write("models/growing.sql", growing("day, amount"));
    folder.karat(&["run", "--quiet"]);
    folder.write("models/growing.sql", growing("day, amount, 'é' as mark"));
    folder.karat(&["run", "--quiet", "--start", "2023-05-03", "--select", "growing"]);
    let before = check(&folder, &readers);
    assert_eq!(before["shop.towns"]["rows"], 3);

    // The views of a release are those of its versions, whatever has been built since.
    let old = fs::read_to_string(folder.root().join("attach.sql")).unwrap();
    folder.write("data/1.csv", "day,amount\n2023-05-02,5\n");
    folder.karat(&["run", "--quiet"]);
    let now = check(&folder, &readers);
    assert_ne!(now, before);
    folder.write("old.sql", old);
    let frames = folder.root().join("frames.py");
    assert_eq!(readers.registered(&folder.root().join("old.sql"), &frames)["duckdb"], json!(before));
}
