//! Why something must be built, in an analyst's words.

use super::changes::ChangeSummary;
use crate::day::TimeRange;
use crate::delta::Version;
use crate::figures::counted;
use crate::name::TableKey;
use crate::table::SliceSet;

/// Why a slice, or a whole table, does not hold what a build would make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// There is no table.
    NotBuilt,
    /// Nothing is known of the table, for this reason.
    Unknown(String),
    /// Nobody has built it yet, while other slices are built.
    NeverMade,
    NewCode,
    /// Something else than karat changed it.
    Foreign,
    /// The rows that it reads of this input changed after this version.
    Rows {
        input: TableKey,
        after: Version,
        read: Option<TimeRange>,
    },
    /// The input is another table than the one that it was made of.
    InputAnew {
        input: TableKey,
    },
    /// The input is at an older version than the one that it was made of.
    InputBack {
        input: TableKey,
        made_of: Version,
    },
    InputGone {
        input: TableKey,
    },
    /// Then or now it was read from another target, which `then` and `now` name.
    InputElsewhere {
        input: TableKey,
        then: Option<String>,
        now: Option<String>,
        /// Whether it is in this target or in that of `now`.
        is_there: bool,
    },
    /// It was built without the input.
    InputNew {
        input: TableKey,
    },
    /// It was built with an input that it does not read any more.
    InputDropped {
        input: TableKey,
    },
    /// The list of a source's files changed.
    Files {
        input: TableKey,
    },
    FullRefresh,
    Asked(TimeRange),
}

/// Some slices that are built for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// `None`: the whole table, or slices that only the reading of files can tell.
    pub slices: Option<SliceSet>,
    pub why: String,
}

impl Cause {
    /// Says it in words; `summary` sums up what changed in the input of `Rows`.
    pub fn describe(&self, summary: Option<&ChangeSummary>) -> String {
        match self {
            Cause::NotBuilt => "not built yet".to_owned(),
            Cause::Unknown(reason) => reason.clone(),
            Cause::NeverMade => "the last run built only a part of it".to_owned(),
            Cause::NewCode => "its SQL or config changed".to_owned(),
            Cause::Foreign => "something other than karat changed it".to_owned(),
            Cause::Rows { input, .. } => match summary {
                Some(summary) => rows(input, summary),
                None => format!("`{input}` changed"),
            },
            Cause::InputAnew { input } => format!("`{input}` is another table now"),
            Cause::InputBack { input, made_of } => {
                format!("`{input}` went back to a version before {made_of}, from which it was built")
            }
            Cause::InputGone { input } => format!("`{input}` is gone"),
            Cause::InputElsewhere { input, then, now, is_there } => {
                let then =
                    then.as_ref().map_or_else(|| "from this target".to_owned(), |then| format!("from target `{then}`"));
                match now {
                    Some(now) => format!("`{input}` was read {then}, and is now read from target `{now}`"),
                    None if *is_there => format!("`{input}` was read {then}, and is now built in this one"),
                    None => format!("`{input}` was read {then}, and is not in this one"),
                }
            }
            Cause::InputNew { input } => format!("it was built without `{input}`"),
            Cause::InputDropped { input } => format!("it was built with `{input}`"),
            Cause::Files { input } => format!("the files of `{input}` changed"),
            Cause::FullRefresh => "a full refresh was requested".to_owned(),
            Cause::Asked(range) => format!("{range} was requested"),
        }
    }
}

/// `3 late rows for 2023-05-03 in bronze.interactions@41`.
fn rows(input: &TableKey, summary: &ChangeSummary) -> String {
    let when = summary.range.map(|range| format!(" for {range}")).unwrap_or_default();
    let Some(version) = summary.version else {
        return format!("`{input}` is rebuilt{when}");
    };
    let what = match (summary.rows, summary.is_new) {
        (Some(more), true) if more > 0 => counted(more.unsigned_abs() as usize, "new row"),
        (Some(more), false) if more > 0 => counted(more.unsigned_abs() as usize, "late row"),
        (Some(fewer), _) if fewer < 0 => format!("{} fewer", counted(fewer.unsigned_abs() as usize, "row")),
        _ => "changed rows".to_owned(),
    };
    format!("{what}{when} in {input}@{version}")
}
