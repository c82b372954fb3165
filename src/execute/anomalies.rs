//! Measures the slices of a table, those that a test judges and their history, and finds anomalies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime};
use datafusion::common::Result as EngineResult;

use super::checks::{Checking, Tester};
use super::engine::Joins;
use super::missing::not_built;
use super::reader::{Instead, Reader};
use crate::check::{AnomalousSlice, AnomalyRule, CheckBatch, MeasuredSlice, SliceMeasure};
use crate::delta::TableSchema;
use crate::incremental::{Bound, bind};
use crate::name::TableName;
use crate::table::{DataFile, SliceKey};
use crate::template::ReferenceTarget;

/// The files of a table, and the slices that a test judges.
struct TestedSlices {
    table: TableName,
    files: Arc<Vec<DataFile>>,
    schema: TableSchema,
    judged: JudgedSlices,
}

/// Which slices are judged.
enum JudgedSlices {
    /// Those that a build has written.
    Written(Vec<DataFile>),
    Newest,
}

/// The slices of time of which a file may hold rows, the first and the last.
#[derive(Debug, Clone, Copy)]
struct SliceSpan {
    first: NaiveDateTime,
    last: NaiveDateTime,
}

impl Tester<'_> {
    /// The slices that break the rule of an anomaly test: among those that a build has written, or the newest.
    pub(super) async fn anomalies(
        &self,
        batch: &CheckBatch,
        rule: &AnomalyRule,
        checking: Option<&Checking<'_>>,
    ) -> EngineResult<Vec<AnomalousSlice>> {
        let tested = self.tested_slices(batch, checking)?;
        let measured = match rule.is_of_files {
            true => of_files(rule, &tested),
            false => self.of_rows(batch, rule, &tested).await?,
        };
        Ok(rule.anomalies(&measured))
    }

    fn tested_slices(&self, batch: &CheckBatch, checking: Option<&Checking<'_>>) -> EngineResult<TestedSlices> {
        let name = batch.tables.iter().find_map(|target| match target {
            ReferenceTarget::Model(name) => Some(name),
            ReferenceTarget::Source(_) | ReferenceTarget::This => None,
        });
        let Some(model) = name.and_then(|name| self.catalog.typed.get(name)) else { return not_built("the table") };
        if let Some(checking) = checking.filter(|checking| checking.model.table == model.table) {
            return Ok(TestedSlices {
                table: model.table.clone(),
                files: Arc::clone(&checking.whole),
                schema: TableSchema::of(&checking.model.schema)?,
                judged: JudgedSlices::Written(checking.new.to_vec()),
            });
        }
        match self.catalog.state_of(&model.table) {
            Some(state) => Ok(TestedSlices {
                table: model.table.clone(),
                files: Arc::clone(&state.files),
                schema: state.schema.clone(),
                judged: JudgedSlices::Newest,
            }),
            None => not_built(&model.table.to_string()),
        }
    }

    /// Asks for the values of the slices that are needed, in the files that hold them.
    async fn of_rows(
        &self,
        batch: &CheckBatch,
        rule: &AnomalyRule,
        tested: &TestedSlices,
    ) -> EngineResult<Vec<MeasuredSlice>> {
        let places: Vec<Option<SliceSpan>> = tested.files.iter().map(|file| file_slices(rule, file)).collect();
        let bounds = places.iter().flatten().flat_map(|place| [place.first, place.last]);
        let mut known: Vec<NaiveDateTime> = bounds.collect();
        known.sort_unstable();
        known.dedup();
        let is_judged = tested.is_judged(rule, known.last().copied());
        // Where files hold rows of one slice each, all slices are known by now. Otherwise the whole table is looked at: one column.
        let needed: Option<BTreeSet<NaiveDateTime>> =
            rule.layout.has_files_of_slices().then(|| rule.needed(&known, &is_judged).into_iter().collect());
        let is_needed = |place: &Option<SliceSpan>| match (place, &needed) {
            (Some(place), Some(needed)) => needed.contains(&place.first),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let files: Vec<DataFile> = tested
            .files
            .iter()
            .zip(&places)
            .filter(|(_, place)| is_needed(place))
            .map(|(file, _)| file.clone())
            .collect();
        let instead = Instead { files: Arc::new(files), schema: tested.schema.clone() };
        let reader = Reader::new(self.catalog).with(&tested.table, instead);
        let plan = bind(&batch.plan, Bound::Whole, &mut |table| reader.provide(table))?;
        let mut measured = Vec::new();
        for rows in self.engine.collect(&plan, Joins::Hash).await? {
            let slices = cast(rows.column(0), &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let slices = slices.as_primitive::<TimestampMicrosecondType>();
            let values = cast(rows.column(1), &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            for row in 0..rows.num_rows() {
                let is_there = slices.is_valid(row) && values.is_valid(row);
                let Some(at) = is_there.then(|| DateTime::from_timestamp_micros(slices.value(row))).flatten() else {
                    continue;
                };
                let slice = at.naive_utc();
                // NaN and infinity are no values that others can be compared with.
                if let Some(value) = Some(values.value(row)).filter(|value| value.is_finite()) {
                    measured.push(MeasuredSlice { slice, value, is_judged: is_judged(slice) });
                }
            }
        }
        measured.sort_by_key(|one| one.slice);
        Ok(measured)
    }
}

impl TestedSlices {
    /// Whether a slice is judged; `newest` is the newest one.
    fn is_judged(&self, rule: &AnomalyRule, newest: Option<NaiveDateTime>) -> impl Fn(NaiveDateTime) -> bool {
        let written: Option<Vec<SliceSpan>> = match &self.judged {
            JudgedSlices::Written(files) => Some(files.iter().filter_map(|file| file_slices(rule, file)).collect()),
            JudgedSlices::Newest => None,
        };
        move |slice| match &written {
            Some(places) => places.iter().any(|place| place.first <= slice && slice <= place.last),
            None => Some(slice) == newest,
        }
    }
}

/// The slices of which a file may hold rows. Returns `None` if it has rows without a time alone, or does not say.
fn file_slices(rule: &AnomalyRule, file: &DataFile) -> Option<SliceSpan> {
    if let Some(slice) = rule.layout.slice_of(&file.partition) {
        return match slice {
            SliceKey::At(at) => Some(SliceSpan { first: at, last: at }),
            SliceKey::NullTime | SliceKey::All => None,
        };
    }
    let (first, last) = file.times(&rule.event_time)?;
    Some(SliceSpan { first: rule.grain.floor(first), last: rule.grain.floor(last) })
}

/// Rows or bytes of the files of each slice: nothing is read.
fn of_files(rule: &AnomalyRule, tested: &TestedSlices) -> Vec<MeasuredSlice> {
    let mut sums: BTreeMap<NaiveDateTime, f64> = BTreeMap::new();
    for file in tested.files.iter() {
        let Some(place) = file_slices(rule, file) else { continue };
        let value = match rule.measure {
            SliceMeasure::Bytes => file.bytes,
            SliceMeasure::Rows | SliceMeasure::Mean => file.rows.unwrap_or_default(),
        };
        *sums.entry(place.first).or_default() += value as f64;
    }
    let is_judged = tested.is_judged(rule, sums.keys().last().copied());
    sums.into_iter().map(|(slice, value)| MeasuredSlice { slice, value, is_judged: is_judged(slice) }).collect()
}
