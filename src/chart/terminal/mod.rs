//! Charts as text, as wide as the terminal.

mod bars;
mod canvas;
mod frame;
mod lines;
#[cfg(test)]
mod tests;

use anstyle::{AnsiColor, Style as TextStyle};

use super::{Chart, ChartFigure, ChartPicture, ChartPlaces, ChartPlot};
use crate::shown::visible;

/// What a terminal can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TerminalStyle {
    /// In characters.
    pub width: usize,
    pub has_colours: bool,
}

/// The colours of series, in turn.
const COLOURS: [AnsiColor; 8] = [
    AnsiColor::Blue,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
    AnsiColor::Red,
    AnsiColor::BrightBlue,
    AnsiColor::BrightYellow,
];

/// What tells series apart where there are no colours.
const MARKS: [char; 8] = ['*', 'o', '+', 'x', '#', '@', '%', '&'];

/// A narrower terminal breaks the lines, which is better than a chart of nothing but its labels.
const LEAST_WIDTH: usize = 40;
/// Wider charts are not easier to read.
const MOST_WIDTH: usize = 120;

/// The longest name in front of a bar or in a legend.
const MOST_LABEL: usize = 28;

/// A chart as lines of text, each ended by a line break.
pub(crate) fn in_terminal(chart: &Chart, style: TerminalStyle) -> String {
    let style = TerminalStyle { width: style.width.clamp(LEAST_WIDTH, MOST_WIDTH), ..style };
    let mut lines = vec![style.strong(&visible(&chart.title, true))];
    let mut notes = chart.notes.clone();
    match &chart.picture {
        ChartPicture::Empty => lines.push("  no rows".to_owned()),
        ChartPicture::Number(figure) => lines.push(number(figure, style)),
        ChartPicture::Lines(plot) => lines.extend(lines::drawn(plot, style)),
        ChartPicture::Bars(plot) => match plot.places {
            ChartPlaces::Names(_) | ChartPlaces::Ranges { .. } => lines.extend(bars::lying(plot, style)),
            ChartPlaces::Days(_) | ChartPlaces::Months(_) | ChartPlaces::Times(_) | ChartPlaces::Numbers(_) => {
                let standing = bars::standing(plot, style);
                lines.extend(standing.lines);
                notes.extend(standing.note);
            }
        },
    }
    lines.extend(notes.iter().map(|note| style.quiet(&format!("  {}", visible(note, true)))));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn number(figure: &ChartFigure, style: TerminalStyle) -> String {
    let value = style.strong(figure.text.as_deref().unwrap_or("null"));
    let before = figure.before.iter().map(|before| format!(" ({before})"));
    let of = format!("{}{}", figure.of, before.collect::<String>());
    format!("  {value}   {}", style.quiet(&visible(&of, true)))
}

/// Which series is which. Empty if there is one.
fn legend(plot: &ChartPlot, style: TerminalStyle, mark: impl Fn(usize) -> char) -> Option<String> {
    if plot.series.len() < 2 {
        return None;
    }
    let parts =
        plot.series.iter().enumerate().map(|(place, series)| {
            format!("{} {}", style.of_series(place, &mark(place).to_string()), short(&series.name))
        });
    Some(format!("  {}", parts.collect::<Vec<_>>().join("   ")))
}

/// A name that is not longer than a label may be.
fn short(name: &str) -> String {
    let name = visible(name, true);
    if name.chars().count() <= MOST_LABEL {
        return name;
    }
    name.chars().take(MOST_LABEL - 1).chain(['…']).collect()
}

impl TerminalStyle {
    fn strong(self, text: &str) -> String {
        self.painted(TextStyle::new().bold(), text)
    }

    fn quiet(self, text: &str) -> String {
        self.painted(TextStyle::new().dimmed(), text)
    }

    fn of_series(self, place: usize, text: &str) -> String {
        let colour = COLOURS.get(place % COLOURS.len()).copied().unwrap_or(AnsiColor::Blue);
        self.painted(TextStyle::new().fg_color(Some(colour.into())), text)
    }

    fn painted(self, painted: TextStyle, text: &str) -> String {
        if self.has_colours { format!("{painted}{text}{painted:#}") } else { text.to_owned() }
    }
}

/// The mark of a series where there are no colours.
fn mark(place: usize) -> char {
    MARKS.get(place % MARKS.len()).copied().unwrap_or('*')
}
