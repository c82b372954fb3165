//! Draws charts: asks the tables for the values, in bounded numbers, and says what is left out.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::plan::{ChartColumn, NumberKind, PlaceKind, PlannedChart};
use super::values::{ChartRows, FiniteSeries, chart_places, first_row, joined, names, numbers, place_values};
use crate::catalog::Catalog;
use crate::chart::{
    BinEdges, Chart, ChartFigure, ChartPicture, ChartPlaces, ChartPlot, ChartSeries, Extent, LARGEST, bin_edges,
    exact_text, place_text,
};
use crate::diag::{Code, Diagnostic, Sink};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::figures::{counted, grouped};
use crate::name::quoted;
use crate::pipeline::load::Compiled;
use crate::pipeline::query::Query;
use crate::project::{ChartKind, ValueFormat};

/// A chart of more values says nothing, and takes memory.
const MOST_VALUES: usize = 20_000;
/// More lines or colours cannot be told apart.
const MOST_SERIES: usize = 8;
/// More names cannot be read.
const MOST_NAMES: usize = 100;

/// What draws charts.
#[derive(Clone, Copy)]
pub(crate) struct ChartDrawer<'a> {
    pub compiled: &'a Compiled,
    pub catalog: &'a Catalog<'a>,
    pub engine: &'a Engine,
}

/// The picture of a chart and what is not in it.
struct ChartDrawing {
    picture: ChartPicture,
    notes: Vec<String>,
}

/// How many rows a chart has, by what becomes of them.
struct PointCounts {
    /// Rows without a place along the chart.
    unplaced: usize,
    /// Different places.
    places: usize,
    /// Different places, in each series.
    points: usize,
    /// The rows of the place that has the most.
    most: usize,
}

impl ChartDrawer<'_> {
    /// Draws a chart.
    ///
    /// # Errors
    ///
    /// Returns an error if the table does not exist or cannot be read, if there are too many values to draw, or if
    /// several rows have one place.
    pub async fn draw(&self, chart: &PlannedChart<'_>) -> Result<Chart, Failure> {
        let declared = chart.declared;
        let drawing = match (declared.kind.value, chart.x) {
            (ChartKind::Number, x) => self.number(chart, x).await?,
            (ChartKind::Histogram, Some(x)) => self.histogram(chart, x).await?,
            (ChartKind::Line | ChartKind::Bar, Some(x)) => self.plot(chart, x).await?,
            (ChartKind::Histogram | ChartKind::Line | ChartKind::Bar, None) => {
                ChartDrawing { picture: ChartPicture::Empty, notes: Vec::new() }
            }
        };
        Ok(Chart {
            model: chart.model.name.to_string(),
            name: declared.name.value.clone(),
            title: declared.title.clone(),
            description: declared.description.clone(),
            picture: drawing.picture,
            notes: drawing.notes,
        })
    }

    /// The rows of a query, which has a limit of its own.
    async fn rows(&self, chart: &PlannedChart<'_>, sql: String) -> Result<Vec<RecordBatch>, Failure> {
        let mut sink = Sink::default();
        let span = chart.span();
        let query = Query::over_model(self.compiled, chart.text(sql), span.file, &mut sink).map_err(|_reported| {
            let said = sink.take().into_iter().next();
            let fallback = || Diagnostic::error(Code::InvalidPlan, "the chart cannot be planned").at(span);
            Failure::Project(said.unwrap_or_else(fallback))
        })?;
        Ok(query.rows(self.catalog, self.engine, 0).await?.batches)
    }

    async fn number(&self, chart: &PlannedChart<'_>, x: Option<ChartColumn<'_>>) -> Result<ChartDrawing, Failure> {
        let Some(measure) = chart.declared.y.first() else { return Ok(empty()) };
        let y = quoted(&measure.value);
        let format = chart.declared.format;
        let rows = chart.rows();
        let sql = match x {
            Some(x) => {
                let place = quoted(&x.name.value);
                let placed = placed_rows(chart, &x);
                format!("select {y} as y, {place} as x from {placed} order by {place} desc limit 2")
            }
            None => format!("select {y} as y from {rows} limit 2"),
        };
        let batches = self.rows(chart, sql).await?;
        let values = joined(&batches, 0, numbers).map_err(unreadable)?;
        let written = joined(&batches, 0, names).map_err(unreadable)?;
        let text = |row: usize| {
            let value = values.get(row).copied().flatten()?;
            Some(exact_text(written.get(row)?, value, format))
        };
        if values.is_empty() {
            return Ok(empty());
        }
        let Some(x) = x else {
            if values.len() > 1 {
                let diagnostic = refused(chart, "the chart is one value, and the model has several rows".to_owned());
                return Err(Failure::Project(diagnostic.help("`x: …` takes the newest row; `where` chooses one")));
            }
            let figure = ChartFigure { text: text(0), of: measure.value.clone(), before: None };
            return Ok(ChartDrawing { picture: ChartPicture::Number(figure), notes: Vec::new() });
        };
        let found = joined(&batches, 1, |column| place_values(column, x.kind)).map_err(unreadable)?;
        let found: Vec<_> = found.into_iter().flatten().collect();
        let is_double = matches!(found.as_slice(), [one, other] if one == other);
        let places = chart_places(found, x.kind);
        if is_double {
            return Err(several_rows(chart, &x, &place_text(&places, 0)));
        }
        let before = (places.len() > 1)
            .then(|| format!("{}: {}", place_text(&places, 1), text(1).unwrap_or_else(|| "null".to_owned())));
        let of = format!("{}, {}", measure.value, place_text(&places, 0));
        let figure = ChartFigure { text: text(0), of, before };
        Ok(ChartDrawing { picture: ChartPicture::Number(figure), notes: Vec::new() })
    }

    async fn histogram(&self, chart: &PlannedChart<'_>, x: ChartColumn<'_>) -> Result<ChartDrawing, Failure> {
        let column = quoted(&x.name.value);
        let rows = chart.rows();
        let is_finite = finite(&column, x.kind);
        let sql = format!(
            "select count(*) as n, count({column}) as given, count(*) filter (where {is_finite}) as finite, \
             min({column}) filter (where {is_finite}) as low, max({column}) filter (where {is_finite}) as high from {rows}"
        );
        let facts = first_row(&self.rows(chart, sql).await?).map_err(unreadable)?;
        let [Some(all), Some(given), Some(finite), Some(low), Some(high)] = facts.as_slice() else {
            let all = facts.first().copied().flatten().unwrap_or_default();
            return Ok(ChartDrawing {
                picture: ChartPicture::Empty,
                notes: without(all as usize, &x).into_iter().collect(),
            });
        };
        let declared = chart.declared;
        let extent = Extent { low: *low, high: *high };
        let is_whole = x.kind == PlaceKind::Numbers(NumberKind::Whole);
        let BinEdges { numbers: edges, inner, is_each } = bin_edges(extent, declared.bins, is_whole, declared.format);
        let counts: Vec<String> = (0..=inner.len())
            .map(|range| {
                let from = range.checked_sub(1).and_then(|edge| inner.get(edge));
                let from = from.map(|edge| format!(" and {column} >= {edge}")).unwrap_or_default();
                let to = inner.get(range).map(|edge| format!(" and {column} < {edge}")).unwrap_or_default();
                format!("count(*) filter (where {is_finite}{from}{to}) as range_{range}")
            })
            .collect();
        let sql = format!("select {} from {rows}", counts.join(",\n    "));
        let values = first_row(&self.rows(chart, sql).await?).map_err(unreadable)?;
        let mut notes: Vec<String> = without((all - given) as usize, &x).into_iter().collect();
        notes.extend(infinite((given - finite) as usize));
        let places = if is_each {
            ChartPlaces::Numbers(edges.into_iter().take(values.len()).collect())
        } else {
            ChartPlaces::Ranges { edges, format: declared.format }
        };
        let plot = ChartPlot {
            x_name: x.name.value.clone(),
            places,
            series: vec![ChartSeries { name: "rows".to_owned(), values }],
            format: ValueFormat::Number,
        };
        Ok(ChartDrawing { picture: ChartPicture::Bars(plot), notes })
    }

    async fn plot(&self, chart: &PlannedChart<'_>, x: ChartColumn<'_>) -> Result<ChartDrawing, Failure> {
        let declared = chart.declared;
        let counts = self.counts(chart, &x).await?;
        if counts.most > 1 {
            let place = self.place_of_several(chart, &x).await?;
            return Err(several_rows(chart, &x, &place));
        }
        let mut notes: Vec<String> = without(counts.unplaced, &x).into_iter().collect();
        let limit = match x.kind {
            PlaceKind::Names if declared.split.is_none() => Some(declared.limit.unwrap_or(MOST_NAMES).min(MOST_NAMES)),
            _ => declared.limit,
        };
        let limit = limit.filter(|limit| *limit < counts.places);
        if limit.is_none() && x.kind == PlaceKind::Names && counts.places > MOST_NAMES {
            return Err(too_many(chart, &x, counts.places, MOST_NAMES));
        }
        if limit.is_none() && counts.points * declared.y.len() > MOST_VALUES {
            return Err(too_many(chart, &x, counts.points * declared.y.len(), MOST_VALUES));
        }
        if let Some(limit) = limit {
            notes.push(limited(chart, &x, limit, counts.places));
        }
        let batches = self.rows(chart, points(chart, &x, limit)).await?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if found * declared.y.len() > MOST_VALUES {
            return Err(too_many(chart, &x, found * declared.y.len(), MOST_VALUES));
        }
        let rows = series_of(chart, &x, &batches, &mut notes).map_err(unreadable)?;
        if rows.places.is_empty() {
            return Ok(ChartDrawing { picture: ChartPicture::Empty, notes });
        }
        let plot = ChartPlot {
            x_name: x.name.value.clone(),
            places: chart_places(rows.places, x.kind),
            series: rows.series,
            format: declared.format,
        };
        let picture = match declared.kind.value {
            ChartKind::Line => ChartPicture::Lines(plot),
            ChartKind::Bar | ChartKind::Number | ChartKind::Histogram => ChartPicture::Bars(plot),
        };
        Ok(ChartDrawing { picture, notes })
    }

    async fn counts(&self, chart: &PlannedChart<'_>, x: &ChartColumn<'_>) -> Result<PointCounts, Failure> {
        let is_placed = if x.kind.has_order() { "x is not null" } else { "true" };
        let sql = format!(
            "select coalesce(sum(n) filter (where not ({is_placed})), 0) as unplaced, \
             count(distinct x) + coalesce(max(case when x is null and {is_placed} then 1 end), 0) as places, \
             count(*) filter (where {is_placed}) as points, coalesce(max(n) filter (where {is_placed}), 0) as most \
             from ({}) as points",
            groups(chart, x)
        );
        let facts = first_row(&self.rows(chart, sql).await?).map_err(unreadable)?;
        let count = |place: usize| facts.get(place).copied().flatten().unwrap_or_default() as usize;
        Ok(PointCounts { unplaced: count(0), places: count(1), points: count(2), most: count(3) })
    }

    /// A place that several rows have.
    async fn place_of_several(&self, chart: &PlannedChart<'_>, x: &ChartColumn<'_>) -> Result<String, Failure> {
        let condition = if x.kind.has_order() { " where x is not null" } else { "" };
        let sql = format!("select x from ({}) as points{condition} order by n desc, x limit 1", groups(chart, x));
        let batches = self.rows(chart, sql).await?;
        let found = joined(&batches, 0, |column| place_values(column, x.kind)).map_err(unreadable)?;
        Ok(place_text(&chart_places(found.into_iter().flatten().collect(), x.kind), 0))
    }
}

fn empty() -> ChartDrawing {
    ChartDrawing { picture: ChartPicture::Empty, notes: Vec::new() }
}

/// How many rows there are for each place of each series.
fn groups(chart: &PlannedChart<'_>, x: &ChartColumn<'_>) -> String {
    let place = quoted(&x.name.value);
    let split = chart.declared.split.iter().map(|split| format!(", {}", quoted(&split.value))).collect::<String>();
    format!("select {place} as x, count(*) as n from {} group by {place}{split}", chart.rows())
}

/// The rows that have a place along the chart, as they stand behind FROM.
fn placed_rows(chart: &PlannedChart<'_>, x: &ChartColumn<'_>) -> String {
    let rows = chart.rows();
    if !x.kind.has_order() {
        return rows;
    }
    let joined = if chart.declared.filter.is_some() { "and" } else { "where" };
    format!("{rows} {joined} {}", finite(&quoted(&x.name.value), x.kind))
}

/// The condition that a column has a value with a place on an axis.
fn finite(column: &str, kind: PlaceKind) -> String {
    match kind {
        PlaceKind::Numbers(NumberKind::Floating) => {
            format!(
                "{column} >= cast('-{LARGEST:e}' as double precision) and {column} <= cast('{LARGEST:e}' as double precision)"
            )
        }
        PlaceKind::Days | PlaceKind::Times | PlaceKind::Numbers(_) | PlaceKind::Names => {
            format!("{column} is not null")
        }
    }
}

/// The query for the values of a line or of bars: place, split, measures.
fn points(chart: &PlannedChart<'_>, x: &ChartColumn<'_>, limit: Option<usize>) -> String {
    let declared = chart.declared;
    let place = quoted(&x.name.value);
    let split = declared.split.as_ref().map(|split| quoted(&split.value));
    let measures: Vec<String> = declared.y.iter().map(|measure| quoted(&measure.value)).collect();
    let columns: Vec<String> = [place.clone(), split.clone().unwrap_or_else(|| "null".to_owned())]
        .iter()
        .chain(&measures)
        .enumerate()
        .map(|(number, column)| format!("{column} as c{number}"))
        .collect();
    let mut sql = format!("select {} from {}", columns.join(", "), placed_rows(chart, x));
    // One more than may be drawn, to know whether there are more.
    let most = MOST_VALUES / declared.y.len().max(1) + 1;
    match (limit, split) {
        (Some(limit), Some(split)) => {
            let newest = format!(
                "select min(x) from (select distinct {place} as x from {} order by x desc limit {limit}) as newest",
                placed_rows(chart, x)
            );
            sql.push_str(&format!(" and {place} >= ({newest}) order by {place}, {split} limit {most}"));
        }
        (None, Some(split)) => sql.push_str(&format!(" order by {place}, {split} limit {most}")),
        (limit, None) => {
            let rows = limit.unwrap_or(most).min(most);
            let order = if x.kind.has_order() {
                format!("{place} desc")
            } else {
                let first = measures.first().map_or("1", String::as_str);
                format!("{first} desc nulls last, {place}")
            };
            sql.push_str(&format!(" order by {order} limit {rows}"));
        }
    }
    sql
}

/// The rows of a result as series, with notes on what is not drawn.
fn series_of(
    chart: &PlannedChart<'_>,
    x: &ChartColumn<'_>,
    batches: &[RecordBatch],
    notes: &mut Vec<String>,
) -> Result<ChartRows, ArrowError> {
    let declared = chart.declared;
    let found = joined(batches, 0, |column| place_values(column, x.kind))?;
    // Times beyond the calendar are the only ones that a query gives and that have no place.
    let is_placed: Vec<bool> = found.iter().map(Option::is_some).collect();
    notes.extend(without(is_placed.iter().filter(|is_placed| !**is_placed).count(), x));
    let mut dropped = 0;
    let mut measures: Vec<Vec<Option<f64>>> = Vec::new();
    for number in 0..declared.y.len() {
        let values = FiniteSeries::of(joined(batches, 2 + number, numbers)?);
        dropped += values.dropped;
        measures.push(placed(values.values, &is_placed));
    }
    notes.extend(infinite(dropped));
    let places = found.into_iter().flatten().collect::<Vec<_>>();
    let Some(split) = &declared.split else {
        let series = declared.y.iter().zip(measures);
        let series = series.map(|(measure, values)| ChartSeries { name: measure.value.clone(), values });
        return Ok(ChartRows { series: series.collect(), places }.sorted());
    };
    let of = placed(joined(batches, 1, names)?, &is_placed);
    let values = measures.into_iter().next().unwrap_or_default();
    let mut rows = ChartRows::split(&places, &of, &values);
    let all = rows.series.len();
    // The sort is stable, and series come in the order of their names.
    rows.series.sort_by(|one, other| total(other).total_cmp(&total(one)));
    if all > MOST_SERIES {
        rows.series.truncate(MOST_SERIES);
        let measure = declared.y.first().map_or("", |measure| measure.value.as_str());
        notes.push(format!(
            "{MOST_SERIES} of {} values of `{}` are drawn, those with the largest sums of `{measure}`",
            grouped(all as u64),
            split.value
        ));
    }
    Ok(rows)
}

/// Values without those of rows that have no place.
fn placed<T>(values: Vec<T>, is_placed: &[bool]) -> Vec<T> {
    values.into_iter().zip(is_placed).filter(|(_, is_placed)| **is_placed).map(|(value, _)| value).collect()
}

fn total(series: &ChartSeries) -> f64 {
    series.values.iter().flatten().map(|value| value.abs()).sum()
}

fn without(rows: usize, x: &ChartColumn<'_>) -> Option<String> {
    (rows > 0).then(|| format!("{} without `{}` {} not drawn", counted(rows, "row"), x.name.value, are(rows)))
}

fn infinite(values: usize) -> Option<String> {
    let what = "too large to draw, or no number";
    (values > 0).then(|| format!("{} {} {what}", counted(values, "value"), are(values)))
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// What to say of a chart that shows a part of its places.
fn limited(chart: &PlannedChart<'_>, x: &ChartColumn<'_>, limit: usize, places: usize) -> String {
    let limit = grouped(limit as u64);
    let places = grouped(places as u64);
    match x.kind {
        PlaceKind::Days | PlaceKind::Times => format!("the newest {limit} of {places} are drawn"),
        PlaceKind::Numbers(_) => format!("{limit} of {places} are drawn, those with the largest `{}`", x.name.value),
        PlaceKind::Names => {
            let measure = chart.declared.y.first().map_or("", |measure| measure.value.as_str());
            format!("{limit} of {places} are drawn, those with the largest `{measure}`")
        }
    }
}

fn refused(chart: &PlannedChart<'_>, message: String) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message).at(chart.declared.name.span)
}

fn several_rows(chart: &PlannedChart<'_>, x: &ChartColumn<'_>, place: &str) -> Failure {
    let of = match &chart.declared.split {
        Some(split) => format!(" of one `{}`", split.value),
        None => String::new(),
    };
    let message = format!("several rows{of} have the `{}` {place}: which of them is drawn?", x.name.value);
    let help = match chart.declared.split {
        Some(_) => "choose rows with `where`, or draw a model that has one row for each",
        None => "`split: …` by the column that tells them apart, or draw a model that has one row for each",
    };
    Failure::Project(refused(chart, message).help(help))
}

fn too_many(chart: &PlannedChart<'_>, x: &ChartColumn<'_>, found: usize, most: usize) -> Failure {
    let message = match x.kind {
        PlaceKind::Names => format!("the chart has {} names, and at most {most} can be read", grouped(found as u64)),
        _ => format!("the chart has more than {} values, which nobody can tell apart", grouped(most as u64)),
    };
    let diagnostic = refused(chart, message);
    Failure::Project(match (x.kind, &chart.declared.split) {
        (PlaceKind::Names, Some(_)) => diagnostic.help("choose rows with `where`"),
        _ => diagnostic.help("draw the newest with `limit: …`, or choose rows with `where`"),
    })
}

fn unreadable(error: ArrowError) -> Failure {
    Failure::Project(Diagnostic::error(Code::RunFailed, format!("the values of the chart cannot be read: {error}")))
}
