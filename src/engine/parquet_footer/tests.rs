//! Declarations that no file keeps, types that would change values, and damaged files.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, TimeUnit};
use parquet::arrow::ArrowWriter;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A file without rows.
    fn write(&self, path: &str, fields: &[(&str, DataType)]) -> SourceEntry {
        let fields: Vec<Field> = fields.iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), None).unwrap();
        writer.write(&RecordBatch::new_empty(schema)).unwrap();
        writer.close().unwrap();
        self.put(path, &bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> SourceEntry {
        let target = self.0.path().join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
        SourceEntry { path: path.to_owned(), size: bytes.len() as u64, modified: 0 }
    }

    fn check(&self, read: &[SourceEntry], all: &[SourceEntry], declared: &[(&str, DataType)]) -> Result<(), String> {
        let backend = LocalBackend::new(self.0.path().to_owned());
        let fields: Vec<Field> = declared.iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect();
        let fields: Vec<&Field> = fields.iter().collect();
        check(&ParquetFiles { backend: &backend, read, all }, &fields).map_err(|error| error.to_string())
    }
}

const INSTANT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

#[test]
fn a_column_that_no_file_has_is_an_error_and_one_that_some_files_lack_is_not() {
    let folder = Folder::new();
    let old = folder.write("data/1.parquet", &[("amount", DataType::Int64)]);
    let new = folder.write("data/2.parquet", &[("amount", DataType::Int64), ("UserId", DataType::Utf8)]);
    let both = [old.clone(), new.clone()];
    let declared = |name: &'static str| [("amount", DataType::Int64), (name, DataType::Utf8)];
    assert_eq!(folder.check(&both, &both, &declared("UserId")), Ok(()));
    assert_eq!(folder.check(std::slice::from_ref(&old), &both, &declared("UserId")), Ok(()));
    let error = folder.check(std::slice::from_ref(&new), &both, &declared("userid")).unwrap_err();
    assert!(error.contains("data/2.parquet") && error.contains("did you mean `UserId`?"), "{error}");
    let error = folder.check(&both, &both, &[("amonut", DataType::Int64)]).unwrap_err();
    assert!(error.contains("did you mean `amount`?"), "{error}");
    let hive = folder.write("data/day=2023-01-01/3.parquet", &[("amount", DataType::Int64)]);
    let hive = std::slice::from_ref(&hive);
    let error = folder.check(hive, hive, &[("day", DataType::Date32)]).unwrap_err();
    assert!(error.contains("stands in the folder's name"), "{error}");
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    let folder = Folder::new();
    let twice = folder.write("a.parquet", &[("id", DataType::Int64), ("id", DataType::Int64)]);
    let twice = std::slice::from_ref(&twice);
    let error = folder.check(twice, twice, &[("id", DataType::Int64)]).unwrap_err();
    assert!(error.contains("`a.parquet`") && error.contains("twice"), "{error}");
}

#[test]
fn only_types_whose_values_are_kept_are_read() {
    let item = || Arc::new(Field::new("item", DataType::Utf8, true));
    let zoned = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let kept = [
        (DataType::Int8, DataType::Int64),
        (DataType::UInt64, DataType::Int64),
        (DataType::Int32, DataType::Float64),
        (DataType::Float32, DataType::Float64),
        (DataType::Int64, DataType::Decimal128(21, 2)),
        (DataType::Decimal128(10, 2), DataType::Decimal128(18, 2)),
        (zoned, INSTANT),
        (DataType::Date32, INSTANT),
        (DataType::LargeUtf8, DataType::Utf8),
    ];
    let changed = [
        (DataType::Float64, DataType::Int64),
        (DataType::Int64, DataType::Float64),
        (DataType::Decimal128(20, 3), DataType::Decimal128(18, 2)),
        (DataType::Decimal128(18, 2), DataType::Decimal128(18, 4)),
        (DataType::Float64, DataType::Decimal128(18, 2)),
        (DataType::Int64, INSTANT),
        (INSTANT, DataType::Int64),
        (INSTANT, DataType::Date32),
        (DataType::Int64, DataType::Boolean),
        (DataType::Utf8, DataType::Boolean),
        (DataType::Utf8, DataType::Int64),
        (DataType::Int64, DataType::Utf8),
        (DataType::List(item()), DataType::Utf8),
        (DataType::Time64(TimeUnit::Microsecond), DataType::Utf8),
    ];
    let folder = Folder::new();
    for (is_kept, pairs) in [(true, kept.as_slice()), (false, changed.as_slice())] {
        for (found, declared) in pairs {
            let file = folder.write("a.parquet", &[("v", found.clone())]);
            let file = std::slice::from_ref(&file);
            let checked = folder.check(file, file, &[("v", declared.clone())]);
            assert_eq!(checked.is_ok(), is_kept, "{found} as {declared}: {checked:?}");
        }
    }
}

#[test]
fn a_damaged_file_is_named() {
    let folder = Folder::new();
    let whole = folder.write("whole.parquet", &[("v", DataType::Int64)]);
    let bytes = std::fs::read(folder.0.path().join(&whole.path)).unwrap();
    let size = bytes.len();
    let declared = [("v", DataType::Int64)];
    let check = |bytes: &[u8]| {
        let file = folder.put("bad.parquet", bytes);
        let file = std::slice::from_ref(&file);
        folder.check(file, file, &declared)
    };
    assert_eq!(check(&bytes), Ok(()));
    for length in [0, 3, 11, 12, size / 2, size - 1] {
        let error = check(bytes.get(..length).unwrap()).unwrap_err();
        assert!(error.contains("bad.parquet"), "{error}");
    }
    for length in [u32::MAX, i32::MAX as u32, u32::try_from(size).unwrap(), u32::try_from(size).unwrap() - 11] {
        let mut bad = bytes.clone();
        bad.splice(size - 8..size - 4, length.to_le_bytes());
        assert!(check(&bad).unwrap_err().contains("length of its footer"), "{length}");
    }
    // Every single byte of the footer, in three ways: an error that names the file, or a schema that still fits.
    for at in 4..size {
        for change in [1, 0x80, 0xff_u8] {
            let mut bad = bytes.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= change;
            }
            if let Err(error) = check(&bad) {
                assert!(error.contains("bad.parquet"), "{error}");
            }
        }
    }
}
