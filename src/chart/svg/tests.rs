//! SVG: well-formed whatever the texts are, and with the values where they belong.

use super::*;
use crate::chart::ChartSeries;
use crate::project::ValueFormat;

fn chart(title: &str, places: ChartPlaces, values: &[Option<f64>]) -> Chart {
    let series = vec![ChartSeries { name: title.to_owned(), values: values.to_vec() }; 2];
    let plot = ChartPlot { x_name: title.to_owned(), places, series, format: ValueFormat::Number };
    Chart {
        model: "m".to_owned(),
        name: "c".to_owned(),
        title: title.to_owned(),
        description: title.to_owned(),
        picture: ChartPicture::Bars(plot),
        notes: vec![title.to_owned()],
    }
}

/// The numbers of an attribute, in the order of the text.
fn numbers(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let elements = svg.split('<').filter(|part| part.starts_with(element));
    let value = |part: &str| part.split(&format!(" {attribute}=\"")).nth(1)?.split('"').next()?.parse().ok();
    elements.filter_map(value).collect()
}

#[test]
fn no_text_is_markup() {
    let hostile = "</title><script>alert(1)</script>\"'&\u{0}\u{1b}\u{ffff}";
    let names = ChartPlaces::Names(vec![hostile.to_owned(), "b".to_owned()]);
    for places in [names, ChartPlaces::Days(vec![0, 86_400_000_000])] {
        let svg = svg(&chart(hostile, places, &[Some(1.0), None]));
        assert!(!svg.contains("<script") && !svg.contains('\u{0}') && !svg.contains('\u{ffff}'), "{svg}");
        assert!(svg.contains("&lt;/title&gt;&lt;script&gt;"));
        // Every element that opens is closed.
        for element in ["svg", "title", "desc", "style", "text"] {
            let opened = svg.matches(&format!("<{element}")).count();
            assert_eq!(opened, svg.matches(&format!("</{element}>")).count(), "{element}");
        }
    }
}

#[test]
fn a_file_asks_nobody_for_anything_and_says_what_it_shows() {
    let svg = svg(&chart("Users", ChartPlaces::Days(vec![0, 86_400_000_000]), &[Some(1.0), Some(3.0)]));
    let asked = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for way in ["http", "url(", "@import", "href", "<script"] {
        assert!(!asked.contains(way), "{way}");
    }
    assert!(svg.contains("<title id=\"chart-title\">Users</title>"));
    assert!(
        svg.contains("Bar chart of Users, Users by Users: 2 points from 1970-01-01 to 1970-01-02; values from 1 to 3.")
    );
    assert!(svg.contains("@media (prefers-color-scheme:dark)"));
}

#[test]
fn bars_are_as_long_as_their_values() {
    let names = ChartPlaces::Names(["a", "b", "c"].map(str::to_owned).to_vec());
    let svg = svg(&chart("y", names, &[Some(10.0), Some(-5.0), Some(0.0)]));
    let bars: Vec<&str> = svg.split("<rect").filter(|part| part.contains("<title>")).collect();
    let width = |bar: &str| numbers(&format!("<rect{bar}"), "rect", "width")[0];
    let widths: Vec<f64> = bars.iter().map(|bar| width(bar)).collect();
    assert_eq!(widths.len(), 6);
    assert!((widths[0] / widths[2] - 2.0).abs() < 0.01, "{widths:?}");
    assert_eq!(widths[4], 0.0);
    let starts = numbers(&svg, "rect class=\"f0\" x", "x");
    assert!(starts.len() >= 3, "{starts:?}");
}

#[test]
fn a_line_is_broken_where_a_value_is_null_and_a_lone_value_is_a_dot() {
    let values = [Some(1.0), Some(2.0), None, Some(3.0), None];
    let days = ChartPlaces::Days((0..5).map(|day| day * 86_400_000_000).collect());
    let mut chart = chart("y", days, &values);
    let ChartPicture::Bars(mut plot) = chart.picture else { panic!("bars") };
    plot.series.truncate(1);
    chart.picture = ChartPicture::Lines(plot);
    let svg = svg(&chart);
    assert_eq!(svg.matches("<path").count(), 1);
    assert_eq!(svg.matches("<circle").count(), 3);
    assert!(svg.contains("<title>1970-01-04, y: 3</title>"));
}

#[test]
fn a_line_of_many_points_keeps_its_extremes() {
    let values: Vec<Option<f64>> =
        (0..20_000).map(|place| Some(if place == 12_345 { 1_000.0 } else { f64::from(place % 7) })).collect();
    let mut chart = chart("y", ChartPlaces::Numbers((0..20_000).map(f64::from).collect()), &values);
    let ChartPicture::Bars(mut plot) = chart.picture else { panic!("bars") };
    plot.series.truncate(1);
    chart.picture = ChartPicture::Lines(plot);
    let svg = svg(&chart);
    assert!(svg.len() < 80_000, "{}", svg.len());
    let path = svg.split_once(" d=\"M").unwrap().1.split('"').next().unwrap();
    let highest = path.split('L').map(|point| point.split_once(' ').unwrap().1.parse::<f64>().unwrap());
    let top = numbers(&svg, "line class=\"grid\"", "y1").into_iter().fold(f64::MAX, f64::min);
    assert!((highest.fold(f64::MAX, f64::min) - top).abs() < 0.2, "1 000 is the end of the axis");
}
