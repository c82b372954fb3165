//! What a look at a store found.

/// How good that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProofVerdict {
    Good,
    /// It works, but somebody should know.
    Warning,
    /// Writing to the store would fail, or lose data.
    Bad,
}

/// One fact about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProofFinding {
    /// A word: `write`, `read`, `list`, `delete`, `clock` or `race`.
    pub about: &'static str,
    pub verdict: ProofVerdict,
    pub text: String,
}

impl ProofFinding {
    pub fn good(about: &'static str, text: impl Into<String>) -> ProofFinding {
        ProofFinding { about, verdict: ProofVerdict::Good, text: text.into() }
    }

    pub fn warning(about: &'static str, text: impl Into<String>) -> ProofFinding {
        ProofFinding { about, verdict: ProofVerdict::Warning, text: text.into() }
    }

    pub fn bad(about: &'static str, text: impl Into<String>) -> ProofFinding {
        ProofFinding { about, verdict: ProofVerdict::Bad, text: text.into() }
    }
}

/// All that was found about a store, in the order in which it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    pub findings: Vec<ProofFinding>,
}

impl Proof {
    /// Whether tables may be written to the store.
    pub fn is_safe(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != ProofVerdict::Bad)
    }
}
