//! Which slices of a table are verified: all of a few, else some that are spread over its time, always the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::name::ModelName;
use crate::table::{SliceKey, SliceRows};

/// How many slices of each model are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    All,
    /// At most so many.
    Most(usize),
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Sample, String> {
        match text.trim() {
            "all" => Ok(Sample::All),
            number => match number.parse() {
                Ok(most) if most > 0 => Ok(Sample::Most(most)),
                _ => Err(format!("`{text}` is not a number of slices: write a number from 1 on, or `all`")),
            },
        }
    }
}

impl Sample {
    /// The slices to verify: the first, the newest, the one with most rows, and one from each of as many equal runs of
    /// the others as there is room for. Which one of a run, a hash decides: it is the same one every time.
    pub fn of(self, model: &ModelName, slices: &BTreeMap<SliceKey, SliceRows>) -> BTreeSet<SliceKey> {
        let most = match self {
            Sample::Most(most) if most < slices.len() => most,
            Sample::Most(_) | Sample::All => return slices.keys().copied().collect(),
        };
        let first = slices.keys().next();
        let newest = slices.keys().next_back();
        // Of several with most rows the first.
        let largest = slices.iter().rev().max_by_key(|(_, rows)| rows.rows).map(|(slice, _)| slice);
        let mut chosen = BTreeSet::new();
        for slice in [first, newest, largest].into_iter().flatten().take(most) {
            chosen.insert(*slice);
        }
        let others: Vec<SliceKey> = slices.keys().copied().filter(|slice| !chosen.contains(slice)).collect();
        let room = most - chosen.len();
        if room > 0 {
            chosen.extend(runs(&others, room).filter_map(|run| run.iter().min_by_key(|slice| hash(model, **slice))));
        }
        chosen
    }
}

/// Cuts `slices` into `count` runs whose lengths differ by one at most.
fn runs(slices: &[SliceKey], count: usize) -> impl Iterator<Item = &[SliceKey]> {
    let mut rest = slices;
    (0..count).map(move |run| {
        let (run, after) = rest.split_at(rest.len() / (count - run));
        rest = after;
        run
    })
}

fn hash(model: &ModelName, slice: SliceKey) -> [u8; 32] {
    *blake3::hash(format!("{model} {slice}").as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;

    fn days(count: u64) -> BTreeMap<SliceKey, SliceRows> {
        let start = parse_instant("2023-01-01").unwrap();
        let slice = |day: u64| {
            let rows = if day == 57 { 900 } else { 10 };
            (SliceKey::At(start + chrono::Days::new(day)), SliceRows { rows, hash: 0 })
        };
        (0..count).map(slice).collect()
    }

    fn model(name: &str) -> ModelName {
        ModelName::parse(name).unwrap()
    }

    #[test]
    fn a_few_slices_are_all_taken() {
        assert_eq!(Sample::Most(20).of(&model("daily"), &days(20)).len(), 20);
        assert_eq!(Sample::All.of(&model("daily"), &days(500)).len(), 500);
        assert!(Sample::Most(3).of(&model("daily"), &days(0)).is_empty());
    }

    #[test]
    fn the_first_the_newest_and_the_largest_are_always_among_them() {
        let slices = days(365);
        for most in 3..40 {
            let chosen = Sample::Most(most).of(&model("daily"), &slices);
            assert_eq!(chosen.len(), most);
            let day = |day: usize| slices.keys().nth(day).unwrap();
            assert!(chosen.contains(day(0)) && chosen.contains(day(364)) && chosen.contains(day(57)));
        }
        let one = Sample::Most(1).of(&model("daily"), &slices);
        assert_eq!(one.first(), slices.keys().next());
    }

    #[test]
    fn the_others_are_spread_over_the_whole_time_and_the_same_every_time() {
        let slices = days(365);
        let chosen = Sample::Most(23).of(&model("daily"), &slices);
        assert_eq!(chosen, Sample::Most(23).of(&model("daily"), &slices));
        assert_ne!(chosen, Sample::Most(23).of(&model("monthly"), &slices), "models are looked at on other days");
        let places: Vec<usize> = (0..365).filter(|day| chosen.contains(slices.keys().nth(*day).unwrap())).collect();
        let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < 2 * 365 / 20 + 3, "{places:?}");
    }

    #[test]
    fn a_sample_is_a_number_or_all() {
        assert_eq!("all".parse(), Ok(Sample::All));
        assert_eq!("7".parse(), Ok(Sample::Most(7)));
        assert!("0".parse::<Sample>().is_err());
        assert!("many".parse::<Sample>().unwrap_err().contains("`all`"));
    }
}
