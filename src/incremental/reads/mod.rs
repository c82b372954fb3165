//! What each reference of a model reads for a slice of its output, and why: the class, the window and the evidence.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use crate::analyze::{Input, InputTable, TypedModel, input_table};
use crate::day::Window;
use crate::name::TableName;

use super::reach::{Reach, TimeStep};

/// The reads of one model, one for each scan of its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reads {
    pub scans: Vec<Read>,
}

/// What one reference reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    /// The scan's own name in the plan: `silver.events`, `silver.events__r2`.
    pub scan: TableName,
    pub input: Input,
    pub class: ReadClass,
    /// The times of the input that count for a slice.
    pub reach: Reach,
    /// What of the input counts for the rows without an event time.
    pub timeless: Timeless,
    /// A window that a rule of karat's own has proved and the optimizer does not see: it is put onto the scan as a
    /// declared one is.
    pub proved: Option<Window>,
    /// For people: the filter that arrived at the scan, the frame, the declaration.
    pub evidence: String,
    /// Where nothing is proved: what stands in the way, and what to write.
    pub blocker: Option<Blocker>,
}

/// How an input's times go with the output's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadClass {
    /// The same slice.
    Aligned,
    /// The image of a shift or of a coarser unit.
    Shifted,
    /// The slice with a window around it, proved by a frame or by a join's condition.
    Window,
    /// The slice with a window around it that the author has declared.
    Declared,
    /// The input has no event time, and what it says of now is taken for all slices.
    Dimension,
    /// Any slice may read any row.
    Unbounded,
}

/// Which rows of an input count for the rows of the output that have no event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeless {
    /// Those without an event time.
    Same,
    /// None.
    Nothing,
    /// Nobody can say.
    Anything,
}

/// What stands in the way of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// `lag() per user looks across days`.
    pub what: String,
    /// Line in the model's rendered SQL, from 1, if it is known.
    pub line: Option<usize>,
    /// `declare a lookback: ref('events', lookback='1 day')`.
    pub help: String,
}

/// Derives what every scan of the model reads.
pub(crate) fn reads(model: &TypedModel) -> Reads {
    let mut scans = Vec::new();
    for plan in std::iter::once(&model.plan).chain(&model.sliced) {
        let visited = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = input_table(scan.source.as_ref())
            {
                scans.push(declared(table));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        visited.expect("looking at scans cannot fail");
    }
    Reads { scans }
}

fn declared(table: &InputTable) -> Read {
    let (class, reach) = match (&table.event_time, table.windows.as_slice()) {
        (None, _) => (ReadClass::Dimension, Reach::Everything),
        (Some(_), []) => (ReadClass::Unbounded, Reach::Everything),
        (Some(_), windows) => {
            (ReadClass::Declared, Reach::Steps(windows.iter().copied().map(TimeStep::Widen).collect()))
        }
    };
    let (scan, input) = (table.table.clone(), table.input.clone());
    let (proved, evidence, blocker) = (None, String::new(), None);
    Read { scan, input, class, reach, timeless: Timeless::Anything, proved, evidence, blocker }
}
