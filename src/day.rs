//! The calendar that tables are cut by: grains, slices, ranges of time and windows. All times are UTC.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

/// The length of a slice: the unit in which an incremental model is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    Hour,
    Day,
    Month,
    Year,
}

impl Grain {
    /// Every grain with the word that stands for it in a config.
    pub const ALL: [(&'static str, Grain); 4] =
        [("hour", Grain::Hour), ("day", Grain::Day), ("month", Grain::Month), ("year", Grain::Year)];

    pub fn parse(word: &str) -> Option<Grain> {
        Grain::ALL.iter().find(|(known, _)| *known == word).map(|(_, grain)| *grain)
    }

    pub fn word(self) -> &'static str {
        match self {
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Month => "month",
            Grain::Year => "year",
        }
    }

    /// The beginning of the slice that holds `time`.
    pub fn floor(self, time: NaiveDateTime) -> NaiveDateTime {
        let date = time.date();
        let first_of = |month| NaiveDate::from_ymd_opt(date.year(), month, 1).expect("every month has a first day");
        match self {
            Grain::Hour => date.and_hms_opt(time.hour(), 0, 0).expect("every hour has a beginning"),
            Grain::Day => midnight(date),
            Grain::Month => midnight(first_of(date.month())),
            Grain::Year => midnight(first_of(1)),
        }
    }

    /// The beginning of the slice after the one that holds `time`; the end of time stays where it is.
    pub fn next(self, time: NaiveDateTime) -> NaiveDateTime {
        let start = self.floor(time);
        match self {
            Grain::Hour => start.checked_add_signed(TimeDelta::hours(1)),
            Grain::Day => start.checked_add_days(Days::new(1)),
            Grain::Month => start.checked_add_months(Months::new(1)),
            Grain::Year => start.checked_add_months(Months::new(12)),
        }
        .unwrap_or(NaiveDateTime::MAX)
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// The first instant of a day.
pub fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}

/// A range of time: `start` belongs to it, `end` does not. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeRange {
    start: NaiveDateTime,
    end: NaiveDateTime,
}

impl TimeRange {
    /// Returns `None` if the range would be empty.
    pub fn new(start: NaiveDateTime, end: NaiveDateTime) -> Option<TimeRange> {
        (start < end).then_some(TimeRange { start, end })
    }

    pub fn start(self) -> NaiveDateTime {
        self.start
    }

    pub fn end(self) -> NaiveDateTime {
        self.end
    }

    /// The last day that has an instant of the range.
    pub fn last_day(self) -> NaiveDate {
        self.end.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(self.start).date()
    }

    /// The smallest range of whole slices that holds this one.
    pub fn aligned(self, grain: Grain) -> TimeRange {
        let last = self.end.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(self.start);
        TimeRange { start: grain.floor(self.start), end: grain.next(last) }
    }

    /// The beginnings of the slices that the range holds or touches, in order.
    pub fn slices(self, grain: Grain) -> impl Iterator<Item = TimeRange> {
        let mut start = grain.floor(self.start);
        std::iter::from_fn(move || {
            let end = grain.next(start);
            let slice = (start < self.end && start < end).then_some(TimeRange { start, end });
            start = end;
            slice
        })
    }

    /// The range as seen through a window: what rows of this range may read.
    pub fn widened(self, window: Window) -> TimeRange {
        TimeRange { start: window.lookback.before(self.start), end: window.lookahead.after(self.end) }
    }

    pub fn contains(self, time: NaiveDateTime) -> bool {
        self.start <= time && time < self.end
    }

    /// The same instants in as few ranges as possible, in order and apart.
    pub fn joined(mut ranges: Vec<TimeRange>) -> Vec<TimeRange> {
        ranges.sort_unstable();
        let mut joined: Vec<TimeRange> = Vec::new();
        for range in ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }

    pub fn overlaps(self, other: TimeRange) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl fmt::Display for TimeRange {
    /// `2023-05-03`, `2023-05-01 to 2023-05-31`, or with times where a border is no midnight.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_days = self.start.time() == NaiveTime::MIN && self.end.time() == NaiveTime::MIN;
        if !whole_days {
            return write!(formatter, "{} to {}", self.start, self.end);
        }
        let (first, last) = (self.start.date(), self.last_day());
        if first == last { write!(formatter, "{first}") } else { write!(formatter, "{first} to {last}") }
    }
}

/// A length of time as an author writes it: `29 days`, `1 hour`, `2 months`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length {
    count: u32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Unit {
    Minute,
    Hour,
    Day,
    Month,
}

impl Length {
    pub const ZERO: Length = Length { count: 0, unit: Unit::Day };

    /// Parses `29 days`, `1 day`, `90 minutes`, `1 week`, `2 months`, `1 year`; a bare number is no length.
    pub fn parse(text: &str) -> Option<Length> {
        let (count, unit) = text.trim().split_once(char::is_whitespace)?;
        let count: u32 = count.parse().ok()?;
        let (unit, factor) = match unit.trim().trim_end_matches('s') {
            "minute" => (Unit::Minute, 1),
            "hour" => (Unit::Hour, 1),
            "day" => (Unit::Day, 1),
            "week" => (Unit::Day, 7),
            "month" => (Unit::Month, 1),
            "year" => (Unit::Month, 12),
            _ => return None,
        };
        Some(Length { count: count.checked_mul(factor)?, unit })
    }

    /// The instant that lies this far before; the beginning of time if there is none.
    pub fn before(self, time: NaiveDateTime) -> NaiveDateTime {
        match self.unit {
            Unit::Month => time.checked_sub_months(Months::new(self.count)),
            Unit::Minute | Unit::Hour | Unit::Day => time.checked_sub_signed(self.delta()),
        }
        .unwrap_or(NaiveDateTime::MIN)
    }

    /// The instant that lies this far after; the end of time if there is none.
    pub fn after(self, time: NaiveDateTime) -> NaiveDateTime {
        match self.unit {
            Unit::Month => time.checked_add_months(Months::new(self.count)),
            Unit::Minute | Unit::Hour | Unit::Day => time.checked_add_signed(self.delta()),
        }
        .unwrap_or(NaiveDateTime::MAX)
    }

    /// The shortest length in whole minutes, hours or days that is not below `time`; the longest there is, if none is.
    pub fn at_least(time: TimeDelta) -> Length {
        let minutes = time.num_minutes() + i64::from(TimeDelta::minutes(time.num_minutes()) < time);
        let (count, unit) = match minutes.max(0) {
            minutes if minutes % 1440 == 0 => (minutes / 1440, Unit::Day),
            minutes if minutes % 60 == 0 => (minutes / 60, Unit::Hour),
            minutes => (minutes, Unit::Minute),
        };
        match u32::try_from(count) {
            Ok(count) => Length { count, unit },
            Err(_) => Length { count: u32::MAX, unit: Unit::Day },
        }
    }

    /// As much time as it can be: a month may have 31 days.
    pub fn at_most(self) -> TimeDelta {
        match self.unit {
            Unit::Month => TimeDelta::days(31 * i64::from(self.count)),
            Unit::Minute | Unit::Hour | Unit::Day => self.delta(),
        }
    }

    fn delta(self) -> TimeDelta {
        let count = i64::from(self.count);
        match self.unit {
            Unit::Minute => TimeDelta::minutes(count),
            Unit::Hour => TimeDelta::hours(count),
            Unit::Day | Unit::Month => TimeDelta::days(count),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Month => "month",
        };
        write!(formatter, "{} {unit}{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

/// How far around its own slice a row may read an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    pub lookback: Length,
    pub lookahead: Length,
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} back, {} ahead", self.lookback, self.lookahead)
    }
}

/// A point in time as people write it: a day, with all its hours, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenTime {
    /// `2023-05-01`
    Day(NaiveDate),
    /// `2023-05-01 13:00:00` or `2023-05-01 13:00`, also with a `T`.
    Instant(NaiveDateTime),
}

impl WrittenTime {
    /// Returns `None` for every other text: a day without its zeros, like `2023-5-1`, is an error and not a guess.
    pub fn parse(text: &str) -> Option<WrittenTime> {
        let text = text.trim();
        if let Some(date) = plain_date(text) {
            return Some(WrittenTime::Day(date));
        }
        if text.starts_with(['+', '-']) {
            // Years of more than four digits, as ISO 8601 has them.
            return text.parse().ok().map(WrittenTime::Day);
        }
        let (date, time) = text.split_once([' ', 'T'])?;
        let date = plain_date(date)?;
        let clock = time.split_once('.').map_or(time, |(clock, _)| clock);
        let has_two_digits = |part: &str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        if !clock.split(':').all(has_two_digits) {
            return None;
        }
        let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok())?;
        Some(WrittenTime::Instant(date.and_time(time)))
    }

    /// The first instant that is meant.
    pub fn start(self) -> NaiveDateTime {
        match self {
            WrittenTime::Day(date) => midnight(date),
            WrittenTime::Instant(time) => time,
        }
    }

    /// The first instant behind a range that ends here: a last day belongs to its range whole, an instant does not.
    pub fn end(self) -> NaiveDateTime {
        match self {
            WrittenTime::Day(date) => Grain::Day.next(midnight(date)),
            WrittenTime::Instant(time) => time,
        }
    }
}

/// The first instant of what [`WrittenTime::parse`] reads.
pub fn parse_instant(text: &str) -> Option<NaiveDateTime> {
    WrittenTime::parse(text).map(WrittenTime::start)
}

/// A time as programs write it into tables, in UTC: `2023-05-01`, `2023-05-01 10:00:00`, `2023-05-01 10:00:00.000000`,
/// `2023-05-01T10:00:00.000000Z`. The Delta protocol allows them all for the same value of a partition.
pub fn parse_stored(text: &str) -> Option<NaiveDateTime> {
    parse_instant(text).or_else(|| {
        let offset = DateTime::parse_from_rfc3339(text).map(|time| time.naive_utc());
        let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
        offset.or_else(|_| plain()).or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")).ok()
    })
}

/// A moment as people write it: `2023-05-01`, `2023-05-01T08:00:00` in UTC, or with an offset behind it.
///
/// # Errors
///
/// How to write one, if the text is none.
pub fn parse_moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN));
    let found = local.or_else(date).map(|local| local.and_utc());
    found.ok_or_else(|| "write a date or a time: `2023-05-01` or `2023-05-01T08:00:00`".to_owned())
}

/// A date in its usual form, `2023-05-01`. Partitions are full of these, and the general way takes ten times as long.
fn plain_date(text: &str) -> Option<NaiveDate> {
    // Ten bytes and their hyphens: everything else goes the general way.
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        let add = |sum: u32, digit: &u8| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'));
        digits.iter().try_fold(0, add)
    };
    NaiveDate::from_ymd_opt(i32::try_from(number(&[y1, y2, y3, y4])?).ok()?, number(&[m1, m2])?, number(&[d1, d2])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &str, end: &str) -> TimeRange {
        TimeRange::new(parse_instant(start).unwrap(), parse_instant(end).unwrap()).unwrap()
    }

    #[test]
    fn a_request_is_aligned_to_whole_slices() {
        let asked = range("2023-05-10", "2023-05-13");
        assert_eq!(asked.aligned(Grain::Month), range("2023-05-01", "2023-06-01"));
        assert_eq!(asked.aligned(Grain::Day), asked);
        assert_eq!(asked.to_string(), "2023-05-10 to 2023-05-12");
    }

    #[test]
    fn a_stored_time_is_the_same_in_every_spelling() {
        let ten = parse_instant("2023-02-01T10:00:00");
        for text in [
            "2023-02-01 10:00:00",
            "2023-02-01 10:00:00.000000",
            "2023-02-01T10:00:00.000000Z",
            "2023-02-01T10:00:00Z",
            "2023-02-01T10:00:00.000",
            "2023-02-01T12:00:00.000000+02:00",
        ] {
            assert_eq!(parse_stored(text), ten, "{text}");
        }
        assert!(parse_stored("2023-02-01 10:00:00.5") > ten);
        assert_eq!(parse_stored("2023-02-01"), parse_instant("2023-02-01"));
        assert_eq!(parse_stored("2023-02-30 10:00:00.000000"), None);
        assert_eq!(parse_stored("ten o'clock"), None);
    }

    #[test]
    fn slices_cover_a_range_without_gaps() {
        let days: Vec<String> =
            range("2024-02-28", "2024-03-02").slices(Grain::Day).map(|slice| slice.to_string()).collect();
        assert_eq!(days, ["2024-02-28", "2024-02-29", "2024-03-01"]);
        assert_eq!(range("2023-01-01", "2024-01-01").slices(Grain::Month).count(), 12);
        assert_eq!(range("2023-01-01 01:30", "2023-01-01 03:00").slices(Grain::Hour).count(), 2);
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let day = |day: u32| range(&format!("2023-05-{day:02}"), &format!("2023-05-{:02}", day + 1));
        let joined = TimeRange::joined(vec![day(7), day(1), day(2), range("2023-05-02", "2023-05-04"), day(2)]);
        assert_eq!(joined, [range("2023-05-01", "2023-05-04"), day(7)]);
    }

    #[test]
    fn a_day_is_written_in_one_way_and_has_all_its_hours() {
        let day = WrittenTime::parse("2023-02-03").unwrap();
        assert_eq!(day.start(), parse_instant("2023-02-03 00:00").unwrap());
        assert_eq!(day.end(), parse_instant("2023-02-04").unwrap());
        let noon = WrittenTime::parse("2023-02-03T12:00:00").unwrap();
        assert_eq!(noon.start(), noon.end());
        assert!(WrittenTime::parse("2023-02-03 12:00:00.000500").unwrap().start() > noon.start());
        for wrong in [
            "2023-2-3",
            "2023-02-3",
            "2023-2-03 10:00",
            "23-02-03",
            "20230203",
            "2023-02-30",
            "2023-02-03 1:00",
            "x",
            "",
        ] {
            assert_eq!(WrittenTime::parse(wrong), None, "{wrong}");
        }
        for wrong in
            ["2023-02-03 10", "2023-02-03 24:00", "2023-02-03 10:00:61", "2023-02-03 10:00Z", "2023-02-03 10.5"]
        {
            assert_eq!(WrittenTime::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_window_widens_on_both_sides() {
        let window = Window { lookback: Length::parse("29 days").unwrap(), lookahead: Length::parse("1 day").unwrap() };
        assert_eq!(range("2023-03-01", "2023-03-02").widened(window), range("2023-01-31", "2023-03-03"));
    }

    #[test]
    fn a_length_covers_what_it_is_made_for() {
        let hours = TimeDelta::hours;
        assert_eq!(Length::at_least(hours(48)).to_string(), "2 days");
        assert_eq!(Length::at_least(hours(36)).to_string(), "36 hours");
        assert_eq!(Length::at_least(TimeDelta::microseconds(1)).to_string(), "1 minute");
        assert_eq!(Length::parse("1 month").unwrap().at_most(), TimeDelta::days(31));
        assert_eq!(Length::at_least(TimeDelta::zero()), Length::ZERO);
    }

    #[test]
    fn a_length_has_a_number_and_a_unit() {
        assert_eq!(Length::parse("2 weeks").unwrap().to_string(), "14 days");
        for wrong in ["", "3", "days", "-1 day", "1 fortnight", "99999999999 days"] {
            assert_eq!(Length::parse(wrong), None, "{wrong}");
        }
    }
}
