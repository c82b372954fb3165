//! Charts: what is drawn, and how it is drawn in a terminal, as SVG and in the documentation page.
//!
//! A [`Chart`] is plain data: places along an axis and values of one or several series, nulls included. `scale.rs` divides the
//! axes, `slots.rs` says where bars stand, `wording.rs` writes values and places, `terminal/` and `svg/` draw.
//! Nothing here knows a table or a query.

mod page;
mod scale;
mod slots;
mod svg;
mod terminal;
mod wording;

pub(crate) use page::{PageChart, PageRoom};
pub(crate) use scale::{BinEdges, bin_edges};
pub(crate) use svg::svg;
pub(crate) use terminal::{TerminalStyle, in_terminal};
pub(crate) use wording::{exact_text, place_text, summary};

use chrono::{DateTime, Datelike};

use crate::project::ValueFormat;

/// Larger numbers are not drawn: the distance of two of them may be none that a double can hold.
pub(crate) const LARGEST: f64 = 1e300;

/// The microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A chart with its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub model: String,
    pub name: String,
    pub title: String,
    /// Empty if there is none.
    pub description: String,
    pub picture: ChartPicture,
    /// What is not drawn, and other things to know: a sentence each.
    pub notes: Vec<String>,
}

/// What a chart shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChartPicture {
    /// There are no rows.
    Empty,
    Number(ChartFigure),
    Lines(ChartPlot),
    Bars(ChartPlot),
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartFigure {
    /// As it is read; `None` for a null.
    pub text: Option<String>,
    /// Of what, and of when: `mau, 2023-06-01`.
    pub of: String,
    /// The one before it, if there is one: `2023-05-01: 281`.
    pub before: Option<String>,
}

/// Series of values over the same places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartPlot {
    pub x_name: String,
    /// Different, and in order but for names. Never empty.
    pub places: ChartPlaces,
    /// Never empty. Each has as many values as there are places.
    pub series: Vec<ChartSeries>,
    /// How the values are written.
    pub format: ValueFormat,
}

/// The places of values along a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChartPlaces {
    /// Midnights, in microseconds since 1970.
    Days(Vec<i64>),
    /// The same where each of several begins a month.
    Months(Vec<i64>),
    /// Microseconds since 1970, in UTC.
    Times(Vec<i64>),
    Numbers(Vec<f64>),
    Names(Vec<String>),
    /// Ranges that touch each other, by their edges: one more than there are ranges.
    Ranges {
        edges: Vec<f64>,
        format: ValueFormat,
    },
}

/// The values of one measure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartSeries {
    pub name: String,
    /// Within [`LARGEST`], or `None` where nothing is drawn.
    pub values: Vec<Option<f64>>,
}

impl ChartPlaces {
    /// Days, or months if that is what they are: two days that follow each other never both begin one.
    pub fn days(at: Vec<i64>) -> Self {
        let begins_month = |at: &i64| {
            DateTime::from_timestamp_micros(*at).is_some_and(|time| time.day() == 1 && at.rem_euclid(DAY) == 0)
        };
        if at.len() > 1 && at.iter().all(begins_month) { ChartPlaces::Months(at) } else { ChartPlaces::Days(at) }
    }

    pub fn len(&self) -> usize {
        match self {
            ChartPlaces::Days(at) | ChartPlaces::Months(at) | ChartPlaces::Times(at) => at.len(),
            ChartPlaces::Numbers(numbers) => numbers.len(),
            ChartPlaces::Names(names) => names.len(),
            ChartPlaces::Ranges { edges, .. } => edges.len().saturating_sub(1),
        }
    }

    /// Where a place is on an axis of numbers: names and ranges are counted.
    pub fn number(&self, place: usize) -> f64 {
        match self {
            ChartPlaces::Days(at) | ChartPlaces::Months(at) | ChartPlaces::Times(at) => {
                at.get(place).map_or(0.0, |at| *at as f64)
            }
            ChartPlaces::Numbers(numbers) => numbers.get(place).copied().unwrap_or_default(),
            ChartPlaces::Names(_) | ChartPlaces::Ranges { .. } => place as f64,
        }
    }
}

impl ChartPlot {
    /// All values that are drawn.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.series.iter().flat_map(|series| series.values.iter().copied().flatten())
    }

    /// The smallest and the largest value. `None` if there is nothing but nulls.
    pub fn extent(&self) -> Option<Extent> {
        let mut values = self.values();
        let first = values.next()?;
        let extent = Extent { low: first, high: first };
        Some(values.fold(extent, |extent, value| Extent { low: extent.low.min(value), high: extent.high.max(value) }))
    }

    /// Whether all values are whole: then the axis is divided at whole numbers.
    pub fn is_whole(&self) -> bool {
        self.values().all(|value| value.fract() == 0.0)
    }
}

/// From one number to another that is not smaller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub low: f64,
    pub high: f64,
}
