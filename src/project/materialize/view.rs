//! `view`: inlined where it is used; a name in the lake for `show` and `query`, without storage.

use super::{Materialization, Upkeep};

#[derive(Debug)]
pub(super) struct View;

impl Materialization for View {
    fn word(&self) -> &'static str {
        "view"
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::Inlined
    }
}
