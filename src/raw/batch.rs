//! Builds the batches of one block: declared columns, the columns karat adds, and the ranges of time columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray, StringBuilder,
};
use arrow::datatypes::{Int32Type, SchemaRef};

use super::column::{ColumnBuffer, ColumnFields, ColumnRange};
use super::error::RawError;
use super::field::Field;
use super::format::{ProjectedColumn, Projection, RawColumn, RawFormat, output_schema};
use super::tally::ColumnTally;
use crate::forms::Forms;

/// A batch has at most so many rows.
pub(super) const BATCH_ROWS: usize = 1 << 16;

/// A text that did not convert.
struct Misfit {
    row: usize,
    /// The order inside `_rescued`: declared columns first.
    position: usize,
    /// `"column":value`
    member: String,
}

pub(super) struct BatchBuilder<'a> {
    format: &'a RawFormat,
    projection: &'a Projection,
    schema: SchemaRef,
    file: Arc<str>,
    /// The declared columns, `None` where nobody needs the values.
    columns: Vec<Option<ColumnBuffer>>,
    /// Declared columns of this batch that did not have to be put together value by value.
    ready: Vec<Option<ArrayRef>>,
    lines: Vec<i64>,
    misfits: Vec<Misfit>,
    batches: Vec<RecordBatch>,
    ranges: Vec<Option<ColumnRange>>,
    /// How the declared columns converted, `None` where nobody needs the values.
    tallies: Vec<Option<ColumnTally>>,
    rescued_rows: u64,
    rows: u64,
}

/// What a block became.
pub(super) struct BuiltBatches {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: u64,
    /// Of the declared time columns that were converted.
    pub(super) ranges: Vec<Option<ColumnRange>>,
    pub(super) tallies: Vec<Option<ColumnTally>>,
    pub(super) rescued_rows: u64,
}

impl<'a> BatchBuilder<'a> {
    pub(super) fn new(format: &'a RawFormat, projection: &'a Projection, file: &Arc<str>) -> Result<Self, RawError> {
        let schema = output_schema(format, projection);
        if schema.fields().len() != projection.columns.len() {
            return Err(RawError::Format { message: "a projected column is not declared".to_owned() });
        }
        let buffer = |(index, column): (usize, &RawColumn)| {
            projection.converts(index).then(|| ColumnBuffer::new(column.data_type, &format.forms))
        };
        let columns: Vec<Option<ColumnBuffer>> = format.columns.iter().enumerate().map(buffer).collect();
        Ok(Self {
            format,
            projection,
            schema,
            file: Arc::clone(file),
            tallies: columns.iter().map(|buffer| buffer.as_ref().map(|_| ColumnTally::default())).collect(),
            rescued_rows: 0,
            ready: vec![None; columns.len()],
            columns,
            lines: Vec::new(),
            misfits: Vec::new(),
            batches: Vec::new(),
            ranges: vec![None; format.columns.len()],
            rows: 0,
        })
    }

    /// How values are written.
    pub(super) fn forms(&self) -> &'a Forms {
        &self.format.forms
    }

    /// Rows of the batch that is being built.
    pub(super) fn pending(&self) -> usize {
        self.lines.len()
    }

    /// Starts rows by their physical lines; each column must then get as many fields.
    pub(super) fn start_rows(&mut self, lines: &[i64]) {
        self.lines.extend_from_slice(lines);
    }

    /// Whether anybody needs the values of a declared column.
    pub(super) fn wants(&self, declared: usize) -> bool {
        self.columns.get(declared).is_some_and(Option::is_some)
    }

    /// Whether anybody needs `_rescued`.
    pub(super) fn wants_rescued(&self) -> bool {
        self.projection.columns.contains(&ProjectedColumn::Rescued)
    }

    /// Gives a declared column of the batch as a whole, if anybody needs its values.
    pub(super) fn set(&mut self, declared: usize, array: ArrayRef) {
        if self.wants(declared)
            && let Some(ready) = self.ready.get_mut(declared)
        {
            *ready = Some(array);
        }
    }

    /// Puts the fields of a column that is not declared into `_rescued` of the last `rows` rows, null fields left out.
    pub(super) fn rescue_texts(&mut self, position: usize, name: &str, rows: usize, fields: &impl ColumnFields) {
        let mut row = self.lines.len() - rows;
        let misfits = &mut self.misfits;
        fields.each(|field| {
            if field.len() > 0 {
                let text = String::from_utf8_lossy(field.text());
                misfits.push(Misfit { row, position, member: format!("{}:{}", quoted(name), quoted(&text)) });
            }
            row += 1;
        });
    }

    /// Appends the fields of a declared column, if anybody needs its values.
    pub(super) fn extend(&mut self, declared: usize, fields: &impl ColumnFields) {
        let Some(Some(buffer)) = self.columns.get_mut(declared) else {
            return;
        };
        let misfits = &mut self.misfits;
        let lines = self.lines.as_slice();
        let mut tally = self.tallies.get_mut(declared).and_then(Option::as_mut);
        let name = self.format.columns.get(declared).map_or("", |column| column.name.as_str());
        buffer.extend(fields, |row, text| {
            let text = String::from_utf8_lossy(text);
            misfits.push(Misfit { row, position: declared, member: format!("{}:{}", quoted(name), quoted(&text)) });
            if let Some(tally) = &mut tally {
                tally.rescue(lines.get(row).copied().unwrap_or_default().cast_unsigned(), &text);
            }
        });
    }

    /// Appends a text that is not null even if it is empty.
    pub(super) fn push_any_text(&mut self, declared: usize, text: &str) {
        if let Some(Some(buffer)) = self.columns.get_mut(declared) {
            buffer.push_any_text(text);
        }
    }

    /// Appends one value, or null and its JSON text to `_rescued` if it does not convert.
    pub(super) fn push_or_rescue(&mut self, declared: usize, field: Field<'_>, json: &str) {
        let mut fits = true;
        if let Some(Some(buffer)) = self.columns.get_mut(declared) {
            buffer.extend(&field, |_, _| fits = false);
        }
        if !fits {
            self.rescue_declared(declared, json);
        }
    }

    /// Appends null, and the JSON text to `_rescued`.
    pub(super) fn push_misfit(&mut self, declared: usize, json: &str) {
        self.push_or_rescue(declared, Field::new(b""), json);
        self.rescue_declared(declared, json);
    }

    fn rescue_declared(&mut self, declared: usize, json: &str) {
        self.rescue_declared_in(self.lines.len().saturating_sub(1), declared, json);
    }

    /// Puts a value of a declared column that did not convert into `_rescued` of a row of the batch.
    pub(super) fn rescue_declared_in(&mut self, row: usize, declared: usize, json: &str) {
        if let Some(column) = self.format.columns.get(declared) {
            self.rescue_in(row, declared, &column.name, json);
        }
        let line = self.lines.get(row).copied().unwrap_or_default().cast_unsigned();
        if let Some(Some(tally)) = self.tallies.get_mut(declared) {
            let text = serde_json::from_str::<String>(json);
            tally.rescue(line, text.as_deref().unwrap_or(json));
        }
    }

    /// Puts a member into `_rescued` of the row started last; `position` is its order there.
    pub(super) fn rescue(&mut self, position: usize, name: &str, json: &str) {
        self.rescue_in(self.lines.len().saturating_sub(1), position, name, json);
    }

    /// The same for any row of the batch.
    pub(super) fn rescue_in(&mut self, row: usize, position: usize, name: &str, json: &str) {
        self.misfits.push(Misfit { row, position, member: format!("{}:{json}", quoted(name)) });
    }

    /// Ends the batch, if it has rows.
    pub(super) fn flush(&mut self) {
        let rows = self.lines.len();
        if rows == 0 {
            return;
        }
        let mut declared: Vec<Option<ArrayRef>> = Vec::with_capacity(self.columns.len());
        for (index, buffer) in self.columns.iter_mut().enumerate() {
            let ready = self.ready.get_mut(index).and_then(Option::take);
            let array = ready.or_else(|| buffer.as_mut().map(ColumnBuffer::finish));
            if let (Some(array), Some(range)) = (&array, self.ranges.get_mut(index))
                && let Some(found) = ColumnRange::of(array)
            {
                range.get_or_insert_default().merge(found);
            }
            if let (Some(array), Some(Some(tally))) = (&array, self.tallies.get_mut(index)) {
                tally.converted += (rows - array.null_count()) as u64;
            }
            declared.push(array);
        }
        let lines: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.lines)));
        // Columns bring their misfits one after the other; an object of `_rescued` has the members of one row.
        self.misfits.sort_by_key(|misfit| (misfit.row, misfit.position));
        self.rescued_rows += rows_with_misfits(&self.misfits, self.format.columns.len());
        let columns = self
            .projection
            .columns
            .iter()
            .map(|column| match column {
                ProjectedColumn::Declared(index) => {
                    declared.get(*index).cloned().flatten().expect("projected columns are built")
                }
                ProjectedColumn::SourceFile => source_file(&self.file, rows),
                ProjectedColumn::SourceLine => Arc::clone(&lines),
                ProjectedColumn::Rescued => rescued(rows, &self.misfits),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        self.batches.push(batch.expect("every column got a field for every row"));
        self.misfits.clear();
        self.rows += rows as u64;
    }

    /// All that was built.
    pub(super) fn finish(mut self) -> BuiltBatches {
        self.flush();
        let Self { batches, rows, ranges, tallies, rescued_rows, .. } = self;
        BuiltBatches { batches, rows, ranges, tallies, rescued_rows }
    }
}

/// Rows with a misfit of one of the declared columns; the misfits come in the order of rows.
fn rows_with_misfits(misfits: &[Misfit], declared: usize) -> u64 {
    let rows = misfits.chunk_by(|one, next| one.row == next.row);
    rows.filter(|row| row.iter().any(|misfit| misfit.position < declared)).count() as u64
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn source_file(file: &str, rows: usize) -> ArrayRef {
    // One name for all rows: a block is of one file.
    let keys = Int32Array::from(vec![0; rows]);
    let names: ArrayRef = Arc::new(StringArray::from_iter_values([file]));
    Arc::new(DictionaryArray::<Int32Type>::try_new(keys, names).expect("every key is the only one"))
}

/// One JSON object for each row with misfits, which come in the order of the rows.
fn rescued(rows: usize, misfits: &[Misfit]) -> ArrayRef {
    if misfits.is_empty() {
        return Arc::new(StringArray::new_null(rows));
    }
    let mut objects = StringBuilder::new();
    for row in misfits.chunk_by(|one, next| one.row == next.row) {
        let first = row.first().map_or(0, |misfit| misfit.row);
        objects.append_nulls(first - objects.len());
        let members: Vec<_> = row.iter().map(|misfit| misfit.member.as_str()).collect();
        objects.append_value(format!("{{{}}}", members.join(",")));
    }
    objects.append_nulls(rows - objects.len());
    Arc::new(objects.finish())
}
