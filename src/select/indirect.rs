//! Which data tests are selected with what they refer to: dbt's indirect selection.

use std::collections::BTreeSet;

/// When a test is selected with the tables that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndirectSelection {
    /// If any of them is selected.
    #[default]
    Eager,
    /// If all of them are selected.
    Cautious,
    /// If all of them are selected, or are ancestors of what is.
    Buildable,
    /// Never.
    Empty,
}

impl IndirectSelection {
    /// All of them.
    pub const ALL: [IndirectSelection; 4] =
        [IndirectSelection::Eager, IndirectSelection::Cautious, IndirectSelection::Buildable, IndirectSelection::Empty];

    /// dbt's word.
    pub fn word(self) -> &'static str {
        match self {
            IndirectSelection::Eager => "eager",
            IndirectSelection::Cautious => "cautious",
            IndirectSelection::Buildable => "buildable",
            IndirectSelection::Empty => "empty",
        }
    }

    /// What it means, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            IndirectSelection::Eager => "Tests of which any table is selected",
            IndirectSelection::Cautious => "Tests of which all tables are selected",
            IndirectSelection::Buildable => "Tests of which all tables are selected, or ancestors of what is",
            IndirectSelection::Empty => "No tests but those that are selected themselves",
        }
    }
}

/// What a part of a selection finds, by position.
#[derive(Debug, Clone, Default)]
pub(super) struct Picked {
    /// What is selected.
    pub direct: BTreeSet<usize>,
    /// Tests that are selected once the rest of their tables is, by another part.
    pub indirect: BTreeSet<usize>,
}

impl Picked {
    /// These, and nothing that waits for more.
    pub fn of(direct: BTreeSet<usize>) -> Picked {
        Picked { direct, indirect: BTreeSet::new() }
    }
}
