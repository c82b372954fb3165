//! Rows, texts and differences as people and programs read them.

mod control_characters;
mod difference;
mod report_output;
mod row_difference;
mod rows;
mod text_table;

pub(crate) use control_characters::{visible, with_colours};
pub(crate) use difference::{DiffLine, hunks};
pub(crate) use report_output::ReportOutput;
pub(crate) use row_difference::{ComparedColumn, DifferingRow, ShownCell, ShownDifference};
pub(crate) use rows::{RowFormat, row_table, value_options, write_rows};
pub(crate) use text_table::TextTable;
