//! Lines: the values of each series joined from place to place, and not across nulls.

use super::canvas::Canvas;
use super::frame::{ColumnLabel, LineLabels, indent};
use super::{TerminalStyle, legend, mark};
use crate::chart::scale::{ScaleRequest, ValueScale, time_ticks};
use crate::chart::wording::{place_text, value_text};
use crate::chart::{ChartPlaces, ChartPlot, ChartSeries, Extent};
use crate::project::ValueFormat;

/// The lines of text that a picture has.
const HEIGHT: usize = 13;
/// About so many marks on the axis of values.
const STEPS: usize = 5;
/// A label of a time and what keeps it from the next.
const LABEL_WIDTH: usize = 13;

/// The axis of a plot's values.
pub(super) fn value_scale(plot: &ChartPlot, has_zero: bool, steps: usize) -> ValueScale {
    let extent = plot.extent().unwrap_or(Extent { low: 0.0, high: 1.0 });
    ScaleRequest { extent, has_zero, is_whole: plot.is_whole(), format: plot.format, steps }.scale()
}

pub(super) fn drawn(plot: &ChartPlot, style: TerminalStyle) -> Vec<String> {
    let scale = value_scale(plot, false, STEPS);
    let texts: Vec<String> = scale.ticks.iter().map(|tick| value_text(*tick, plot.format)).collect();
    let widest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let width = style.width.saturating_sub(indent(widest));
    let mut canvas = Canvas::new(width, HEIGHT, style);
    // Drawn from the last to the first: the first one is on top.
    for (series, of_series) in plot.series.iter().enumerate().rev() {
        line(plot, of_series, series, &scale, &mut canvas);
    }
    let lines = scale.ticks.iter().map(|tick| canvas.line_at(scale.share(*tick)));
    let labels = LineLabels::new(HEIGHT, lines.zip(texts));
    let mut lines: Vec<String> =
        legend(plot, style, |place| if style.has_colours { '━' } else { mark(place) }).into_iter().collect();
    lines.extend(labels.framed(&canvas.lines(), &column_labels(plot, &canvas, width), width));
    lines
}

fn line(plot: &ChartPlot, series: &ChartSeries, number: usize, scale: &ValueScale, canvas: &mut Canvas) {
    let mut before = None;
    for (place, value) in series.values.iter().enumerate() {
        let dot = value.map(|value| canvas.dot_at(share_of(&plot.places, place), scale.share(value)));
        match (before, dot) {
            (Some(before), Some(dot)) => canvas.line(before, dot, number),
            // One without neighbours is a dot.
            (None, Some(dot)) => canvas.mark(dot, number),
            (_, None) => {}
        }
        before = dot;
    }
}

/// How far a place is along the chart, as a share of the whole; one alone is in the middle.
fn share_of(places: &ChartPlaces, place: usize) -> f64 {
    let first = places.number(0);
    let length = places.number(places.len().saturating_sub(1)) - first;
    if length > 0.0 { ((places.number(place) - first) / length).clamp(0.0, 1.0) } else { 0.5 }
}

fn column_labels(plot: &ChartPlot, canvas: &Canvas, width: usize) -> Vec<ColumnLabel> {
    let most = (width / LABEL_WIDTH).max(2);
    let last = plot.places.len().saturating_sub(1);
    let label = |share: f64, text: String| ColumnLabel { column: canvas.column_at(share), text };
    let ends = || {
        let first = label(share_of(&plot.places, 0), place_text(&plot.places, 0));
        let end = label(share_of(&plot.places, last), place_text(&plot.places, last));
        if last == 0 { vec![first] } else { vec![first, end] }
    };
    match &plot.places {
        ChartPlaces::Days(_) | ChartPlaces::Months(_) | ChartPlaces::Times(_) => {
            let ticks = time_ticks(&plot.places, most);
            // One mark says where, and not how far.
            if ticks.len() < 2 {
                return ends();
            }
            let first = plot.places.number(0);
            let length = plot.places.number(last) - first;
            ticks.into_iter().map(|tick| label((tick.at as f64 - first) / length, tick.label)).collect()
        }
        ChartPlaces::Numbers(numbers) => match numbers.as_slice() {
            [low, .., high] => {
                let extent = Extent { low: *low, high: *high };
                let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
                let format = ValueFormat::Number;
                let scale = ScaleRequest { extent, has_zero: false, is_whole, format, steps: most }.scale();
                let inside = scale.ticks.iter().filter(|tick| (low..=high).contains(tick));
                let share = |tick: f64| (tick - low) / (high - low);
                inside.map(|tick| label(share(*tick), value_text(*tick, format))).collect()
            }
            _ => ends(),
        },
        ChartPlaces::Names(_) | ChartPlaces::Ranges { .. } => ends(),
    }
}
