//! The header of a seed: the names of its columns, as they are written and as they are stored.

use std::collections::BTreeMap;

use super::fault::SeedFault;
use super::file::SeedFile;
use crate::column_type::ColumnType;
use crate::name::{ColumnName, RESCUED, SOURCE_FILE, SOURCE_LINE};
use crate::project::SeedConfig;
use crate::raw::RawColumn;

/// The names of the columns, in their order.
pub(super) struct Header {
    pub written: Vec<String>,
    /// Folded to lower case, unless the config says that they are kept.
    pub names: Vec<String>,
    quoted: bool,
}

impl Header {
    pub fn read(file: &SeedFile, config: &SeedConfig) -> Result<Header, Vec<SeedFault>> {
        let written = file.names().map_err(|error| vec![SeedFault::unreadable(&error)])?;
        let Some(written) = written else {
            return Err(vec![SeedFault::empty()]);
        };
        let quoted = config.quote_columns;
        let names = if quoted { written.clone() } else { written.iter().map(|name| name.to_lowercase()).collect() };
        let header = Header { written, names, quoted };
        let faults = header.faults();
        if faults.is_empty() { Ok(header) } else { Err(faults) }
    }

    /// What is wrong with single names. Names that differ only in case are one to many engines, quoted or not.
    fn faults(&self) -> Vec<SeedFault> {
        let mut faults = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, (written, name)) in self.written.iter().zip(&self.names).enumerate() {
            let number = index + 1;
            // Each name has one fault at most: the first that is found is the cause of the others.
            if name.trim().is_empty() {
                faults.push(SeedFault::unnamed(number, self.written.len()));
            } else if let Err(wrong) = ColumnName::parse(name)
                && !self.quoted
            {
                faults.push(SeedFault::no_identifier(written, &wrong.to_string()));
            } else if [SOURCE_FILE, SOURCE_LINE, RESCUED].contains(&written.as_str()) {
                faults.push(SeedFault::reserved(written));
            } else if let Some(first) = seen.insert(name.to_lowercase(), number) {
                faults.push(SeedFault::repeated(name, first, number));
            }
        }
        faults
    }

    /// The place of a column that a config names. A name without capital letters means the same in both ways of writing.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| if self.quoted { own == name } else { own.eq_ignore_ascii_case(name) })
    }

    /// The columns as they are declared to the reader, with these types by their places.
    pub fn columns(&self, data_type: impl Fn(usize) -> ColumnType) -> Vec<RawColumn> {
        let mut columns = Vec::new();
        for (index, name) in self.written.iter().enumerate() {
            columns.push(RawColumn { name: name.clone(), data_type: data_type(index) });
        }
        columns
    }
}
