//! Charts of text: what is drawn of extremes, and that nothing is drawn that is not there.

use super::*;
use crate::chart::{ChartSeries, PageRoom};
use crate::project::ValueFormat;

const PLAIN: TerminalStyle = TerminalStyle { width: 60, has_colours: false };
const COLOURED: TerminalStyle = TerminalStyle { has_colours: true, ..PLAIN };
const DAY: i64 = 86_400_000_000;

fn plot(places: ChartPlaces, series: &[(&str, &[Option<f64>])]) -> ChartPlot {
    let series = series.iter().map(|(name, values)| ChartSeries { name: (*name).to_owned(), values: values.to_vec() });
    ChartPlot { x_name: "x".to_owned(), places, series: series.collect(), format: ValueFormat::Number }
}

fn chart(picture: ChartPicture) -> Chart {
    Chart {
        model: "m".to_owned(),
        name: "c".to_owned(),
        title: "Title".to_owned(),
        description: String::new(),
        picture,
        notes: Vec::new(),
    }
}

fn days(count: i64) -> ChartPlaces {
    // From 2023-05-01.
    ChartPlaces::days((0..count).map(|day| (19_478 + day) * DAY).collect())
}

#[test]
fn a_line_has_a_gap_where_a_value_is_null() {
    let values = [Some(0.0), Some(10.0), None, Some(5.0), None, Some(5.0), Some(5.0)];
    let drawn = in_terminal(&chart(ChartPicture::Lines(plot(days(7), &[("y", &values)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
      10 ┤         *
         │        *
       8 ┤        *
         │       *
         │      *
       6 ┤     *
         │     *                     *                **********
       4 ┤    *
         │   *
         │  *
       2 ┤  *
         │ *
       0 ┤*
         └┬─────────────────┬────────────────┬─────────────────┬
          2023-05-01   2023-05-03       2023-05-05    2023-05-07
    ");
}

#[test]
fn series_have_marks_of_their_own_and_a_legend() {
    let up: Vec<Option<f64>> = (0..5).map(|value| Some(f64::from(value))).collect();
    let down: Vec<Option<f64>> = up.iter().rev().copied().collect();
    let drawn = in_terminal(&chart(ChartPicture::Lines(plot(days(5), &[("up", &up), ("down", &down)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
      * up   o down
      4 ┤ooo                                                 ***
        │   ooooo                                        ****
        │        oooo                                ****
      3 ┤            ooooo                      *****
        │                 oooo             *****
        │                     oooo     ****
      2 ┤                         *****
        │                     ****     ooooo
        │                 ****              oooo
      1 ┤            *****                      ooooo
        │       *****                                oooo
        │   ****                                         oooo
      0 ┤***                                                 ooo
        └┬──────────────────────────┬──────────────────────────┬
         2023-05-01            2023-05-03             2023-05-05
    ");
}

#[test]
fn colours_are_only_sent_where_they_are_seen() {
    let values = [Some(1.0), Some(2.0)];
    let lines = chart(ChartPicture::Lines(plot(days(2), &[("y", &values)])));
    assert!(!in_terminal(&lines, PLAIN).contains('\u{1b}'));
    assert!(in_terminal(&lines, COLOURED).contains('\u{1b}'));
    let bare = without_colours(&in_terminal(&lines, COLOURED));
    assert!(bare.lines().all(|line| line.chars().count() <= 60), "{bare}");
}

/// A text without its colours.
fn without_colours(text: &str) -> String {
    let mut bare = String::new();
    let mut is_escape = false;
    for letter in text.chars() {
        match letter {
            '\u{1b}' => is_escape = true,
            'm' if is_escape => is_escape = false,
            other if !is_escape => bare.push(other),
            _ => {}
        }
    }
    bare
}

#[test]
fn bars_below_zero_hang_down() {
    let values = [Some(-10.0), Some(20.0), Some(0.0), None, Some(-1.0)];
    let drawn = in_terminal(&chart(ChartPicture::Bars(plot(days(5), &[("y", &values)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
          │
       20 ┤      █████
          │      █████
          │      █████
       10 ┤      █████
          │      █████
        0 ┤      █████
          │█████                   ▀▀▀▀▀
          │█████
      -10 ┤█████
          └──┬─────────────────┬─────────
           2023-05-01     2023-05-04
    ");
    let names = ChartPlaces::Names(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec());
    let drawn = in_terminal(&chart(ChartPicture::Bars(plot(names, &[("y", &values)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
      a █████████████████│ -10
      b                  │██████████████████████████████████ 20
      c                  │ 0
      d                  │ null
      e                ██│ -1
    ");
}

#[test]
fn several_bars_of_a_day_are_pictures_below_each_other() {
    let one = [Some(1.0), Some(2.0)];
    let other = [Some(4.0), None];
    let drawn = in_terminal(&chart(ChartPicture::Bars(plot(days(2), &[("one", &one), ("other", &other)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
         one
      4 ┤
        │
      2 ┤      ▄▄▄▄▄
        │▂▂▂▂▂ █████
      0 ┤█████ █████
        └──┬─────────
         2023-05-01
         other
      4 ┤█████
        │█████
      2 ┤█████
        │█████
      0 ┤█████
        └──┬─────────
         2023-05-01
    ");
}

#[test]
fn bars_of_names_have_fills_where_there_are_no_colours() {
    let names =
        ChartPlaces::Names(vec!["first".to_owned(), "\u{1b}[2J a name that is longer than a label may be".to_owned()]);
    let one = [Some(3.0), Some(2.0)];
    let other = [Some(1.0), None];
    let drawn = in_terminal(&chart(ChartPicture::Bars(plot(names, &[("one", &one), ("other", &other)]))), PLAIN);
    insta::assert_snapshot!(drawn, @r"
    Title
      █ one   ▒ other
                             first │██████████████████████████ 3
                                   │▒▒▒▒▒▒▒▒▒ 1
      ␛[2J a name that is longer … │█████████████████▍ 2
                                   │ null
    ");
}

#[test]
fn one_point_many_points_and_nothing_but_nulls_are_drawn() {
    for style in [PLAIN, COLOURED, TerminalStyle { width: 1, ..PLAIN }, TerminalStyle { width: 5_000, ..PLAIN }] {
        for (count, value) in
            [(1, Some(5.0)), (1, Some(0.0)), (3, None), (20_000, Some(-7.0)), (2, Some(1e300)), (2, Some(-1e-300))]
        {
            let values = vec![value; count as usize];
            for places in [days(count), ChartPlaces::Numbers((0..count).map(|number| number as f64 / 3.0).collect())] {
                for picture in [
                    ChartPicture::Lines(plot(places.clone(), &[("y", &values)])),
                    ChartPicture::Bars(plot(places, &[("y", &values)])),
                ] {
                    let chart = chart(picture);
                    let drawn = without_colours(&in_terminal(&chart, style));
                    let width = style.width.clamp(LEAST_WIDTH, MOST_WIDTH);
                    let mut picture = drawn.lines().filter(|line| line.contains(['┤', '│', '└']));
                    assert!(picture.all(|line| line.chars().count() <= width), "{count} {value:?}\n{drawn}");
                    assert!(crate::chart::svg(&chart).ends_with("</svg>\n"));
                    assert_eq!(PageRoom::default().chart(&chart).series[0].values.len(), values.len().min(2_000));
                }
            }
        }
    }
}

#[test]
fn the_largest_and_the_smallest_number_fit_into_one_picture() {
    let values = [Some(crate::chart::LARGEST), Some(-crate::chart::LARGEST), Some(0.0)];
    for picture in
        [ChartPicture::Lines(plot(days(3), &[("y", &values)])), ChartPicture::Bars(plot(days(3), &[("y", &values)]))]
    {
        let chart = chart(picture);
        assert!(!in_terminal(&chart, PLAIN).contains("NaN"));
        let svg = crate::chart::svg(&chart);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
