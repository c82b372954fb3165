//! Puts together, for every scan of a model, what was declared, what the optimizer shows and what karat's rules prove.

use std::collections::BTreeMap;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;

use super::claim::{Block, Claim, Remedy};
use super::facts::{Facts, class, rank};
use super::offset::Offset;
use super::words::{declaration, formula};
use super::{Read, ReadClass, Reads, Timeless};
use crate::analyze::lineage::TimeStep;
use crate::analyze::{Input, InputTable, TypedModel, input_table, plan_options};
use crate::day::{Grain, Window};
use crate::incremental::reach::Reach;
use crate::name::ModelName;
use crate::template::OnChange;

/// Derives what every scan of the model reads. Without evidence that is everything.
pub(crate) fn reads(model: &TypedModel, typed: &BTreeMap<ModelName, TypedModel>) -> Reads {
    let scans = scans(model);
    let event_time = model.event_time().filter(|_| model.config.materialized.is_incremental());
    let Some(event_time) = event_time else {
        return unproved(&scans);
    };
    let state = state();
    let facts: Vec<_> = plans(model).map(|plan| Facts::find(model, plan, event_time, &state)).collect();
    let facts: Vec<Facts> = match facts.into_iter().collect() {
        Ok(facts) => facts,
        Err(error) => {
            tracing::debug!(model = %model.name, %error, "the optimizer does not take the plan");
            return unproved(&scans);
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

fn unproved(scans: &[Scan]) -> Reads {
    Reads { scans: scans.iter().map(|scan| unknown(&scan.table, None)).collect(), makes_times: true }
}

fn state() -> SessionState {
    let config = SessionConfig::from(plan_options(1));
    SessionStateBuilder::new_with_default_features().with_config(config).build()
}

fn plans(model: &TypedModel) -> impl Iterator<Item = &LogicalPlan> {
    std::iter::once(&model.plan).chain(&model.sliced)
}

/// A table as it is scanned: once or, where a CTE or a view is used twice, several times.
struct Scan {
    table: InputTable,
    occurrences: Vec<InputTable>,
}

/// The scans of all plans of a model, in their order, each name once.
fn scans(model: &TypedModel) -> Vec<Scan> {
    let mut found: Vec<Scan> = Vec::new();
    for plan in plans(model) {
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

fn unknown(table: &InputTable, block: Option<&Block>) -> Read {
    Read {
        scan: table.name.clone(),
        input: table.input.clone(),
        class: if table.event_time.is_some() { ReadClass::Unbounded } else { ReadClass::Dimension },
        reach: Reach::Everything,
        timeless: Timeless::Anything,
        proved: None,
        declared: None,
        evidence: String::new(),
        on_change: table.on_change,
        blocker: block.map(|block| block.told(table)),
    }
}

fn read(scan: &Scan, facts: &[Facts], grain: Grain, typed: &BTreeMap<ModelName, TypedModel>) -> Read {
    let table = &scan.table;
    let facts: Vec<&Facts> = facts.iter().filter(|facts| facts.has(&table.name)).collect();
    let timeless = facts.iter().map(|facts| facts.timeless(table, typed)).max_by_key(|timeless| rank(*timeless));
    // What the optimizer has thrown away does not count.
    let timeless = timeless.unwrap_or(Timeless::Nothing);
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
    let optimized: Option<Vec<_>> = facts.iter().map(|facts| facts.optimized(&table.name)).collect();
    let claims = facts.iter().flat_map(|facts| facts.walked(&table.name));
    let claims: Vec<Claim> =
        claims.cloned().map(|claim| super::scan_time::on_event_time(claim, table, typed)).collect();
    let proved: Result<Vec<(Vec<TimeStep>, String)>, Block> = claims.into_iter().map(proof).collect();
    let declared = scan.occurrences.iter().filter(|table| !table.windows.is_empty()).map(steps_of_windows);
    let declared: Vec<Vec<TimeStep>> = declared.collect();
    let with_declared = |found: Vec<Vec<TimeStep>>| joined(found.into_iter().chain(declared.clone()).collect(), grain);
    let by_optimizer = optimized.map(|found| {
        let evidence = found.first().map(|steps| format!("a filter on `{}` arrives", formula(steps, event_time)));
        (with_declared(found), evidence.unwrap_or_default())
    });
    let by_rules = proved.clone().ok().filter(|found| !found.is_empty()).map(|found| {
        let mut evidence: Vec<String> = found.iter().map(|(_, evidence)| evidence.clone()).collect();
        evidence.retain(|evidence| !evidence.is_empty());
        evidence.dedup();
        if evidence.is_empty() {
            evidence.push("every step keeps the date".to_owned());
        }
        (with_declared(found.into_iter().map(|(steps, _)| steps).collect()), evidence.join("; "))
    });
    let seen = |(steps, evidence): (Vec<TimeStep>, String)| Read {
        class: class(&steps),
        reach: Reach::Steps(steps),
        timeless,
        evidence,
        ..unknown(table, None)
    };
    match (by_optimizer, by_rules) {
        (Some(found), Some(own)) if size(&own.0, grain) >= size(&found.0, grain) => seen(found),
        (Some(found), None) => seen(found),
        (_, Some(own)) => {
            let proved = Some(Offset::of_reads(&own.0, grain).window());
            Read { proved, ..seen(own) }
        }
        (None, None) => Read { timeless, ..unknown(table, proved.err().as_ref()) },
    }
}

/// How much around a slice is read.
fn size(steps: &[TimeStep], grain: Grain) -> i64 {
    let offset = Offset::of_reads(steps, grain);
    offset.to.saturating_sub(offset.from)
}

fn proof(claim: Claim) -> Result<(Vec<TimeStep>, String), Block> {
    match claim {
        Claim::Slice { steps, evidence, .. } => Ok((steps, evidence.join("; "))),
        Claim::Everything(block) => Err(block),
        Claim::Nothing | Claim::Timeless { .. } => Ok((Vec::new(), String::new())),
    }
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
            let widest = found.iter().map(|steps| Offset::of_reads(steps, grain)).reduce(Offset::or);
            vec![TimeStep::Widen(widest.unwrap_or_default().or(Offset::default()).window())]
        }
    }
}

/// The window that holds all that the author has declared. None if nothing is.
fn widest(scan: &Scan, grain: Grain) -> Option<Window> {
    let declared = scan.occurrences.iter().filter(|table| !table.windows.is_empty());
    let offsets = declared.map(|table| Offset::of_reads(&steps_of_windows(table), grain));
    offsets.reduce(Offset::or).map(Offset::window)
}

/// What the author has declared, if that is so of every occurrence.
fn declared(scan: &Scan, grain: Grain) -> Option<Read> {
    let all = scan.occurrences.iter().all(|table| !table.windows.is_empty());
    if !all {
        return None;
    }
    let mut told: Vec<String> =
        scan.occurrences.iter().flat_map(|table| &table.windows).map(|window| declaration(*window)).collect();
    told.dedup();
    Some(Read {
        class: ReadClass::Declared,
        reach: Reach::Steps(joined(scan.occurrences.iter().map(steps_of_windows).collect(), grain)),
        evidence: format!("declared: {}", told.join("; ")),
        ..unknown(&scan.table, None)
    })
}

/// An input without an event time is a dimension if the output's time is not made of it, and some other input is cut.
fn judge_dimensions(reads: &mut [Read], scans: &[Scan], facts: &[Facts]) {
    let some_is_cut = reads.iter().any(|read| matches!(read.reach, Reach::Steps(_)));
    let timed = || scans.iter().map(|scan| scan.table.event_time.is_some());
    let settled = reads.iter().zip(timed()).all(|(read, timed)| !timed || read.timeless != Timeless::Anything);
    for (read, scan) in reads.iter_mut().zip(scans).filter(|(_, scan)| scan.table.event_time.is_none()) {
        let name = &scan.table.name;
        let makes_time = facts.iter().any(|facts| {
            facts.is_filtered(name) || facts.walked(name).any(|claim| matches!(claim, Claim::Slice { .. }))
        });
        if some_is_cut && !makes_time {
            read.evidence = "no event time: its current rows count for every slice".to_owned();
            if settled && scan.table.on_change == OnChange::Ignore {
                read.timeless = Timeless::Nothing;
            }
            continue;
        }
        let table = &name.table;
        let what = match makes_time {
            true => format!("the event time of the output comes from `{table}`, which has none"),
            false => format!("`{table}` has no event time, and nothing else is divided by time"),
        };
        let block = Block { what, word: None, remedy: Remedy::SetEventTime };
        read.class = ReadClass::Unbounded;
        read.blocker = Some(block.told(&scan.table));
    }
}
