//! Which state of a table is compared: `prod`, `version=12`, `release=3`, `prod:live`.

use std::fmt;

use crate::delta::Version;

/// Which of a table's states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableMoment {
    /// What readers are shown: that of the newest release.
    Released,
    /// The newest version, whether it was released or not.
    Live,
    Release(u64),
    Version(Version),
    /// That of the newest release by a run of the project at this revision.
    Revision(String),
}

/// A state of a table in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TablePlace {
    /// `None` for the target of the command.
    pub target: Option<String>,
    pub moment: TableMoment,
}

const WORDS: &str = "`live`, `released`, `version=N`, `release=N` or `git=REVISION`";

impl TablePlace {
    /// The newest version in the command's own target.
    pub const LIVE: TablePlace = TablePlace { target: None, moment: TableMoment::Live };

    /// Reads a place: a target, a moment, or both with a colon between them. A target alone means what it has released.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((target, moment)) = text.split_once(':') {
            let moment = moment_of(moment)?.ok_or_else(|| format!("behind a target stands {WORDS}"))?;
            return Ok(Self { target: Some(target.to_owned()), moment });
        }
        Ok(match moment_of(text)? {
            Some(moment) => Self { target: None, moment },
            None => Self { target: Some(text.to_owned()), moment: TableMoment::Released },
        })
    }
}

/// Returns `None` if the text names no moment.
fn moment_of(text: &str) -> Result<Option<TableMoment>, String> {
    let number = |digits: &str| digits.parse::<u64>().map_err(|_not_a_number| format!("`{digits}` is not a number"));
    Ok(match text.split_once('=') {
        None if text == "live" => Some(TableMoment::Live),
        None if text == "released" => Some(TableMoment::Released),
        None => None,
        Some(("version", digits)) => {
            let version = digits.parse().map_err(|_not_a_number| format!("`{digits}` is not a number"))?;
            Some(TableMoment::Version(version))
        }
        Some(("git", revision)) if !revision.is_empty() => Some(TableMoment::Revision(revision.to_owned())),
        Some(("release", digits)) => Some(TableMoment::Release(number(digits)?)),
        Some((word, _)) => return Err(format!("`{word}=` is not known: write a target, {WORDS}")),
    })
}

impl fmt::Display for TableMoment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableMoment::Released => formatter.write_str("released"),
            TableMoment::Live => formatter.write_str("live"),
            TableMoment::Release(number) => write!(formatter, "release={number}"),
            TableMoment::Version(version) => write!(formatter, "version={version}"),
            TableMoment::Revision(revision) => write!(formatter, "git={revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_target_a_moment_or_both() {
        let told = |text: &str| match TablePlace::parse(text) {
            Ok(place) => format!("{} {}", place.target.unwrap_or_else(|| "-".to_owned()), place.moment),
            Err(wrong) => wrong,
        };
        let found =
            ["prod", "live", "version=12", "prod:release=3", "prod:live", "released", "prod:x", "v=1", "version=x"];
        insta::assert_snapshot!(found.map(told).join("\n"), @r"
        prod released
        - live
        - version=12
        prod release=3
        prod live
        - released
        behind a target stands `live`, `released`, `version=N`, `release=N` or `git=REVISION`
        `v=` is not known: write a target, `live`, `released`, `version=N`, `release=N` or `git=REVISION`
        `x` is not a number
        ");
    }
}
