//! The queries of a snapshot, in SQL: they mean what dbt's mean, and are typed as everything else is.

use crate::name::quoted;
use crate::project::{CheckedColumns, HardDeletes, SnapshotConfig, SnapshotStrategy};

/// Stands for the snapshot's own query. No table has such a name.
pub(super) const QUERY_SCHEMA: &str = "karat";
pub(super) const QUERY: &str = "rows of the query";
/// The time of the run, beside the rows of the query and of the table. No column of a query has such names.
pub(super) const RUN_TIME: &str = "time of the run";
/// Whether a compared column is new, beside the rows of the query.
pub(super) const NEW_COLUMNS: &str = "has new columns";
/// The time at which a row of the query became what it is.
const UPDATED_AT: &str = "time of the row";
/// The end that a version gets.
pub(crate) const ENDS_AT: &str = "end of the version";
/// How many rows of the query a key has, and how many of them have a time.
pub(crate) const ROWS: &str = "rows of the key";
pub(crate) const DATED: &str = "rows with a time";

/// The name of a part of the key.
pub(crate) fn key_name(index: usize) -> String {
    format!("key {}", index + 1)
}

/// What the queries are made of.
pub(super) struct SnapshotSql<'a> {
    pub config: &'a SnapshotConfig,
    /// The columns of the query.
    pub columns: Vec<&'a str>,
    /// The columns that are compared; empty if times are.
    pub checked: Vec<&'a str>,
    /// The type to which the time of the run is cast.
    pub time_type: &'static str,
    /// The snapshot's own table, quoted.
    pub table: String,
}

/// What an author wrote, so that nothing in it reaches beyond.
fn enclosed(expression: &str) -> String {
    // A comment ends with its line.
    format!("(\n{expression}\n)")
}

impl SnapshotSql<'_> {
    /// The rows of the query as the first versions of all of them.
    pub fn first_versions(&self) -> String {
        let values = self.columns_of("s").chain(self.added_to_row()).collect::<Vec<_>>().join(", ");
        format!("select {values} from ({}) as s", self.rows_of_query())
    }

    /// The versions that a run adds.
    pub fn new_versions(&self) -> String {
        let values = self.columns_of("s").chain(self.added_to_row()).collect::<Vec<_>>().join(", ");
        let missing = format!("t.{} is null", quoted(&key_name(0)));
        let new = format!(
            "select {values} from ({}) as s left join ({}) as t on {} where {missing} or {}",
            self.rows_of_query(),
            self.valid_versions(),
            self.same_key(),
            self.has_changed(),
        );
        match self.config.hard_deletes {
            HardDeletes::Ignore | HardDeletes::Invalidate => new,
            HardDeletes::NewRecord => format!("{new} union all {}", self.deleted_versions()),
        }
    }

    /// The keys of the valid versions that end, with their ends.
    pub fn ended(&self) -> String {
        let keys = || (0..self.config.unique_key.len()).map(|index| format!("t.{}", quoted(&key_name(index))));
        let ends = quoted(ENDS_AT);
        let changed: Vec<String> = keys().chain([format!("s.{} as {ends}", quoted(UPDATED_AT))]).collect();
        let changed = format!(
            "select {} from ({}) as s join ({}) as t on {} where {}",
            changed.join(", "),
            self.rows_of_query(),
            self.valid_versions(),
            self.same_key(),
            self.has_changed(),
        );
        match self.config.hard_deletes {
            HardDeletes::Ignore => changed,
            HardDeletes::Invalidate | HardDeletes::NewRecord => {
                let gone: Vec<String> = keys().chain([format!("{} as {ends}", self.run_time("t"))]).collect();
                format!("{changed} union all select {} from {}", gone.join(", "), self.gone())
            }
        }
    }

    /// The keys of the query that are null or in several rows, or whose time is null; a few of them.
    pub fn faults(&self, shown: usize) -> String {
        let keys: Vec<String> = (0..self.config.unique_key.len()).map(|index| quoted(&key_name(index))).collect();
        let nulls: Vec<String> = keys.iter().map(|key| format!("{key} is null")).collect();
        let keys = keys.join(", ");
        let dated = format!("count({})", quoted(UPDATED_AT));
        format!(
            "select {keys}, count(*) as {}, {dated} as {} from ({}) as s group by {keys} \
             having count(*) > 1 or {dated} < count(*) or {} order by {keys} limit {shown}",
            quoted(ROWS),
            quoted(DATED),
            self.rows_of_query(),
            nulls.join(" or "),
        )
    }

    /// Whether a version of the table is valid.
    pub fn is_valid(&self) -> String {
        let valid_to = quoted(&self.config.columns.valid_to);
        match &self.config.valid_to_current {
            None => format!("{valid_to} is null"),
            Some(current) => format!("({valid_to} = {} or {valid_to} is null)", enclosed(&current.value)),
        }
    }

    fn columns_of(&self, table: &'static str) -> impl Iterator<Item = String> {
        self.columns.iter().map(move |column| format!("{table}.{}", quoted(column)))
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        let keys = self.config.unique_key.iter().enumerate();
        keys.map(|(index, key)| format!("{} as {}", enclosed(&key.value), quoted(&key_name(index))))
    }

    /// The query with key and time.
    fn rows_of_query(&self) -> String {
        let updated_at =
            self.config.updated_at().map_or_else(|| quoted(RUN_TIME), |expression| enclosed(&expression.value));
        let columns = self.columns.iter().map(|column| quoted(column));
        let time = [format!("{updated_at} as {}", quoted(UPDATED_AT)), quoted(NEW_COLUMNS)];
        let values: Vec<String> = columns.chain(self.keys()).chain(time).collect();
        format!("select {} from {QUERY_SCHEMA}.{} as q", values.join(", "), quoted(QUERY))
    }

    /// The valid versions of the table with their keys.
    fn valid_versions(&self) -> String {
        let columns = self.columns.iter().copied().chain(self.config.added_columns()).map(quoted);
        let values: Vec<String> = columns.chain(self.keys()).chain([quoted(RUN_TIME)]).collect();
        format!("select {} from {} as v where {}", values.join(", "), self.table, self.is_valid())
    }

    fn same_key(&self) -> String {
        let keys = (0..self.config.unique_key.len()).map(|index| quoted(&key_name(index)));
        keys.map(|key| format!("t.{key} = s.{key}")).collect::<Vec<_>>().join(" and ")
    }

    /// Whether a row of the query is another version than the valid one.
    fn has_changed(&self) -> String {
        let names = &self.config.columns;
        let differs = match &self.config.strategy {
            SnapshotStrategy::Timestamp { .. } => {
                format!("t.{} < s.{}", quoted(&names.valid_from), quoted(UPDATED_AT))
            }
            SnapshotStrategy::Check { columns: CheckedColumns::All | CheckedColumns::These(_), .. } => {
                let columns = self.checked.iter().map(|column| quoted(column));
                let differ = columns.map(|column| format!("t.{column} is distinct from s.{column}"));
                let new = format!("s.{}", quoted(NEW_COLUMNS));
                std::iter::once(new).chain(differ).collect::<Vec<_>>().join(" or ")
            }
        };
        match self.config.hard_deletes {
            HardDeletes::Ignore | HardDeletes::Invalidate => format!("({differs})"),
            HardDeletes::NewRecord => format!("({differs} or t.{} = 'True')", quoted(&names.is_deleted)),
        }
    }

    /// The valid versions whose keys the query no longer has.
    fn gone(&self) -> String {
        let alive = match self.config.hard_deletes {
            HardDeletes::Ignore | HardDeletes::Invalidate => String::new(),
            // A row is deleted once.
            HardDeletes::NewRecord => format!(" and t.{} <> 'True'", quoted(&self.config.columns.is_deleted)),
        };
        format!(
            "({}) as t left join ({}) as s on {} where s.{} is null{alive}",
            self.valid_versions(),
            self.rows_of_query(),
            self.same_key(),
            quoted(&key_name(0)),
        )
    }

    /// The versions that say that a row was deleted.
    fn deleted_versions(&self) -> String {
        let names = &self.config.columns;
        let scd_id = format!("t.{}", quoted(&names.scd_id));
        let time = || self.run_time("t");
        let values = self.columns_of("t").chain([
            hash(&[scd_id, format!("t.{}", quoted(RUN_TIME))]),
            time(),
            time(),
            format!("t.{}", quoted(&names.valid_to)),
            "'True'".to_owned(),
        ]);
        format!("select {} from {}", values.collect::<Vec<_>>().join(", "), self.gone())
    }

    /// The columns that a snapshot adds to a row of the query.
    fn added_to_row(&self) -> impl Iterator<Item = String> {
        let names = &self.config.columns;
        let time = format!("s.{}", quoted(UPDATED_AT));
        let keys = (0..self.config.unique_key.len()).map(|index| format!("s.{}", quoted(&key_name(index))));
        let hashed: Vec<String> = keys.chain([time.clone()]).collect();
        let nothing = format!("nullif({time}, {time})");
        let valid_to = match &self.config.valid_to_current {
            None => nothing,
            Some(current) => format!("coalesce({nothing}, {})", enclosed(&current.value)),
        };
        let mut added = vec![
            format!("{} as {}", hash(&hashed), quoted(&names.scd_id)),
            format!("{time} as {}", quoted(&names.updated_at)),
            format!("{time} as {}", quoted(&names.valid_from)),
            format!("{valid_to} as {}", quoted(&names.valid_to)),
        ];
        if self.config.hard_deletes == HardDeletes::NewRecord {
            added.push(format!("'False' as {}", quoted(&names.is_deleted)));
        }
        added.into_iter()
    }

    fn run_time(&self, table: &str) -> String {
        format!("cast({table}.{} as {})", quoted(RUN_TIME), self.time_type)
    }
}

/// dbt's hash of several values.
fn hash(values: &[String]) -> String {
    let texts: Vec<String> = values.iter().map(|value| format!("coalesce(cast({value} as varchar), '')")).collect();
    format!("md5({})", texts.join(" || '|' || "))
}
