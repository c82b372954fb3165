//! The text of a seed as a file that `raw` can read.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::forms::Forms;
use crate::project::Seed;
use crate::raw::{
    BadRecord, BlockQueue, ColumnTally, CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, ProjectedColumn,
    Projection, RawColumn, RawError, RawFile, RawFormat, RawKind, UnknownColumns, names_of, parse_block,
};

/// How values of seeds are written: a whole number may be `10.00`, as for dbt.
pub(super) fn forms() -> Forms {
    Forms { lenient_numbers: true, ..Forms::default() }
}

pub(super) struct SeedFile {
    path: String,
    text: Arc<[u8]>,
    delimiter: u8,
}

/// What the file is with certain types of columns.
pub(super) struct ParsedSeed {
    pub batches: Vec<RecordBatch>,
    pub bad: Vec<BadRecord>,
    /// How the values of each column converted.
    pub tallies: Vec<ColumnTally>,
}

impl SeedFile {
    pub fn new(path: &str, seed: &Seed) -> SeedFile {
        SeedFile { path: path.to_owned(), text: Arc::from(Arc::clone(&seed.text)), delimiter: seed.config.delimiter }
    }

    /// The names in the header. Returns `None` if the file has no record at all.
    pub fn names(&self) -> Result<Option<Vec<String>>, RawError> {
        names_of(&self.open(), &self.format(Vec::new()))
    }

    /// Reads all records with these columns, which are those of the header.
    pub fn parse(&self, columns: Vec<RawColumn>) -> Result<ParsedSeed, RawError> {
        let count = columns.len();
        let format = self.format(columns);
        let projection = Projection { columns: (0..count).map(ProjectedColumn::Declared).collect() };
        let queue = BlockQueue::new(vec![self.open()], Arc::clone(&format))?;
        let mut parsed =
            ParsedSeed { batches: Vec::new(), bad: Vec::new(), tallies: vec![ColumnTally::default(); count] };
        // A single thread reads, so blocks come in the order of the file, and rows keep theirs.
        while let Some(block) = queue.next_block()? {
            let block = parse_block(&block, &format, &projection)?;
            parsed.batches.extend(block.batches);
            parsed.bad.extend(block.bad);
            for (tally, found) in parsed.tallies.iter_mut().zip(block.stats.columns) {
                tally.merge(&found.unwrap_or_default());
            }
        }
        Ok(parsed)
    }

    fn open(&self) -> RawFile {
        let text = Arc::clone(&self.text);
        let size = text.len() as u64;
        // Every pass reads from the beginning; the text itself is shared.
        RawFile::new(self.path.as_str(), size, Box::new(move || Ok(Box::new(Cursor::new(Arc::clone(&text))))))
    }

    fn format(&self, columns: Vec<RawColumn>) -> Arc<RawFormat> {
        Arc::new(RawFormat {
            columns,
            kind: RawKind::Csv(CsvOptions { delimiter: self.delimiter, ..CsvOptions::default() }),
            forms: Arc::new(forms()),
            missing_columns: MissingColumns::Error,
            unknown_columns: UnknownColumns::Error,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        })
    }
}
