//! Files as they come after a broken upload, a full disk or a wrong mode of transfer: whatever happened to their bytes,
//! reading them ends, and either gives rows and bad records or an error that names the file.

use crate::column_type::ColumnType;
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::Int32Type;

use super::stored_columns::{stored, written};
use super::*;

const FILES: u64 = 1_000;

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// A whole file, and how it is read.
struct Whole {
    name: &'static str,
    bytes: Vec<u8>,
    format: RawFormat,
}

const COLUMNS: [(&str, ColumnType); 5] = [
    ("id", ColumnType::Integer),
    ("price", ColumnType::Decimal { precision: 18, scale: 2 }),
    ("ratio", ColumnType::Float),
    ("day", ColumnType::Date),
    ("name", ColumnType::Text),
];

fn csv() -> Vec<u8> {
    let mut text = "id,price,ratio,day,name\n".to_owned();
    for row in 0..300 {
        text += &format!("{row},{row}.25,{}e3,2023-05-{:02},\"name, {row}\"\n", row % 7, row % 28 + 1);
    }
    text.into_bytes()
}

fn json() -> Vec<u8> {
    let mut text = String::new();
    for row in 0..300 {
        text += &format!(
            "{{\"id\":{row},\"price\":{row}.25,\"ratio\":0.5,\"day\":\"2023-05-{:02}\",\"name\":\"n {row}\"}}\n",
            row % 28 + 1
        );
    }
    text.into_bytes()
}

fn parquet(compression: Compression, dictionary: bool) -> Vec<u8> {
    let rows = 0..300_i64;
    let texts: StringArray = rows.clone().map(|row| (row % 9 != 0).then(|| format!("name {}", row % 40))).collect();
    let prices = rows.clone().map(|row| Some(i128::from(row) * 25)).collect::<Decimal128Array>();
    let columns: [(&str, ArrayRef); 6] = [
        ("id", Arc::new(Int64Array::from_iter_values(rows.clone()))),
        ("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())),
        ("ratio", Arc::new(Float64Array::from_iter_values(rows.clone().map(|row| row as f64 / 2.0)))),
        ("day", Arc::new(Date32Array::from_iter_values(rows.clone().map(|row| row as i32)))),
        ("name", Arc::new(texts)),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows.map(|row| Some(vec![Some(row as i32)])))),
        ),
    ];
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(dictionary)
        .set_max_row_group_row_count(Some(100))
        .build();
    written(&columns, properties)
}

fn whole_files() -> Vec<Whole> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&csv()).unwrap();
    let stored = RawFormat { missing_columns: MissingColumns::Null, ..format(&COLUMNS, RawKind::Parquet) };
    let lines = || format(&COLUMNS, RawKind::JsonLines);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    vec![
        Whole { name: "a.csv", bytes: csv(), format: headed(&COLUMNS) },
        Whole { name: "a.csv.gz", bytes: gzip.finish().unwrap(), format: headed(&COLUMNS) },
        Whole { name: "a.csv.zst", bytes: zstd::encode_all(csv().as_slice(), 1).unwrap(), format: headed(&COLUMNS) },
        Whole { name: "a.json", bytes: json(), format: lines() },
        Whole { name: "a.json.zst", bytes: zstd::encode_all(json().as_slice(), 1).unwrap(), format: lines() },
        Whole { name: "plain.parquet", bytes: parquet(Compression::UNCOMPRESSED, true), format: stored.clone() },
        Whole { name: "texts.parquet", bytes: parquet(Compression::UNCOMPRESSED, false), format: stored.clone() },
        Whole { name: "snappy.parquet", bytes: parquet(Compression::SNAPPY, true), format: stored.clone() },
        Whole { name: "zstd.parquet", bytes: parquet(zstd, true), format: stored },
    ]
}

/// Bytes that something has happened to.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len();
    // Half of all damage is done near the end, where a Parquet file says what the rest of it is.
    let place = |random: &mut Random| {
        let last = length.min(600);
        if random.below(2) == 0 { random.below(length) } else { length - last + random.below(last) }
    };
    match random.below(6) {
        0 => bytes.truncate(place(random)),
        1 => (0..=random.below(4)).for_each(|_| bytes[place(random)] ^= 1 << random.below(8)),
        2 => (0..=random.below(4)).for_each(|_| bytes[place(random)] = random.next() as u8),
        3 => {
            let size = 1 + random.below(length / 4);
            let (from, to) = (random.below(length - size), random.below(length - size));
            let block = bytes[from..from + size].to_vec();
            bytes.copy_within(to..to + size, from);
            bytes[to..to + size].copy_from_slice(&block);
        }
        4 => {
            let from = place(random);
            let size = (1 + random.below(64)).min(length - from);
            bytes[from..from + size].fill(if random.below(2) == 0 { 0 } else { 0xff });
        }
        _ => {
            // Line ends, as a transfer of text changes them.
            bytes =
                bytes.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
        }
    }
    bytes
}

fn read_damaged(whole: &Whole, bytes: Vec<u8>) -> Result<Outcome, String> {
    let raw = match whole.format.kind {
        RawKind::Parquet => stored(whole.name, bytes),
        RawKind::Csv(_) | RawKind::JsonLines => file(whole.name, bytes),
    };
    read_with(&whole.format, vec![raw], &Projection::all(&whole.format))
}

#[test]
fn a_thousand_damaged_files_are_read_or_named() {
    let (tell, told) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let files = whole_files();
        for (seed, whole) in (0..FILES).zip(files.iter().cycle()) {
            let bytes = damaged(&whole.bytes, &mut Random(seed));
            let unchanged = bytes == whole.bytes;
            tell.send((seed, whole.name, unchanged, read_damaged(whole, bytes))).unwrap();
        }
    });
    let (mut whole, mut named) = (0, 0);
    for expected in 0..FILES {
        let answer = told.recv_timeout(Duration::from_secs(30));
        let (seed, name, unchanged, outcome) = answer.unwrap_or_else(|_| panic!("file {expected} hangs or panics"));
        match outcome {
            Ok(_) => whole += 1,
            Err(message) => {
                assert!(message.contains(&format!("`{name}`")) && !unchanged, "{seed}: {message}");
                named += 1;
            }
        }
    }
    reading.join().unwrap();
    // Both happen, or the damage is not what it should be.
    assert!(whole > 100 && named > 200, "{whole} read, {named} named");
}
