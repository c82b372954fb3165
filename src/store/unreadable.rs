//! Tables that cannot be read, beside those that can: what is wrong with one says nothing about the others.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::error::StoreError;
use crate::name::TableName;
use crate::table::Tables;

/// Why each of some tables cannot be read.
pub(crate) type Unreadable = BTreeMap<TableName, Arc<StoreError>>;

/// What was seen of tables that were looked at together.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    pub tables: Tables,
    pub unreadable: Unreadable,
}

impl Observation {
    /// Notes what came of a look at a table, the newest look.
    ///
    /// # Errors
    ///
    /// What is wrong with the store as a whole.
    pub fn note(&mut self, name: TableName, state: Result<StateFound, StoreError>) -> Result<(), StoreError> {
        match state {
            Ok(state) => {
                self.tables.insert(name, state);
            }
            Err(error) if error.is_of_one_table() => {
                self.tables.remove(&name);
                self.unreadable.insert(name, Arc::new(error));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Where no table at all can be opened, it is the store that cannot: one error instead of one for each table.
    pub fn of_a_store_that_opens(mut self) -> Result<Observation, StoreError> {
        if self.tables.is_empty()
            && self.unreadable.values().all(|error| matches!(**error, StoreError::Unavailable { .. }))
        {
            let first = self.unreadable.pop_first();
            if let Some(error) = first.and_then(|(_, error)| Arc::into_inner(error)) {
                return Err(error);
            }
        }
        Ok(self)
    }
}

type StateFound = Option<Arc<crate::table::TableState>>;

impl StoreError {
    /// Whether other tables of the lake may well be read in spite of it.
    pub(super) fn is_of_one_table(&self) -> bool {
        match self {
            StoreError::Corrupt { .. } | StoreError::Unsupported { .. } => true,
            StoreError::Unavailable { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::InvalidFilename
            ),
            StoreError::Conflict { .. } | StoreError::Unknown { .. } | StoreError::Unsafe { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TableName {
        let (schema, table) = text.split_once('.').unwrap();
        TableName { schema: crate::name::SchemaName::parse(schema).unwrap(), table: table.to_owned() }
    }

    fn refused(kind: io::ErrorKind) -> StoreError {
        StoreError::Unavailable { path: "lake".to_owned(), source: io::Error::from(kind) }
    }

    #[test]
    fn a_folder_that_may_not_be_read_says_nothing_about_the_others() {
        let mut seen = Observation::default();
        seen.note(name("a.closed"), Err(refused(io::ErrorKind::PermissionDenied))).unwrap();
        seen.note(name("a.open"), Ok(None)).unwrap();
        let seen = seen.of_a_store_that_opens().unwrap();
        assert_eq!(seen.unreadable.keys().cloned().collect::<Vec<_>>(), [name("a.closed")]);
        assert_eq!(seen.tables.keys().cloned().collect::<Vec<_>>(), [name("a.open")]);
    }

    #[test]
    fn where_no_table_opens_the_store_does_not() {
        let mut seen = Observation::default();
        for table in ["a.one", "a.other"] {
            seen.note(name(table), Err(refused(io::ErrorKind::PermissionDenied))).unwrap();
        }
        assert!(matches!(seen.of_a_store_that_opens(), Err(StoreError::Unavailable { .. })));
    }

    #[test]
    fn a_store_that_does_not_answer_is_no_matter_of_one_table() {
        let mut seen = Observation::default();
        assert!(seen.note(name("a.one"), Err(refused(io::ErrorKind::TimedOut))).is_err());
    }
}
