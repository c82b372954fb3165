//! Unit tests: a model is run over rows that are written down, in memory, and what comes out is compared with what is
//! expected. Nothing touches a lake.
//!
//! `plan.rs` plans a model once more, over tables that stand in the place of all that it reads. `fixture.rs` gives these
//! tables their rows, in the types that the compiler knows. `run.rs` runs the plan for a slice, or whole, `after.rs` says
//! what the model's table is after that, and `compare.rs` compares multisets of rows.

mod after;
mod compare;
mod fixture;
mod plan;
mod run;

use serde_json::{Value, json};

use crate::diag::{Code, Diagnostic};
use crate::name::UnitTestName;
use crate::shown::ShownDifference;
use crate::span::Span;

pub(crate) use plan::{TestedProject, plan};
pub(crate) use run::{put_out, run};

/// What became of a unit test.
#[derive(Debug)]
pub(crate) struct UnitTestResult {
    pub test: UnitTestName,
    pub verdict: UnitTestVerdict,
}

/// How a unit test ended.
#[derive(Debug)]
pub(crate) enum UnitTestVerdict {
    Passed,
    /// Other rows came out.
    Differs {
        difference: ShownDifference,
        /// Where the expected rows stand.
        expected_at: Span,
    },
    /// It could not be run.
    Broken(Vec<Diagnostic>),
}

impl UnitTestResult {
    pub fn passed(&self) -> bool {
        matches!(self.verdict, UnitTestVerdict::Passed)
    }

    /// How it ended, in a few words.
    pub fn summary(&self) -> String {
        match &self.verdict {
            UnitTestVerdict::Passed => "passed".to_owned(),
            UnitTestVerdict::Differs { difference, .. } => difference.summary(),
            UnitTestVerdict::Broken(_) => "it cannot be run".to_owned(),
        }
    }

    /// For programs: `status` has dbt's words.
    pub fn to_json(&self) -> Value {
        let mut facts = json!({"test": self.test.test, "model": self.test.model.as_str(), "status": "pass"});
        let more = match &self.verdict {
            UnitTestVerdict::Passed => return facts,
            UnitTestVerdict::Differs { difference, .. } => {
                json!({"status": "fail", "difference": difference.to_json()})
            }
            UnitTestVerdict::Broken(faults) => {
                json!({"status": "error", "message": faults.first().map(|fault| fault.message.as_str())})
            }
        };
        if let (Some(facts), Value::Object(more)) = (facts.as_object_mut(), more) {
            facts.extend(more);
        }
        facts
    }

    /// What is wrong, if anything is.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let UnitTestName { model, test } = &self.test;
        match &self.verdict {
            UnitTestVerdict::Passed => Vec::new(),
            UnitTestVerdict::Broken(faults) => faults.clone(),
            UnitTestVerdict::Differs { difference, expected_at } => {
                let message = format!("the unit test `{test}` of `{model}` fails: {}", difference.summary());
                let diagnostic = Diagnostic::error(Code::TestFailed, message).at(*expected_at);
                vec![diagnostic.note(format!("expected → actual\n{}", difference.to_text().trim_end()))]
            }
        }
    }
}
