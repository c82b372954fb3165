//! What was found out of every scan of a plan, by the optimizer and by karat's own rules, occurrence by occurrence.

use std::collections::BTreeMap;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::claim::Claim;
use super::own_times::makes_times;
use super::probe::{Probe, probe, ranges, undeclared};
use super::scan_time::on_event_time;
use super::walk::{Arrived, walk};
use super::{ReadClass, Timeless};
use crate::analyze::lineage::TimeStep;
use crate::analyze::{InputTable, TypedModel};
use crate::engine::Bound;
use crate::name::ModelName;
use crate::table::SliceSet;
use crate::template::ReferenceName;

/// So many ranges must give the same picture.
const PROBES: usize = 2;

/// What is known of one plan of a model.
pub(super) struct Facts {
    whole: Probe,
    /// Probes in which every scan stands that stands in the whole plan.
    probes: Vec<(crate::day::TimeRange, Probe)>,
    timeless: Option<Probe>,
    walked: Vec<Arrived>,
    walked_timeless: Vec<Arrived>,
    /// Whether the time of a row is never null.
    always_timed: bool,
    /// Whether rows may have times that no input has.
    pub makes_times: bool,
}

impl Facts {
    pub fn find(model: &TypedModel, plan: &LogicalPlan, event_time: &str, state: &SessionState) -> Result<Facts> {
        let plan = undeclared(plan)?;
        let whole = probe(&plan, Bound::Whole, state)?;
        let mut probes = Vec::new();
        for range in ranges(model) {
            let probe = probe(&plan, Bound::Slices { event_time, slices: SliceSet::new(vec![range], false) }, state)?;
            // A branch that is empty in this range of time would hide what it reads in others.
            if probe.scans.len() == whole.scans.len() {
                probes.push((range, probe));
            }
            if probes.len() == PROBES {
                break;
            }
        }
        let timeless = probe(&plan, Bound::Slices { event_time, slices: SliceSet::new(Vec::new(), true) }, state).ok();
        let field = whole.plan.schema().qualified_field_with_unqualified_name(event_time);
        let (qualifier, field) = field?;
        let on = Expr::Column(datafusion::common::Column::new(qualifier.cloned(), event_time));
        let schema = whole.plan.schema();
        let slice = Claim::Slice { on: on.clone(), steps: Vec::new(), evidence: Vec::new() }.simple(schema);
        let always_timed = !field.is_nullable();
        let makes_times = makes_times(&whole.plan, &on);
        let walked = walk(&whole.plan, slice);
        let walked_timeless = walk(&whole.plan, Claim::Timeless { on });
        Ok(Facts { walked, walked_timeless, whole, probes, timeless, always_timed, makes_times })
    }

    /// Whether anything of a scan is read.
    pub fn has(&self, scan: &ReferenceName) -> bool {
        self.whole.of(scan).next().is_some()
    }

    /// The steps of the filter that arrives at every occurrence of a scan, in every probe.
    pub fn optimized(&self, scan: &ReferenceName) -> Option<Vec<TimeStep>> {
        if self.probes.len() < PROBES {
            return None;
        }
        let mut found = self.probes.iter().flat_map(|(range, probe)| probe.of(scan).map(|seen| seen.steps(*range)));
        let first = found.next()??;
        found.all(|steps| steps.as_ref() == Some(&first)).then_some(first)
    }

    /// Whether a filter on the output's time arrives at a scan, whatever it is.
    pub fn is_filtered(&self, scan: &ReferenceName) -> bool {
        let usual: Vec<&Expr> = self.whole.of(scan).flat_map(|seen| &seen.filters).collect();
        self.probes
            .iter()
            .any(|(_, probe)| probe.of(scan).flat_map(|seen| &seen.filters).any(|filter| !usual.contains(&filter)))
    }

    /// What came down to the occurrences of a scan.
    pub fn walked<'f>(&'f self, scan: &'f ReferenceName) -> impl Iterator<Item = &'f Claim> {
        of(&self.walked, scan)
    }

    /// What of a scan counts for the rows without a time.
    pub fn timeless(&self, table: &InputTable, typed: &BTreeMap<ModelName, TypedModel>) -> Timeless {
        let scan = &table.name;
        if self.always_timed {
            return Timeless::Nothing;
        }
        let worse = |one: Timeless, other: Timeless| if rank(one) >= rank(other) { one } else { other };
        let claims = of(&self.walked_timeless, scan).map(|claim| on_event_time(claim.clone(), table, typed));
        let by_rules = claims.map(|claim| match claim {
            Claim::Timeless { .. } if table.event_time.is_some() => Timeless::Same,
            Claim::Nothing => Timeless::Nothing,
            Claim::Timeless { .. } | Claim::Slice { .. } | Claim::Everything(_) => Timeless::Anything,
        });
        let by_rules = by_rules.reduce(worse).unwrap_or(Timeless::Nothing);
        let Some(probe) = &self.timeless else { return by_rules };
        // A scan that the optimizer has thrown away is not read.
        let of_one = |is_timeless: bool| if is_timeless { Timeless::Same } else { Timeless::Anything };
        let by_probe = probe.of(scan).map(|seen| of_one(seen.is_timeless())).reduce(worse).unwrap_or(Timeless::Nothing);
        if rank(by_probe) < rank(by_rules) { by_probe } else { by_rules }
    }
}

fn of<'f>(walked: &'f [Arrived], scan: &'f ReferenceName) -> impl Iterator<Item = &'f Claim> {
    walked.iter().filter(move |arrived| arrived.table.name == *scan).map(|arrived| &arrived.claim)
}

/// The more counts, the higher.
pub(super) fn rank(timeless: Timeless) -> u8 {
    match timeless {
        Timeless::Nothing => 0,
        Timeless::Same => 1,
        Timeless::Anything => 2,
    }
}

/// The class of a proof, by its steps.
pub(super) fn class(steps: &[TimeStep]) -> ReadClass {
    match steps {
        [] => ReadClass::Aligned,
        steps if steps.iter().any(|step| matches!(step, TimeStep::Widen(_) | TimeStep::UnitOf(_))) => ReadClass::Window,
        _ => ReadClass::Shifted,
    }
}
