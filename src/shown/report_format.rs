//! How a report of several tables is put out.

/// A report for people, for programs, or for a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReportFormat {
    #[default]
    Text,
    Json,
    Markdown,
}

impl ReportFormat {
    pub const ALL: [ReportFormat; 3] = [ReportFormat::Text, ReportFormat::Json, ReportFormat::Markdown];

    /// By which it is asked for.
    pub fn word(self) -> &'static str {
        match self {
            ReportFormat::Text => "text",
            ReportFormat::Json => "json",
            ReportFormat::Markdown => "markdown",
        }
    }

    /// What it is, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            ReportFormat::Text => "Aligned columns, for people",
            ReportFormat::Json => "One JSON object",
            ReportFormat::Markdown => "A comment on a pull request",
        }
    }
}
