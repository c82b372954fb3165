//! A model puts out other columns than its table has: which columns the table gets, or why it cannot get them.

use std::fmt;

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::delta::{DataFile, StoredColumn, TableSchema};
use crate::project::OnSchemaChange;

/// A table that is built from a model whose columns may be others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaChange<'a> {
    pub table: &'a TableSchema,
    pub model: &'a TableSchema,
    pub on_change: OnSchemaChange,
    /// The files with rows that are not computed anew.
    pub stay: &'a [&'a DataFile],
}

/// How the columns of a model differ from those of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference(Vec<ColumnChange>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum ColumnChange {
    Added(StoredColumn),
    Removed(StoredColumn),
    Changed { before: StoredColumn, now: StoredColumn },
}

/// Why the table cannot get the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RefusedColumns {
    /// Nobody said what to do about a difference.
    NotAllowed(Difference),
    /// Files that stay hold a column under its old type, which not every reader takes for the new one.
    OtherType(Difference),
    /// Files that stay hold a column of this name already: its old values would come back.
    HeldBefore(Difference, String),
    /// Files that stay hold this column, and its type has no statistics that would tell so later.
    StaysUnseen(Difference, String),
    /// The table has a column of a type that karat cannot write.
    CannotWrite(Difference, String),
    /// The schema in the table's log is not what a schema looks like.
    Unreadable,
}

impl SchemaChange<'_> {
    /// The columns that the table gets; `as_read` are the model's as a reader sees them.
    ///
    /// # Errors
    ///
    /// Why the table cannot get them, with what differs.
    pub fn settle(self, as_read: &SchemaRef) -> Result<SchemaRef, RefusedColumns> {
        if self.table == self.model {
            return Ok(as_read.clone());
        }
        let (Some(before), Some(now)) = (self.table.columns(), self.model.columns()) else {
            return Err(RefusedColumns::Unreadable);
        };
        let difference = Difference::between(&before, &now);
        // What is refused can be forced by building the table whole: then no file stays.
        match self.on_change {
            // The order of columns in files counts for nobody.
            _ if difference.0.is_empty() => Ok(as_read.clone()),
            OnSchemaChange::Fail => Err(RefusedColumns::NotAllowed(difference)),
            OnSchemaChange::Ignore if difference.has_changed() => Err(RefusedColumns::OtherType(difference)),
            OnSchemaChange::Ignore => settled(&before, &[], as_read, difference),
            OnSchemaChange::AppendNewColumns => {
                self.fits(&difference)?;
                settled(&before, &now, as_read, difference)
            }
            OnSchemaChange::SyncAllColumns => {
                self.fits(&difference)?;
                self.leaves(&difference)?;
                Ok(as_read.clone())
            }
        }
    }

    /// Whether readers find in the files that stay what the new columns say.
    fn fits(&self, difference: &Difference) -> Result<(), RefusedColumns> {
        if self.stay.is_empty() {
            return Ok(());
        }
        if difference.has_changed() {
            return Err(RefusedColumns::OtherType(difference.clone()));
        }
        let added = difference.0.iter().filter_map(|line| match line {
            ColumnChange::Added(column) => Some(&column.name),
            ColumnChange::Removed(_) | ColumnChange::Changed { .. } => None,
        });
        let is_removed = |name: &str| {
            difference
                .0
                .iter()
                .any(|line| matches!(line, ColumnChange::Removed(column) if column.name.eq_ignore_ascii_case(name)))
        };
        match added.into_iter().find(|name| is_removed(name) || self.stay.iter().any(|file| file.holds(name))) {
            Some(name) => Err(RefusedColumns::HeldBefore(difference.clone(), name.clone())),
            None => Ok(()),
        }
    }

    /// Whether columns that go can be recognised later in the files that stay.
    fn leaves(&self, difference: &Difference) -> Result<(), RefusedColumns> {
        let is_unseen =
            |line: &&ColumnChange| matches!(line, ColumnChange::Removed(column) if !column.delta_type.is_string());
        match difference.0.iter().find(is_unseen) {
            Some(ColumnChange::Removed(column)) if !self.stay.is_empty() => {
                Err(RefusedColumns::StaysUnseen(difference.clone(), column.name.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// The columns of the table, then those of the model that it has not; where both have one, as the model has it.
fn settled(
    before: &[StoredColumn],
    now: &[StoredColumn],
    as_read: &SchemaRef,
    difference: Difference,
) -> Result<SchemaRef, RefusedColumns> {
    let of_model = |name: &str| as_read.field_with_name(name).ok().cloned();
    let mut fields: Vec<Field> = Vec::new();
    for column in before {
        match of_model(&column.name).or_else(|| column.field()) {
            Some(field) => fields.push(field),
            None => return Err(RefusedColumns::CannotWrite(difference, column.name.clone())),
        }
    }
    let new = now.iter().filter(|column| before.iter().all(|old| old.name != column.name));
    if let Some(column) =
        new.clone().find(|column| before.iter().any(|old| old.name.eq_ignore_ascii_case(&column.name)))
    {
        return Err(RefusedColumns::HeldBefore(difference, column.name.clone()));
    }
    fields.extend(new.filter_map(|column| of_model(&column.name)));
    Ok(Schema::new(fields).into())
}

impl Difference {
    fn between(before: &[StoredColumn], now: &[StoredColumn]) -> Difference {
        let find = |columns: &[StoredColumn], name: &str| columns.iter().find(|column| column.name == name).cloned();
        let gone = before.iter().filter(|column| find(now, &column.name).is_none());
        let kept = now.iter().filter_map(|column| match find(before, &column.name) {
            None => Some(ColumnChange::Added(column.clone())),
            Some(old) if old.delta_type == column.delta_type => None,
            Some(before) => Some(ColumnChange::Changed { before, now: column.clone() }),
        });
        Difference(kept.chain(gone.cloned().map(ColumnChange::Removed)).collect())
    }

    fn has_changed(&self) -> bool {
        self.0.iter().any(|line| matches!(line, ColumnChange::Changed { .. }))
    }

    /// One line for each column.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

impl fmt::Display for ColumnChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnChange::Added(column) => write!(formatter, "+ {} {}", column.name, column.type_in_words()),
            ColumnChange::Removed(column) => write!(formatter, "- {} {}", column.name, column.type_in_words()),
            ColumnChange::Changed { before, now } => {
                write!(formatter, "~ {}: {} -> {}", now.name, before.type_in_words(), now.type_in_words())
            }
        }
    }
}

#[cfg(test)]
mod tests;
