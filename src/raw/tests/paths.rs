//! Columns that stand in the paths of files: `country=DE/part-0.parquet`.

use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Int64Array, StringArray};

use super::stored_columns::{stored, written};
use super::*;

const DAYS: [(&str, ColumnType); 3] =
    [("day", ColumnType::Date), ("id", ColumnType::Integer), ("country", ColumnType::Text)];

fn all(format: &RawFormat, files: Vec<RawFile>) -> Vec<String> {
    let mut projection = Projection::all(format);
    projection.columns.retain(|column| !matches!(column, ProjectedColumn::SourceFile | ProjectedColumn::SourceLine));
    read_with(format, files, &projection).unwrap().rows
}

/// A Parquet file with a column `id`, and `country` if there is one.
fn parquet(path: &str, ids: &[i64], country: Option<&str>) -> RawFile {
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let country = country.map(|country| -> ArrayRef { Arc::new(StringArray::from(vec![country; ids.len()])) });
    let columns = std::iter::once(("id", ids)).chain(country.map(|country| ("country", country)));
    stored(path, written(&columns.collect::<Vec<_>>(), WriterProperties::default()))
}

fn of_kind(kind: RawKind) -> RawFormat {
    format(&DAYS, kind)
}

#[test]
fn a_column_that_a_file_lacks_has_the_value_of_its_path() {
    let folder = "raw/day=2023-05-03/country=DE";
    let rows = ["2023-05-03|1|DE|-", "2023-05-03|2|DE|-"];
    let of_parquet = all(&of_kind(RawKind::Parquet), vec![parquet(&format!("{folder}/1.parquet"), &[1, 2], None)]);
    assert_eq!(of_parquet, rows);
    let csv = of_kind(RawKind::Csv(CsvOptions::default()));
    assert_eq!(all(&csv, vec![file(&format!("{folder}/1.csv"), "id\n1\n2\n")]), rows);
    let json = file(&format!("{folder}/1.json"), "{\"id\": 1}\n{\"id\": 2}\n");
    assert_eq!(all(&of_kind(RawKind::JsonLines), vec![json]), rows);
}

#[test]
fn each_file_has_its_own_path() {
    let files = [("DE", 1), ("FR", 2)];
    let paths = files.map(|(country, id)| parquet(&format!("day=2023-05-03/country={country}/a"), &[id], None));
    let mut rows = all(&of_kind(RawKind::Parquet), paths.into());
    rows.sort();
    assert_eq!(rows, ["2023-05-03|1|DE|-", "2023-05-03|2|FR|-"]);
}

#[test]
fn what_a_file_says_goes_before_what_its_path_says() {
    let path = "day=2023-05-03/country=DE/a";
    assert_eq!(all(&of_kind(RawKind::Parquet), vec![parquet(path, &[1], Some("FR"))]), ["2023-05-03|1|FR|-"]);
    let json = file(path, "{\"id\": 1, \"country\": \"FR\"}\n{\"id\": 2, \"country\": null}\n{\"id\": 3}\n");
    let rows = ["2023-05-03|1|FR|-", "2023-05-03|2|-|-", "2023-05-03|3|DE|-"];
    assert_eq!(all(&of_kind(RawKind::JsonLines), vec![json]), rows);
}

#[test]
fn paths_are_written_as_hive_writes_them() {
    let country = |folder: &str| {
        let read = all(&of_kind(RawKind::Parquet), vec![parquet(&format!("day=2023-05-03/{folder}/a"), &[1], None)]);
        read.first().unwrap().split('|').nth(2).unwrap().to_owned()
    };
    assert_eq!(country("country=C%C3%B4te%20d%27Ivoire"), "Côte d'Ivoire");
    assert_eq!(country("country=__HIVE_DEFAULT_PARTITION__"), "-");
    assert_eq!(country("country="), "-");
    assert_eq!(country("country=a=b"), "a=b");
    assert_eq!(country("country=DE/country=FR"), "FR");
}

#[test]
fn a_value_of_a_path_that_does_not_convert_is_rescued_in_every_row() {
    let read = all(&of_kind(RawKind::Parquet), vec![parquet("day=yesterday/country=DE/a", &[1], None)]);
    assert_eq!(read, ["-|1|DE|{\"day\":\"yesterday\"}"]);
}

#[test]
fn a_column_that_neither_the_file_nor_its_path_has_is_missing() {
    let lacking = vec![parquet("country=DE/a", &[1], None)];
    let read = read_with(&of_kind(RawKind::Parquet), lacking, &Projection::all(&of_kind(RawKind::Parquet)));
    assert!(read.unwrap_err().contains("missing `day`;"));
}

#[test]
fn a_file_without_a_header_has_all_columns_itself() {
    let headless = of_kind(RawKind::Csv(CsvOptions { header: false, ..CsvOptions::default() }));
    assert_eq!(all(&headless, vec![file("country=DE/a", "2023-05-03,1,FR\n")]), ["2023-05-03|1|FR|-"]);
}
