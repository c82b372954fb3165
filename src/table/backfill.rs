//! How far a backfill of a table has come: it stands in the ledger, and so changes in the same commit as the rows.

use serde::{Deserialize, Serialize};

use super::{SliceSet, TableState};
use crate::day::TimeRange;
use crate::delta::Version;

/// The last backfill of a table. What other builds commit carries it along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backfill {
    /// A digest of what was asked for: the code and the range, but not the versions of inputs.
    pub key: String,
    /// How often it was asked for: once complete, the same request begins anew.
    pub round: u64,
    /// The slices whose commits stand.
    pub done: SliceSet,
    /// The version of the table that added to it last: once that is released, the backfill is complete.
    pub version: Version,
}

/// Its form in a ledger's object: the ranges in seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WrittenBackfill {
    key: String,
    round: u64,
    done: Vec<(i64, i64)>,
    version: Version,
}

impl Backfill {
    /// What a ledger says after a commit of this as `version`, on top of what it said before. Of two that do the same
    /// at the same time, each counts what the other has done.
    pub fn onto(&self, before: Option<&Backfill>, version: Version) -> Backfill {
        match before {
            Some(before) if before.key == self.key && before.round >= self.round => {
                Backfill { done: before.done.and(&self.done), version, ..before.clone() }
            }
            Some(_) | None => Backfill { version, ..self.clone() },
        }
    }

    /// Whether a ledger that says this of a backfill says all of mine.
    pub fn is_part_of(&self, known: Option<&Backfill>) -> bool {
        known.is_some_and(|known| self.onto(Some(known), known.version) == *known)
    }

    pub(super) fn to_written(&self) -> WrittenBackfill {
        WrittenBackfill {
            key: self.key.clone(),
            round: self.round,
            done: self
                .done
                .ranges()
                .iter()
                .map(|range| (range.start().and_utc().timestamp(), range.end().and_utc().timestamp()))
                .collect(),
            version: self.version,
        }
    }
}

impl WrittenBackfill {
    /// Returns `None` if a range is none.
    pub fn read(self) -> Option<Backfill> {
        let instant = |seconds| Some(chrono::DateTime::from_timestamp(seconds, 0)?.naive_utc());
        let ranges = self
            .done
            .into_iter()
            .map(|(start, end)| TimeRange::new(instant(start)?, instant(end)?))
            .collect::<Option<Vec<_>>>()?;
        let done = SliceSet::new(ranges, false);
        Some(Backfill { key: self.key, round: self.round, done, version: self.version })
    }
}

impl TableState {
    /// The backfill that the ledger tells of, if it is this one.
    pub fn backfill(&self, key: &str) -> Option<&Backfill> {
        self.known_ledger()?.backfill.as_ref().filter(|backfill| backfill.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;

    fn backfill(key: &str, round: u64, days: [&str; 2]) -> Backfill {
        let [start, end] = days.map(|day| parse_instant(day).unwrap());
        let done = SliceSet::new(vec![TimeRange::new(start, end).unwrap()], false);
        Backfill { key: key.to_owned(), round, done, version: Version::FIRST }
    }

    #[test]
    fn commits_of_one_backfill_add_up_and_another_one_begins_with_nothing() {
        let first = backfill("a", 1, ["2023-05-01", "2023-05-03"]);
        let second = backfill("a", 1, ["2023-05-05", "2023-05-06"]);
        assert_eq!(first.onto(None, Version::FIRST), first);
        let both = second.onto(Some(&first), Version::new(7));
        assert_eq!(both.done.to_string(), "2023-05-01 to 2023-05-02, 2023-05-05");
        assert_eq!(both.version, Version::new(7));
        assert!(second.is_part_of(Some(&both)) && !second.is_part_of(Some(&first)) && !first.is_part_of(None));
        let anew = backfill("a", 2, ["2023-05-01", "2023-05-02"]);
        assert_eq!(anew.onto(Some(&both), Version::FIRST), anew);
        assert_eq!(first.onto(Some(&anew), Version::new(8)).round, 2, "who is late joins the newer round");
        let other = backfill("b", 1, ["2023-05-01", "2023-05-02"]);
        assert_eq!(other.onto(Some(&anew), Version::FIRST), other);
    }
}
