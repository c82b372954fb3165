//! What must be true in and after every history. What really changed is read off the rows, never off a ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::project::{Cut, Rows, slice_of};
use super::table::slices;
use super::world::{World, name, since};
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::incremental::Build;
use crate::incremental::staleness::{Cause, Reason, Stale, Verdict};
use crate::name::TableKey;
use crate::table::{InputVersion, Ledger, Provenance, SliceKey, TableState};

/// I4, I5: every table holds what its code makes of its inputs. A slice that was made of an older version of a
/// dimension, whose changes restate nothing, holds what the code makes of that.
pub(super) fn all_equal_a_full_refresh(world: &World) -> Result<(), String> {
    for place in 0..world.project.0.len() {
        let model = world.model(place);
        let Some(table) = &world.tables[place] else { return Err(format!("m{place} was never built")) };
        let found = world.rows_now(place);
        if !world.reads_dimension(place) {
            let expected = world.computed(place);
            if found != expected {
                return Err(format!("m{place} ends as {found:?}, not as {expected:?}"));
            }
            continue;
        }
        let state = table.state();
        let ledger = state.known_ledger().unwrap();
        let expected = world.computed(place);
        let all: BTreeSet<SliceKey> = found.keys().chain(expected.keys()).map(|day| model.slice_of(*day)).collect();
        for slice in all {
            let Some(made_of) = ledger.provenance(slice) else {
                return Err(format!("m{place} ends without slice {slice}: {found:?}, not {expected:?}"));
            };
            let expected = world.of_dimension_then(place, made_of);
            let (found, expected) = (cut(world, place, &found, slice), cut(world, place, &expected, slice));
            if found != expected {
                return Err(format!("slice {slice} of m{place} ends as {found:?}, not as {expected:?}"));
            }
        }
    }
    Ok(())
}

/// I1: what a ledger says of a slice is what the recorded code makes of the recorded versions, and what is there.
pub(super) fn ledgers_tell_the_truth(world: &World) -> Result<(), String> {
    for place in 0..world.project.0.len() {
        let Some(table) = &world.tables[place] else { continue };
        let state = table.state();
        let Some(ledger) = state.known_ledger() else { continue };
        let (model, found) = (world.model(place), world.rows_now(place));
        if state.needs_full_rebuild(&model.layout()).is_some() {
            continue;
        }
        let changed_externally = state.changed_externally(&model.layout());
        let with_rows = slices(&model, &found);
        let all = ledger.slices.keys().chain(with_rows.keys()).filter(|slice| !changed_externally.contains(slice));
        for slice in all {
            let there = with_rows.get(slice).copied().unwrap_or_default();
            let told = ledger.slices.get(slice).map(|entry| entry.rows).unwrap_or_default();
            if there != told {
                return Err(format!("the ledger of m{place} says {told:?} of slice {slice}, but there is {there:?}"));
            }
            let Some(made_of) = ledger.provenance(*slice) else {
                return Err(format!("slice {slice} of m{place} has rows that nobody knows"));
            };
            let expected = cut(world, place, &world.made_then(place, made_of), *slice);
            let found = cut(world, place, &found, *slice);
            if found != expected {
                return Err(format!("slice {slice} of m{place} is {found:?}, but {made_of:?} makes {expected:?}"));
            }
        }
    }
    Ok(())
}

/// What is planned covers what is then done.
pub(super) fn the_plan_foresaw_it(
    place: usize,
    planned: Option<&Build>,
    build: Option<&Build>,
    grain: Grain,
) -> Result<(), String> {
    let is_foreseen = match (planned, build) {
        (_, None) | (Some(Build::Whole), _) => true,
        (None | Some(Build::Batch | Build::Files(_)), Some(_)) => false,
        (Some(Build::Slices(_)), Some(Build::Whole | Build::Batch | Build::Files(_))) => false,
        (Some(Build::Slices(planned)), Some(Build::Slices(slices))) => {
            slices.slices(grain).all(|slice| planned.contains(slice))
        }
    };
    if is_foreseen {
        return Ok(());
    }
    Err(format!("m{place} was planned as {planned:?}, and then {build:?} was to be done"))
}

/// Every slice that is stale has one reason in words.
pub(super) fn reasons_name_every_slice(stale: &Stale, reasons: &[Reason], grain: Grain) -> Result<(), String> {
    let Stale::Slices(slices) = stale else { return Ok(()) };
    let named: Vec<SliceKey> =
        reasons.iter().filter_map(|reason| reason.slices.as_ref()).flat_map(|slices| slices.slices(grain)).collect();
    let apart: BTreeSet<SliceKey> = named.iter().copied().collect();
    let is_so = apart.len() == named.len() && apart.iter().eq(slices.keys());
    let is_told = reasons.iter().all(|reason| !reason.why.is_empty());
    if is_so && is_told { Ok(()) } else { Err(format!("{slices:?} is explained by {reasons:?}")) }
}

/// I6: whatever is stale has a cause, and the cause is true.
pub(super) fn every_slice_has_a_cause(world: &mut World, place: usize, verdict: &Verdict) -> Result<(), String> {
    let state = world.tables[place].as_ref().map(|table| table.state());
    match &verdict.stale {
        Stale::Nothing => Ok(()),
        Stale::Whole(cause) => whole(world, place, state.as_ref(), cause)
            .map_err(|reason| format!("all of m{place} is to be built because of {cause:?}, but {reason}")),
        Stale::Slices(slices) => {
            let state = state.expect("slices are stale of a table that is there");
            for (slice, cause) in slices {
                one(world, place, &state, (*slice, cause)).map_err(|reason| {
                    format!("slice {slice} of m{place} is to be built because of {cause:?}, but {reason}")
                })?;
            }
            Ok(())
        }
    }
}

fn holds(is_so: bool, otherwise: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn whole(world: &World, place: usize, state: Option<&TableState>, cause: &Cause) -> Result<(), String> {
    let ledger = state.and_then(TableState::known_ledger);
    let made_of = || ledger.into_iter().flat_map(|ledger| ledger.provenances());
    let model = world.model(place);
    match cause {
        Cause::NotBuilt => holds(state.is_none(), "it is there"),
        Cause::Unknown(_) => holds(ledger.is_none_or(|ledger| ledger.provenances().next().is_none()), "all is known"),
        Cause::NewCode => {
            let fingerprint = world.fingerprint(place);
            holds(made_of().any(|made_of| made_of.fingerprint != fingerprint), "the code is the same")
        }
        Cause::Foreign => {
            let is_foreign = |state: &TableState| {
                !state.changed_externally(&model.layout()).is_empty()
                    || state.needs_full_rebuild(&model.layout()).is_some()
            };
            holds(state.is_some_and(is_foreign), "nothing did")
        }
        Cause::NeverMade => holds(ledger.is_some_and(|ledger| ledger.default_provenance.is_none()), "it was"),
        Cause::Rows { input, after, .. } => {
            let recorded = made_of().any(|made_of| recorded(made_of, input) == Some(*after));
            holds(recorded, "nothing was made of that")?;
            let everything = |place: usize| {
                references(world, place, input).into_iter().any(|(reference, input)| {
                    let read = &world.model(place).reads()[reference];
                    read.reach == crate::incremental::reach::Reach::Everything
                        || changed(world, input, *after).is_none()
                        || world.model(input).cut == Cut::Whole
                        // Shared files that something else has changed may hold rows of any slice.
                        || world.changes(input, None).all_after(*after)
                })
            };
            // Where every slice is stale and the rest is of old code, a whole build renews that too.
            let is_renewed = ledger.is_some_and(|ledger| is_rest_old(world, place, ledger));
            holds(model.cut == Cut::Whole || is_renewed || everything(place), "only some slices read it")?;
            let any = |input: usize| changed(world, input, *after).is_none_or(|changed| !changed.is_empty());
            holds(references(world, place, input).iter().any(|(_, input)| any(*input)), "nothing changed")
        }
        other => made_of()
            .map(|made_of| input_differs(world, place, made_of, other))
            .fold(Err("nobody says so".to_owned()), Result::or),
    }
}

fn is_rest_old(world: &World, place: usize, ledger: &Ledger) -> bool {
    ledger.default_provenance.as_ref().is_some_and(|rest| rest.fingerprint != world.fingerprint(place))
}

fn one(world: &mut World, place: usize, state: &TableState, (slice, cause): (SliceKey, &Cause)) -> Result<(), String> {
    let model = world.model(place);
    let ledger = state.known_ledger().expect("slices are stale of a table whose ledger is known");
    let entry = ledger.slices.get(&slice);
    match cause {
        Cause::Foreign => holds(state.changed_externally(&model.layout()).contains(&slice), "nothing did"),
        Cause::NewCode => {
            let fingerprint = world.fingerprint(place);
            let is_old = match entry {
                Some(entry) => entry.provenance.fingerprint != fingerprint,
                None => is_rest_old(world, place, ledger),
            };
            holds(is_old, "the code is the same")
        }
        Cause::NeverMade => {
            holds(entry.is_none() && ledger.default_provenance.is_none(), "it was made")?;
            let inputs = model.kind.inputs();
            let may_have_rows = inputs.iter().enumerate().any(|(reference, input)| {
                let of_input = world.model(*input);
                let with_rows = slices(&of_input, &world.rows_now(*input));
                let mut all = with_rows.keys().copied().chain(changed_externally(world, *input));
                all.any(|read| model.may_read(reference, (slice, model.grain), (read, of_input.grain)))
            });
            let timeless_of_all =
                model.reads().iter().any(|read| read.timeless == crate::incremental::windows::NullTime::Anything);
            holds(may_have_rows || slice == SliceKey::NullTime && timeless_of_all, "it reads no row")
        }
        Cause::Rows { input, after, read } => {
            let made_of = entry.map(|entry| &entry.provenance).or(ledger.default_provenance.as_ref());
            holds(made_of.and_then(|made_of| recorded(made_of, input)) == Some(*after), "it was not made of that")?;
            let mut reached = false;
            let is_read = references(world, place, input).into_iter().any(|(reference, input)| {
                let read = &model.reads()[reference];
                let grain = world.model(input).grain;
                let of_all = changed(world, input, *after);
                let met = of_all.as_ref().map(|changed| {
                    changed
                        .iter()
                        .copied()
                        .filter(|one| model.may_read(reference, (slice, model.grain), (*one, grain)))
                        .collect::<Vec<_>>()
                });
                reached |= met.as_ref().is_some_and(|met| !met.is_empty() && !met.contains(&slice));
                let is_all = world.changes(input, None).all_after(*after);
                !read.is_dimension && (is_all || met.is_none_or(|met| !met.is_empty()))
            });
            world.seen.reached += u64::from(reached);
            holds(is_read, "nothing that it reads changed")?;
            the_count_is_right(world, place, (input, *after, *read))
        }
        other => match entry {
            Some(entry) => input_differs(world, place, &entry.provenance, other),
            None => Err("it has no entry".to_owned()),
        },
    }
}

/// The number of rows that a cause names.
fn the_count_is_right(
    world: &World,
    place: usize,
    (input, after, read): (&TableKey, Version, Option<TimeRange>),
) -> Result<(), String> {
    let (_, input) = references(world, place, input)[0];
    let model = world.model(input);
    let Some(table) = &world.tables[input] else { return Ok(()) };
    // What others did is not counted, nor what was forgotten.
    let is_unknown =
        table.versions.iter().enumerate().any(|(at, it)| !it.touched.is_empty() || at > 0 && it.changed.is_none());
    if model.cut == Cut::Whole || is_unknown {
        return Ok(());
    }
    let summary = world.changes(input, None).summary(read, after);
    let Some(told) = summary.rows else { return Ok(()) };
    let count = |version: Version| {
        let rows = &world.rows[&(table.id.clone(), version)];
        let within = |day: &Option<i64>| match (read, slice_of(model.grain, *day)) {
            (None, _) => true,
            (Some(_), SliceKey::All | SliceKey::NullTime) => false,
            (Some(range), SliceKey::At(start)) => {
                TimeRange::new(start, model.grain.next(start)).is_some_and(|slice| slice.overlaps(range))
            }
        };
        rows.iter().filter(|(day, _)| within(day)).map(|(_, values)| values.len() as i64).sum::<i64>()
    };
    let (now, then) = (count(table.newest()), count(after));
    holds(told == now - then, &format!("there were {then} rows and are {now}, which is not {told} more"))
}

fn input_differs(world: &World, place: usize, made_of: &Provenance, cause: &Cause) -> Result<(), String> {
    let now = world.provenance(place);
    let pair = |input: &TableKey| (made_of.inputs.get(input), now.inputs.get(input));
    match cause {
        Cause::InputAnew { input } => match pair(input) {
            (Some(InputVersion::Table { id, .. }), Some(InputVersion::Table { id: now, .. })) => {
                holds(id != now, "it is the same table")
            }
            (Some(InputVersion::Missing), Some(InputVersion::Table { .. })) => Ok(()),
            _ => Err("it is no other table".to_owned()),
        },
        Cause::InputBack { input, made_of: newer } => match pair(input).1 {
            Some(InputVersion::Table { version, .. }) => holds(version < newer, "it is not at an older version"),
            _ => Err("it is no table".to_owned()),
        },
        Cause::InputElsewhere { .. } => holds(false, "nothing is read from another target"),
        Cause::InputGone { input } => holds(pair(input).1 == Some(&InputVersion::Missing), "it is there"),
        Cause::Files { input } => holds(pair(input).0 != pair(input).1, "the files are the same"),
        other => Err(format!("{other:?} cannot be")),
    }
}

/// The count of slices that were made of an older version of a dimension.
pub(super) fn older_slices_are_counted(world: &World, place: usize, verdict: &Verdict) -> Result<(), String> {
    let state = world.tables[place].as_ref().map(|table| table.state());
    let (Some(ledger), false) =
        (state.as_ref().and_then(TableState::known_ledger), matches!(verdict.stale, Stale::Whole(_)))
    else {
        return holds(verdict.older.is_empty(), "slices of nothing are counted");
    };
    let is_stale = |slice: &SliceKey| match &verdict.stale {
        Stale::Slices(slices) => slices.contains_key(slice),
        Stale::Whole(_) | Stale::Nothing => false,
    };
    let model = world.model(place);
    let mut expected: BTreeMap<TableKey, u64> = BTreeMap::new();
    for (reference, input) in model.kind.inputs().into_iter().enumerate().filter(|_| model.cut != Cut::Whole) {
        let is_older = |made_of: &Provenance| {
            recorded(made_of, &name(input))
                .is_some_and(|after| changed(world, input, after).is_none_or(|changed| !changed.is_empty()))
        };
        let counts = |slice: &SliceKey| !is_stale(slice) && !world.is_before_begin(place, *slice);
        let entries = ledger.slices.iter().filter(|(slice, entry)| counts(slice) && is_older(&entry.provenance));
        let count = entries.count() as u64;
        if model.reads()[reference].is_dimension && count > 0 {
            expected.insert(name(input), count);
        }
    }
    if verdict.older == expected {
        Ok(())
    } else {
        Err(format!("m{place} counts {:?} as older, not {expected:?}", verdict.older))
    }
}

/// The places in the model's references at which an input is read, with the input's place.
fn references(world: &World, place: usize, input: &TableKey) -> Vec<(usize, usize)> {
    let inputs = world.model(place).kind.inputs();
    inputs.into_iter().enumerate().filter(|(_, place)| name(*place) == *input).collect()
}

fn recorded(made_of: &Provenance, input: &TableKey) -> Option<Version> {
    match made_of.inputs.get(input)? {
        InputVersion::Table { version, .. } => Some(*version),
        InputVersion::Files(_) | InputVersion::Missing => Some(Version::FIRST),
    }
}

/// The slices whose rows changed after a version; nothing if all may have.
fn changed(world: &World, place: usize, after: Version) -> Option<BTreeSet<SliceKey>> {
    let Some(table) = &world.tables[place] else { return Some(BTreeSet::new()) };
    if after >= table.newest() {
        return Some(BTreeSet::new());
    }
    table.state().known_ledger()?;
    let mut all = BTreeSet::new();
    for version in table.versions.iter().skip(after.next().number() as usize) {
        all.extend(version.changed.clone()?);
    }
    Some(all)
}

fn changed_externally(world: &World, place: usize) -> BTreeSet<SliceKey> {
    let layout = world.model(place).layout();
    world.tables[place].as_ref().map(|table| table.state().changed_externally(&layout)).unwrap_or_default()
}

fn cut(world: &World, place: usize, rows: &Rows, slice: SliceKey) -> Rows {
    let model = world.model(place);
    rows.iter().filter(|(day, _)| model.slice_of(**day) == slice).map(|(day, rows)| (*day, rows.clone())).collect()
}

impl World {
    fn reads_dimension(&self, place: usize) -> bool {
        let model = self.model(place);
        model.cut != Cut::Whole && model.reads().iter().any(|read| read.is_dimension)
    }

    /// The rows of the code and the versions that something was made of.
    fn made_then(&self, place: usize, made_of: &Provenance) -> Rows {
        let model = self.model(place);
        let words: Vec<&str> = made_of.fingerprint.split(' ').collect();
        let begin = words[2].parse().ok();
        let code = words[4].parse().unwrap();
        let version = |input: &usize| self.rows_at(&made_of.inputs[&name(*input)]);
        let inputs: Vec<Rows> = match model.kind.inputs().as_slice() {
            [] => {
                let InputVersion::Files(version) = &made_of.inputs["files"] else { return Rows::new() };
                vec![self.files[place][version.parse::<usize>().unwrap() - 1].clone()]
            }
            inputs => inputs.iter().map(version).collect(),
        };
        since(begin, model.made_of(code, &inputs.iter().collect::<Vec<_>>()))
    }

    /// The newest rows, with the dimension as it was when something was made.
    fn of_dimension_then(&self, place: usize, made_of: &Provenance) -> Rows {
        let model = self.model(place);
        let inputs: Vec<Rows> = model
            .kind
            .inputs()
            .iter()
            .zip(model.reads())
            .map(|(input, read)| match read.is_dimension {
                true => self.rows_at(&made_of.inputs[&name(*input)]),
                false => self.rows_now(*input),
            })
            .collect();
        since(self.begins[place], model.made_of(self.codes[place], &inputs.iter().collect::<Vec<_>>()))
    }

    fn rows_at(&self, version: &InputVersion) -> Rows {
        match version {
            InputVersion::Table { id, version, .. } => self.rows[&(id.clone(), *version)].clone(),
            InputVersion::Missing | InputVersion::Files(_) => Rows::new(),
        }
    }
}
