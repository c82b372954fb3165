//! What a seed becomes on disk: the types of the columns in its Parquet file, and its rows, by a reader that is not karat.

use std::fs::File;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::folder::Folder;

const ROWS: &str = "\
id,Code,ratio,big,price,since,at,active,nothing
1,007,0.5,9223372036854775808,1.10,2026-03-31,2026-03-31 18:00:00,true,
-2,08,,1,2.25,2024-02-29,2026-03-31T18:00:00.123456Z,False,
";

fn project() -> Folder {
    let folder = Folder::new();
    folder.write(
        "project.yml",
        "name: shop\nseeds:\n  static:\n    prices:\n      +column_types: { price: \"decimal(8, 2)\" }\n",
    );
    folder.write("seeds/static/prices.csv", ROWS);
    folder
}

/// The data files of the table.
fn stored(folder: &Folder) -> Vec<String> {
    let mut files = folder.files("lake/static/prices");
    files.retain(|path| path.ends_with(".parquet") && !path.contains("/_"));
    files
}

#[test]
fn the_file_of_a_seed_has_the_types_that_were_inferred_and_declared() {
    let folder = project();
    folder.karat(&["seed"]);
    let files = stored(&folder);
    assert_eq!(files.len(), 1);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(folder.root().join(&files[0])).unwrap()).unwrap();
    let columns = reader.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    let columns: Vec<String> = columns.collect();
    assert_eq!(
        columns,
        [
            "id Int64",
            "code Utf8",
            "ratio Float64",
            "big Decimal128(38, 0)",
            "price Decimal128(8, 2)",
            "since Date32",
            "at Timestamp(µs, \"UTC\")",
            "active Boolean",
            "nothing Utf8",
        ]
    );
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let options = FormatOptions::new().with_null("null");
    let mut rows = Vec::new();
    for row in 0..batch.num_rows() {
        let values = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string());
        rows.push(values.collect::<Vec<_>>().join(" "));
    }
    assert_eq!(
        rows,
        [
            "1 007 0.5 9223372036854775808 1.10 2026-03-31 2026-03-31T18:00:00Z true null",
            "-2 08 null 1 2.25 2024-02-29 2026-03-31T18:00:00.123456Z false null",
        ]
    );
}

#[test]
fn a_seed_is_loaded_again_only_if_its_bytes_or_its_config_changed() {
    let folder = project();
    folder.karat(&["seed"]);
    let first = stored(&folder);
    folder.write("seeds/static/prices.csv", ROWS);
    folder.write("models/static/other.sql", "select 1 as a");
    folder.karat(&["build"]);
    assert_eq!(stored(&folder), first);
    folder.write("project.yml", "name: shop\n");
    folder.karat(&["seed"]);
    assert_ne!(stored(&folder), first);
}
