//! Columns that have one value in all rows of a file, which its table's log tells: those by which a Delta table is cut.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;

use super::super::compression::RawFile;
use super::super::error::RawError;
use super::super::format::RawFormat;
use super::convert::convert;
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// Declared columns by their index, each with its one value in the declared type. Cheap to clone.
#[derive(Clone)]
pub(super) struct Constants(Arc<[(usize, ArrayRef)]>);

/// The values of a file, in the types that are declared. The protocol writes them as texts.
///
/// # Errors
///
/// Returns an error if a value is not one of the declared type, or an instant of which nobody knows the time zone.
pub(super) fn constants_of(file: &RawFile, format: &RawFormat) -> Result<Constants, RawError> {
    let forms = Arc::new(Forms { coerce: true, ..Forms::default() });
    let mut values = Vec::new();
    for (name, text) in &file.constants {
        let Some(index) = format.position(name) else { continue };
        let Some(column) = format.columns.get(index) else { continue };
        let wrong =
            |message: String| RawError::Columns { file: Arc::clone(&file.name), line: None, message, delimiter: None };
        let shown = text.as_deref().unwrap_or_default();
        if column.data_type == ColumnType::Timestamp && text.is_some() && !shown.ends_with('Z') {
            let message = "the table is cut by an instant whose time zone its log does not tell";
            return Err(wrong(format!("`{name}` is `{shown}`: {message}")));
        }
        let array: ArrayRef = Arc::new(StringArray::from(vec![text.as_deref()]));
        let converted = convert(&array, column.data_type, &forms).map_err(|error| wrong(error.to_string()))?;
        if !converted.misfits.is_empty() {
            return Err(wrong(format!("its rows have `{shown}` for `{name}`, which is declared with another type")));
        }
        values.push((index, converted.array));
    }
    Ok(Constants(values.into()))
}

impl Constants {
    /// Whether a declared column is one of them.
    pub(super) fn has(&self, declared: usize) -> bool {
        self.0.iter().any(|(index, _)| *index == declared)
    }

    /// The columns of so many rows.
    pub(super) fn of_rows(&self, rows: usize) -> Result<Vec<(usize, ArrayRef)>, ArrowError> {
        let first = UInt32Array::from(vec![0; rows]);
        let columns = self.0.iter().map(|(index, value)| Ok((*index, take(value.as_ref(), &first, None)?)));
        columns.collect()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;
    use crate::raw::format::{DEFAULT_MAX_RECORD_BYTES, MissingColumns, RawColumn, RawKind, UnknownColumns};

    fn constant(data_type: ColumnType, text: Option<&str>) -> Result<ArrayRef, String> {
        let format = RawFormat {
            columns: vec![RawColumn { name: "c".to_owned(), data_type }],
            kind: RawKind::Parquet,
            forms: Arc::default(),
            missing_columns: MissingColumns::NullUnchecked,
            unknown_columns: UnknownColumns::Ignore,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        };
        let file = RawFile::new("f", 0, Box::new(|| Ok(Box::new(std::io::empty()))));
        let constants = vec![("c".to_owned(), text.map(str::to_owned)), ("undeclared".to_owned(), None)];
        let constants = constants_of(&file.with_constants(constants), &format).map_err(|error| error.to_string())?;
        let columns = constants.of_rows(2).unwrap();
        assert_eq!(columns.len(), 1);
        Ok(Arc::clone(&columns[0].1))
    }

    #[test]
    fn a_value_of_the_log_is_that_of_every_row() {
        use ColumnType::{Boolean, Date, Decimal, Float, Integer, Text, Timestamp};
        let shown = |data_type, text| {
            let array = constant(data_type, Some(text)).unwrap();
            assert_eq!(array.data_type(), &data_type.arrow());
            assert_eq!((array.len(), array.null_count()), (2, 0), "{text}");
            arrow::util::display::array_value_to_string(&array, 1).unwrap()
        };
        assert_eq!(shown(Date, "2023-05-03"), "2023-05-03");
        assert_eq!(shown(Integer, "-12"), "-12");
        assert_eq!(shown(Boolean, "true"), "true");
        assert_eq!(shown(Float, "1.5"), "1.5");
        assert_eq!(shown(Decimal { precision: 5, scale: 2 }, "1.50"), "1.50");
        assert_eq!(shown(Text, " a"), " a");
        assert_eq!(shown(Timestamp, "2023-05-03T01:02:03.5Z"), "2023-05-03T01:02:03.500");
        assert_eq!(constant(Integer, None).unwrap().null_count(), 2);
        assert!(constant(Integer, Some("x")).unwrap_err().contains("another type"));
        assert!(constant(Timestamp, Some("2023-05-03 01:02:03")).unwrap_err().contains("time zone"));
    }
}
