//! Column lineage as a value: what each column of a model is made of, and what decides which rows there are.

use std::collections::BTreeSet;
use std::fmt;

use crate::name::TableName;

/// What the output of a model is made of. Views are looked through: the tables are those that are stored, and sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnLineage {
    /// The columns in their order.
    pub columns: Vec<OutputColumn>,
    /// The columns that decide which rows the output has, and how many.
    pub rows: BTreeSet<Origin>,
}

/// A column of a model's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// What its values are made of. Empty if they are constant.
    pub origins: BTreeSet<Origin>,
}

/// A column of an input, and what it is used for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The table that has the column.
    pub table: TableName,
    /// The name of the column.
    pub column: String,
    /// What it is used for.
    pub used_as: ColumnUse,
}

/// What a column of an input is used for; the words are those of OpenLineage. One column may have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnUse {
    /// Its values stand in the output as they are.
    Identity,
    /// The values of the output are computed from values of the same row.
    Transformation,
    /// The values of the output are computed from values of several rows.
    Aggregation,
    /// It chooses between values: the condition of a `case`, or of an aggregate's `filter`.
    Conditional,
    /// It says which rows a window function sees.
    Window,
    /// It lets rows through, or not.
    Filter,
    /// Rows are joined by it.
    Join,
    /// Rows are grouped by it, or made distinct.
    GroupBy,
    /// Rows are put into order by it.
    Sort,
}

impl ColumnUse {
    /// Whether values of the column become values of the output.
    pub fn is_direct(self) -> bool {
        match self {
            ColumnUse::Identity | ColumnUse::Transformation | ColumnUse::Aggregation => true,
            ColumnUse::Conditional
            | ColumnUse::Window
            | ColumnUse::Filter
            | ColumnUse::Join
            | ColumnUse::GroupBy
            | ColumnUse::Sort => false,
        }
    }

    /// Returns the role that a column has in a whole, if it has this one in a part and the part has `outer` in the whole.
    pub(super) fn within(self, outer: ColumnUse) -> ColumnUse {
        match (self.is_direct(), outer.is_direct()) {
            // The direct roles are in order: what was aggregated once stays so, whatever is computed from it.
            (true, true) => self.max(outer),
            // What a condition is made of is all a part of the condition.
            (_, false) => outer,
            (false, true) => self,
        }
    }

    /// Returns the word for it in lower case.
    pub fn word(self) -> &'static str {
        match self {
            ColumnUse::Identity => "identity",
            ColumnUse::Transformation => "transformation",
            ColumnUse::Aggregation => "aggregation",
            ColumnUse::Conditional => "conditional",
            ColumnUse::Window => "window",
            ColumnUse::Filter => "filter",
            ColumnUse::Join => "join",
            ColumnUse::GroupBy => "group by",
            ColumnUse::Sort => "sort",
        }
    }
}

impl fmt::Display for Origin {
    /// `silver.events.n (aggregation)`; without the role if the values are the same.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.table, self.column)?;
        match self.used_as {
            ColumnUse::Identity => Ok(()),
            other => write!(formatter, " ({})", other.word()),
        }
    }
}

impl fmt::Display for ColumnLineage {
    /// A line for each column, and one for the rows.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for column in &self.columns {
            write_line(formatter, &column.name, &column.origins)?;
        }
        write_line(formatter, "(rows)", &self.rows)
    }
}

fn write_line(formatter: &mut fmt::Formatter<'_>, name: &str, origins: &BTreeSet<Origin>) -> fmt::Result {
    let origins: Vec<String> = origins.iter().map(Origin::to_string).collect();
    let origins = if origins.is_empty() { "nothing".to_owned() } else { origins.join(", ") };
    writeln!(formatter, "{name}: {origins}")
}
