//! What files look like to somebody who declares them as a source: their columns, and the types that the values of a sample have.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;

use super::columns::other_delimiter;
use super::compression::RawFile;
use super::error::RawError;
use super::format::{
    CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, ProjectedColumn, Projection, RawColumn, RawFormat, RawKind,
    UnknownColumns,
};
use super::guess::ColumnGuess;
use super::path_values::named_folders;
use super::split::{Splitter, TextBlock};
use super::{Block, json, names_of, parquet, parse_block};
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// So many rows of each file are looked at, and those that are read with them.
const ROWS_OF_A_FILE: u64 = 10_000;
const BLOCK_BYTES: usize = 1 << 20;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct InferredFiles {
    /// In the order in which files have them, then those that stand in paths.
    pub(crate) columns: Vec<RawColumn>,
    /// What divides the fields of CSV.
    pub(crate) delimiter: Option<char>,
    /// Whether some file lacks a column of another.
    pub(crate) is_uneven: bool,
    /// Whether a column of texts holds something else too: `coerce` takes it as it is written.
    pub(crate) needs_coerce: bool,
}

/// Looks at files of one kind.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or its header repeats a name.
pub(crate) fn infer(files: &[RawFile], kind: &RawKind) -> Result<InferredFiles, RawError> {
    let mut found = match kind {
        RawKind::Csv(options) => of_csv(files, options)?,
        RawKind::JsonLines => of_json(files)?,
        RawKind::Parquet => of_parquet(files)?,
    };
    found.add_paths(files);
    Ok(found)
}

/// Columns by their names, in the order in which they were met.
struct Met<T> {
    columns: Vec<(String, T)>,
    places: BTreeMap<String, usize>,
}

impl<T: Default> Met<T> {
    fn new() -> Self {
        Self { columns: Vec::new(), places: BTreeMap::new() }
    }

    fn column(&mut self, name: &str) -> &mut T {
        let next = self.columns.len();
        let place = *self.places.entry(name.to_owned()).or_insert(next);
        if place == next {
            self.columns.push((name.to_owned(), T::default()));
        }
        let (_, column) = self.columns.get_mut(place).expect("what was met has a place");
        column
    }
}

fn format(columns: Vec<RawColumn>, kind: RawKind) -> Arc<RawFormat> {
    Arc::new(RawFormat {
        columns,
        kind,
        forms: Arc::new(Forms::default()),
        missing_columns: MissingColumns::Null,
        unknown_columns: UnknownColumns::Ignore,
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
    })
}

/// Visits the first blocks of a file.
fn each_block(
    file: &RawFile,
    format: &Arc<RawFormat>,
    mut visit: impl FnMut(TextBlock) -> Result<(), RawError>,
) -> Result<(), RawError> {
    let mut splitter = Splitter::open(file, format, BLOCK_BYTES)?;
    let mut lines = 0;
    while let Some(block) = splitter.next_block()? {
        // Lines, and not rows: a file of bad records alone comes to an end too.
        lines += block.lines;
        visit(block)?;
        if lines >= ROWS_OF_A_FILE {
            break;
        }
    }
    Ok(())
}

fn of_csv(files: &[RawFile], options: &CsvOptions) -> Result<InferredFiles, RawError> {
    let mut options = options.clone();
    let mut guesses: Met<ColumnGuess> = Met::new();
    let mut files_with: BTreeMap<String, usize> = BTreeMap::new();
    let mut headed = 0;
    for file in files {
        let Some(mut names) = names_of(file, &format(Vec::new(), RawKind::Csv(options.clone())))? else { continue };
        // A header that reads as one name has another delimiter. The first file decides for all: a source has one.
        let other = other_delimiter(&names).and_then(|other| u8::try_from(other).ok());
        if let Some(delimiter) = other.filter(|_| headed == 0) {
            options.delimiter = delimiter;
            names = names_of(file, &format(Vec::new(), RawKind::Csv(options.clone())))?.unwrap_or_default();
        }
        headed += 1;
        names.iter().for_each(|name| *files_with.entry(name.clone()).or_default() += 1);
        let columns: Vec<RawColumn> =
            names.iter().map(|name| RawColumn { name: name.clone(), data_type: ColumnType::Text }).collect();
        let projection = Projection { columns: (0..columns.len()).map(ProjectedColumn::Declared).collect() };
        let format = format(columns, RawKind::Csv(options.clone()));
        names.iter().for_each(|name| {
            guesses.column(name);
        });
        each_block(file, &format, |block| {
            let parsed = parse_block(&Block::Text(block), &format, &projection)?;
            for batch in &parsed.batches {
                for (name, column) in names.iter().zip(batch.columns()) {
                    let texts = column.as_any().downcast_ref::<StringArray>();
                    guesses.column(name).add(texts.expect("a column that was read as text is text"));
                }
            }
            Ok(())
        })?;
    }
    let columns = guesses.columns.into_iter().map(|(name, guess)| RawColumn { name, data_type: guess.data_type() });
    Ok(InferredFiles {
        columns: columns.collect(),
        delimiter: Some(char::from(options.delimiter)).filter(|delimiter| *delimiter != ','),
        is_uneven: files_with.values().any(|count| *count < headed),
        needs_coerce: false,
    })
}

/// A guess that takes values one by one, and looks at many together.
#[derive(Debug, Default)]
struct SlowGuess {
    guess: ColumnGuess,
    waiting: Vec<String>,
    has_values: bool,
}

impl SlowGuess {
    fn add(&mut self, text: String) {
        self.has_values = true;
        self.waiting.push(text);
        if self.waiting.len() == 1024 {
            self.guess.add(&StringArray::from(std::mem::take(&mut self.waiting)));
        }
    }

    fn data_type(mut self) -> ColumnType {
        self.guess.add(&StringArray::from(self.waiting));
        self.guess.data_type()
    }
}

/// A type for the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SuitedType {
    data_type: ColumnType,
    /// Whether some of the values are something else, which `coerce` takes as it is written.
    needs_coerce: bool,
}

impl SuitedType {
    fn plain(data_type: ColumnType) -> Self {
        Self { data_type, needs_coerce: false }
    }

    const ANYTHING: SuitedType = SuitedType { data_type: ColumnType::Text, needs_coerce: true };
}

/// What the values of a JSON member are.
#[derive(Debug, Default)]
struct MemberGuess {
    numbers: SlowGuess,
    texts: SlowGuess,
    has_booleans: bool,
    has_nested: bool,
}

impl MemberGuess {
    fn add(&mut self, json: &str) {
        match json.as_bytes().first() {
            Some(b'"') => self.texts.add(serde_json::from_str::<String>(json).unwrap_or_default()),
            Some(b't' | b'f') => self.has_booleans = true,
            Some(b'{' | b'[') => self.has_nested = true,
            Some(b'n') | None => {}
            Some(_) => self.numbers.add(json.to_owned()),
        }
    }

    fn suited_type(self) -> SuitedType {
        match (self.numbers.has_values, self.texts.has_values, self.has_booleans, self.has_nested) {
            (true, false, false, false) => SuitedType::plain(self.numbers.data_type()),
            (false, false, true, false) => SuitedType::plain(ColumnType::Boolean),
            // A number in quotes is a text: only days and times have no other way to be written.
            (false, true, false, false) => match self.texts.data_type() {
                time @ (ColumnType::Date | ColumnType::Timestamp) => SuitedType::plain(time),
                _ => SuitedType::plain(ColumnType::Text),
            },
            (false, false, false, false) => SuitedType::plain(ColumnType::Text),
            _ => SuitedType::ANYTHING,
        }
    }
}

fn of_json(files: &[RawFile]) -> Result<InferredFiles, RawError> {
    let format = format(Vec::new(), RawKind::JsonLines);
    let mut met: Met<MemberGuess> = Met::new();
    for file in files {
        each_block(file, &format, |block| {
            json::each_member(&block, |name, json| met.column(name).add(json));
            Ok(())
        })?;
    }
    let mut found = InferredFiles::default();
    for (name, member) in met.columns {
        let SuitedType { data_type, needs_coerce } = member.suited_type();
        found.columns.push(RawColumn { name, data_type });
        found.needs_coerce |= needs_coerce;
    }
    Ok(found)
}

fn of_parquet(files: &[RawFile]) -> Result<InferredFiles, RawError> {
    let mut met: Met<Vec<SuitedType>> = Met::new();
    for file in files {
        for (name, data_type) in parquet::columns(file)? {
            met.column(&name).push(stored_type(&data_type));
        }
    }
    let mut found = InferredFiles::default();
    for (name, types) in met.columns {
        found.is_uneven |= types.len() < files.len();
        let widest = types.into_iter().reduce(wider);
        let SuitedType { data_type, needs_coerce } = widest.expect("a column was met with a type");
        found.needs_coerce |= needs_coerce;
        found.columns.push(RawColumn { name, data_type });
    }
    Ok(found)
}

/// A type for the values of both.
fn wider(one: SuitedType, other: SuitedType) -> SuitedType {
    match (one.data_type, other.data_type) {
        (left, right) if left == right => SuitedType { needs_coerce: one.needs_coerce || other.needs_coerce, ..one },
        (ColumnType::Integer, ColumnType::Float) | (ColumnType::Float, ColumnType::Integer) => {
            SuitedType::plain(ColumnType::Float)
        }
        (ColumnType::Date, ColumnType::Timestamp) | (ColumnType::Timestamp, ColumnType::Date) => {
            SuitedType::plain(ColumnType::Timestamp)
        }
        _ => SuitedType::ANYTHING,
    }
}

/// The type for values of a stored type.
fn stored_type(data_type: &DataType) -> SuitedType {
    SuitedType::plain(match data_type {
        DataType::Dictionary(_, value) => return stored_type(value),
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        integer if integer.is_integer() => ColumnType::Integer,
        float if float.is_floating() => ColumnType::Float,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if (0..=i8::try_from(*precision).unwrap_or(i8::MAX)).contains(scale) =>
        {
            ColumnType::Decimal { precision: *precision, scale: *scale }
        }
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(_, _) => ColumnType::Timestamp,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ColumnType::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ColumnType::Text,
        _ => return SuitedType::ANYTHING,
    })
}

impl InferredFiles {
    /// Adds the columns that stand in paths, unless files have them.
    fn add_paths(&mut self, files: &[RawFile]) {
        let mut met: Met<Vec<String>> = Met::new();
        for file in files {
            // Outer folders come first, as people read a path.
            let folders: Vec<(String, String)> = named_folders(&file.name).collect();
            folders.into_iter().rev().for_each(|(name, text)| met.column(&name).push(text));
        }
        for (name, texts) in met.columns {
            if self.columns.iter().any(|known| known.name == name) {
                continue;
            }
            self.is_uneven |= texts.len() < files.len();
            let mut guess = ColumnGuess::default();
            guess.add(&StringArray::from(texts));
            self.columns.push(RawColumn { name, data_type: guess.data_type() });
        }
    }
}
