//! The kinds of dirt in interaction files, how often each occurs, and what becomes of it.

use super::random::Random;

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dirt {
    DurationOfHours,
    DurationOfDays,
    NegativeDuration,
    EmptyDuration,
    UnreadableDuration,
    UnknownUser,
    QuotedUserId,
    QuotedAppVersion,
    QuotedLineEnd,
    EmptyUserId,
    EmptyTimestamp,
    UnreadableTimestamp,
    EmptyActionType,
    UnknownActionType,
    EmptyPageId,
    TooFewColumns,
    TooManyColumns,
    BadQuoting,
    InvalidUtf8,
    /// The record is clean and written twice.
    ExactDuplicate,
    /// The record is clean and written once more with another duration.
    NearDuplicate,
    /// The record is clean and a blank line follows.
    BlankLine,
}

/// Where a record with some dirt ends up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// In `silver.fct_interactions` with this `duration_status`.
    Kept(&'static str),
    /// The same, and the user is not in the metadata.
    Stranger,
    /// In `silver.rejected_interactions` for this reason.
    Rejected(&'static str),
    /// In the quarantine of the bronze table for this reason.
    Quarantined(&'static str),
}

/// One kind of dirt.
pub(super) struct DirtKind {
    pub(super) dirt: Dirt,
    /// Its name in the manifest.
    pub(super) name: &'static str,
    per_million: u64,
    pub(super) fate: Fate,
}

/// Every kind of dirt, the frequent ones first: when a day has hardly any rows, the last ones are left out.
pub(super) const KINDS: [DirtKind; 22] = [
    kind(Dirt::ExactDuplicate, "exact_duplicates", 10_000, Fate::Kept("ok")),
    kind(Dirt::EmptyDuration, "empty_durations", 5_000, Fate::Kept("null")),
    kind(Dirt::UnknownUser, "unknown_users", 3_000, Fate::Stranger),
    kind(Dirt::NearDuplicate, "near_duplicates", 2_000, Fate::Kept("ok")),
    kind(Dirt::DurationOfHours, "durations_of_hours", 2_000, Fate::Kept("too_long")),
    kind(Dirt::NegativeDuration, "negative_durations", 2_000, Fate::Kept("negative")),
    kind(Dirt::UnreadableDuration, "unreadable_durations", 1_000, Fate::Kept("null")),
    kind(Dirt::DurationOfDays, "durations_of_days", 500, Fate::Kept("too_long")),
    kind(Dirt::EmptyUserId, "empty_user_ids", 500, Fate::Rejected("null_user_id")),
    kind(Dirt::EmptyTimestamp, "empty_timestamps", 500, Fate::Rejected("null_timestamp")),
    kind(Dirt::UnreadableTimestamp, "unreadable_timestamps", 500, Fate::Rejected("bad_timestamp")),
    kind(Dirt::EmptyActionType, "empty_action_types", 500, Fate::Rejected("null_action_type")),
    kind(Dirt::UnknownActionType, "unknown_action_types", 500, Fate::Rejected("unknown_action_type")),
    kind(Dirt::EmptyPageId, "empty_page_ids", 500, Fate::Rejected("null_page_id")),
    kind(Dirt::TooFewColumns, "too_few_columns", 200, Fate::Quarantined("too_few_columns")),
    kind(Dirt::TooManyColumns, "too_many_columns", 200, Fate::Quarantined("too_many_columns")),
    kind(Dirt::BadQuoting, "bad_quoting", 200, Fate::Quarantined("bad_quoting")),
    kind(Dirt::InvalidUtf8, "invalid_utf8", 150, Fate::Quarantined("invalid_utf8")),
    kind(Dirt::BlankLine, "blank_lines", 200, Fate::Kept("ok")),
    kind(Dirt::QuotedUserId, "quoted_user_ids", 60, Fate::Stranger),
    kind(Dirt::QuotedAppVersion, "quoted_app_versions", 60, Fate::Kept("ok")),
    kind(Dirt::QuotedLineEnd, "quoted_line_ends", 60, Fate::Kept("ok")),
];

/// Late rows a million.
pub(super) const LATE_PER_MILLION: u64 = 5_000;

/// How many of something that is as frequent as `per_million` fall among the rows `first..first + rows`.
///
/// Taking differences of rounded totals makes the total exact however the rows are spread over days. The `phase`
/// keeps different kinds from all falling on the same day of a small sample.
pub(super) fn share(per_million: u64, phase: u64, first: u64, rows: u64) -> u64 {
    let until = |row: u64| (row * per_million + phase * 618_034 % 1_000_000) / 1_000_000;
    until(first + rows) - until(first)
}

/// Deals every planned kind out to rows that come one by one, each exactly as often as planned.
pub(super) struct Lottery<T> {
    prizes: Vec<(T, u64)>,
    left: u64,
}

impl<T: Copy> Lottery<T> {
    /// What does not fit into `room` is not dealt out, the last kinds first.
    pub(super) fn new(mut room: u64, planned: impl IntoIterator<Item = (T, u64)>) -> Self {
        let prizes: Vec<(T, u64)> = planned
            .into_iter()
            .map(|(what, times)| {
                let times = times.min(room);
                room -= times;
                (what, times)
            })
            .filter(|(_, times)| *times > 0)
            .collect();
        let left = prizes.iter().map(|(_, times)| times).sum();
        Self { prizes, left }
    }

    /// What was put in, before the first draw.
    pub(super) fn prizes(&self) -> &[(T, u64)] {
        &self.prizes
    }

    /// What the next row gets, the first of `rows` that are still to come.
    pub(super) fn draw(&mut self, rows: u64, random: &mut Random) -> Option<T> {
        if self.left == 0 || random.below(rows) >= self.left {
            return None;
        }
        let mut ticket = random.below(self.left);
        self.left -= 1;
        for (what, times) in &mut self.prizes {
            if ticket < *times {
                *times -= 1;
                return Some(*what);
            }
            ticket -= *times;
        }
        None
    }
}

/// The dirt planned for the rows `first..first + rows` of a sample, for a lottery.
pub(super) fn planned(first: u64, rows: u64) -> impl Iterator<Item = (Dirt, u64)> {
    KINDS.iter().enumerate().map(move |(index, kind)| (kind.dirt, share(kind.per_million, index as u64, first, rows)))
}

const fn kind(dirt: Dirt, name: &'static str, per_million: u64, fate: Fate) -> DirtKind {
    DirtKind { dirt, name, per_million, fate }
}

#[cfg(test)]
mod tests {
    use super::super::random::Purpose;
    use super::*;

    #[test]
    fn shares_of_days_add_up_to_the_share_of_all() {
        let days: u64 = (0..100).map(|day| share(5_000, 3, day * 37, 37)).sum();
        assert_eq!(days, share(5_000, 3, 0, 3_700));
    }

    #[test]
    fn a_lottery_deals_out_exactly_what_was_planned() {
        let mut random = Random::stream(7, Purpose::Dirt, 0);
        let mut lottery = Lottery::new(500, [('a', 300), ('b', 7), ('c', 900)]);
        let drawn: Vec<char> = (1..=1_000).rev().filter_map(|rows| lottery.draw(rows, &mut random)).collect();
        let count = |what| drawn.iter().filter(|drawn| **drawn == what).count();
        assert_eq!((count('a'), count('b'), count('c')), (300, 7, 193));
    }
}
