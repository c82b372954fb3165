//! Charts as SVG: one file that needs nothing else, light or dark as its reader likes it.

mod lying;
mod standing;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::{Chart, ChartFigure, ChartPicture, ChartPlaces, ChartPlot, summary};
use crate::shown::visible;

/// The width of every chart, in pixels of its own.
const WIDTH: f64 = 720.0;
const MARGIN: f64 = 20.0;
/// The width of a letter of labels, about: there is no font to measure.
const LETTER: f64 = 6.9;
const LINE_HEIGHT: f64 = 17.0;

/// The longest name beside a bar or in a legend.
const MOST_LABEL: usize = 30;

/// Colours of series: for light and for dark.
const COLOURS: [SeriesColour; 8] = [
    SeriesColour { light: "#1f5fae", dark: "#6ea8ee" },
    SeriesColour { light: "#c2571a", dark: "#ee9a5f" },
    SeriesColour { light: "#2f7f56", dark: "#5fbd8a" },
    SeriesColour { light: "#8a3f9b", dark: "#c98ad6" },
    SeriesColour { light: "#9a7a0c", dark: "#d8b94a" },
    SeriesColour { light: "#b83a4b", dark: "#ee8492" },
    SeriesColour { light: "#157f8c", dark: "#5bc0cd" },
    SeriesColour { light: "#5b6470", dark: "#a3adb9" },
];

struct SeriesColour {
    light: &'static str,
    dark: &'static str,
}

/// The rectangle in which values are drawn.
#[derive(Debug, Clone, Copy)]
struct PlotArea {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// What is drawn, and how far down it reaches.
struct Drawn {
    body: String,
    bottom: f64,
    note: Option<String>,
}

/// A chart as the text of an SVG file.
pub(crate) fn svg(chart: &Chart) -> String {
    let drawn = match &chart.picture {
        ChartPicture::Empty => text_alone("no rows"),
        ChartPicture::Number(figure) => number(figure),
        ChartPicture::Lines(plot) => standing::lines(plot),
        ChartPicture::Bars(plot) => match plot.places {
            ChartPlaces::Names(_) => lying::bars(plot),
            ChartPlaces::Ranges { .. }
            | ChartPlaces::Days(_)
            | ChartPlaces::Months(_)
            | ChartPlaces::Times(_)
            | ChartPlaces::Numbers(_) => standing::bars(plot),
        },
    };
    let mut body = format!("<text class=\"title\" x=\"{MARGIN}\" y=\"30\">{}</text>\n", escaped(&chart.title));
    body.push_str(&drawn.body);
    let mut bottom = drawn.bottom;
    for note in chart.notes.iter().chain(&drawn.note) {
        bottom += LINE_HEIGHT;
        body.push_str(&text("quiet", MARGIN, bottom, "start", note));
    }
    let height = (bottom + MARGIN).ceil();
    let parts = [chart.description.clone(), summary(chart)].into_iter().chain(chart.notes.iter().cloned());
    let described: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-labelledby=\"chart-title chart-description\">\n\
         <title id=\"chart-title\">{}</title>\n<desc id=\"chart-description\">{}</desc>\n<style>{}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n{body}</svg>\n",
        escaped(&chart.title),
        escaped(&described.join(" ")),
        style(),
    )
}

/// The colours of both themes.
fn style() -> String {
    let theme = |page: &str, ink: &str, quiet: &str, line: &str, colour: fn(&SeriesColour) -> &'static str| {
        let mut rules = format!(
            ".page{{fill:{page}}}text{{fill:{ink}}}.quiet{{fill:{quiet}}}.grid{{stroke:{line}}}.axis{{stroke:{quiet}}}"
        );
        for (place, of_series) in COLOURS.iter().enumerate() {
            let colour = colour(of_series);
            // Writing to a text cannot fail.
            let _ = write!(rules, ".f{place}{{fill:{colour}}}.l{place}{{stroke:{colour}}}");
        }
        rules
    };
    let light = theme("#ffffff", "#22252a", "#656b73", "#e4e4e0", |colour| colour.light);
    let dark = theme("#16181b", "#dfe2e6", "#979ea8", "#2e3238", |colour| colour.dark);
    format!(
        "text{{font:12px system-ui,-apple-system,\"Segoe UI\",\"Liberation Sans\",sans-serif}}\
         .title{{font-size:15px;font-weight:600}}.figure{{font-size:40px;font-weight:600}}\
         .line{{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}}\
         {light}@media (prefers-color-scheme:dark){{{dark}}}"
    )
}

fn text_alone(words: &str) -> Drawn {
    let bottom = 64.0;
    Drawn { body: text("quiet", MARGIN, bottom, "start", words), bottom, note: None }
}

fn number(figure: &ChartFigure) -> Drawn {
    let value = figure.text.as_deref().unwrap_or("null");
    let before = figure.before.iter().map(|before| format!(" ({before})"));
    let of = format!("{}{}", figure.of, before.collect::<String>());
    let body = text("figure", MARGIN, 84.0, "start", value) + &text("quiet", MARGIN, 112.0, "start", &of);
    Drawn { body, bottom: 112.0, note: None }
}

/// Which series is which, in as many lines as it takes; empty if there is one.
fn legend(plot: &ChartPlot) -> Drawn {
    let mut body = String::new();
    let mut x = MARGIN;
    let mut y = 54.0;
    if plot.series.len() < 2 {
        return Drawn { body, bottom: 30.0, note: None };
    }
    for (place, series) in plot.series.iter().enumerate() {
        let name = short(&series.name);
        let width = 18.0 + width_of(&name) + 18.0;
        if x > MARGIN && x + width > WIDTH - MARGIN {
            x = MARGIN;
            y += LINE_HEIGHT;
        }
        let class = place % COLOURS.len();
        let _ = writeln!(
            body,
            "<rect class=\"f{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" rx=\"2\"/>",
            y - 10.0
        );
        body.push_str(&text("", x + 16.0, y, "start", &name));
        x += width;
    }
    Drawn { body, bottom: y, note: None }
}

/// A line of text that is anchored at its `start`, `middle` or `end`.
fn text(class: &str, x: f64, y: f64, anchor: &str, words: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
    format!("<text{class}{anchor} x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(words))
}

fn width_of(words: &str) -> f64 {
    words.chars().count() as f64 * LETTER
}

/// A name that is not longer than a label may be.
fn short(name: &str) -> String {
    if name.chars().count() <= MOST_LABEL {
        return name.to_owned();
    }
    name.chars().take(MOST_LABEL - 1).chain(['…']).collect()
}

/// A text within an element: nothing of it is markup, and nothing is a character that XML does not have.
fn escaped(words: &str) -> String {
    let mut escaped = String::new();
    for letter in visible(words, true).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}
