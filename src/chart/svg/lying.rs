//! Lying bars, whose names stand beside them.

use std::fmt::Write as _;

use super::standing::label;
use super::{COLOURS, Drawn, MARGIN, PlotArea, WIDTH, legend, short, text, width_of};
use crate::chart::ChartPlot;
use crate::chart::wording::{place_text, value_text};

const BAR: f64 = 16.0;
/// What lies between the bars of one name and of the next.
const GAP: f64 = 8.0;

pub(super) fn bars(plot: &ChartPlot) -> Drawn {
    let legend = legend(plot);
    let mut body = legend.body;
    let names: Vec<String> = (0..plot.places.len()).map(|place| short(&place_text(&plot.places, place))).collect();
    let widest = names.iter().map(|name| width_of(name)).fold(0.0, f64::max);
    let values = plot.values().map(|value| width_of(&value_text(value, plot.format))).fold(width_of("null"), f64::max);
    let left = MARGIN + widest + 10.0;
    let group = BAR * plot.series.len() as f64;
    let area = PlotArea {
        left,
        top: legend.bottom + 20.0,
        width: WIDTH - MARGIN - left - values - 8.0,
        height: (group + GAP) * names.len() as f64,
    };
    let lowest = plot.values().fold(0.0, f64::min);
    let highest = plot.values().fold(0.0, f64::max);
    let whole = highest - lowest;
    let x = |value: f64| area.left + if whole > 0.0 { (value - lowest) / whole * area.width } else { 0.0 };
    let zero = x(0.0);
    for (place, name) in names.iter().enumerate() {
        let top = area.top + (group + GAP) * place as f64;
        body.push_str(&text("", area.left - 8.0, top + group / 2.0 + 4.0, "end", name));
        for (number, series) in plot.series.iter().enumerate() {
            let y = top + BAR * number as f64;
            let class = number % COLOURS.len();
            let Some(value) = series.values.get(place).copied().flatten() else {
                body.push_str(&text("quiet", zero + 6.0, y + 12.0, "start", "null"));
                continue;
            };
            let end = x(value);
            let width = if value == 0.0 { 0.0 } else { (end - zero).abs().max(0.8) };
            let start = if value < 0.0 { zero - width } else { zero };
            let title = label(plot, series, name, value);
            let _ = writeln!(
                body,
                "<rect class=\"f{class}\" x=\"{start:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{title}</title></rect>",
                BAR - 1.0
            );
            let after = if value < 0.0 { zero } else { start + width };
            body.push_str(&text("quiet", after + 6.0, y + 12.0, "start", &value_text(value, plot.format)));
        }
    }
    let bottom = area.top + area.height;
    let _ = writeln!(
        body,
        "<line class=\"axis\" x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>",
        area.top - 4.0
    );
    Drawn { body, bottom, note: None }
}
