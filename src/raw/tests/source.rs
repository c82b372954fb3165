//! What holds for files of every kind.

use crate::column_type::ColumnType;
use std::io::{self, Read, Write};

use super::*;

#[test]
fn a_projection_chooses_and_orders_columns() {
    let columns = vec![
        ProjectedColumn::SourceLine,
        ProjectedColumn::Declared(1),
        ProjectedColumn::SourceFile,
        ProjectedColumn::Declared(0),
    ];
    let files = || vec![file("x/a.csv", "a,b\n1,2\n"), file("b.csv", "b,a\n3,4\n")];
    let outcome = read_with(&headed(&TWO), files(), &Projection { columns }).unwrap();
    assert_eq!(outcome.rows, owned(&["2|2|x/a.csv|1", "2|3|b.csv|4"]));
    let none = read_with(&headed(&TWO), files(), &Projection { columns: vec![] }).unwrap();
    assert_eq!(none.stats.rows, 2);
    let wrong = Projection { columns: vec![ProjectedColumn::Declared(2)] };
    assert_eq!(read_with(&headed(&TWO), files(), &wrong).unwrap_err(), "a projected column is not declared");
}

#[test]
fn a_format_that_reads_nothing_is_refused() {
    let error = |format: RawFormat| BlockQueue::new(vec![], Arc::new(format)).err().unwrap().to_string();
    assert!(error(headed(&[])).contains("no columns"));
    assert!(error(headed(&[TWO[0], TWO[0]])).contains("`a` is declared twice"));
    assert!(error(headed(&[("_rescued", ColumnType::Text)])).contains("reserved"));
    assert!(error(headed(&[("m", ColumnType::Decimal { precision: 3, scale: 4 })])).contains("precision"));
    assert!(error(headed(&[("m", ColumnType::Decimal { precision: 39, scale: -1 })])).contains("precision"));
    assert!(error(RawFormat { max_record_bytes: 0, ..headed(&TWO) }).contains("max_record_bytes"));
    let options = CsvOptions { delimiter: b'"', ..CsvOptions::default() };
    assert!(error(format(&TWO, RawKind::Csv(options))).contains("delimiter"));
}

#[test]
fn compressed_files_are_read_like_others() {
    let text = "a,b\n1,\"2\n3\"\n".to_owned() + &"x,y\n".repeat(10_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let plain = read(&headed(&TWO), &text);
    for (name, bytes) in [("a.csv.gz", gzip), ("a.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap())] {
        let mut projection = Projection::all(&headed(&TWO));
        projection.columns.remove(2);
        let outcome = read_with(&headed(&TWO), vec![file(name, &bytes)], &projection).unwrap();
        assert_eq!((&outcome.rows, outcome.stats.bytes), (&plain.rows, bytes.len() as u64));
    }
    assert_eq!(plain.stats.bytes, text.len() as u64);
    let broken = read_with(&headed(&TWO), vec![file("a.csv.gz", "no gzip")], &Projection::all(&headed(&TWO)));
    assert!(broken.unwrap_err().starts_with("`a.csv.gz` cannot be read: "));
}

#[test]
fn a_batch_has_at_most_65536_rows() {
    let queue =
        BlockQueue::new(vec![file("f", "1\n".repeat(200_000))], Arc::new(headless(&[("a", ColumnType::Integer)])));
    let block = queue.unwrap().next_block().unwrap().unwrap();
    let format = headless(&[("a", ColumnType::Integer)]);
    let parsed = parse_block(&block, &format, &Projection::all(&format)).unwrap();
    assert!(parsed.batches.iter().all(|batch| batch.num_rows() <= 65_536));
    assert_eq!((parsed.stats.rows, parsed.stats.lines), (200_000, 200_000));
}

#[test]
fn ranges_of_time_columns_are_told_when_they_are_converted() {
    let format = headed(&[("t", ColumnType::Timestamp), ("d", ColumnType::Date), ("a", ColumnType::Text)]);
    let text = "t,d,a\n1970-01-01 00:00:01,,x\n1970-01-01 00:00:03,1970-01-03,y\nbad,1970-01-02,z\n";
    let ranges = read(&format, text).stats.column_ranges;
    let t = ColumnRange { bounds: Some((1_000_000, 3_000_000)), nulls: 1 };
    let d = ColumnRange { bounds: Some((1, 2)), nulls: 1 };
    assert_eq!(ranges, [Some(t), Some(d), None]);
    let projection = Projection { columns: vec![ProjectedColumn::Declared(1)] };
    let ranges = read_with(&format, vec![file("f", text)], &projection).unwrap().stats.column_ranges;
    assert_eq!(ranges, [None, Some(d), None]);
}

/// A file that is made while it is read: `start`, then `line` again and again.
struct Endless {
    left: u64,
    start: &'static [u8],
    line: Cursor<Vec<u8>>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left as usize);
        let mut count = self.start.read(&mut buffer[..most])?;
        if count == 0 {
            count = self.line.read(&mut buffer[..most])?;
            if count == 0 {
                self.line.set_position(0);
                count = self.line.read(&mut buffer[..most])?;
            }
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn endless(start: &'static [u8], line: String) -> (Outcome, usize) {
    const SIZE: u64 = 50_000_000;
    let open = move || {
        let line = Cursor::new(line.clone().into_bytes());
        Ok(Box::new(Endless { left: SIZE, start, line }) as Box<dyn Read + Send>)
    };
    let format = RawFormat { max_record_bytes: 64 << 10, ..headed(&TWO) };
    let queue = BlockQueue::new(vec![RawFile::new("f", SIZE, Box::new(open))], Arc::new(format.clone())).unwrap();
    let (mut outcome, mut largest) = (Outcome::default(), 0);
    while let Some(block) = queue.next_block().unwrap() {
        let Block::Text(text) = &block else { panic!("a CSV file has texts") };
        largest = largest.max(text.bytes.capacity());
        let parsed = parse_block(&block, &format, &Projection { columns: vec![] }).unwrap();
        outcome
            .bad
            .extend(parsed.bad.iter().map(|bad| format!("{} {} {}", bad.line, bad.reason.name(), bad.raw.len())));
        outcome.stats.merge(&parsed.stats);
    }
    (outcome, largest)
}

#[test]
fn a_quote_that_never_closes_costs_one_record_and_bounded_memory() {
    let (outcome, largest) = endless(b"a,b\n1,\"x\n", format!("1,{}\n", "x".repeat(997)));
    assert_eq!(outcome.bad, owned(&["2 unclosed_quote 4"]));
    assert_eq!(outcome.stats.rows, 50_000);
    assert!(largest <= (4 << 20) + (64 << 10) + 2, "{largest}");
}

#[test]
fn a_line_that_never_ends_costs_one_record_and_bounded_memory() {
    for (start, reason) in [(&b"a,b\n1,"[..], "record_too_long"), (&b"a,b\n1,\""[..], "unclosed_quote")] {
        let (outcome, largest) = endless(start, "x".repeat(1_000));
        assert_eq!(outcome.bad, [format!("2 {reason} {}", 1_000 + "… (cut: the record has 49999996 bytes)".len())]);
        assert!(largest <= (4 << 20) + (64 << 10) + 2, "{largest}");
    }
}
