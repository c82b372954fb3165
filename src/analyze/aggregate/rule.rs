//! What an aggregate is, apart from how the engine asks for it.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use datafusion::common::Result;

/// An aggregate as a summary that rows are added to, and that can be put together with the summary of other rows.
pub(super) trait AggregateRule: Debug + Clone + Send + Sync + 'static {
    /// The values of a row.
    type RowValue: Copy;

    /// The summary; that of no rows is the default.
    type Running: Clone + Debug + Default + Send + Sync;

    /// Of so many words a summary consists when it is passed on.
    const WORDS: usize;

    /// Goes through the rows of a batch in which no value is null, with their places.
    fn each(&self, columns: &[ArrayRef], visit: &mut dyn FnMut(usize, Self::RowValue) -> Result<()>) -> Result<()>;

    fn add(&self, state: &mut Self::Running, row: Self::RowValue) -> Result<()>;

    /// Adds the rows of another summary, which come behind those of the first.
    fn combine(&self, state: &mut Self::Running, other: &Self::Running) -> Result<()>;

    /// The results, one for each summary.
    fn finish(&self, states: &[Self::Running]) -> Result<ArrayRef>;

    fn words(state: &Self::Running) -> Vec<i128>;

    fn of_words(words: &[i128]) -> Self::Running;

    /// A number for the row: equal rows have the same. `None` if rows are not told from each other, as pairs.
    fn key(row: Self::RowValue) -> Option<i128>;

    fn of_key(key: i128) -> Self::RowValue;
}
