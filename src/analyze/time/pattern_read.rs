//! `to_date` and `to_timestamp`: texts read by PostgreSQL's patterns.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};

use super::pattern::{Item, PatternField};

/// What was read so far; `None` where nothing was.
#[derive(Debug, Default)]
struct TimeParts {
    year: Option<i64>,
    iso_year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    week: Option<i64>,
    weekday: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    half_day_hour: Option<i64>,
    is_afternoon: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    micros: i64,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Whether texts can be read by the pattern. The error names the word that only `to_char` knows.
pub(super) fn check(items: &[Item]) -> Result<(), String> {
    items.iter().try_for_each(|item| match item {
        Item::PatternField(field) if width(field.word).is_none() && !is_name(field.word) => {
            Err(format!("texts cannot be read by the pattern `{}`", field.word))
        }
        Item::PatternField(_) | Item::Text(_) => Ok(()),
    })
}

/// The time that the text says.
pub(super) fn read(items: &[Item], text: &str) -> Result<NaiveDateTime, String> {
    let mut found = TimeParts::default();
    let mut rest = text;
    for (at, item) in items.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        let read = match item {
            Item::Text(copied) => skip(copied, rest),
            Item::PatternField(field) => {
                let is_packed =
                    matches!(items.get(at + 1), Some(Item::PatternField(next)) if width(next.word).is_some());
                found.field(field, rest.trim_start(), is_packed)
            }
        };
        rest = read.ok_or_else(|| format!("the text `{text}` does not follow the pattern"))?;
    }
    found.time().ok_or_else(|| format!("the text `{text}` does not say a date that exists"))
}

fn is_name(word: &str) -> bool {
    matches!(word, "MONTH" | "MON" | "DAY" | "DY" | "AM" | "PM" | "A.M." | "P.M.")
}

/// How many digits a word stands for; `None` if it is not a number, or none that can be read.
fn width(word: &str) -> Option<usize> {
    match word {
        "YYYY" | "IYYY" => Some(4),
        "YYY" | "DDD" | "MS" | "FF3" => Some(3),
        "YY" | "MM" | "DD" | "HH24" | "HH12" | "HH" | "MI" | "SS" | "IW" => Some(2),
        "Y" | "D" | "ID" | "Q" => Some(1),
        "US" | "FF6" => Some(6),
        "J" => Some(7),
        "SSSS" | "SSSSS" => Some(5),
        _ => None,
    }
}

/// What comes after a text of the pattern: any separator stands for any other, or may be left out; letters are as written.
fn skip<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
    let mut rest = text;
    for wanted in pattern.chars() {
        if wanted.is_alphanumeric() {
            rest = rest.strip_prefix(wanted)?;
            continue;
        }
        rest = rest.trim_start();
        let separator = rest.chars().next().filter(|c| !c.is_alphanumeric());
        rest = separator.map_or(rest, |c| rest.get(c.len_utf8()..).unwrap_or_default());
    }
    Some(rest)
}

impl TimeParts {
    /// Reads one field; what comes after it, or `None` if the text does not begin with it.
    fn field<'t>(&mut self, field: &PatternField, text: &'t str, is_packed: bool) -> Option<&'t str> {
        let Some(width) = width(field.word) else { return self.name(field.word, text) };
        let limit = if is_packed { width } else { text.len() };
        let end = text.bytes().take(limit).take_while(u8::is_ascii_digit).count();
        let digits = text.get(..end)?;
        let value: i64 = digits.parse().ok()?;
        self.number(field.word, value, end)?;
        text.get(end..)
    }

    fn number(&mut self, word: &str, value: i64, digits: usize) -> Option<()> {
        let fraction = |width: usize| value.checked_mul(10_i64.pow(u32::try_from(width.checked_sub(digits)?).ok()?));
        match word {
            "YYYY" => self.year = Some(value),
            // PostgreSQL takes the year nearest to 2020 that ends so.
            "YYY" | "YY" | "Y" => self.year = Some(if digits < 4 { near_2020(value) } else { value }),
            "IYYY" => self.iso_year = Some(value),
            "MM" => self.month = Some(value),
            "DD" => self.day = Some(value),
            "DDD" => self.day_of_year = Some(value),
            "IW" => self.week = Some(value),
            "ID" => self.weekday = Some(value),
            "J" => self.julian = Some(value),
            "HH24" => self.hour = value,
            "HH12" | "HH" => self.half_day_hour = Some(value),
            "MI" => self.minute = value,
            "SS" => self.second = value,
            "SSSS" | "SSSSS" => self.second_of_day = Some(value),
            "MS" | "FF3" => self.micros += fraction(3)? * 1000,
            "US" | "FF6" => self.micros += fraction(6)?,
            // The day of the week and the quarter say nothing that a date needs.
            _ => {}
        }
        Some(())
    }

    fn name<'t>(&mut self, word: &str, text: &'t str) -> Option<&'t str> {
        let lower = text.to_lowercase();
        let begins = |name: &str| lower.starts_with(name).then_some(name.len());
        let length = match word {
            "MONTH" | "MON" => {
                let short = word == "MON";
                let named = |name: &'static str| begins(if short { name.get(..3).unwrap_or(name) } else { name });
                let (month, length) = MONTHS.iter().zip(1..).find_map(|(name, month)| Some((month, named(name)?)))?;
                self.month = Some(month);
                length
            }
            "DAY" => DAYS.iter().find_map(|name| begins(name))?,
            "DY" => DAYS.iter().find_map(|name| begins(name.get(..3).unwrap_or(name)))?,
            _ => {
                let halves = [("am", false), ("pm", true), ("a.m.", false), ("p.m.", true)];
                let (is_afternoon, length) = halves.iter().find_map(|(name, half)| Some((*half, begins(name)?)))?;
                self.is_afternoon = Some(is_afternoon);
                length
            }
        };
        text.get(length..)
    }

    /// The time; `None` if there is none.
    fn time(&self) -> Option<NaiveDateTime> {
        let date = self.date()?;
        let hour = match (self.half_day_hour, self.is_afternoon) {
            (Some(hour), _) if !(1..=12).contains(&hour) => return None,
            (Some(hour), is_afternoon) => hour % 12 + if is_afternoon == Some(true) { 12 } else { 0 },
            (None, _) if self.is_afternoon.is_some() && self.hour > 12 => return None,
            (None, Some(true)) if self.hour < 12 => self.hour + 12,
            (None, _) => self.hour,
        };
        let fits = (0..24).contains(&hour) && (0..60).contains(&self.minute) && (0..60).contains(&self.second);
        if !fits || self.second_of_day.is_some_and(|second| second >= 86_400) {
            return None;
        }
        let second = self.second_of_day.unwrap_or(hour * 3600 + self.minute * 60 + self.second);
        let time = TimeDelta::microseconds(second * 1_000_000 + self.micros);
        date.and_time(NaiveTime::MIN).checked_add_signed(time)
    }

    fn date(&self) -> Option<NaiveDate> {
        let small = |value: i64| u32::try_from(value).ok();
        let first = NaiveDate::from_ymd_opt(1, 1, 1)?;
        let found = if let Some(julian) = self.julian {
            NaiveDate::from_num_days_from_ce_opt(i32::try_from(julian - 1_721_425).ok()?)
        } else if let Some(year) = self.iso_year {
            let weekday = Weekday::try_from(u8::try_from(self.weekday.unwrap_or(1) - 1).ok()?).ok()?;
            NaiveDate::from_isoywd_opt(i32::try_from(year).ok()?, small(self.week.unwrap_or(1))?, weekday)
        } else if let Some(day) = self.day_of_year {
            NaiveDate::from_yo_opt(i32::try_from(self.year?).ok()?, small(day)?)
        } else {
            let year = i32::try_from(self.year?).ok()?;
            NaiveDate::from_ymd_opt(year, small(self.month.unwrap_or(1))?, small(self.day.unwrap_or(1))?)
        };
        found.filter(|date| (first..=NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(first)).contains(date))
    }
}

/// A year of which not all digits were written, as PostgreSQL completes it.
fn near_2020(year: i64) -> i64 {
    match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        100..=519 => year + 2000,
        _ => year + 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::parse;
    use super::*;

    fn said(text: &str, pattern: &str) -> String {
        let items = parse(pattern).unwrap();
        check(&items).and_then(|()| read(&items, text)).map_or_else(|error| error, |time| time.to_string())
    }

    #[test]
    fn texts_are_read_by_patterns() {
        assert_eq!(said("01.05.2023", "DD.MM.YYYY"), "2023-05-01 00:00:00");
        assert_eq!(said("20230501", "YYYYMMDD"), "2023-05-01 00:00:00");
        assert_eq!(said("1 May 23 3:04 pm", "DD Mon YY HH12:MI AM"), "2023-05-01 15:04:00");
        assert_eq!(said("2023-05-01 10:00:00.5", "YYYY-MM-DD HH24:MI:SS.MS"), "2023-05-01 10:00:00.500");
        assert_eq!(said("2023 10 2", "IYYY IW ID"), "2023-03-07 00:00:00");
        assert!(said("2023-02-30", "YYYY-MM-DD").starts_with("the text"));
        assert!(said("abc", "YYYY").starts_with("the text"));
        assert!(said("1", "WW").starts_with("texts cannot"));
    }
}
