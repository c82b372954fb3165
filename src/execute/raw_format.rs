//! How the readers of raw files are told of a source's format.

use std::sync::Arc;

use crate::project::{MissingColumn, Source, SourceFormat, UnknownColumn};
use crate::raw::{
    CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, NO_QUOTE, RawColumn, RawFormat, RawKind, UnknownColumns,
};

/// How the reader of raw files is told of a source's format.
pub(super) fn raw_format(source: &Source) -> Arc<RawFormat> {
    let kind = match &source.format {
        SourceFormat::Csv(csv) => RawKind::Csv(CsvOptions {
            delimiter: csv.delimiter,
            quote: csv.quote.unwrap_or(NO_QUOTE),
            comment: csv.comment,
            skip: csv.skip,
            header: csv.header,
            null_text: csv.null.clone(),
        }),
        SourceFormat::Json => RawKind::JsonLines,
        SourceFormat::Parquet | SourceFormat::Delta => RawKind::Parquet,
    };
    // The columns of a Delta table were held against its log when its files were listed.
    let is_checked = source.format == SourceFormat::Delta;
    let missing_columns = match source.missing_columns {
        _ if is_checked => MissingColumns::NullUnchecked,
        MissingColumn::Fail => MissingColumns::Error,
        MissingColumn::Allow => MissingColumns::Null,
    };
    let unknown_columns = match source.unknown_columns {
        _ if is_checked => UnknownColumns::Ignore,
        UnknownColumn::Fail => UnknownColumns::Error,
        UnknownColumn::Rescue => UnknownColumns::Rescue,
        UnknownColumn::Ignore => UnknownColumns::Ignore,
    };
    let columns =
        source.columns.iter().map(|column| RawColumn { name: column.name.value.clone(), data_type: column.data_type });
    Arc::new(RawFormat {
        columns: columns.collect(),
        kind,
        forms: Arc::clone(&source.forms),
        missing_columns,
        unknown_columns,
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
    })
}
