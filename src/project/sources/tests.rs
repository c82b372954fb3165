//! Sources, from YAML to what is read later.

use super::*;
use crate::project::source::{CsvFormat, SourceFormat};
use crate::project::testing::{load, said};

fn sources(yaml: &str) -> Vec<Source> {
    load("name: p", &[("models/s.yml", yaml)]).unwrap().sources.into_values().collect()
}

#[test]
fn a_source_table_has_a_location_a_format_and_typed_columns() {
    let found = sources(
        r"
sources:
- name: app
  schema: raw
  description: The app.
  tables:
  - name: events
    location: ./data/events/*.csv.gz
    options: {header: false, delimiter: tab, quote: '`', null: NULL}
    on_bad_row: fail
    max_bad_rows: 5 %
    event_time: at
    data_tests: [unique_rows]
    columns:
    - {name: at, type: timestamp, data_tests: [not_null]}
    - {name: price, data_type: 'decimal(18, 2)', description: In euro.}
  - {name: users, location: data/users.jsonl, max_bad_rows: 100, columns: [{name: id, type: text}]}
",
    );
    let [events, users] = found.as_slice() else { panic!("two tables") };
    assert_eq!(events.name().to_string(), "app.events");
    assert_eq!(events.location.value, "data/events/*.csv.gz");
    let csv = CsvFormat {
        header: false,
        delimiter: b'\t',
        quote: Some(b'`'),
        comment: None,
        skip: 0,
        null: Some("NULL".to_owned()),
    };
    assert_eq!(events.format, SourceFormat::Csv(csv));
    assert_eq!((events.on_bad_row, events.max_bad_rows), (OnBadRow::Fail, Some(Limit::Percent(5.0))));
    assert_eq!(events.columns[1].data_type, ColumnType::Decimal { precision: 18, scale: 2 });
    assert_eq!((events.tests.len(), events.columns[0].tests.len()), (1, 1));
    assert_eq!((&users.format, users.on_bad_row), (&SourceFormat::Json, OnBadRow::Quarantine));
    assert_eq!(users.max_bad_rows, Some(Limit::Count(100)));
}

#[test]
fn a_location_lies_inside_the_project_or_in_a_bucket() {
    let wrong = [
        "/data/x.csv",
        "../x.csv",
        "a/../../x.csv",
        "'C:\\x.csv'",
        "\"{{ var('x') }}\"",
        "s3:/bucket/x.csv",
        "s3://bucket",
        "s3://bucket/a//x.csv",
        "s3://bucket/../x.csv",
        "s3://-/x.csv",
        "gs://bucket/x.csv",
    ];
    for wrong in wrong {
        let yaml = format!(
            "sources: [{{name: s, tables: [{{name: t, location: {wrong}, columns: [{{name: a, type: int}}]}}]}}]"
        );
        assert!(said("name: p", &[("models/s.yml", &yaml)]).contains("error[invalid-config]"), "{wrong}");
    }
}

#[test]
fn a_location_in_a_bucket_is_kept_as_it_is_and_no_credentials_are_repeated() {
    let yaml = |location: &str| {
        format!(
            "sources: [{{name: s, tables: [{{name: t, location: '{location}', columns: [{{name: a, type: int}}]}}]}}]"
        )
    };
    let project = load("name: p", &[("models/s.yml", &yaml("S3://raw.b/a=*/é?.csv.gz"))]).unwrap();
    let source = project.sources.values().next().unwrap();
    assert_eq!((source.location.value.as_str(), source.bucket()), ("s3://raw.b/a=*/é?.csv.gz", Some("raw.b")));
    for location in ["s3://name:hunter2@bucket/x.csv", "https://name:hunter2@host/x.csv"] {
        let said = said("name: p", &[("models/s.yml", &yaml(location))]);
        let message = said.lines().find(|line| line.starts_with("error")).unwrap_or_default();
        assert!(message.contains("invalid-config") && !message.contains("hunter2"), "{said}");
    }
    let delta = yaml("s3://raw/t").replace("location", "format: delta, location");
    assert!(said("name: p", &[("models/s.yml", &delta)]).contains("Delta table in a bucket"));
}

#[test]
fn every_wrong_key_of_a_source_is_shown() {
    let yaml = "
sources:
- name: app
  freshness: {warn_after: {count: 1, period: day}}
  tables:
  - {name: a, format: csv, columns: []}
  - name: b
    location: /data/b.csv
    columns: [{name: x}, {name: y, type: txt}, {name: _rescued, type: text}]
    on_bad_row: ignore
    max_bad_rows: 101%
  - name: c
    location: data/c
    event_time: att
    columns: [{name: at, type: text}]
  - {name: d, location: data/d.parquet, event_time: at, options: {header: true}, columns: [{name: at, type: text}]}
  - {name: e, location: data/e.xlsx, format: xlsx, columns: [{name: at, type: text}]}
  - {name: f, location: f.csv, options: {delimeter: ';', quote: ab}, columns: [{name: a, type: text}]}
  - {name: f, location: f.csv, columns: [{name: a, type: text}]}
  - {name: f, location: f.csv, columns: [{name: a, type: text}]}
";
    insta::assert_snapshot!(said("name: p", &[("models/s.yml", yaml)]), @r"
        error[invalid-config]: the source table `a` declares no columns
         --> models/s.yml:6:12
          |
        6 |   - {name: a, format: csv, columns: []}
          |            ^
          |
          = note: models are compiled against the declared columns, without reading the files
          = help: list them: `columns: [{ name: user_id, type: text }]`

        error[invalid-config]: the source table `a` has no `location`
         --> models/s.yml:6:12
          |
        6 |   - {name: a, format: csv, columns: []}
          |            ^
          |
          = help: add where its files are, like `location: data/users/*.csv`

        error[invalid-config]: `/data/b.csv` is not a path inside the project
         --> models/s.yml:8:15
          |
        8 |     location: /data/b.csv
          |               ^^^^^^^^^^^
          |
          = help: copy or link the data into the project, and write its path with `/`, like `data/users/*.csv`

        error[invalid-config]: the column `x` has no type
         --> models/s.yml:9:22
          |
        9 |     columns: [{name: x}, {name: y, type: txt}, {name: _rescued, type: text}]
          |                      ^
          |
          = help: add `type: text`

        error[invalid-config]: `txt` is not a type of a source column
         --> models/s.yml:9:42
          |
        9 |     columns: [{name: x}, {name: y, type: txt}, {name: _rescued, type: text}]
          |                                          ^^^
          |
          = help: did you mean `text`?
          = help: the types are `text`, `integer`, `float`, `boolean`, `date`, `timestamp` and `decimal(18, 2)`

        error[invalid-name]: the column `_rescued` is one that karat adds itself
         --> models/s.yml:9:55
          |
        9 |     columns: [{name: x}, {name: y, type: txt}, {name: _rescued, type: text}]
          |                                                       ^^^^^^^^

        error[invalid-config]: `on_bad_row` cannot be `ignore`
          --> models/s.yml:10:17
           |
        10 |     on_bad_row: ignore
           |                 ^^^^^^
           |
           = help: it can be `quarantine` or `fail`

        error[invalid-config]: `max_bad_rows` must be a number like `100`, or a share like `5%`
          --> models/s.yml:11:19
           |
        11 |     max_bad_rows: 101%
           |                   ^^^^

        error[invalid-config]: the extension of `location` does not determine the format
          --> models/s.yml:13:15
           |
        13 |     location: data/c
           |               ^^^^^^
           |
           = help: add `format: csv`, `format: json`, `format: parquet` or `format: delta`

        error[missing-column]: the source has no column `att`
          --> models/s.yml:14:17
           |
        14 |     event_time: att
           |                 ^^^
           |
           = help: did you mean `at`?

        error[invalid-config]: the event time `at` is neither a date nor a timestamp
          --> models/s.yml:16:53
           |
        16 |   - {name: d, location: data/d.parquet, event_time: at, options: {header: true}, columns: [{name: at, type: text}]}
           |                                                     ^^                                            -- the column

        error[unknown-key]: `header` is not a key of the options of a Parquet source
          --> models/s.yml:16:67
           |
        16 |   - {name: d, location: data/d.parquet, event_time: at, options: {header: true}, columns: [{name: at, type: text}]}
           |                                                                   ^^^^^^
           |
           = help: its keys are `coerce`, `trim`, `numbers`, `decimal`, `booleans`, `date_format` and `timestamp_format`

        error[invalid-config]: `format` cannot be `xlsx`
          --> models/s.yml:17:46
           |
        17 |   - {name: e, location: data/e.xlsx, format: xlsx, columns: [{name: at, type: text}]}
           |                                              ^^^^
           |
           = help: it can be `csv`, `json`, `parquet` or `delta`

        error[unknown-key]: `delimeter` is not a key of the options of a CSV source
          --> models/s.yml:18:42
           |
        18 |   - {name: f, location: f.csv, options: {delimeter: ';', quote: ab}, columns: [{name: a, type: text}]}
           |                                          ^^^^^^^^^
           |
           = help: did you mean `delimiter`?

        error[invalid-config]: `quote` must be one character of ASCII, or `tab`
          --> models/s.yml:18:65
           |
        18 |   - {name: f, location: f.csv, options: {delimeter: ';', quote: ab}, columns: [{name: a, type: text}]}
           |                                                                 ^^

        error[duplicate-name]: the source table `app.f` is declared twice
          --> models/s.yml:19:12
           |
        18 |   - {name: f, location: f.csv, options: {delimeter: ';', quote: ab}, columns: [{name: a, type: text}]}
           |            - the first one
        19 |   - {name: f, location: f.csv, columns: [{name: a, type: text}]}
           |            ^

        error[duplicate-name]: the source table `app.f` is declared twice
          --> models/s.yml:20:12
           |
        18 |   - {name: f, location: f.csv, options: {delimeter: ';', quote: ab}, columns: [{name: a, type: text}]}
           |            - the first one
        19 |   - {name: f, location: f.csv, columns: [{name: a, type: text}]}
        20 |   - {name: f, location: f.csv, columns: [{name: a, type: text}]}
           |            ^
        ");
}
