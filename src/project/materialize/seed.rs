//! A seed: the rows of a file, loaded whole if the file or its config changed. No config names it: seeds are found by their
//! files.

use super::{Materialization, Upkeep};

#[derive(Debug)]
pub(super) struct SeedTable;

impl Materialization for SeedTable {
    fn word(&self) -> &'static str {
        "seed"
    }

    fn is_loaded(&self) -> bool {
        true
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Whole
    }
}
