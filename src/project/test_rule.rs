//! When a data test stops a build, by the number of rows that break it.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use crate::diag::{Code, Diagnostic};
use crate::span::Spanned;

/// How bad it is that rows break a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TestSeverity {
    #[default]
    Error,
    Warn,
}

/// `severity`, `error_if` and `warn_if`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TestRule {
    pub severity: TestSeverity,
    pub error_if: Threshold,
    pub warn_if: Threshold,
}

/// A number of rows that is too many: `> 10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    comparison: Comparison,
    rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

/// Longer operators first: `>=` begins with `>`.
const COMPARISONS: [(&str, Comparison); 8] = [
    ("!=", Comparison::Unequal),
    ("<>", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

impl Default for Threshold {
    /// Any row at all.
    fn default() -> Self {
        Self { comparison: Comparison::Unequal, rows: 0 }
    }
}

impl FromStr for Threshold {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let found = COMPARISONS.iter().find_map(|(word, comparison)| Some((text.strip_prefix(word)?, *comparison)));
        let (rows, comparison) = found.ok_or(())?;
        let rows = rows.trim().parse().map_err(|_| ())?;
        Ok(Self { comparison, rows })
    }
}

impl Threshold {
    fn is_met(self, failures: u64) -> bool {
        match self.comparison {
            Comparison::Less => failures < self.rows,
            Comparison::AtMost => failures <= self.rows,
            Comparison::Equal => failures == self.rows,
            Comparison::Unequal => failures != self.rows,
            Comparison::AtLeast => failures >= self.rows,
            Comparison::More => failures > self.rows,
        }
    }
}

impl TestRule {
    /// From the `config()` of a test that is a file. Keys that say nothing of this are for others.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with a value.
    pub fn of_config(config: &BTreeMap<String, Spanned<Value>>) -> Result<Self, Diagnostic> {
        let invalid = |key: &str, value: &Spanned<Value>, help: &str| {
            let message = format!("`{key}` cannot be `{}`", value.value);
            Diagnostic::error(Code::InvalidConfig, message).at(value.span).help(help)
        };
        let mut rule = Self::default();
        for (key, value) in config {
            let text = value.value.as_str().unwrap_or_default();
            match key.as_str() {
                "severity" if text.eq_ignore_ascii_case("warn") => rule.severity = TestSeverity::Warn,
                "severity" if text.eq_ignore_ascii_case("error") => rule.severity = TestSeverity::Error,
                "severity" => return Err(invalid(key, value, "it can be `error` or `warn`")),
                "error_if" | "warn_if" => {
                    let help = "write an operator and a number of rows, like `> 10`";
                    let threshold = text.parse().map_err(|()| invalid(key, value, help))?;
                    let place = if key == "error_if" { &mut rule.error_if } else { &mut rule.warn_if };
                    *place = threshold;
                }
                "fail_calc" | "where" => {
                    return Err(invalid(key, value, "write it into the SELECT: each row of it is a failure"));
                }
                _ => {}
            }
        }
        Ok(rule)
    }

    /// What so many offending rows mean. Returns `None` if the test passes.
    pub fn verdict(&self, failures: u64) -> Option<TestSeverity> {
        if self.severity == TestSeverity::Error && self.error_if.is_met(failures) {
            return Some(TestSeverity::Error);
        }
        self.warn_if.is_met(failures).then_some(TestSeverity::Warn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    #[test]
    fn a_test_fails_warns_or_passes_by_its_thresholds() {
        let usual = TestRule::default();
        assert_eq!((usual.verdict(0), usual.verdict(1)), (None, Some(TestSeverity::Error)));
        let warns = TestRule { severity: TestSeverity::Warn, error_if: threshold(">5"), ..TestRule::default() };
        assert_eq!((warns.verdict(0), warns.verdict(9)), (None, Some(TestSeverity::Warn)));
        let both = TestRule { error_if: threshold(">= 10"), warn_if: threshold("> 2"), ..TestRule::default() };
        assert_eq!(
            [2, 3, 10].map(|rows| both.verdict(rows)),
            [None, Some(TestSeverity::Warn), Some(TestSeverity::Error)]
        );
        let wanted = TestRule { error_if: threshold("= 0"), warn_if: threshold("<1"), ..TestRule::default() };
        assert_eq!((wanted.verdict(0), wanted.verdict(1)), (Some(TestSeverity::Error), None));
        for wrong in ["", "10", "> ten", "between 1 and 2", "> -1"] {
            assert_eq!(wrong.parse::<Threshold>(), Err(()), "{wrong}");
        }
    }
}
