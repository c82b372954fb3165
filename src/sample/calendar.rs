//! When things happen: how many rows a day has, and at what hours people of a country act.

use std::ops::Range;

use super::SampleOptions;
use super::random::{Purpose, Random};
use chrono::{Datelike, Days, NaiveDate};

/// A country and its rough place on the clock.
#[derive(Clone, Copy)]
pub(super) struct Country {
    pub(super) code: &'static str,
    pub(super) weight: u64,
    hours_east: i32,
    /// The first of two hours (UTC, in the local night) in which nobody acts, so that no chain of actions lasts for
    /// days. Not at midnight UTC, where some sessions run from one day into the next.
    quiet_hour: u64,
}

/// By which clock somebody lives: their country's, on a day of work or at the weekend.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    /// Its place in [`COUNTRIES`].
    pub(super) country: u8,
    pub(super) weekend: bool,
}

pub(super) const COUNTRIES: [Country; 12] = [
    country("US", 30, -6, 9),
    country("GB", 11, 0, 3),
    country("DE", 10, 1, 2),
    country("FR", 7, 1, 2),
    country("BR", 8, -3, 6),
    country("IN", 10, 5, 20),
    country("JP", 6, 9, 18),
    country("CA", 5, -5, 8),
    country("AU", 4, 10, 17),
    country("NL", 3, 1, 2),
    country("MX", 3, -6, 9),
    country("KR", 3, 9, 18),
];

/// One day of the sample.
pub(super) struct Day {
    pub(super) date: NaiveDate,
    /// `2023-01-31 `, as a timestamp begins.
    pub(super) prefix: Vec<u8>,
    /// The number of records in the files of the days before it.
    pub(super) first_row: u64,
    /// The number of records in its own file.
    pub(super) rows: u64,
}

/// All days, each with its part of the rows; the parts add up to exactly what was asked for.
pub(super) fn days(options: &SampleOptions) -> Vec<Day> {
    let spike = Random::stream(options.seed, Purpose::Volume, u64::MAX).below(u64::from(options.days));
    let dates: Vec<NaiveDate> = (0..u64::from(options.days)).map(|day| options.start + Days::new(day)).collect();
    let weights: Vec<u64> =
        dates.iter().enumerate().map(|(day, date)| volume(options, day as u64, *date, spike)).collect();
    let total: u64 = weights.iter().sum();
    let mut before = 0;
    let mut first_row = 0;
    let mut result = Vec::with_capacity(dates.len());
    for (date, weight) in dates.into_iter().zip(weights) {
        before += weight;
        // Ends are rounded, and not parts: so the parts add up to exactly all rows (the method of cumulative rounding).
        let end = (u128::from(options.rows) * u128::from(before) / u128::from(total)) as u64;
        result.push(Day { date, prefix: format!("{date} ").into_bytes(), first_row, rows: end - first_row });
        first_row = end;
    }
    result
}

pub(super) fn is_weekend(date: NaiveDate) -> bool {
    date.weekday().number_from_monday() > 5
}

/// The hours at which people act, by country and kind of day.
pub(super) struct Hours {
    /// For each country a weekday's and then a weekend's weights, summed from midnight UTC to each hour.
    sums: Vec<[u64; 25]>,
}

impl Hours {
    pub(super) fn new() -> Self {
        let sums = COUNTRIES.iter().flat_map(|country| [&WEEKDAY, &WEEKEND].map(|local| summed(country, local)));
        Self { sums: sums.collect() }
    }

    /// A second of the day for a session to start, between two hours that are more than two hours apart, and the
    /// stretch of the day around it, seconds from and to, that lies between those hours and is not quiet.
    pub(super) fn start(&self, clock: Clock, between: Range<u64>, random: &mut Random) -> (u64, Range<u64>) {
        let country = usize::from(clock.country);
        let weekend = usize::from(clock.weekend);
        let sums = self.sums.get(country * 2 + weekend).expect("every country has hours");
        let sum = |hour: u64| sums.get(hour as usize).copied().unwrap_or_default();
        let ticket = sum(between.start) + random.below(sum(between.end) - sum(between.start));
        // Sampling by the inverse of the cumulative sum.
        let hour = sums.partition_point(|sum| *sum <= ticket) as u64 - 1;
        let quiet = COUNTRIES.get(country).map_or(0, |country| country.quiet_hour);
        let Range { start: mut from, end: mut to } = between;
        match hour < quiet {
            true => to = to.min(quiet),
            false => from = from.max(quiet + 2),
        }
        (hour * 3600 + random.below(3600), from * 3600..to * 3600)
    }
}

/// How much is done at each local hour.
const WEEKDAY: [u64; 24] = [4, 2, 1, 1, 1, 2, 8, 22, 48, 66, 70, 62, 46, 52, 64, 66, 58, 46, 38, 38, 42, 36, 20, 9];
const WEEKEND: [u64; 24] = [8, 5, 3, 2, 1, 1, 4, 10, 22, 36, 48, 50, 44, 40, 40, 40, 38, 36, 34, 38, 42, 38, 26, 14];

fn summed(country: &Country, local: &[u64; 24]) -> [u64; 25] {
    let mut sums = [0; 25];
    let mut sum = 0;
    for (hour, entry) in sums.iter_mut().enumerate() {
        *entry = sum;
        let quiet = (country.quiet_hour..country.quiet_hour + 2).contains(&(hour as u64));
        let local_hour = (hour as i32 + country.hours_east).rem_euclid(24) as usize;
        sum += if quiet { 0 } else { local.get(local_hour).copied().unwrap_or_default() };
    }
    sums
}

/// How busy a day is: slow growth, quiet weekends, a summer dip, holidays, one spike and a little chance.
fn volume(options: &SampleOptions, day: u64, date: NaiveDate, spike: u64) -> u64 {
    let growth = 10_000 + 6_000 * day / u64::from(options.days);
    let week = if is_weekend(date) { 70 } else { 100 };
    let season = match (date.month(), date.day()) {
        (7 | 8, _) => 78,
        (12, 24..) | (1, 1) => 60,
        _ => 100,
    };
    let event = if day == spike && options.days >= 14 { 240 } else { 100 };
    let chance = Random::stream(options.seed, Purpose::Volume, day).between(94, 106);
    growth * week * season * event * chance / 10_000_000
}

const fn country(code: &'static str, weight: u64, hours_east: i32, quiet_hour: u64) -> Country {
    Country { code, weight, hours_east, quiet_hour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_all_rows_among_them() {
        for (rows, count) in [(1, 365), (100_000, 365), (12_345, 7), (99, 1)] {
            let days = days(&SampleOptions { rows, days: count, ..SampleOptions::default() });
            assert_eq!(days.len(), count as usize);
            assert_eq!(days.iter().map(|day| day.rows).sum::<u64>(), rows);
        }
    }

    #[test]
    fn nothing_starts_in_the_quiet_hours() {
        let (hours, mut random) = (Hours::new(), Random::stream(7, Purpose::Activity, 0));
        for country in 0..COUNTRIES.len() as u8 {
            for (from, to) in [(0, 24), (0, 12), (12, 24), (0, 8), (8, 16), (16, 24)] {
                for _ in 0..200 {
                    let clock = Clock { country, weekend: false };
                    let (start, Range { start: low, end: high }) = hours.start(clock, from..to, &mut random);
                    let quiet = COUNTRIES[usize::from(country)].quiet_hour * 3600;
                    assert!(low <= start && start < high && from * 3600 <= low && high <= to * 3600);
                    assert!(high <= quiet || quiet + 7200 <= low, "{country} {low} {high}");
                }
            }
        }
    }
}
