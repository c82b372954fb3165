//! How two states of a table differ, as data and as JSON.

use serde_json::{Map, Value, json};

/// Which state of which table.
#[derive(Debug, Clone)]
pub(crate) struct DiffState {
    pub target: String,
    /// `schema.table`
    pub table: String,
    pub version: u64,
    /// The release by which it was found.
    pub release: Option<u64>,
}

/// A column that only one state has, or that has another type.
#[derive(Debug, Clone)]
pub(crate) struct ComparedTypes {
    pub column: String,
    /// The type in SQL's words. `None` if the column is new.
    pub from: Option<String>,
    /// `None` if it is gone.
    pub to: Option<String>,
}

/// Numbers of rows, of a slice or of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CountedRows {
    pub from: u64,
    pub to: u64,
    /// Rows that only the second state has: those with new keys, if there is a key.
    pub added: u64,
    /// Rows that only the first state has.
    pub removed: u64,
    /// Rows with the same key and other values.
    pub changed: u64,
}

impl CountedRows {
    pub fn is_same(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0 && self.from == self.to
    }

    fn to_json(self) -> Value {
        json!({
            "from": self.from, "to": self.to, "added": self.added, "removed": self.removed, "changed": self.changed,
        })
    }
}

/// The rows of one slice.
#[derive(Debug, Clone)]
pub(crate) struct DifferingSlice {
    /// `2023-05-01`; `None` for rows without a time.
    pub slice: Option<String>,
    pub rows: CountedRows,
}

/// A value that another has replaced. Values are as `karat query` writes them, and `None` is null.
#[derive(Debug, Clone)]
pub(crate) struct ValueChange {
    pub key: Vec<Option<String>>,
    pub column: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// A row that only one state has, in the order of the columns that are compared.
#[derive(Debug, Clone)]
pub(crate) struct SampleRow(pub Vec<Option<String>>);

/// How the rows differ in the columns that both states have with one type.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowsDiff {
    /// The columns that were compared.
    pub columns: Vec<String>,
    /// The columns that tell rows apart. Empty: rows were compared as a whole.
    pub key: Vec<String>,
    /// Why the key that the project names was not used.
    pub key_fault: Option<String>,
    pub total: CountedRows,
    /// How many rows have another value in each column, where that is any.
    pub changed_columns: Vec<(String, u64)>,
    /// Whether rows are dealt to slices at all.
    pub is_sliced: bool,
    pub slice_count: usize,
    /// Those that differ, in their order.
    pub slices: Vec<DifferingSlice>,
    pub values: Vec<ValueChange>,
    pub added: Vec<SampleRow>,
    pub removed: Vec<SampleRow>,
}

/// How two states of a table differ.
#[derive(Debug, Clone)]
pub(crate) struct TableDiff {
    pub from: DiffState,
    pub to: DiffState,
    pub columns: Vec<ComparedTypes>,
    pub rows: RowsDiff,
}

impl TableDiff {
    /// Whether there is no difference.
    pub fn is_same(&self) -> bool {
        self.columns.is_empty() && self.rows.total.is_same()
    }

    /// The difference as one JSON object.
    pub fn to_json(&self) -> Value {
        let rows = &self.rows;
        let columns =
            self.columns.iter().map(|change| json!({"name": change.column, "from": change.from, "to": change.to}));
        let slices = rows.slices.iter().map(|found| {
            let mut json = found.rows.to_json();
            if let Some(json) = json.as_object_mut() {
                json.insert("slice".to_owned(), json!(found.slice));
            }
            json
        });
        let values = rows.values.iter().map(|change| {
            let key = named(&rows.key, &change.key);
            json!({"key": key, "column": change.column, "from": change.from, "to": change.to})
        });
        let samples = |found: &[SampleRow]| -> Value { found.iter().map(|row| named(&rows.columns, &row.0)).collect() };
        let changed = rows.changed_columns.iter().map(|(column, count)| json!({"column": column, "rows": count}));
        json!({
            "is_same": self.is_same(),
            "from": self.from.to_json(),
            "to": self.to.to_json(),
            "columns": columns.collect::<Vec<_>>(),
            "compared_columns": rows.columns,
            "key": rows.key,
            "key_fault": rows.key_fault,
            "rows": rows.total.to_json(),
            "changed_columns": changed.collect::<Vec<_>>(),
            "slices": slices.collect::<Vec<_>>(),
            "values": values.collect::<Vec<_>>(),
            "added": samples(&rows.added),
            "removed": samples(&rows.removed),
        })
    }
}

impl DiffState {
    fn to_json(&self) -> Value {
        json!({"target": self.target, "table": self.table, "version": self.version, "release": self.release})
    }
}

fn named(columns: &[String], values: &[Option<String>]) -> Value {
    let entries = columns.iter().zip(values).map(|(column, value)| (column.clone(), json!(value)));
    Value::Object(entries.collect::<Map<String, Value>>())
}
