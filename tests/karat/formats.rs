//! Sources of every format: what is read from JSON lines, Parquet and compressed files is what was written.

use std::io::Write;

use crate::folder::Folder;

const ORDERS: &str = "id,day,customer\n1,2023-05-01,ann\n2,2023-05-02,\n3,not a day,bob\n4,2023-05-03\n";

fn project(location: &str, format: &str) -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\n");
    folder.write(
        "models/bronze/sources.yml",
        format!(
            "sources:\n  - name: raw\n    tables:\n      - name: orders\n        location: {location}\n        \
             format: {format}\n        columns:\n          - {{ name: id, type: integer }}\n          \
             - {{ name: day, type: date }}\n          - {{ name: customer, type: text }}\n"
        ),
    );
    let model = "{{ config(materialized='table') }}\nselect * from {{ source('raw', 'orders') }}\n";
    folder.write("models/bronze/orders.sql", model);
    folder
}

fn rows(folder: &Folder) -> Vec<Vec<String>> {
    folder.karat(&["run", "--quiet"]);
    folder.query("select id, day, customer, _source_file, _source_line, _rescued from bronze.orders order by id")
}

fn row(cells: [&str; 6]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[test]
fn compressed_csv_is_csv() {
    for (ending, bytes) in [("gz", gzip(ORDERS)), ("zst", zstd::encode_all(ORDERS.as_bytes(), 1).unwrap())] {
        let file = format!("data/orders.csv.{ending}");
        let folder = project(&file, "csv");
        folder.write(&file, bytes);
        assert_eq!(
            rows(&folder),
            [
                row(["1", "2023-05-01", "ann", &file, "2", ""]),
                row(["2", "2023-05-02", "", &file, "3", ""]),
                row(["3", "", "bob", &file, "4", r#"{"day":"not a day"}"#]),
            ]
        );
        let bad = folder.query("select _source_line, reason, raw from bronze.orders_quarantine");
        assert_eq!(bad, [["5", "too_few_columns", "4,2023-05-03"]]);
    }
}

/// The orders as karat writes them.
fn parquet(orders: &str) -> Vec<u8> {
    let folder = project("data/orders.csv", "csv");
    let model = "{{ config(materialized='table') }}\nselect id, day, customer from {{ source('raw', 'orders') }}\n";
    folder.write("models/bronze/orders.sql", model);
    folder.write("data/orders.csv", orders);
    folder.karat(&["run", "--quiet"]);
    let files = folder.files("lake/bronze/orders");
    let written = files.iter().find(|path| path.ends_with(".parquet")).unwrap();
    std::fs::read(folder.root().join(written)).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn json_lines_have_a_record_a_line() {
    let folder = project("data/*.json", "json");
    folder.write(
        "data/orders.json",
        "{\"id\": 1, \"day\": \"2023-05-01\", \"customer\": \"ann\"}\n[1]\n{\"customer\": 7, \"id\": 2}\n",
    );
    assert_eq!(
        rows(&folder),
        [
            row(["1", "2023-05-01", "ann", "data/orders.json", "1", ""]),
            row(["2", "", "", "data/orders.json", "3", r#"{"customer":7}"#]),
        ]
    );
    let bad = folder.query("select _source_line, reason from bronze.orders_quarantine");
    assert_eq!(bad, [["2", "bad_json"]]);
}

#[test]
fn parquet_files_are_read_by_column_name() {
    let whole = parquet(ORDERS);

    let folder = project("data/*.parquet", "parquet");
    folder.write("data/orders one.parquet", whole);
    let file = "data/orders one.parquet";
    assert_eq!(
        rows(&folder),
        [
            row(["1", "2023-05-01", "ann", file, "1", ""]),
            row(["2", "2023-05-02", "", file, "2", ""]),
            row(["3", "", "bob", file, "3", ""]),
        ]
    );
    assert_eq!(folder.query("select count(*) from bronze.orders where customer = 'bob'"), [["1"]]);
}

#[test]
fn a_parquet_source_is_held_against_its_declaration() {
    let whole = parquet(ORDERS);

    let folder = project("data/*.parquet", "parquet");
    let sources = std::fs::read_to_string(folder.root().join("models/bronze/sources.yml")).unwrap();
    let fails = |words: &[&str]| {
        let answer = folder.try_karat(&["run"]);
        assert_eq!(answer.code, 1, "{}", answer.printed);
        assert!(answer.printed.contains("error[invalid-source-file]"), "{}", answer.printed);
        for word in words {
            assert!(answer.printed.contains(word), "{word}: {}", answer.printed);
        }
    };
    folder.write("data/a.parquet", &whole);
    folder.write("models/bronze/sources.yml", sources.replace("customer", "Customer"));
    fails(&["data/a.parquet", "did you mean `customer`?"]);
    folder.write("models/bronze/sources.yml", sources.replace("name: id, type: integer", "name: id, type: boolean"));
    let answer = folder.try_karat(&["run"]);
    for word in [
        "error[too-many-rescued]",
        "none of the 3 values of `id` converts to a boolean",
        "`1` in data/a.parquet line 1",
    ] {
        assert!(answer.printed.contains(word), "{word}: {}", answer.printed);
    }
    folder.write("models/bronze/sources.yml", sources.replace("          - { name: customer, type: text }\n", ""));
    fails(&["data/a.parquet", "unknown `customer`"]);

    folder.write("models/bronze/sources.yml", &sources);
    let mut bad = whole.clone();
    let footer = bad.len() - 8;
    bad.splice(footer..footer + 4, u32::MAX.to_le_bytes());
    folder.write("data/bad.parquet", &bad);
    fails(&["data/bad.parquet", "the length of its footer is larger than the file"]);
    folder.write("data/bad.parquet", whole.get(..whole.len() / 2).unwrap());
    fails(&["data/bad.parquet", "`PAR1` is missing"]);
    folder.write("data/bad.parquet", whole);
    folder.karat(&["run", "--quiet"]);
}

/// What a Parquet file promises is what CSV and JSON promise: counts, limits, files that are read once.
#[test]
fn values_of_parquet_files_are_rescued_counted_and_limited() {
    let bytes = parquet("id,day,customer\n1,2023-05-01,2023-05-01\n2,2023-05-02,unknown\n3,2023-05-03,\n");

    let folder = project("data/*.parquet", "parquet");
    folder.write("data/a.parquet", &bytes);
    let sources = std::fs::read_to_string(folder.root().join("models/bronze/sources.yml")).unwrap();
    let dated = sources.replace("customer, type: text", "customer, type: date");
    folder.write("models/bronze/sources.yml", &dated);
    let told = folder.karat(&["run"]).printed;
    assert!(told.contains("1 row with rescued values (`customer`: 1)"), "{told}");
    assert_eq!(
        folder.query("select id, customer, _source_file, _source_line, _rescued from bronze.orders order by id"),
        [
            ["1", "2023-05-01", "data/a.parquet", "1", ""],
            ["2", "", "data/a.parquet", "2", r#"{"customer":"unknown"}"#],
            ["3", "", "data/a.parquet", "3", ""],
        ]
    );
    folder.write(
        "models/bronze/sources.yml",
        dated.replace("        columns:", "        max_rescued: 0\n        columns:"),
    );
    folder.write("data/b.parquet", &bytes);
    let answer = folder.try_karat(&["run"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    let limit = "2 of the 4 values of `customer` do not convert to a date, and 0 are allowed";
    assert!(answer.printed.contains(limit), "{}", answer.printed);
    folder.write(
        "models/bronze/sources.yml",
        sources.replace("        columns:", "        options: { comma: 1 }\n        columns:"),
    );
    let answer = folder.try_karat(&["run"]);
    assert!(answer.printed.contains("error[unknown-key]"), "{}", answer.printed);
}

#[test]
fn a_file_in_disguise_is_told_as_what_it_is() {
    let folder = project("data/orders.*", "csv");
    let utf_16: Vec<u8> = ORDERS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, words) in [
        (utf_16, ["it is UTF-16 without the byte order mark", "save it as UTF-8"]),
        (ORDERS.replace('\n', "\r").into_bytes(), ["a carriage return alone", "tr '\\r' '\\n'"]),
        (gzip(ORDERS), ["it is compressed with gzip", "a name that ends in `.gz`"]),
        (b"PK\x03\x04\x14\0\0\0".to_vec(), ["it is a zip archive", "save the sheet as CSV"]),
        (parquet(ORDERS), ["it is a Parquet file", "declare `format: parquet`"]),
    ] {
        folder.write("data/orders.csv", bytes);
        let answer = folder.try_karat(&["run"]);
        assert_eq!(answer.code, 1, "{}", answer.printed);
        for word in words.iter().chain(&["error[invalid-source-file]: `data/orders.csv` cannot be read"]) {
            assert!(answer.printed.contains(word), "{word}: {}", answer.printed);
        }
    }
    std::fs::remove_file(folder.root().join("data/orders.csv")).unwrap();
    folder.write("data/orders.CSV.GZ", gzip(ORDERS));
    let without_file = |mut rows: Vec<Vec<String>>| {
        rows.iter_mut().for_each(|row| drop(row.remove(3)));
        rows
    };
    let expected = without_file(rows(&folder));
    assert_eq!(expected.len(), 3);
    // As Excel saves "Unicode text".
    std::fs::remove_file(folder.root().join("data/orders.CSV.GZ")).unwrap();
    let utf_16: Vec<u8> = format!("\u{feff}{ORDERS}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    folder.write("data/orders.csv", utf_16);
    assert_eq!(without_file(rows(&folder)), expected);
}

#[test]
fn a_damaged_data_file_of_the_lake_is_told() {
    let folder = project("data/orders.csv", "csv");
    folder.write("data/orders.csv", ORDERS);
    folder.karat(&["run", "--quiet"]);
    let files = folder.files("lake/bronze/orders");
    let written = files.iter().find(|path| path.ends_with(".parquet")).unwrap();
    let mut bytes = std::fs::read(folder.root().join(written)).unwrap();
    bytes[20..80].fill(0xff);
    folder.write(written, bytes);
    let answer = folder.try_karat(&["query", "select * from bronze.orders", "--live"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    let told = format!("error[corrupt-table]: the data file `{}` is damaged", written.strip_prefix("lake/").unwrap());
    assert!(answer.printed.contains(&told), "{}", answer.printed);
}
