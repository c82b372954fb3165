//! What a slice was made of: the model's fingerprint and the versions of its inputs.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fingerprint, LedgerName};
use crate::delta::Version;
use crate::name::TableKey;

/// Equal provenances make equal rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Provenance {
    pub fingerprint: Fingerprint,
    /// By the name of the table or source.
    pub inputs: BTreeMap<TableKey, InputVersion>,
}

/// The version of one input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InputVersion {
    /// Delta's table id, the version, and the ledger that the table had then: a table that was put back as it was some time ago
    /// comes to the same version again with other rows.
    Table {
        id: String,
        version: Version,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ledger: Option<LedgerName>,
        /// The target that it was read from, if that was another one. Ids tell tables apart; this is for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// Whether the rows that were made of it were copied of that target, and not computed here.
        #[serde(default, skip_serializing_if = "is_false")]
        copied: bool,
    },
    /// A digest of a source's list of files: paths, sizes and times.
    Files(String),
    /// The input did not exist.
    Missing,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how serde calls it")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The first half of the hash of a provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct ProvenanceDigest(u128);

impl From<ProvenanceDigest> for String {
    fn from(digest: ProvenanceDigest) -> String {
        format!("{:032x}", digest.0)
    }
}

impl TryFrom<String> for ProvenanceDigest {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<ProvenanceDigest, Self::Error> {
        u128::from_str_radix(&text, 16).map(ProvenanceDigest)
    }
}

impl Provenance {
    pub fn digest(&self) -> ProvenanceDigest {
        let text = serde_json::to_vec(self).expect("texts, numbers and maps with text keys can be written as JSON");
        let mut first = [0; 16];
        first.iter_mut().zip(blake3::hash(&text).as_bytes()).for_each(|(to, from)| *to = *from);
        ProvenanceDigest(u128::from_be_bytes(first))
    }

    /// Which of two was made of newer inputs. Returns `None` if that cannot be said, because the code differs, an input
    /// was made anew, or each has something newer.
    pub fn compare(&self, other: &Provenance) -> Option<Ordering> {
        if self.fingerprint != other.fingerprint || !self.inputs.keys().eq(other.inputs.keys()) {
            return None;
        }
        // The product order: greater in one input and smaller in none.
        let mut sum = Ordering::Equal;
        for (mine, theirs) in self.inputs.values().zip(other.inputs.values()) {
            match (sum, mine.compare(theirs)?) {
                (_, Ordering::Equal) => {}
                (Ordering::Equal, found) => sum = found,
                (before, found) if before == found => {}
                _ => return None,
            }
        }
        Some(sum)
    }
}

impl InputVersion {
    /// Whether the input existed.
    pub fn is_there(&self) -> bool {
        *self != InputVersion::Missing
    }

    /// The target that it was read from, if that was another one.
    pub fn target(&self) -> Option<&str> {
        match self {
            InputVersion::Table { target, .. } => target.as_deref(),
            InputVersion::Files(_) | InputVersion::Missing => None,
        }
    }

    /// Whether the rows that were made of it were copied of another target.
    pub fn is_of_a_copy(&self) -> bool {
        matches!(self, InputVersion::Table { copied: true, .. })
    }

    fn compare(&self, other: &InputVersion) -> Option<Ordering> {
        match (self, other) {
            (
                InputVersion::Table { id, version, ledger, .. },
                InputVersion::Table { id: other_id, version: other_version, ledger: other_ledger, .. },
            ) => {
                let order = version.cmp(other_version);
                (id == other_id && (order != Ordering::Equal || ledger == other_ledger)).then_some(order)
            }
            (one, other) => (one == other).then_some(Ordering::Equal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(fingerprint: &str, versions: &[(&str, u64)]) -> Provenance {
        let inputs = versions.iter().map(|(name, version)| {
            let id = format!("id of {name}");
            (
                (*name).into(),
                InputVersion::Table { id, version: Version::new(*version), ledger: None, target: None, copied: false },
            )
        });
        Provenance { fingerprint: fingerprint.into(), inputs: inputs.collect() }
    }

    #[test]
    fn the_newer_of_two_has_no_older_input() {
        let base = made_of("f", &[("a", 3), ("b", 5)]);
        let compare = |other: &Provenance| base.compare(other);
        assert_eq!(compare(&base), Some(Ordering::Equal));
        assert_eq!(compare(&made_of("f", &[("a", 4), ("b", 5)])), Some(Ordering::Less));
        assert_eq!(compare(&made_of("f", &[("a", 3), ("b", 1)])), Some(Ordering::Greater));
        assert_eq!(compare(&made_of("f", &[("a", 4), ("b", 4)])), None, "each has something newer");
        assert_eq!(compare(&made_of("g", &[("a", 3), ("b", 5)])), None, "other code");
        assert_eq!(compare(&made_of("f", &[("a", 3)])), None, "another input");
    }

    #[test]
    fn lists_of_files_and_tables_that_were_made_anew_have_no_order() {
        let files = |digest: &str| InputVersion::Files(digest.to_owned());
        assert_eq!(files("x").compare(&files("x")), Some(Ordering::Equal));
        assert_eq!(files("x").compare(&files("y")), None);
        let at = |ledger: i64| InputVersion::Table {
            id: "x".to_owned(),
            version: Version::new(1),
            ledger: LedgerName::from_transaction(ledger),
            target: None,
            copied: false,
        };
        assert_eq!(at(1).compare(&at(1)), Some(Ordering::Equal));
        assert_eq!(at(1).compare(&at(2)), None, "it went back, and came to the same version again");
        let table = |id: &str| InputVersion::Table {
            id: id.to_owned(),
            version: Version::new(1),
            ledger: None,
            target: None,
            copied: false,
        };
        assert_eq!(table("x").compare(&table("y")), None);
        assert_eq!(table("x").compare(&InputVersion::Missing), None);
    }
}
