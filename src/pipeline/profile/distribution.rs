//! How the values of a column are distributed: different values, the most frequent ones, and a histogram.

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;

use super::report::{ColumnProfile, FrequentValue, HistogramBin};
use super::scan::count;
use super::{Profiler, is_nested, plain_type, unreadable, value_at};
use crate::chart::{BinEdges, Extent, LARGEST, bin_edges};
use crate::failure::Failure;
use crate::figures::counted;
use crate::name::quoted;
use crate::project::ValueFormat;

/// Into how many ranges numbers are divided, about.
const BINS: usize = 20;
/// More steps of time cannot be read.
const MOST_STEPS: usize = 60;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

impl Profiler<'_> {
    /// Adds what was asked for of a column. Each question reads that column alone.
    pub(super) async fn add_distribution(&self, field: &Field, column: &mut ColumnProfile) -> Result<(), Failure> {
        let data_type = plain_type(field.data_type());
        let is_asked = self.request.distinct || self.request.top.is_some() || self.request.histogram;
        if is_asked && is_nested(data_type) {
            column.notes.push(format!("values of the type {} have no order and are not counted", column.data_type));
            return Ok(());
        }
        if self.request.distinct {
            column.distinct = Some(self.distinct(field).await?);
        }
        if let Some(most) = self.request.top {
            column.top = Some(self.top(field, most).await?);
        }
        if self.request.histogram {
            self.add_histogram(field, column).await?;
        }
        Ok(())
    }

    /// Rows that have a value, each group once: a group can be spilled to the disk, a set of different values cannot.
    fn groups(&self, field: &Field, figures: &str) -> String {
        let column = quoted(field.name());
        format!("select {figures} from {} group by {column} having {column} is not null", self.tested_rows())
    }

    async fn distinct(&self, field: &Field) -> Result<u64, Failure> {
        let groups = self.groups(field, "1 as one");
        let batches = self.rows(format!("select count(*) as n from ({groups}) as different")).await?;
        let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(0) };
        Ok(count(&value_at(batch, 0, 0).map_err(unreadable)?).unwrap_or_default())
    }

    async fn top(&self, field: &Field, most: usize) -> Result<Vec<FrequentValue>, Failure> {
        let groups = self.groups(field, &format!("{} as x, count(*) as n", quoted(field.name())));
        let batches =
            self.rows(format!("select x, n from ({groups}) as counted order by n desc, x limit {most}")).await?;
        let mut found = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let value = value_at(batch, 0, row).map_err(unreadable)?;
                let rows = count(&value_at(batch, 1, row).map_err(unreadable)?).unwrap_or_default();
                found.push(FrequentValue { value, rows });
            }
        }
        Ok(found)
    }

    async fn add_histogram(&self, field: &Field, column: &mut ColumnProfile) -> Result<(), Failure> {
        let data_type = plain_type(field.data_type());
        match data_type {
            DataType::Date32 | DataType::Timestamp(..) => self.add_steps(field, column).await,
            numeric if numeric.is_numeric() => self.add_ranges(field, column).await,
            _ => {
                let kind = &column.data_type;
                column.notes.push(format!(
                    "a histogram counts numbers, dates and timestamps, not {kind}: `--top` counts its values"
                ));
                Ok(())
            }
        }
    }

    /// Steps of the calendar, as long as the whole time asks for.
    async fn add_steps(&self, field: &Field, column: &mut ColumnProfile) -> Result<(), Failure> {
        let seconds =
            |figure: &Option<super::Figure<ScalarValue>>| figure.as_ref().and_then(|one| seconds_of(&one.value));
        let Some(span) = seconds(&column.max).zip(seconds(&column.min)).map(|(max, min)| max - min) else {
            column.histogram = Some(Vec::new());
            return Ok(());
        };
        let is_date = plain_type(field.data_type()) == &DataType::Date32;
        let step = match span {
            ..=172_800.0 if !is_date => "hour",
            span if span <= 60.0 * DAY => "day",
            span if span <= 1_826.0 * DAY => "month",
            _ => "year",
        };
        let name = quoted(field.name());
        let truncated = format!("date_trunc('{step}', {name})");
        let sql = format!(
            "select {truncated} as x, count(*) as n from {} group by {truncated} having {truncated} is not null order by x limit {}",
            self.tested_rows(),
            MOST_STEPS + 1
        );
        let mut bins = Vec::new();
        for batch in self.rows(sql).await? {
            for row in 0..batch.num_rows() {
                let from = value_at(&batch, 0, row).map_err(unreadable)?;
                let rows = count(&value_at(&batch, 1, row).map_err(unreadable)?).unwrap_or_default();
                bins.push(HistogramBin { from: shown_step(&from, step), to: None, rows });
            }
        }
        if bins.len() > MOST_STEPS {
            bins.truncate(MOST_STEPS);
            column.notes.push(format!("the histogram shows the first {}", counted(MOST_STEPS, step)));
        }
        column.histogram = Some(bins);
        Ok(())
    }

    /// Ranges of equal length.
    async fn add_ranges(&self, field: &Field, column: &mut ColumnProfile) -> Result<(), Failure> {
        let name = quoted(field.name());
        let data_type = plain_type(field.data_type());
        let is_finite = match data_type.is_floating() {
            true => format!(
                "{name} >= cast('-{LARGEST:e}' as double precision) and {name} <= cast('{LARGEST:e}' as double precision)"
            ),
            false => format!("{name} is not null"),
        };
        let rows = self.tested_rows();
        let sql = format!(
            "select count({name}) as given, count(*) filter (where {is_finite}) as finite, \
             cast(min({name}) filter (where {is_finite}) as double precision) as low, \
             cast(max({name}) filter (where {is_finite}) as double precision) as high from {rows}"
        );
        let batches = self.rows(sql).await?;
        let Some(facts) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(()) };
        let fact = |place: usize| value_at(facts, place, 0).map_err(unreadable);
        let (ScalarValue::Float64(Some(low)), ScalarValue::Float64(Some(high))) = (fact(2)?, fact(3)?) else {
            column.histogram = Some(Vec::new());
            return Ok(());
        };
        let dropped = count(&fact(0)?).unwrap_or_default() - count(&fact(1)?).unwrap_or_default();
        if dropped > 0 {
            let values = counted(usize::try_from(dropped).unwrap_or(usize::MAX), "value");
            column.notes.push(format!("the histogram is without {values} that are infinite or no number"));
        }
        let extent = Extent { low, high };
        let BinEdges { numbers, inner, is_each } = bin_edges(extent, BINS, data_type.is_integer(), ValueFormat::Number);
        let counts: Vec<String> = (0..=inner.len())
            .map(|range| {
                let from = range.checked_sub(1).and_then(|edge| inner.get(edge));
                let from = from.map(|edge| format!(" and {name} >= {edge}")).unwrap_or_default();
                let to = inner.get(range).map(|edge| format!(" and {name} < {edge}")).unwrap_or_default();
                format!("count(*) filter (where {is_finite}{from}{to}) as range_{range}")
            })
            .collect();
        let batches = self.rows(format!("select {} from {rows}", counts.join(",\n    "))).await?;
        let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(()) };
        let mut bins = Vec::new();
        for (place, edges) in numbers.windows(2).enumerate() {
            let [from, to] = edges else { continue };
            let rows = count(&value_at(row, place, 0).map_err(unreadable)?).unwrap_or_default();
            bins.push(HistogramBin { from: from.to_string(), to: (!is_each).then(|| to.to_string()), rows });
        }
        column.histogram = Some(bins);
        Ok(())
    }
}

/// Seconds since 1970. Returns `None` for a null.
fn seconds_of(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Date32(days) => days.map(|days| f64::from(days) * DAY),
        ScalarValue::TimestampSecond(at, _) => at.map(|at| at as f64),
        ScalarValue::TimestampMillisecond(at, _) => at.map(|at| at as f64 / 1e3),
        ScalarValue::TimestampMicrosecond(at, _) => at.map(|at| at as f64 / 1e6),
        ScalarValue::TimestampNanosecond(at, _) => at.map(|at| at as f64 / 1e9),
        ScalarValue::Dictionary(_, value) => seconds_of(value),
        _ => None,
    }
}

/// The beginning of a step, as far as it tells one from the next.
fn shown_step(value: &ScalarValue, step: &str) -> String {
    let text = super::report::shown_value(value);
    let length = match step {
        "year" => "2023".len(),
        "month" => "2023-05".len(),
        "day" => "2023-05-01".len(),
        _ => "2023-05-01 10:00".len(),
    };
    text.get(..length).map_or_else(|| text.clone(), str::to_owned)
}
