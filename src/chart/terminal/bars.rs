//! Bars: standing ones along times and numbers, lying ones for names and ranges, whose labels need room.

use super::frame::{ColumnLabel, LineLabels, indent};
use super::lines::value_scale;
use super::{TerminalStyle, legend, short};
use crate::chart::ChartPlot;
use crate::chart::slots::{BarColumns, Slots};
use crate::chart::wording::{place_text, value_text};

/// Steps of a character that fills up from below.
const UP: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Steps of a character that fills up from the left.
const RIGHT: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// What bars of series are made of where there are no colours.
const FILLS: [char; 8] = ['█', '▒', '░', '▓', '#', '=', '+', '-'];

/// The lines of text of a picture of standing bars; less if there are several pictures.
const HEIGHT: usize = 10;
const HEIGHT_OF_SEVERAL: usize = 5;
/// Wider bars do not say more.
const MOST_WIDTH: usize = 6;

/// Standing bars in lines of text, and what to say of them.
pub(super) struct StandingBars {
    pub lines: Vec<String>,
    pub note: Option<String>,
}

/// A picture for each series, all with the same axes: bars beside each other would be too thin.
pub(super) fn standing(plot: &ChartPlot, style: TerminalStyle) -> StandingBars {
    let slots = Slots::of(&plot.places);
    let height = if plot.series.len() == 1 { HEIGHT } else { HEIGHT_OF_SEVERAL };
    let levels = Levels::of(plot, height);
    let mut marks: Vec<(usize, String)> = Vec::new();
    let ticks = value_scale(plot, true, height / 2).ticks;
    // Where two marks belong to one line, zero stays: it says where the bars begin.
    let zero = ticks.iter().filter(|tick| **tick == 0.0);
    for tick in zero.chain(ticks.iter().rev()) {
        marks.push((levels.line_at(*tick), value_text(*tick, plot.format)));
    }
    let labels = LineLabels::new(height, marks);
    let room = style.width.saturating_sub(labels.indent());
    let columns = slots.columns(plot, room);
    let bar = BarWidth::of(&columns, room);
    let width = bar.slot * columns.places.len();
    let below = column_labels(plot, &columns, bar);
    let mut lines = Vec::new();
    for (place, (series, values)) in plot.series.iter().zip(&columns.of_series).enumerate() {
        if plot.series.len() > 1 {
            lines.push(format!("{}{}", " ".repeat(labels.indent()), style.of_series(place, &short(&series.name))));
        }
        let picture: Vec<String> = (0..height)
            .map(|line| {
                let drawn: String = values.iter().map(|value| bar.drawn(levels.cell(*value, line))).collect();
                style.of_series(place, &drawn)
            })
            .collect();
        lines.extend(labels.framed(&picture, &below, width));
    }
    StandingBars { lines, note: columns.note() }
}

/// The characters of a bar and of the room that it has.
#[derive(Clone, Copy)]
struct BarWidth {
    slot: usize,
    bar: usize,
}

impl BarWidth {
    fn of(columns: &BarColumns, room: usize) -> Self {
        let slot = (room / columns.places.len().max(1)).clamp(1, MOST_WIDTH);
        // Neighbours touch each other where a gap would cost half of the picture.
        Self { slot, bar: if slot > 2 { slot - 1 } else { slot } }
    }

    fn drawn(self, cell: char) -> String {
        format!("{}{}", cell.to_string().repeat(self.bar), " ".repeat(self.slot - self.bar))
    }
}

/// How high bars are in lines of text: those above zero and those below.
struct Levels {
    above: usize,
    /// The value of one line.
    unit: f64,
}

impl Levels {
    fn of(plot: &ChartPlot, height: usize) -> Self {
        let scale = value_scale(plot, true, height / 2);
        let share = scale.high / (scale.high - scale.low);
        let mut above = (share * height as f64).round() as usize;
        // Whatever has values has a line.
        if scale.high > 0.0 {
            above = above.max(1);
        }
        if scale.low < 0.0 {
            above = above.min(height - 1);
        }
        let up = if above > 0 { scale.high / above as f64 } else { 0.0 };
        let down = if above < height { -scale.low / (height - above) as f64 } else { 0.0 };
        Self { above, unit: up.max(down) }
    }

    /// The line, from the top, in which a bar of this value ends.
    fn line_at(&self, value: f64) -> usize {
        let lines = (value / self.unit).round();
        if lines >= 0.0 {
            self.above.saturating_sub((lines as usize).max(1))
        } else {
            self.above + (-lines) as usize - 1
        }
    }

    /// What a bar fills of a line.
    fn cell(&self, value: Option<f64>, line: usize) -> char {
        let Some(value) = value.filter(|value| *value != 0.0) else { return ' ' };
        // A bar that is there is seen.
        let eighths = ((value.abs() / self.unit * 8.0).round() as usize).max(1);
        if value > 0.0 {
            let Some(below) = self.above.checked_sub(line + 1) else { return ' ' };
            return step(&UP, eighths.saturating_sub(below * UP.len()));
        }
        let Some(above) = line.checked_sub(self.above) else { return ' ' };
        // There are no characters that fill up from above, but for a half.
        match eighths.saturating_sub(above * 8) {
            0 => ' ',
            1..6 => '▀',
            _ => '█',
        }
    }
}

fn step(steps: &[char; 8], filled: usize) -> char {
    match filled {
        0 => ' ',
        some => steps.get(some - 1).copied().unwrap_or('█'),
    }
}

/// The places below the bars for which there is room.
fn column_labels(plot: &ChartPlot, columns: &BarColumns, bar: BarWidth) -> Vec<ColumnLabel> {
    let label = |(column, place): (usize, &Option<usize>)| {
        let text = place_text(&plot.places, (*place)?);
        Some(ColumnLabel { column: column * bar.slot + bar.bar / 2, text })
    };
    let labels: Vec<ColumnLabel> = columns.places.iter().enumerate().filter_map(label).collect();
    let widest = labels.iter().map(|label| label.text.chars().count()).max().unwrap_or(0);
    // Labels at equal distances say more than as many as fit; the first is moved by up to half of its width.
    let apart = (widest * 3 / 2 + 2).div_ceil(bar.slot).max(1);
    labels.into_iter().step_by(apart).collect()
}

/// A line of text for each bar, with its value.
pub(super) fn lying(plot: &ChartPlot, style: TerminalStyle) -> Vec<String> {
    let names: Vec<String> = (0..plot.places.len()).map(|place| short(&place_text(&plot.places, place))).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let values = plot.values().map(|value| value_text(value, plot.format).chars().count());
    let room = style.width.saturating_sub(indent(name_width) + values.max().unwrap_or(0) + 1).max(10);
    let lowest = plot.values().fold(0.0, f64::min);
    let highest = plot.values().fold(0.0, f64::max);
    let whole = highest - lowest;
    let left = if whole > 0.0 { (-lowest / whole * room as f64).round() as usize } else { 0 };
    let sides = BarSides { plot, style, left, right: room - left, lowest, highest };
    let mut lines: Vec<String> = legend(plot, style, |place| fill(place, style)).into_iter().collect();
    for (place, name) in names.iter().enumerate() {
        for number in 0..plot.series.len() {
            let name = if number == 0 { name.as_str() } else { "" };
            lines.push(format!("  {name:>name_width$} {}", sides.drawn(place, number)));
        }
    }
    lines
}

/// What the bars of a series are made of.
fn fill(series: usize, style: TerminalStyle) -> char {
    if style.has_colours { '█' } else { FILLS.get(series % FILLS.len()).copied().unwrap_or('█') }
}

/// The characters to the left of zero and to the right of it.
struct BarSides<'a> {
    plot: &'a ChartPlot,
    style: TerminalStyle,
    left: usize,
    right: usize,
    lowest: f64,
    highest: f64,
}

impl BarSides<'_> {
    /// The bar of one series at a place, with its value.
    fn drawn(&self, place: usize, number: usize) -> String {
        let blank = " ".repeat(self.left);
        let series = self.plot.series.get(number);
        let Some(value) = series.and_then(|series| series.values.get(place).copied().flatten()) else {
            return format!("{blank}│ null");
        };
        let text = value_text(value, self.plot.format);
        let fill = fill(number, self.style);
        if value < 0.0 {
            let length = ((value / self.lowest * self.left as f64).round() as usize).clamp(1, self.left.max(1));
            let bar = self.style.of_series(number, &fill.to_string().repeat(length));
            return format!("{}{bar}│ {text}", " ".repeat(self.left.saturating_sub(length)));
        }
        let eighths =
            if value > 0.0 { ((value / self.highest * self.right as f64 * 8.0).round() as usize).max(1) } else { 0 };
        let bar = if fill == '█' {
            let whole = "█".repeat(eighths / 8);
            let part = step(&RIGHT, eighths % 8);
            format!("{whole}{}", part.to_string().trim_end())
        } else {
            fill.to_string().repeat(eighths.div_ceil(8))
        };
        let gap = if bar.is_empty() { "" } else { " " };
        let gap = if value == 0.0 { " " } else { gap };
        format!("{blank}│{}{gap}{text}", self.style.of_series(number, &bar))
    }
}
