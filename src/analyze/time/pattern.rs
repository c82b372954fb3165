//! PostgreSQL's patterns of dates and times (`YYYY-MM-DD HH24:MI:SS`), and `to_char` with them.

use chrono::{Datelike, NaiveDateTime, Timelike};

/// What a pattern consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Copied as it is.
    Text(String),
    PatternField(PatternField),
}

/// One word of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternField {
    /// In upper case: `HH24`.
    pub word: &'static str,
    letters: Letters,
    /// Without `FM`, numbers and names are filled up to their full width.
    is_filled: bool,
    ordinal: Ordinal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Upper,
    Lower,
    Capital,
}

/// `1`, `1st` or `1ST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ordinal {
    No,
    Lower,
    Upper,
}

/// Every word, where one begins with another the longer first.
const WORDS: [&str; 52] = [
    "A.D.", "A.M.", "B.C.", "P.M.", "AD", "AM", "BC", "PM", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2", "FF3",
    "FF4", "FF5", "FF6", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH",
    "MON", "MS", "OF", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "YYYY", "YYY", "YY", "Y",
];

const NAMES: [&str; 4] = ["MONTH", "MON", "DAY", "DY"];

/// Takes a pattern apart. The error is what is wrong with it.
pub(super) fn parse(pattern: &str) -> Result<Vec<Item>, String> {
    if pattern.contains('%') {
        let message =
            "is not one of PostgreSQL's patterns: write `YYYY-MM-DD HH24:MI:SS` in place of `%Y-%m-%d %H:%M:%S`";
        return Err(format!("`{pattern}` {message}"));
    }
    let mut items = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if let Some((field, after)) = field(rest)? {
            items.push(Item::PatternField(field));
            rest = after;
            continue;
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        let mut text = first.to_string();
        if first == '"' {
            let end = rest
                .find('"')
                .ok_or_else(|| format!("the quotation mark in `{pattern}` is never closed: write `{pattern}\"`"))?;
            text = rest.get(..end).unwrap_or_default().to_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
        } else if first.is_alphabetic() {
            // PostgreSQL copies it. Nobody means that who has not put it into quotes: `Yyyy`, `dd/MMM`, `FOO`.
            return Err(format!(
                "`{}` in the pattern `{pattern}` is no part of a time: write letters that are copied in double quotes, `{}`",
                word(first, rest),
                quoted(pattern, &word(first, rest))
            ));
        }
        match items.last_mut() {
            Some(Item::Text(before)) => before.push_str(&text),
            _ => items.push(Item::Text(text)),
        }
    }
    Ok(items)
}

/// The letters up to the end of a word.
fn word(first: char, rest: &str) -> String {
    std::iter::once(first).chain(rest.chars().take_while(|letter| letter.is_alphabetic())).collect()
}

/// The pattern with a word of it in quotes.
fn quoted(pattern: &str, word: &str) -> String {
    pattern.replacen(word, &format!("\"{word}\""), 1)
}

/// The field that a pattern begins with, and what comes after it; `None` if it begins with something else.
fn field(pattern: &str) -> Result<Option<(PatternField, &str)>, String> {
    let [filled, bare] = ["FM", "fm"].map(|prefix| pattern.strip_prefix(prefix));
    let without_prefix = filled.or(bare);
    let rest = without_prefix.unwrap_or(pattern);
    if ["TM", "FX", "tm", "fx"].iter().any(|prefix| rest.starts_with(prefix)) {
        return Err(format!("`{}` is not supported in a pattern", rest.get(..2).unwrap_or_default()));
    }
    let found = WORDS.iter().find_map(|word| Some((*word, letters(word, rest)?)));
    let Some((word, letters)) = found else { return Ok(None) };
    if rest.get(word.len()..).is_some_and(|rest| rest.starts_with(",YYY") || rest.starts_with(",yyy")) && word == "Y" {
        return Err("`Y,YYY` is not supported in a pattern".to_owned());
    }
    let mut after = rest.get(word.len()..).unwrap_or_default();
    let mut ordinal = Ordinal::No;
    for (suffix, kind) in [("TH", Ordinal::Upper), ("th", Ordinal::Lower)] {
        if let Some(rest) = after.strip_prefix(suffix) {
            after = rest;
            ordinal = kind;
        }
    }
    Ok(Some((PatternField { word, letters, is_filled: without_prefix.is_none(), ordinal }, after)))
}

/// In which letters a word begins the pattern; `None` if it does not.
fn letters(word: &str, pattern: &str) -> Option<Letters> {
    let begins = pattern.get(..word.len())?;
    if begins == word {
        Some(Letters::Upper)
    } else if begins == word.to_lowercase() {
        Some(Letters::Lower)
    } else if NAMES.contains(&word) && begins == capitalized(word) {
        Some(Letters::Capital)
    } else {
        None
    }
}

fn capitalized(word: &str) -> String {
    let lower = word.to_lowercase();
    let mut letters = lower.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The time as a text.
pub(super) fn write(items: &[Item], time: NaiveDateTime, is_instant: bool) -> Result<String, String> {
    let mut text = String::new();
    for item in items {
        match item {
            Item::Text(copied) => text.push_str(copied),
            Item::PatternField(field) => text.push_str(&field.write(time, is_instant)?),
        }
    }
    Ok(text)
}

impl PatternField {
    fn write(&self, time: NaiveDateTime, is_instant: bool) -> Result<String, String> {
        if let Some(number) = number(self.word, time) {
            let width = if self.is_filled || number.is_exact { number.width } else { 0 };
            let digits = format!("{:0width$}", number.value);
            return Ok(format!("{digits}{}", self.ordinal_of(number.value)));
        }
        let month = time.format("%B").to_string();
        let day = time.format("%A").to_string();
        Ok(match self.word {
            "MONTH" => self.named(&month, 9),
            "MON" => self.named(&month, 0).chars().take(3).collect(),
            "DAY" => self.named(&day, 9),
            "DY" => self.named(&day, 0).chars().take(3).collect(),
            "AM" | "PM" => self.named(if time.hour() < 12 { "AM" } else { "PM" }, 0),
            "A.M." | "P.M." => self.named(if time.hour() < 12 { "A.M." } else { "P.M." }, 0),
            "AD" | "BC" => self.named("AD", 0),
            "A.D." | "B.C." => self.named("A.D.", 0),
            "RM" => self.named(ROMAN.get(time.month0() as usize).unwrap_or(&"I"), 4),
            "TZ" if is_instant => self.named("UTC", 0),
            "TZ" => String::new(),
            "TZH" | "OF" if is_instant => "+00".to_owned(),
            "TZM" if is_instant => "00".to_owned(),
            other => return Err(format!("`{other}` has no meaning for a timestamp without a time zone")),
        })
    }

    fn named(&self, name: &str, width: usize) -> String {
        let name = match self.letters {
            Letters::Upper => name.to_uppercase(),
            Letters::Lower => name.to_lowercase(),
            Letters::Capital => name.to_owned(),
        };
        let width = if self.is_filled { width } else { 0 };
        format!("{name:<width$}")
    }

    fn ordinal_of(&self, value: i64) -> &'static str {
        let lower = match (value % 10, value % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        match (self.ordinal, lower) {
            (Ordinal::No, _) => "",
            (Ordinal::Lower, lower) => lower,
            (Ordinal::Upper, "st") => "ST",
            (Ordinal::Upper, "nd") => "ND",
            (Ordinal::Upper, "rd") => "RD",
            (Ordinal::Upper, _) => "TH",
        }
    }
}

const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A number and to how many digits it is filled up.
struct Number {
    value: i64,
    width: usize,
    /// Filled up in spite of `FM`, because its digits are a fraction.
    is_exact: bool,
}

/// The number that a word stands for; `None` if it stands for none.
fn number(word: &str, time: NaiveDateTime) -> Option<Number> {
    let micros = i64::from(time.nanosecond() / 1000);
    let year = i64::from(time.year());
    let iso = time.iso_week();
    let iso_year = i64::from(iso.year());
    let [week, weekday, ordinal, day] =
        [iso.week(), time.weekday().number_from_monday(), time.ordinal(), time.day()].map(i64::from);
    let twelve = i64::from(time.hour12().1);
    let plain = |value: i64, width: usize| Some(Number { value, width, is_exact: false });
    let exact = |value: i64, width: usize| Some(Number { value, width, is_exact: true });
    match word {
        "YYYY" => plain(year, 4),
        "YYY" => plain(year % 1000, 3),
        "YY" => plain(year % 100, 2),
        "Y" => plain(year % 10, 1),
        "IYYY" => plain(iso_year, 4),
        "IYY" => plain(iso_year % 1000, 3),
        "IY" => plain(iso_year % 100, 2),
        "I" => plain(iso_year % 10, 1),
        "CC" => plain((year + 99) / 100, 2),
        "Q" => plain(i64::from(time.month0() / 3 + 1), 1),
        "MM" => plain(i64::from(time.month()), 2),
        "WW" => plain((ordinal - 1) / 7 + 1, 2),
        "W" => plain((day - 1) / 7 + 1, 1),
        "IW" => plain(week, 2),
        "DDD" => plain(ordinal, 3),
        "IDDD" => plain((week - 1) * 7 + weekday, 3),
        "DD" => plain(day, 2),
        "D" => plain(i64::from(time.weekday().num_days_from_sunday()) + 1, 1),
        "ID" => plain(weekday, 1),
        "J" => plain(i64::from(time.num_days_from_ce()) + 1_721_425, 1),
        "HH24" => plain(i64::from(time.hour()), 2),
        "HH12" | "HH" => plain(twelve, 2),
        "MI" => plain(i64::from(time.minute()), 2),
        "SS" => plain(i64::from(time.second()), 2),
        "SSSS" | "SSSSS" => plain(i64::from(time.num_seconds_from_midnight()), 1),
        "MS" | "FF3" => exact(micros / 1000, 3),
        "US" | "FF6" => exact(micros, 6),
        "FF1" => exact(micros / 100_000, 1),
        "FF2" => exact(micros / 10_000, 2),
        "FF4" => exact(micros / 100, 4),
        "FF5" => exact(micros / 10, 5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &str) -> String {
        let time = "2024-03-05T15:04:05.067800".parse().unwrap();
        parse(pattern).and_then(|items| write(&items, time, false)).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn patterns_are_postgresql_s() {
        assert_eq!(written("YYYY-MM-DD HH24:MI:SS.US"), "2024-03-05 15:04:05.067800");
        assert_eq!(written("FMMonth FMDDth, YYYY"), "March 5th, 2024");
        assert_eq!(written("Month|DAY|dy"), "March    |TUESDAY  |tue");
        assert_eq!(written("HH12:MI am"), "03:04 pm");
        assert_eq!(written("\"Week \"IW Q"), "Week 10 1");
        assert!(written("%Y").starts_with("error"));
        assert!(written("\"open").starts_with("error"));
        let copied = "`FOO` in the pattern `YYYY FOO` is no part of a time: write letters that are copied in double quotes, `YYYY \"FOO\"`";
        assert_eq!(written("YYYY FOO"), format!("error: {copied}"));
        assert_eq!(written("YYYY \"FOO\""), "2024 FOO");
    }
}
