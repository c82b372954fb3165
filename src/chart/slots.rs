//! Where bars stand: places that are evenly spaced keep room for those that are missing between them.

use chrono::{DateTime, Datelike};

use super::{ChartPlaces, ChartPlot};

/// Room for a bar at each of `count` slots, of which each place has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slots {
    pub count: usize,
    pub of_place: Vec<usize>,
}

/// Bars that are drawn as one because there is no room for each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BarColumns {
    /// How many slots one bar stands for.
    pub size: usize,
    /// For each series the bars from left to right: the mean of what is there.
    pub of_series: Vec<Vec<Option<f64>>>,
    /// The first place of each bar, if it has one.
    pub places: Vec<Option<usize>>,
}

/// So much room may be left for places that are missing. Beyond that places are not evenly spaced, but somewhere.
const MOST_EMPTY: i64 = 4;

impl Slots {
    pub fn of(places: &ChartPlaces) -> Self {
        let numbers = match places {
            ChartPlaces::Days(at) | ChartPlaces::Times(at) => at.clone(),
            ChartPlaces::Months(at) => at.iter().filter_map(month).collect(),
            ChartPlaces::Numbers(numbers) => whole(numbers).unwrap_or_default(),
            ChartPlaces::Names(_) | ChartPlaces::Ranges { .. } => Vec::new(),
        };
        Self::evenly_spaced(&numbers)
            .unwrap_or_else(|| Self { count: places.len(), of_place: (0..places.len()).collect() })
    }

    /// Slots as far apart as the numbers have in common. `None` if most of them would be empty.
    fn evenly_spaced(numbers: &[i64]) -> Option<Self> {
        let first = *numbers.first()?;
        let step = numbers.windows(2).try_fold(0, |step, pair| match pair {
            [one, next] => Some(greatest_common_divisor(step, next.checked_sub(*one)?)),
            _ => Some(step),
        })?;
        let step = step.max(1);
        let slot = |number: &i64| Some((number.checked_sub(first)? / step) as usize);
        let of_place: Vec<usize> = numbers.iter().map(slot).collect::<Option<_>>()?;
        let count = of_place.last()? + 1;
        let most = numbers.len() as i64 * MOST_EMPTY + MOST_EMPTY;
        (count as i64 <= most).then_some(Self { count, of_place })
    }

    /// The bars of a plot in at most so many columns.
    pub fn columns(&self, plot: &ChartPlot, most: usize) -> BarColumns {
        let size = self.count.div_ceil(most.max(1)).max(1);
        let count = self.count.div_ceil(size);
        let mut places = vec![None; count];
        for (place, slot) in self.of_place.iter().enumerate() {
            if let Some(first) = places.get_mut(slot / size) {
                first.get_or_insert(place);
            }
        }
        let of_series = plot.series.iter().map(|series| {
            let mut sums = vec![(0.0, 0_u32); count];
            for (slot, value) in self.of_place.iter().zip(&series.values) {
                if let (Some(sum), Some(value)) = (sums.get_mut(slot / size), value) {
                    sum.0 += value;
                    sum.1 += 1;
                }
            }
            sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
        });
        BarColumns { size, of_series: of_series.collect(), places }
    }
}

impl BarColumns {
    /// What to say if bars stand for several values.
    pub fn note(&self) -> Option<String> {
        (self.size > 1).then(|| format!("each bar is the mean of up to {} values", self.size))
    }
}

/// A time as a number of months: months have no common length.
fn month(micros: &i64) -> Option<i64> {
    let time = DateTime::from_timestamp_micros(*micros)?;
    Some(i64::from(time.year()) * 12 + i64::from(time.month0()))
}

fn whole(numbers: &[f64]) -> Option<Vec<i64>> {
    // Doubles hold every whole number up to this one.
    let is_exact = |number: &&f64| number.fract() == 0.0 && number.abs() < 9e15;
    numbers.iter().map(|number| Some(number).filter(is_exact).map(|number| *number as i64)).collect()
}

fn greatest_common_divisor(one: i64, other: i64) -> i64 {
    // Euclid's algorithm.
    let mut large = one;
    let mut small = other;
    while small != 0 {
        (large, small) = (small, large % small);
    }
    large.abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::ChartSeries;
    use crate::project::ValueFormat;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_missing_day_keeps_its_room() {
        let slots = Slots::of(&ChartPlaces::Days(vec![0, DAY, 3 * DAY]));
        assert_eq!(slots, Slots { count: 4, of_place: vec![0, 1, 3] });
    }

    #[test]
    fn months_are_evenly_spaced() {
        let first =
            |month: u32| chrono::NaiveDate::from_ymd_opt(2023, month, 1).unwrap().and_time(chrono::NaiveTime::MIN);
        let at = [1, 2, 3, 5].map(|month| first(month).and_utc().timestamp_micros());
        assert_eq!(Slots::of(&ChartPlaces::days(at.to_vec())).of_place, [0, 1, 2, 4]);
    }

    #[test]
    fn times_without_a_rhythm_stand_one_after_the_other() {
        assert_eq!(Slots::of(&ChartPlaces::Times(vec![0, 7, DAY + 1])).of_place, [0, 1, 2]);
        assert_eq!(Slots::of(&ChartPlaces::Numbers(vec![0.5, 10.0])).of_place, [0, 1]);
        assert_eq!(Slots::of(&ChartPlaces::Times(vec![i64::MIN, i64::MAX])).of_place, [0, 1]);
    }

    #[test]
    fn bars_without_room_are_drawn_as_their_mean() {
        let plot = ChartPlot {
            x_name: "n".to_owned(),
            places: ChartPlaces::Numbers(vec![1.0, 2.0, 3.0, 5.0]),
            series: vec![ChartSeries { name: "y".to_owned(), values: vec![Some(1.0), Some(3.0), None, Some(7.0)] }],
            format: ValueFormat::Number,
        };
        let columns = Slots::of(&plot.places).columns(&plot, 3);
        assert_eq!(columns.size, 2);
        assert_eq!(columns.of_series, [[Some(2.0), None, Some(7.0)]]);
        assert_eq!(columns.places, [Some(0), Some(2), Some(3)]);
    }
}
