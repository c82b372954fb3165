//! Values, places and whole charts in words.

use chrono::DateTime;

use super::{Chart, ChartPicture, ChartPlaces, Extent};
use crate::figures::{counted, grouped};
use crate::project::ValueFormat;

/// A value as people read it: rounded, with its unit.
pub(crate) fn value_text(value: f64, format: ValueFormat) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    let text = match format {
        ValueFormat::Number => number_text(size),
        ValueFormat::Percent => format!("{} %", number_text(size * 100.0)),
        ValueFormat::Bytes => byte_text(size),
        ValueFormat::Seconds => duration_text(size),
        ValueFormat::Milliseconds => duration_text(size / 1_000.0),
    };
    if text.starts_with("0 ") || text == "0" { text } else { format!("{sign}{text}") }
}

/// Not a negative number.
fn number_text(size: f64) -> String {
    if size >= 1e15 {
        return format!("{size:.3e}");
    }
    let decimals = match size {
        _ if size.fract() == 0.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 1.0 => 2,
        // Three digits that count.
        _ => (3 - (size.log10().floor() as i64 + 1)).clamp(3, 9) as usize,
    };
    let text = format!("{size:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    match fraction.trim_end_matches('0') {
        "" => whole,
        fraction => format!("{whole}.{fraction}"),
    }
}

fn byte_text(size: f64) -> String {
    let mut size = size;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if size < 1_000.0 || unit == "TB" {
            return format!("{} {unit}", number_text((size * 10.0).round() / 10.0));
        }
        size /= 1_000.0;
    }
    number_text(size)
}

fn duration_text(seconds: f64) -> String {
    let rounded = seconds.round();
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    if seconds < 1.0 {
        return format!("{} ms", number_text(seconds * 1_000.0));
    }
    if seconds < 60.0 && rounded < 60.0 {
        return format!("{} s", number_text((seconds * 10.0).round() / 10.0));
    }
    if rounded >= 1e15 {
        return format!("{rounded:.3e} s");
    }
    let total = rounded as u64;
    let (large, small) = match total {
        ..3_600 => ((total / 60, "min"), (total % 60, "s")),
        3_600..86_400 => ((total / 3_600, "h"), (total % 3_600 / 60, "min")),
        _ => ((total / 86_400, "d"), (total % 86_400 / 3_600, "h")),
    };
    let large_text = format!("{} {}", grouped(large.0), large.1);
    if small.0 == 0 { large_text } else { format!("{large_text} {} {}", small.0, small.1) }
}

/// A number exactly as it stands in the table, its digits in groups: a single figure is not rounded.
pub(crate) fn exact_text(written: &str, value: f64, format: ValueFormat) -> String {
    if format != ValueFormat::Number {
        return value_text(value, format);
    }
    let sign = if written.starts_with('-') { "-" } else { "" };
    let digits = written.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.chars().chain(fraction.chars()).all(|letter| letter.is_ascii_digit()) {
        return written.to_owned();
    }
    let whole: Vec<&str> =
        whole.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", whole.join(" "))
}

/// A place along a chart.
pub(crate) fn place_text(places: &ChartPlaces, place: usize) -> String {
    match places {
        ChartPlaces::Days(at) => at.get(place).map_or_else(String::new, |at| time_text(*at, "%Y-%m-%d")),
        ChartPlaces::Months(at) => at.get(place).map_or_else(String::new, |at| time_text(*at, "%Y-%m")),
        ChartPlaces::Times(at) => at.get(place).map_or_else(String::new, |at| {
            let is_minute = at.rem_euclid(60_000_000) == 0;
            time_text(*at, if is_minute { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S%.f" })
        }),
        ChartPlaces::Numbers(numbers) => {
            numbers.get(place).map_or_else(String::new, |number| value_text(*number, ValueFormat::Number))
        }
        ChartPlaces::Names(names) => names.get(place).cloned().unwrap_or_default(),
        ChartPlaces::Ranges { edges, format } => match edges.get(place..=place + 1) {
            Some([from, to]) => format!("{} – {}", value_text(*from, *format), value_text(*to, *format)),
            _ => String::new(),
        },
    }
}

fn time_text(micros: i64, format: &str) -> String {
    DateTime::from_timestamp_micros(micros).map_or_else(|| micros.to_string(), |at| at.format(format).to_string())
}

/// A chart in one sentence, for those who do not see it.
pub(crate) fn summary(chart: &Chart) -> String {
    let (kind, plot) = match &chart.picture {
        ChartPicture::Empty => return "There are no rows.".to_owned(),
        ChartPicture::Number(figure) => {
            return format!("{}: {}.", figure.of, figure.text.as_deref().unwrap_or("null"));
        }
        ChartPicture::Lines(plot) => ("Line chart", plot),
        ChartPicture::Bars(plot) => match plot.places {
            ChartPlaces::Ranges { .. } => ("Histogram", plot),
            _ => ("Bar chart", plot),
        },
    };
    let names: Vec<&str> = plot.series.iter().map(|series| series.name.as_str()).collect();
    let what = format!("{kind} of {} by {}", names.join(", "), plot.x_name);
    let count = counted(plot.places.len(), if kind == "Histogram" { "range" } else { "point" });
    let first = place_text(&plot.places, 0);
    let last = place_text(&plot.places, plot.places.len().saturating_sub(1));
    let along = match &plot.places {
        ChartPlaces::Names(_) => count,
        _ if first == last => format!("{count}, {first}"),
        _ => format!("{count} from {first} to {last}"),
    };
    match plot.extent() {
        Some(Extent { low, high }) => {
            let low = value_text(low, plot.format);
            let high = value_text(high, plot.format);
            format!("{what}: {along}; values from {low} to {high}.")
        }
        None => format!("{what}: {along}; all values are null."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_and_have_their_unit() {
        let texts =
            |format, values: &[f64]| -> Vec<String> { values.iter().map(|value| value_text(*value, format)).collect() };
        assert_eq!(
            texts(ValueFormat::Number, &[0.0, -0.0, 1234567.0, 1234.56, 12.345, 0.012_345, -5.5, 1e18]),
            ["0", "0", "1 234 567", "1 234.6", "12.35", "0.0123", "-5.5", "1.000e18"]
        );
        assert_eq!(texts(ValueFormat::Percent, &[0.0, 0.25, 0.1234, 1.5]), ["0 %", "25 %", "12.34 %", "150 %"]);
        assert_eq!(texts(ValueFormat::Bytes, &[999.0, 1_500_000.0]), ["999 B", "1.5 MB"]);
        assert_eq!(
            texts(ValueFormat::Seconds, &[0.0, 0.25, 12.5, 59.99, 90.0, 7_200.0, 90_000.0, -60.0]),
            ["0 s", "250 ms", "12.5 s", "1 min", "1 min 30 s", "2 h", "1 d 1 h", "-1 min"]
        );
    }

    #[test]
    fn a_single_figure_is_not_rounded() {
        assert_eq!(
            exact_text("9007199254740993", 9_007_199_254_740_993.0, ValueFormat::Number),
            "9 007 199 254 740 993"
        );
        assert_eq!(exact_text("-1234.50", -1234.5, ValueFormat::Number), "-1 234.5");
        assert_eq!(exact_text("1e300", 1e300, ValueFormat::Number), "1e300");
    }
}
