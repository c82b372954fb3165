//! Lines and standing bars between two axes.

use std::fmt::Write as _;

use super::{COLOURS, Drawn, MARGIN, PlotArea, WIDTH, escaped, legend, text, width_of};
use crate::chart::scale::{ScaleRequest, ValueScale, time_ticks};
use crate::chart::slots::{BarColumns, Slots};
use crate::chart::wording::{place_text, value_text};
use crate::chart::{ChartPlaces, ChartPlot, ChartSeries, Extent};
use crate::project::ValueFormat;

const HEIGHT: f64 = 220.0;
/// About so many marks on the axis of values.
const STEPS: usize = 5;
/// Wider bars do not say more.
const MOST_BAR: f64 = 56.0;
/// Up to so many points have a dot that says its value.
const MOST_DOTS: usize = 80;
/// Room for a label of a time and what keeps it from the next.
const TIME_LABEL: f64 = 92.0;

/// A mark on the axis below.
struct PlaceMark {
    x: f64,
    text: String,
}

/// The picture without its series: the axis of values is drawn, and where it is.
struct ValueFrame {
    area: PlotArea,
    scale: ValueScale,
    body: String,
}

impl ValueFrame {
    fn of(plot: &ChartPlot, has_zero: bool) -> Self {
        let extent = plot.extent().unwrap_or(Extent { low: 0.0, high: 1.0 });
        let is_whole = plot.is_whole();
        let scale = ScaleRequest { extent, has_zero, is_whole, format: plot.format, steps: STEPS }.scale();
        let legend = legend(plot);
        let mut body = legend.body;
        let labels: Vec<String> = scale.ticks.iter().map(|tick| value_text(*tick, plot.format)).collect();
        let widest = labels.iter().map(|label| width_of(label)).fold(0.0, f64::max);
        let left = MARGIN + widest + 10.0;
        let area = PlotArea { left, top: legend.bottom + 22.0, width: WIDTH - MARGIN - left, height: HEIGHT };
        for (tick, label) in scale.ticks.iter().zip(&labels) {
            let y = area.y(&scale, *tick);
            let class = if *tick == 0.0 { "axis" } else { "grid" };
            let right = area.left + area.width;
            let _ = writeln!(
                body,
                "<line class=\"{class}\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
            body.push_str(&text("quiet", left - 8.0, y + 4.0, "end", label));
        }
        Self { area, scale, body }
    }

    /// Adds the labels below, as far as there is room for them.
    fn finish(mut self, marks: &[PlaceMark], x_name: &str, note: Option<String>) -> Drawn {
        let bottom = self.area.top + self.area.height;
        let mut free = f64::MIN;
        for mark in marks {
            let half = width_of(&mark.text) / 2.0;
            let x = mark.x.min(WIDTH - 4.0 - half).max(half + 4.0);
            let _ = writeln!(
                self.body,
                "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{bottom:.1}\" y2=\"{1:.1}\"/>",
                mark.x,
                bottom + 4.0
            );
            if x - half >= free {
                self.body.push_str(&text("quiet", x, bottom + 18.0, "middle", &mark.text));
                free = x + half + 8.0;
            }
        }
        let middle = self.area.left + self.area.width / 2.0;
        self.body.push_str(&text("quiet", middle, bottom + 37.0, "middle", x_name));
        Drawn { body: self.body, bottom: bottom + 37.0, note }
    }
}

impl PlotArea {
    fn y(self, scale: &ValueScale, value: f64) -> f64 {
        self.top + self.height * (1.0 - scale.share(value))
    }
}

pub(super) fn lines(plot: &ChartPlot) -> Drawn {
    let mut frame = ValueFrame::of(plot, false);
    let axis = PlaceAxis::of(&plot.places, frame.area);
    for (number, series) in plot.series.iter().enumerate() {
        let drawn = line(plot, series, number, &frame, axis);
        frame.body.push_str(&drawn);
    }
    let marks = axis.marks(&plot.places);
    frame.finish(&marks, &plot.x_name, None)
}

/// Where places are on the axis of a line chart.
#[derive(Clone, Copy)]
struct PlaceAxis {
    area: PlotArea,
    first: f64,
    length: f64,
}

impl PlaceAxis {
    fn of(places: &ChartPlaces, area: PlotArea) -> Self {
        let first = places.number(0);
        Self { area, first, length: places.number(places.len().saturating_sub(1)) - first }
    }

    /// A place alone is in the middle.
    fn x(self, number: f64) -> f64 {
        let share = if self.length > 0.0 { ((number - self.first) / self.length).clamp(0.0, 1.0) } else { 0.5 };
        self.area.left + self.area.width * share
    }

    fn marks(self, places: &ChartPlaces) -> Vec<PlaceMark> {
        let last = places.len().saturating_sub(1);
        let ends = || {
            let ends = if last == 0 { vec![0] } else { vec![0, last] };
            let mark = |place: usize| PlaceMark { x: self.x(places.number(place)), text: place_text(places, place) };
            ends.into_iter().map(mark).collect()
        };
        let most = ((self.area.width / TIME_LABEL) as usize).max(2);
        let marks: Vec<PlaceMark> = match places {
            ChartPlaces::Days(_) | ChartPlaces::Months(_) | ChartPlaces::Times(_) => {
                let ticks = time_ticks(places, most).into_iter();
                ticks.map(|tick| PlaceMark { x: self.x(tick.at as f64), text: tick.label }).collect()
            }
            ChartPlaces::Numbers(numbers) if self.length > 0.0 => {
                let extent = Extent { low: self.first, high: self.first + self.length };
                let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
                let format = ValueFormat::Number;
                let ticks = ScaleRequest { extent, has_zero: false, is_whole, format, steps: most }.scale().ticks;
                let inside = ticks.into_iter().filter(|tick| (extent.low..=extent.high).contains(tick));
                inside.map(|tick| PlaceMark { x: self.x(tick), text: value_text(tick, format) }).collect()
            }
            ChartPlaces::Numbers(_) | ChartPlaces::Names(_) | ChartPlaces::Ranges { .. } => Vec::new(),
        };
        // One mark says where, and not how far.
        if marks.len() < 2 { ends() } else { marks }
    }
}

/// A point of a line in the picture.
#[derive(Clone, Copy)]
struct LinePoint {
    x: f64,
    y: f64,
    place: usize,
}

fn line(plot: &ChartPlot, series: &ChartSeries, number: usize, frame: &ValueFrame, axis: PlaceAxis) -> String {
    let mut drawn = String::new();
    let class = number % COLOURS.len();
    let mut pieces: Vec<Vec<LinePoint>> = vec![Vec::new()];
    for (place, value) in series.values.iter().enumerate() {
        match (value, pieces.last_mut()) {
            (Some(value), Some(piece)) => piece.push(LinePoint {
                x: axis.x(plot.places.number(place)),
                y: frame.area.y(&frame.scale, *value),
                place,
            }),
            _ => pieces.push(Vec::new()),
        }
    }
    for piece in pieces.iter().filter(|piece| piece.len() > 1) {
        let path: Vec<String> = thinned(piece).iter().map(|point| format!("{:.1} {:.1}", point.x, point.y)).collect();
        let _ = writeln!(drawn, "<path class=\"line l{class}\" d=\"M{}\"/>", path.join("L"));
    }
    let has_dots = series.values.len() <= MOST_DOTS;
    for piece in pieces.iter().filter(|piece| has_dots || piece.len() == 1) {
        for point in piece {
            let value = series.values.get(point.place).copied().flatten().unwrap_or_default();
            let label = label(plot, series, &place_text(&plot.places, point.place), value);
            let LinePoint { x, y, .. } = point;
            let _ = writeln!(
                drawn,
                "<circle class=\"f{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\"><title>{label}</title></circle>"
            );
        }
    }
    drawn
}

/// Of the points in one column of pixels the first, the lowest, the highest and the last: no other would be seen.
fn thinned(points: &[LinePoint]) -> Vec<LinePoint> {
    let mut kept = Vec::new();
    for column in points.chunk_by(|one, next| one.x.floor() == next.x.floor()) {
        if column.len() <= 4 {
            kept.extend_from_slice(column);
            continue;
        }
        let lowest = column.iter().max_by(|one, other| one.y.total_cmp(&other.y));
        let highest = column.iter().min_by(|one, other| one.y.total_cmp(&other.y));
        let mut seen: Vec<LinePoint> =
            [column.first(), lowest, highest, column.last()].into_iter().flatten().copied().collect();
        seen.sort_by_key(|point| point.place);
        seen.dedup_by_key(|point| point.place);
        kept.extend(seen);
    }
    kept
}

/// `2023-05-01, dau: 1 234`
pub(super) fn label(plot: &ChartPlot, series: &ChartSeries, place: &str, value: f64) -> String {
    escaped(&format!("{place}, {}: {}", series.name, value_text(value, plot.format)))
}

pub(super) fn bars(plot: &ChartPlot) -> Drawn {
    let mut frame = ValueFrame::of(plot, true);
    let area = frame.area;
    // Thinner bars would be a grey area.
    let most = (area.width / (1.5 * plot.series.len() as f64)) as usize;
    let columns = Slots::of(&plot.places).columns(plot, most);
    let slot = area.width / columns.places.len().max(1) as f64;
    let is_histogram = matches!(plot.places, ChartPlaces::Ranges { .. });
    let group = if is_histogram { slot - 1.0 } else { (slot * 0.8).min(MOST_BAR * plot.series.len() as f64) };
    let width = group / plot.series.len() as f64;
    let zero = area.y(&frame.scale, 0.0);
    let mut drawn = String::new();
    for (number, (series, values)) in plot.series.iter().zip(&columns.of_series).enumerate() {
        let class = number % COLOURS.len();
        for (column, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let x = area.left + slot * column as f64 + (slot - group) / 2.0 + width * number as f64;
            let y = area.y(&frame.scale, *value);
            let place = columns.places.get(column).copied().flatten().unwrap_or_default();
            let label = label(plot, series, &place_text(&plot.places, place), *value);
            // A bar that is there is seen.
            let height = if *value == 0.0 { 0.0 } else { (y - zero).abs().max(0.8) };
            let top = if *value < 0.0 { zero } else { zero - height };
            let _ = writeln!(
                drawn,
                "<rect class=\"f{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{label}</title></rect>"
            );
        }
    }
    frame.body.push_str(&drawn);
    let marks = bar_marks(&plot.places, &columns, area, slot);
    let note = columns.note();
    frame.finish(&marks, &plot.x_name, note)
}

/// The labels below bars, at equal distances: the places, or the edges of ranges.
fn bar_marks(places: &ChartPlaces, columns: &BarColumns, area: PlotArea, slot: f64) -> Vec<PlaceMark> {
    let marks: Vec<PlaceMark> = match places {
        ChartPlaces::Ranges { edges, format } => {
            let mark = |(number, edge): (usize, &f64)| PlaceMark {
                x: area.left + slot * number as f64,
                text: value_text(*edge, *format),
            };
            edges.iter().enumerate().map(mark).collect()
        }
        _ => {
            let mark = |(column, place): (usize, &Option<usize>)| {
                let x = area.left + slot * (column as f64 + 0.5);
                Some(PlaceMark { x, text: place_text(places, (*place)?) })
            };
            columns.places.iter().enumerate().filter_map(mark).collect()
        }
    };
    let widest = marks.iter().map(|mark| width_of(&mark.text)).fold(0.0, f64::max);
    let apart = ((widest + 14.0) / slot).ceil().max(1.0) as usize;
    marks.into_iter().step_by(apart).collect()
}
