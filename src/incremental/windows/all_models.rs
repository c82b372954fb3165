//! The reads of all models, derived when somebody asks for them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{Reads, reads};
use crate::analyze::TypedModel;
use crate::name::ModelName;

/// What every model reads. A model that nobody asks for costs nothing.
#[derive(Debug)]
pub(crate) struct Windows<'a> {
    typed: &'a BTreeMap<ModelName, TypedModel>,
    found: BTreeMap<&'a ModelName, OnceLock<Arc<Reads>>>,
}

impl<'a> Windows<'a> {
    pub fn new(typed: &'a BTreeMap<ModelName, TypedModel>) -> Windows<'a> {
        Windows { typed, found: typed.keys().map(|name| (name, OnceLock::new())).collect() }
    }

    /// What a model reads.
    pub fn of(&self, model: &TypedModel) -> Arc<Reads> {
        let derive = || Arc::new(reads(model, self.typed));
        match self.found.get(&model.name) {
            Some(found) => Arc::clone(found.get_or_init(derive)),
            None => derive(),
        }
    }
}
