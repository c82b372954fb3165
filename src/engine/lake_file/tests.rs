//! What a reader is told of files of the lake whose bytes have changed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Mutex;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use url::Url;

use super::super::{LAKE_URL, LakeTable};
use super::*;
use crate::name::{SchemaName, TableName};
use crate::partition_writer::{Destination, OutputFile, PartitionedWriter, SpillFile, WriterOptions};
use crate::table::{DataFile, PartitionValues};

const ROWS: i64 = 20_000;
const QUERIES: [&str; 4] = [
    "select * from t order by place",
    "select sum(number), max(text) from t",
    "select count(*), sum(number) from t where place between 9000 and 9100",
    "select day, count(*) from t group by day order by day",
];

/// Keeps what is written to it.
#[derive(Default)]
struct Kept(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

struct KeptFile {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    path: String,
}

impl Destination for Kept {
    fn create(&self, path: &str) -> io::Result<Box<dyn OutputFile>> {
        Ok(Box::new(KeptFile { files: Arc::clone(&self.0), path: path.to_owned() }))
    }

    fn spill(&self) -> io::Result<Box<dyn SpillFile>> {
        Ok(Box::new(io::Cursor::new(Vec::new())))
    }
}

impl Write for KeptFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.files.lock().unwrap().entry(self.path.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl OutputFile for KeptFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// SplitMix64.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Numbers that cannot be compressed, and texts that can.
fn rows() -> RecordBatch {
    let mut seed = 7;
    let columns: [(&str, ArrayRef); 4] = [
        ("day", Arc::new(Date32Array::from_iter_values((0..ROWS).map(|place| i32::from(place > 19_000))))),
        ("place", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("number", Arc::new((0..ROWS).map(|_| Some(random(&mut seed) as i64 >> 8)).collect::<Int64Array>())),
        ("text", Arc::new((0..ROWS).map(|place| Some(format!("text {}", place % 77))).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// The files of a table, as karat writes them.
fn written(threads: usize, partition_columns: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let kept = Kept::default();
    let files = Arc::clone(&kept.0);
    let partition_columns = partition_columns.iter().map(ToString::to_string).collect();
    let options = WriterOptions { partition_columns, threads, row_group_rows: 9_000, ..WriterOptions::new("part-x") };
    let mut writer = PartitionedWriter::new(rows().schema(), options, Arc::new(kept)).unwrap();
    writer.write(rows()).unwrap();
    writer.finish().unwrap();
    files.lock().unwrap().clone()
}

/// What each query answers over these files, or why it fails.
async fn answers(files: &BTreeMap<String, Vec<u8>>, sizes: &BTreeMap<String, Vec<u8>>) -> Vec<EngineResult<String>> {
    let store = Arc::new(InMemory::new());
    let mut listed = Vec::new();
    for (path, bytes) in files {
        store.put(&Path::parse(format!("app/t/{path}")).unwrap(), bytes.clone().into()).await.unwrap();
        let day = path.split_once("day=").map(|(_, rest)| rest.split('/').next().unwrap());
        let partition = PartitionValues::from_iter(day.map(|day| ("day", Some(day))));
        let size = sizes[path].len() as u64;
        listed.push(DataFile { path: path.as_str().into(), partition, bytes: size, rows: None, stats: None });
    }
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    context.register_object_store(&Url::parse(LAKE_URL).unwrap(), store);
    let by_day = listed.iter().any(|file| file.partition.value("day").is_some());
    let partitions = if by_day { vec!["day".to_owned()] } else { Vec::new() };
    let name = TableName { schema: SchemaName::parse("app").unwrap(), table: "t".to_owned() };
    context.register_table("t", Arc::new(LakeTable::new(name, rows().schema(), partitions, listed))).unwrap();
    let mut answers = Vec::new();
    for query in QUERIES {
        let answer = async {
            let batches = context.sql(query).await?.collect().await?;
            Ok(pretty_format_batches(&batches)?.to_string())
        };
        answers.push(answer.await);
    }
    answers
}

fn names_the_file(error: &datafusion::common::DataFusionError, path: &str) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(damaged) = error.downcast_ref::<DamagedFile>() {
            return damaged.path == format!("app/t/{path}");
        }
        source = error.source();
    }
    false
}

/// Changes some bytes of a file: one bit, a few zeros, or the end is cut off.
fn disturb(bytes: &mut Vec<u8>, seed: &mut u64) -> String {
    let place = random(seed) as usize % bytes.len();
    match random(seed) % 8 {
        0 => {
            let end = bytes.len().min(place + 1 + random(seed) as usize % 4096);
            bytes[place..end].iter_mut().for_each(|byte| *byte = !*byte);
            format!("the bits of {place}..{end} are turned")
        }
        1 => {
            bytes.truncate(place);
            format!("cut off at {place}")
        }
        2 => {
            // Footers are short, and what they say is worth a lot.
            let place = bytes.len() - 1 - random(seed) as usize % 3_000.min(bytes.len());
            bytes[place] ^= 1 << (random(seed) % 8);
            format!("a bit of {place} near the end")
        }
        _ => {
            bytes[place] ^= 1 << (random(seed) % 8);
            format!("a bit of {place}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_changed_never_become_other_rows() {
    for (threads, partitions) in [(1, &["day"][..]), (1, &[]), (2, &[])] {
        let files = written(threads, partitions);
        let right: Vec<String> = answers(&files, &files).await.into_iter().map(Result::unwrap).collect();
        assert!(files.values().any(|bytes| bytes.len() as u64 > END_BYTES), "some are read in several pieces");
        let mut seed = 1;
        let mut told = 0;
        for round in 0..30 {
            let mut damaged = files.clone();
            let which = random(&mut seed) as usize % damaged.len();
            let (path, bytes) = damaged.iter_mut().nth(which).unwrap();
            let path = path.clone();
            let what = disturb(bytes, &mut seed);
            if damaged == files {
                continue;
            }
            for (query, answer) in answers(&damaged, &files).await.into_iter().enumerate() {
                match answer {
                    Ok(rows) => assert_eq!(rows, right[query], "{round}: {path}: {what}: {}", QUERIES[query]),
                    Err(error) => {
                        assert!(names_the_file(&error, &path), "{round}: {path}: {what}: {error}");
                        told += 1;
                    }
                }
            }
        }
        assert!(told > 25, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_footer_is_read_however_long_it_is() {
    let columns = (0..3_000).map(|column| {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3));
        (format!("column_{column}"), numbers, true)
    });
    let wide = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let kept = Kept::default();
    let files = Arc::clone(&kept.0);
    let mut writer = PartitionedWriter::new(wide.schema(), WriterOptions::new("part-x"), Arc::new(kept)).unwrap();
    writer.write(wide.clone()).unwrap();
    writer.finish().unwrap();
    let mut bytes = files.lock().unwrap()["part-x.parquet"].clone();
    assert!(footer_bytes(&bytes).unwrap() > END_BYTES);
    let size = bytes.len() as u64;
    for is_right in [true, false] {
        let store = Arc::new(InMemory::new());
        store.put(&Path::from("app/t/part-x.parquet"), bytes.clone().into()).await.unwrap();
        let file = DataFile {
            path: "part-x.parquet".into(),
            partition: PartitionValues::none(),
            bytes: size,
            rows: None,
            stats: None,
        };
        let context = SessionContext::new();
        context.register_object_store(&Url::parse(LAKE_URL).unwrap(), store);
        let name = TableName { schema: SchemaName::parse("app").unwrap(), table: "t".to_owned() };
        let table = LakeTable::new(name, wide.schema(), Vec::new(), vec![file]);
        context.register_table("t", Arc::new(table)).unwrap();
        let read = context.sql("select sum(column_7), sum(column_2999) from t").await.unwrap().collect().await;
        assert_eq!(read.is_ok(), is_right, "{read:?}");
        // Far from the end of the footer.
        let place = bytes.len() - usize::try_from(END_BYTES).unwrap() - 10;
        bytes[place] ^= 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_files_of_other_programs_is_told_with_the_file() {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows().schema(), None).unwrap();
    writer.write(&rows()).unwrap();
    writer.close().unwrap();
    let files = BTreeMap::from([("part-x.parquet".to_owned(), bytes)]);
    assert!(answers(&files, &files).await.iter().all(Result::is_ok), "they are read without checksums");
    let mut seed = 3;
    let mut told = 0;
    for round in 0..40 {
        let mut damaged = files.clone();
        let what = disturb(damaged.get_mut("part-x.parquet").unwrap(), &mut seed);
        for error in answers(&damaged, &files).await.into_iter().filter_map(Result::err) {
            assert!(names_the_file(&error, "part-x.parquet"), "{round}: {what}: {error}");
            told += 1;
        }
    }
    assert!(told > 10, "{told}");
}
