//! How a report of several tables is put out.

/// A report for people, for programs, or for a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReportOutput {
    #[default]
    Text,
    Json,
    Markdown,
}

impl ReportOutput {
    pub const ALL: [ReportOutput; 3] = [ReportOutput::Text, ReportOutput::Json, ReportOutput::Markdown];

    /// By which it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            ReportOutput::Text => "text",
            ReportOutput::Json => "json",
            ReportOutput::Markdown => "markdown",
        }
    }

    /// What it is, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            ReportOutput::Text => "Aligned columns, for people",
            ReportOutput::Json => "One JSON object",
            ReportOutput::Markdown => "A comment on a pull request",
        }
    }
}
