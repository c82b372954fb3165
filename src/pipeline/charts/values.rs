//! Columns of query results as the values of charts.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;

use super::plan::PlaceKind;
use crate::chart::{ChartPlaces, ChartSeries, LARGEST};
use crate::shown::value_options;

/// A name of which there is no value.
const NULL: &str = "null";

/// One place of the column along a chart. Numbers are compared as what they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PlaceValue {
    /// Microseconds since 1970.
    Time(i64),
    Number(f64),
    Name(String),
}

/// The column along the chart: `None` for what has no place on it.
pub(super) fn place_values(column: &ArrayRef, kind: PlaceKind) -> Result<Vec<Option<PlaceValue>>, ArrowError> {
    Ok(match kind {
        PlaceKind::Days => {
            let days = cast(&cast(column, &DataType::Date32)?, &DataType::Int32)?;
            let micros = |day: i32| i64::from(day).checked_mul(86_400_000_000).map(PlaceValue::Time);
            days.as_primitive::<Int32Type>().iter().map(|day| day.and_then(micros)).collect()
        }
        PlaceKind::Times => {
            let zone = match column.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let micros = cast(&cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone))?, &DataType::Int64)?;
            micros.as_primitive::<Int64Type>().iter().map(|at| at.map(PlaceValue::Time)).collect()
        }
        PlaceKind::Numbers(_) => numbers(column)?
            .into_iter()
            .map(|number| number.filter(|number| is_drawn(*number)).map(PlaceValue::Number))
            .collect(),
        PlaceKind::Names => names(column)?.into_iter().map(|name| Some(PlaceValue::Name(name))).collect(),
    })
}

/// The values of a column as texts; nulls have a name too.
pub(super) fn names(column: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let options = value_options().with_null(NULL);
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    (0..column.len()).map(|row| formatter.value(row).try_to_string()).collect()
}

/// The values of a measure.
pub(super) fn numbers(column: &ArrayRef) -> Result<Vec<Option<f64>>, ArrowError> {
    let numbers = cast(column, &DataType::Float64)?;
    Ok(numbers.as_primitive::<Float64Type>().iter().collect())
}

/// All rows of a column of a result.
pub(super) fn joined<T>(
    batches: &[RecordBatch],
    column: usize,
    read: impl Fn(&ArrayRef) -> Result<Vec<T>, ArrowError>,
) -> Result<Vec<T>, ArrowError> {
    let mut all = Vec::new();
    for batch in batches {
        all.extend(read(batch.column(column))?);
    }
    Ok(all)
}

/// The first row of numbers of a result, a null being nothing.
pub(super) fn first_row(batches: &[RecordBatch]) -> Result<Vec<Option<f64>>, ArrowError> {
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
    let first = |column: &ArrayRef| Ok(numbers(&column.slice(0, 1))?.into_iter().next().flatten());
    batch.columns().iter().map(first).collect()
}

/// Whether a number has a place on an axis: not if it is infinite or none.
fn is_drawn(number: f64) -> bool {
    number.abs() <= LARGEST
}

/// A measure of a chart: how often it cannot be drawn, and its values without these.
pub(super) struct FiniteSeries {
    pub values: Vec<Option<f64>>,
    pub dropped: usize,
}

impl FiniteSeries {
    pub fn of(values: Vec<Option<f64>>) -> Self {
        let dropped = values.iter().flatten().filter(|value| !is_drawn(**value)).count();
        Self { values: values.into_iter().map(|value| value.filter(|value| is_drawn(*value))).collect(), dropped }
    }
}

/// Rows of a chart: places, and a value for each measure.
pub(super) struct ChartRows {
    pub places: Vec<PlaceValue>,
    pub series: Vec<ChartSeries>,
}

impl ChartRows {
    /// The same in the order of the places.
    pub fn sorted(self) -> Self {
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by(|one, other| match (self.places.get(*one), self.places.get(*other)) {
            (Some(PlaceValue::Time(one)), Some(PlaceValue::Time(other))) => one.cmp(other),
            (Some(PlaceValue::Number(one)), Some(PlaceValue::Number(other))) => one.total_cmp(other),
            _ => std::cmp::Ordering::Equal,
        });
        let places = order.iter().filter_map(|place| self.places.get(*place).cloned()).collect();
        let series = self.series.into_iter().map(|series| ChartSeries {
            values: order.iter().map(|place| series.values.get(*place).copied().flatten()).collect(),
            name: series.name,
        });
        Self { places, series: series.collect() }
    }

    /// Rows of one measure that another column divides into series: over all places, with nothing where there is no row.
    pub fn split(places: &[PlaceValue], of: &[String], values: &[Option<f64>]) -> Self {
        let mut distinct: Vec<PlaceValue> = Vec::new();
        let mut found: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for ((place, name), value) in places.iter().zip(of).zip(values) {
            // Rows come in the order of the places.
            if distinct.last() != Some(place) {
                distinct.push(place.clone());
            }
            let series = found.entry(name.clone()).or_default();
            series.resize(distinct.len() - 1, None);
            series.push(*value);
        }
        let series = found.into_iter().map(|(name, mut values)| {
            values.resize(distinct.len(), None);
            ChartSeries { name, values }
        });
        Self { series: series.collect(), places: distinct }
    }
}

/// The places of a chart in the form in which it is drawn.
pub(super) fn chart_places(places: Vec<PlaceValue>, kind: PlaceKind) -> ChartPlaces {
    let times = |places: Vec<PlaceValue>| {
        places.into_iter().filter_map(|place| if let PlaceValue::Time(at) = place { Some(at) } else { None }).collect()
    };
    match kind {
        PlaceKind::Days => ChartPlaces::days(times(places)),
        PlaceKind::Times => ChartPlaces::Times(times(places)),
        PlaceKind::Numbers(_) => {
            let number = |place| if let PlaceValue::Number(number) = place { Some(number) } else { None };
            ChartPlaces::Numbers(places.into_iter().filter_map(number).collect())
        }
        PlaceKind::Names => {
            let name = |place| if let PlaceValue::Name(name) = place { Some(name) } else { None };
            ChartPlaces::Names(places.into_iter().filter_map(name).collect())
        }
    }
}
