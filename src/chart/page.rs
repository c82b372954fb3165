//! Charts as data of the documentation page, whose script draws them. Their number of values is bounded.

use serde::Serialize;

use super::slots::Slots;
use super::wording::{place_text, summary};
use super::{Chart, ChartPicture, ChartPlaces, ChartPlot};
use crate::figures::{counted, grouped};
use crate::project::ValueFormat;

/// The values of one chart in the page, and of all of them: the page is opened whole.
const MOST_OF_CHART: usize = 2_000;
const MOST_OF_PAGE: usize = 40_000;

/// A chart of the page.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PageChart {
    pub name: String,
    pub title: String,
    pub description: String,
    /// In words, for those who do not see it.
    pub summary: String,
    /// `line`, `bars`, `names`, `number`, or `none` if there is nothing to draw.
    pub shape: &'static str,
    /// The column along the chart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub x: String,
    /// Whether `at` is seconds since 1970.
    #[serde(skip_serializing_if = "is_false")]
    pub is_time: bool,
    /// Where the values are, rising.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<f64>,
    /// The room of a bar, in the unit of `at`.
    pub width: f64,
    /// The places in words; of lines none, because `at` says it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How numbers along the chart are written; `None` if `labels` stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_format: Option<&'static str>,
    pub series: Vec<PageSeries>,
    pub format: &'static str,
    /// The value of a number, and of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub of: String,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PageSeries {
    pub name: String,
    pub values: Vec<Option<f64>>,
}

/// How many values the page may still take.
#[derive(Debug)]
pub(crate) struct PageRoom {
    left: usize,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl PageChart {
    /// A chart that could not be drawn, with the reason.
    pub fn without_values(name: String, title: String, reason: String) -> Self {
        Self { name, title, shape: "none", width: 1.0, notes: vec![reason], ..Self::default() }
    }
}

impl Default for PageRoom {
    fn default() -> Self {
        Self { left: MOST_OF_PAGE }
    }
}

impl PageRoom {
    /// A chart as far as there is room for it; what is not in it is said.
    pub fn chart(&mut self, chart: &Chart) -> PageChart {
        let base = PageChart {
            name: chart.name.clone(),
            title: chart.title.clone(),
            description: chart.description.clone(),
            summary: summary(chart),
            shape: "none",
            width: 1.0,
            format: ValueFormat::Number.word(),
            notes: chart.notes.clone(),
            ..PageChart::default()
        };
        match &chart.picture {
            ChartPicture::Empty => PageChart { notes: with(base.notes, "no rows"), ..base },
            ChartPicture::Number(figure) => PageChart {
                shape: "number",
                text: Some(figure.text.clone().unwrap_or_else(|| "null".to_owned())),
                of: figure.before.iter().fold(figure.of.clone(), |of, before| format!("{of} ({before})")),
                ..base
            },
            ChartPicture::Lines(plot) => self.plot("line", plot, chart, base),
            ChartPicture::Bars(plot) => self.plot("bars", plot, chart, base),
        }
    }

    fn plot(&mut self, shape: &'static str, plot: &ChartPlot, chart: &Chart, base: PageChart) -> PageChart {
        let series = plot.series.len().max(1);
        let places = plot.places.len();
        let kept = places.min(MOST_OF_CHART / series);
        if kept * series > self.left {
            let note = format!(
                "not drawn: the charts of this page have {} values already; `karat chart {} --chart {}` draws it",
                grouped(MOST_OF_PAGE as u64),
                chart.model,
                chart.name
            );
            return PageChart { notes: with(base.notes, &note), ..base };
        }
        self.left -= kept * series;
        // The last places are the newest.
        let first = places - kept;
        let mut notes = base.notes;
        if first > 0 {
            let of = counted(places, "point");
            notes = with(notes, &format!("the last {} of {of} are in this page", grouped(kept as u64)));
        }
        let cut = PageChart {
            shape,
            x: plot.x_name.clone(),
            series: plot
                .series
                .iter()
                .map(|series| PageSeries {
                    name: series.name.clone(),
                    values: series.values.get(first..).unwrap_or_default().to_vec(),
                })
                .collect(),
            format: plot.format.word(),
            notes,
            ..base
        };
        placed(cut, shape, plot, first)
    }
}

/// The chart with its places from `first` on.
fn placed(chart: PageChart, shape: &'static str, plot: &ChartPlot, first: usize) -> PageChart {
    let labels = || (first..plot.places.len()).map(|place| place_text(&plot.places, place)).collect();
    let numbers = || (first..plot.places.len()).map(|place| plot.places.number(place));
    match &plot.places {
        ChartPlaces::Names(_) => PageChart { shape: "names", labels: labels(), ..chart },
        ChartPlaces::Ranges { edges, format } => {
            let middles = edges.windows(2).filter_map(|pair| Some((pair.first()? + pair.get(1)?) / 2.0));
            let width = edges.get(1).zip(edges.first()).map_or(1.0, |(next, first)| next - first);
            PageChart { at: middles.collect(), width, labels: labels(), x_format: Some(format.word()), ..chart }
        }
        ChartPlaces::Days(_) | ChartPlaces::Months(_) | ChartPlaces::Times(_) if shape == "line" => {
            PageChart { at: numbers().map(|micros| micros / 1e6).collect(), is_time: true, ..chart }
        }
        ChartPlaces::Numbers(_) if shape == "line" => {
            PageChart { at: numbers().collect(), x_format: Some(ValueFormat::Number.word()), ..chart }
        }
        ChartPlaces::Days(_) | ChartPlaces::Months(_) | ChartPlaces::Times(_) | ChartPlaces::Numbers(_) => {
            let slots = Slots::of(&plot.places).of_place;
            let at = slots.iter().skip(first).map(|slot| *slot as f64).collect();
            PageChart { at, labels: labels(), ..chart }
        }
    }
}

fn with(mut notes: Vec<String>, note: &str) -> Vec<String> {
    notes.push(note.to_owned());
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::ChartSeries;

    fn chart(count: usize) -> Chart {
        let plot = ChartPlot {
            x_name: "n".to_owned(),
            places: ChartPlaces::Numbers((0..count).map(|number| number as f64).collect()),
            series: vec![ChartSeries { name: "y".to_owned(), values: vec![Some(1.0); count] }],
            format: ValueFormat::Number,
        };
        Chart {
            model: "daily".to_owned(),
            name: "users".to_owned(),
            title: "Users".to_owned(),
            description: String::new(),
            picture: ChartPicture::Lines(plot),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_page_has_the_last_values_of_a_long_chart_and_says_so() {
        let drawn = PageRoom::default().chart(&chart(5_000));
        assert_eq!((drawn.at.first(), drawn.at.len()), (Some(&3_000.0), 2_000));
        assert_eq!(drawn.series[0].values.len(), 2_000);
        assert_eq!(drawn.notes, ["the last 2 000 of 5 000 points are in this page"]);
    }

    #[test]
    fn a_page_takes_only_so_many_values() {
        let mut room = PageRoom::default();
        let drawn: Vec<PageChart> = (0..21).map(|_| room.chart(&chart(2_000))).collect();
        assert!(drawn[..20].iter().all(|chart| chart.at.len() == 2_000));
        assert_eq!((drawn[20].shape, drawn[20].at.len()), ("none", 0));
        assert!(drawn[20].notes[0].contains("`karat chart daily --chart users` draws it"), "{:?}", drawn[20].notes);
    }
}
