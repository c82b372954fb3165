//! Puts together, for every scan of a model, what was declared, what the optimizer shows and what karat's rules prove.

use std::collections::BTreeMap;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;

use super::facts::{PlanFacts, class, rank};
use super::offset::Offset;
use super::scan_time::on_event_time;
use super::time_constraint::{ProofGap, Remedy, TimeConstraint};
use super::words::{declaration, formula};
use super::{NullTime, Read, ReadClass, Reads};
use crate::analyze::lineage::TimeStep;
use crate::analyze::{Input, InputTable, ScannedTable, TypedModel, input_table, plan_options};
use crate::day::{Grain, Window};
use crate::incremental::reach::Reach;
use crate::name::ModelName;
use crate::template::OnChange;

/// Derives what every scan of the model reads. Without evidence that is everything.
pub(crate) fn reads(model: &TypedModel, typed: &BTreeMap<ModelName, TypedModel>) -> Reads {
    let event_time = model.event_time().filter(|_| model.config.materialized.is_incremental());
    let Some(event_time) = event_time else {
        return unproved(model);
    };
    let plans: Vec<&LogicalPlan> = match model.all_plans() {
        Ok(plans) => plans.collect(),
        Err(error) => {
            tracing::debug!(model = %model.name, %error, "there is no plan");
            return unproved(model);
        }
    };
    let scans = scans(&plans);
    let state = state();
    let facts: Vec<_> = plans.iter().map(|plan| PlanFacts::find(model, plan, event_time, &state)).collect();
    let facts: Vec<PlanFacts> = match facts.into_iter().collect() {
        Ok(facts) => facts,
        Err(error) => {
            tracing::debug!(model = %model.name, %error, "the optimizer does not take the plan");
            return unproved(model);
        }
    };
    let grain = model.config.batch_size;
    let mut reads: Vec<Read> = scans.iter().map(|scan| read(scan, &facts, grain, typed)).collect();
    judge_dimensions(&mut reads, &scans, &facts);
    for (read, scan) in reads.iter_mut().zip(&scans) {
        read.declared = widest(scan, grain);
    }
    Reads { scans: reads, makes_times: facts.iter().any(|facts| facts.makes_times) }
}

fn unproved(model: &TypedModel) -> Reads {
    let scans = model.scans.iter().filter(|scan| scan.input != Input::This);
    Reads { scans: scans.cloned().map(unread).collect(), makes_times: true }
}

fn state() -> SessionState {
    let config = SessionConfig::from(plan_options(1));
    SessionStateBuilder::new_with_default_features().with_config(config).build()
}

/// A table as it is scanned: once or, where a CTE or a view is used twice, several times.
struct Scan {
    table: InputTable,
    occurrences: Vec<InputTable>,
}

/// The scans of all plans of a model, in their order, each name once.
fn scans(plans: &[&LogicalPlan]) -> Vec<Scan> {
    let mut found: Vec<Scan> = Vec::new();
    for plan in plans {
        let visited = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = input_table(scan.source.as_ref())
                && table.input != Input::This
            {
                match found.iter_mut().find(|scan| scan.table.name == table.name) {
                    Some(scan) => scan.occurrences.push(table.clone()),
                    None => found.push(Scan { table: table.clone(), occurrences: vec![table.clone()] }),
                }
            }
            Ok(TreeNodeRecursion::Continue)
        });
        visited.expect("looking at scans cannot fail");
    }
    found
}

/// What a scan reads of which nothing is known.
fn unread(scan: ScannedTable) -> Read {
    let ScannedTable { name, input, has_event_time, on_change } = scan;
    Read {
        scan: name,
        input,
        class: if has_event_time { ReadClass::Unbounded } else { ReadClass::Dimension },
        reach: Reach::Everything,
        timeless: NullTime::Anything,
        proved: None,
        declared: None,
        evidence: String::new(),
        on_change,
        blocker: None,
    }
}

fn unknown(table: &InputTable, gap: Option<&ProofGap>) -> Read {
    Read { blocker: gap.map(|gap| gap.explain(table)), ..unread(table.into()) }
}

fn read(scan: &Scan, facts: &[PlanFacts], grain: Grain, typed: &BTreeMap<ModelName, TypedModel>) -> Read {
    let table = &scan.table;
    let facts: Vec<&PlanFacts> = facts.iter().filter(|facts| facts.has(&table.name)).collect();
    let timeless = facts.iter().map(|facts| facts.timeless(table, typed)).max_by_key(|timeless| rank(*timeless));
    // What the optimizer has thrown away does not count.
    let timeless = timeless.unwrap_or(NullTime::Nothing);
    let Some(event_time) = &table.event_time else {
        return Read { timeless, ..unknown(table, None) };
    };
    if let Some(read) = declared(scan, grain) {
        return Read { timeless, ..read };
    }
    if facts.is_empty() {
        let evidence = "nothing of it is read".to_owned();
        return Read { class: ReadClass::Aligned, reach: Reach::ALIGNED, timeless, evidence, ..unknown(table, None) };
    }
    let evidence = ScanFacts { scan, facts, grain };
    let by_optimizer = evidence.by_optimizer(event_time);
    let (by_rules, gap) = match evidence.by_rules(typed) {
        Ok(proof) => (proof, None),
        Err(gap) => (None, Some(gap)),
    };
    let proved = |proof: WindowProof| Read {
        class: class(&proof.steps),
        reach: Reach::Steps(proof.steps),
        timeless,
        evidence: proof.evidence,
        ..unknown(table, None)
    };
    // Each proof holds alone, so the one that reads less may be trusted. Of two that read as much the optimizer's is
    // taken: its filter arrives by itself, and the scan needs none of karat's.
    match (by_optimizer, by_rules) {
        (Some(found), Some(own)) if size(&own.steps, grain) >= size(&found.steps, grain) => proved(found),
        (Some(found), None) => proved(found),
        (_, Some(own)) => {
            let window = Offset::of_reads(&own.steps, grain).window();
            Read { proved: Some(window), ..proved(own) }
        }
        (None, None) => Read { timeless, ..unknown(table, gap.as_ref()) },
    }
}

/// Steps to the event time of a scan, and what shows that no other row counts.
struct WindowProof {
    steps: Vec<TimeStep>,
    evidence: String,
}

/// What was found out of one scan.
struct ScanFacts<'f> {
    scan: &'f Scan,
    /// Of every plan of the model in which it is left.
    facts: Vec<&'f PlanFacts>,
    grain: Grain,
}

impl ScanFacts<'_> {
    /// What the filters show that the optimizer pushes down; `None` if in some plan none arrives.
    fn by_optimizer(&self, event_time: &str) -> Option<WindowProof> {
        let name = &self.scan.table.name;
        let found: Option<Vec<_>> = self.facts.iter().map(|facts| facts.optimized(name)).collect();
        let found = found?;
        let evidence = found.first().map(|steps| format!("a filter on `{}` arrives", formula(steps, event_time)));
        Some(WindowProof { steps: self.with_declared(found), evidence: evidence.unwrap_or_default() })
    }

    /// What karat's own rules show; `None` if no row of it counts.
    ///
    /// # Errors
    ///
    /// The first gap in the proof. One occurrence that may read everything makes the rest useless.
    fn by_rules(&self, typed: &BTreeMap<ModelName, TypedModel>) -> Result<Option<WindowProof>, ProofGap> {
        let table = &self.scan.table;
        let mut steps = Vec::new();
        let mut evidence: Vec<String> = Vec::new();
        for constraint in self.facts.iter().flat_map(|facts| facts.walked(&table.name)) {
            match on_event_time(constraint.clone(), table, typed) {
                TimeConstraint::Slice { steps: found, evidence: because, .. } => {
                    steps.push(found);
                    evidence.push(because.join("; "));
                }
                TimeConstraint::Everything(gap) => return Err(gap),
                TimeConstraint::Nothing | TimeConstraint::NullTime { .. } => {
                    steps.push(Vec::new());
                    evidence.push(String::new());
                }
            }
        }
        if steps.is_empty() {
            return Ok(None);
        }
        evidence.retain(|evidence| !evidence.is_empty());
        evidence.dedup();
        if evidence.is_empty() {
            evidence.push("every step keeps the date".to_owned());
        }
        Ok(Some(WindowProof { steps: self.with_declared(steps), evidence: evidence.join("; ") }))
    }

    /// Some occurrences of a table may have a declared window although others have none: all are read together.
    fn with_declared(&self, mut found: Vec<Vec<TimeStep>>) -> Vec<TimeStep> {
        let declared = self.scan.occurrences.iter().filter(|table| !table.windows.is_empty());
        found.extend(declared.map(steps_of_windows));
        joined(found, self.grain)
    }
}

/// How much around a slice is read.
fn size(steps: &[TimeStep], grain: Grain) -> i64 {
    let offset = Offset::of_reads(steps, grain);
    offset.to.saturating_sub(offset.from)
}

fn steps_of_windows(table: &InputTable) -> Vec<TimeStep> {
    table.windows.iter().copied().map(TimeStep::Widen).collect()
}

/// What all occurrences together read.
fn joined(found: Vec<Vec<TimeStep>>, grain: Grain) -> Vec<TimeStep> {
    match found.split_first() {
        None => Vec::new(),
        Some((first, rest)) if rest.iter().all(|steps| steps == first) => first.clone(),
        Some(_) => {
            // Different steps have no common form but the window that holds what each of them reads.
            let widest = found.iter().map(|steps| Offset::of_reads(steps, grain)).reduce(Offset::or);
            vec![TimeStep::Widen(widest.unwrap_or_default().or(Offset::default()).window())]
        }
    }
}

/// Returns the window that holds all that the author has declared. Returns `None` if nothing is.
fn widest(scan: &Scan, grain: Grain) -> Option<Window> {
    let declared = scan.occurrences.iter().filter(|table| !table.windows.is_empty());
    let offsets = declared.map(|table| Offset::of_reads(&steps_of_windows(table), grain));
    offsets.reduce(Offset::or).map(Offset::window)
}

/// What the author has declared, if that is so of every occurrence.
fn declared(scan: &Scan, grain: Grain) -> Option<Read> {
    // An occurrence without a declaration still needs a proof.
    let all = scan.occurrences.iter().all(|table| !table.windows.is_empty());
    if !all {
        return None;
    }
    let mut declarations: Vec<String> =
        scan.occurrences.iter().flat_map(|table| &table.windows).map(|window| declaration(*window)).collect();
    declarations.dedup();
    Some(Read {
        class: ReadClass::Declared,
        reach: Reach::Steps(joined(scan.occurrences.iter().map(steps_of_windows).collect(), grain)),
        evidence: format!("declared: {}", declarations.join("; ")),
        ..unknown(&scan.table, None)
    })
}

/// An input without an event time is a dimension if the output's time is not made of it, and some other input is cut.
fn judge_dimensions(reads: &mut [Read], scans: &[Scan], facts: &[PlanFacts]) {
    let some_is_cut = reads.iter().any(|read| matches!(read.reach, Reach::Steps(_)));
    let settled = reads
        .iter()
        .zip(scans)
        .all(|(read, scan)| scan.table.event_time.is_none() || read.timeless != NullTime::Anything);
    for (read, scan) in reads.iter_mut().zip(scans).filter(|(_, scan)| scan.table.event_time.is_none()) {
        let name = &scan.table.name;
        let makes_time = facts.iter().any(|facts| {
            facts.is_filtered(name)
                || facts.walked(name).any(|constraint| matches!(constraint, TimeConstraint::Slice { .. }))
        });
        if some_is_cut && !makes_time {
            read.evidence = "no event time: its current rows count for every slice".to_owned();
            if settled && scan.table.on_change == OnChange::Ignore {
                read.timeless = NullTime::Nothing;
            }
            continue;
        }
        let table = &name.table;
        let what = match makes_time {
            true => format!("the event time of the output comes from `{table}`, which has none"),
            false => format!("`{table}` has no event time, and nothing else is divided by time"),
        };
        let gap = ProofGap { what, word: None, remedy: Remedy::SetEventTime };
        read.class = ReadClass::Unbounded;
        read.blocker = Some(gap.explain(&scan.table));
    }
}
