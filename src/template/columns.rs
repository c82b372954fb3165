//! The columns of tables, as templates may ask for them.
//!
//! Dynamic macros write SQL by the columns of what they read. What the lake holds could not answer them: the text of a model would
//! depend on which runs there were. The compiler can, because the columns of a table follow from its model's text. So models that
//! ask are rendered after those that they ask about have been typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::RenderedModels;
use crate::name::TableName;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    pub name: String,
    /// As PostgreSQL names it: `decimal(18, 2)`.
    pub data_type: String,
}

/// In the order of the table.
pub type RelationColumns = Arc<[RelationColumn]>;

/// Gives the columns of a table at once, where all models are typed.
pub type KnownColumns<'a> = &'a dyn Fn(&TableName) -> Option<RelationColumns>;

/// Types models while others wait to be rendered.
pub trait ColumnTyping {
    /// The columns of those among the wanted tables whose models are rendered, as are all models that these read, and have no
    /// error.
    fn columns(
        &mut self,
        rendered: &RenderedModels,
        wanted: &BTreeSet<TableName>,
    ) -> BTreeMap<TableName, RelationColumns>;
}

/// Types nothing: only the declared columns of sources are known.
pub struct NoTyping;

impl ColumnTyping for NoTyping {
    fn columns(&mut self, _: &RenderedModels, _: &BTreeSet<TableName>) -> BTreeMap<TableName, RelationColumns> {
        BTreeMap::new()
    }
}
