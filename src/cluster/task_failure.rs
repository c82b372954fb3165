//! What a task ran into, told by the machine that ran it: Ballista passes errors on as texts, in which types and causes are lost.

use std::fmt;

use datafusion::common::DataFusionError;
use serde::{Deserialize, Serialize};

/// What stands before a failure in the texts of Ballista, and after it. In between are hexadecimal digits, which no text around
/// them changes.
const BEGIN: &str = "karat-failure:";
const END: char = ';';

/// What a person is told of a task that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskFailure {
    /// The word of its code.
    pub code: String,
    pub message: String,
    pub notes: Vec<String>,
    pub helps: Vec<String>,
    /// Whether the same command may work later.
    pub may_pass: bool,
}

/// Says what an error means.
pub(crate) type Describe = fn(&DataFusionError) -> TaskFailure;

impl fmt::Display for TaskFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for TaskFailure {}

impl TaskFailure {
    /// The error of a task, as it is passed on. What Ballista tries again, and what the run plans again, stays what it is.
    pub fn passed_on(error: DataFusionError, describe: Describe) -> DataFusionError {
        match error.find_root() {
            DataFusionError::IoError(_) | DataFusionError::ResourcesExhausted(_) => error,
            _ => {
                let failure = serde_json::to_vec(&describe(&error)).expect("texts can be written as JSON");
                let digits: String = failure.iter().map(|byte| format!("{byte:02x}")).collect();
                DataFusionError::Execution(format!("{BEGIN}{digits}{END}"))
            }
        }
    }

    /// The failure that a text of Ballista has in it, if there is one.
    pub fn find(text: &str) -> Option<TaskFailure> {
        let (_, rest) = text.split_once(BEGIN)?;
        let (digits, _) = rest.split_once(END)?;
        let (pairs, _) = digits.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(error: &DataFusionError) -> TaskFailure {
        TaskFailure {
            code: "run-failed".to_owned(),
            message: error.strip_backtrace(),
            notes: vec!["a \"note\"\nof two lines; and more".to_owned()],
            helps: Vec::new(),
            may_pass: false,
        }
    }

    #[test]
    fn a_failure_is_found_in_the_text_that_is_left_of_its_error() {
        let error = DataFusionError::Execution("x / 0".to_owned());
        let failure = described(&error);
        let passed = TaskFailure::passed_on(error, described);
        let text = format!("Job failed due to stage 1 failed: Task failed: {passed:?}");
        assert_eq!(TaskFailure::find(&text), Some(failure));
        assert_eq!(TaskFailure::find("Job failed"), None);
        let short = DataFusionError::ResourcesExhausted("no memory".to_owned());
        assert!(matches!(TaskFailure::passed_on(short, described), DataFusionError::ResourcesExhausted(_)));
    }
}
