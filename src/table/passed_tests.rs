//! Which data tests have passed on which versions of tables. Each entry is true for ever: what is not known is tested again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::InputVersion;
use crate::name::TableKey;

/// So many tests are remembered, the newest of them: projects and branches that share a lake have tests of their own.
const MOST_TESTS: usize = 10_000;

/// The versions of all tables and sources that a test reads.
pub(crate) type TestedVersions = BTreeMap<TableKey, InputVersion>;

/// The last success of each test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassedTests {
    /// By what a test is: its query and its rule.
    passed: BTreeMap<String, PassedTest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PassedTest {
    /// A digest of the versions.
    on: String,
    /// Milliseconds since 1970.
    at: i64,
}

impl PassedTests {
    /// Reads them back. What cannot be read is not known.
    pub fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// As they are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut newest: Vec<(&String, &PassedTest)> = self.passed.iter().collect();
        newest.sort_by_key(|(_, passed)| std::cmp::Reverse(passed.at));
        newest.truncate(MOST_TESTS);
        let kept = newest.into_iter().map(|(test, passed)| (test.clone(), passed.clone()));
        let kept = Self { passed: kept.collect() };
        serde_json::to_vec(&kept).expect("texts and numbers can be written as JSON")
    }

    /// When a test has passed on exactly these versions, in milliseconds since 1970. Returns `None` if that is not known.
    pub fn passed_at(&self, test: &str, on: &TestedVersions) -> Option<i64> {
        self.passed.get(test).filter(|passed| passed.on == digest(on)).map(|passed| passed.at)
    }

    /// A test has passed.
    pub fn note(&mut self, test: String, on: &TestedVersions, at: i64) {
        self.passed.insert(test, PassedTest { on: digest(on), at });
    }
}

fn digest(versions: &TestedVersions) -> String {
    let text = serde_json::to_vec(versions).expect("texts, numbers and maps with text keys can be written as JSON");
    blake3::hash(&text).to_hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::Version;

    fn at(version: u64) -> TestedVersions {
        let version = InputVersion::Table {
            id: "x".to_owned(),
            version: Version::new(version),
            ledger: None,
            target: None,
            copied: false,
        };
        TestedVersions::from([("silver.users".into(), version)])
    }

    #[test]
    fn a_test_has_passed_on_exactly_the_versions_that_it_saw() {
        let mut passed = PassedTests::default();
        passed.note("a".to_owned(), &at(3), 17);
        let read = PassedTests::read(&passed.to_bytes());
        assert_eq!(read, passed);
        assert_eq!(read.passed_at("a", &at(3)), Some(17));
        assert_eq!(read.passed_at("a", &at(4)), None);
        assert_eq!(read.passed_at("b", &at(3)), None);
        assert_eq!(PassedTests::read(b"{\"passed\": 1}"), PassedTests::default());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut passed = PassedTests::default();
        for number in 0..=i64::try_from(MOST_TESTS).unwrap() {
            passed.note(format!("test {number}"), &at(1), number);
        }
        let read = PassedTests::read(&passed.to_bytes());
        assert_eq!((read.passed.len(), read.passed_at("test 0", &at(1))), (MOST_TESTS, None));
    }
}
