//! How long old versions of tables are kept.

use chrono::{DateTime, NaiveDateTime, TimeDelta};

use super::node::YamlFields;
use crate::day::Length;
use crate::diag::{Code, Diagnostic, Sink};

/// How long the versions and releases that others have replaced can still be read and restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    For(Length),
    Forever,
}

/// A run that takes longer than the retention could lose the files that it has not committed yet.
const SHORTEST: TimeDelta = TimeDelta::hours(1);

impl Default for Retention {
    fn default() -> Retention {
        Retention::For(Length::at_least(TimeDelta::days(7)))
    }
}

impl Retention {
    /// As a person writes it; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Retention, String> {
        if text == "forever" {
            return Ok(Retention::Forever);
        }
        let length = Length::parse(text).ok_or("write it as `7 days`, `12 hours`, `2 weeks` or `forever`")?;
        let epoch = DateTime::UNIX_EPOCH.naive_utc();
        if length.after(epoch) < epoch + SHORTEST {
            return Err("the shortest retention is `1 hour`: a run in progress may need anything younger".to_owned());
        }
        Ok(Retention::For(length))
    }

    /// What was replaced before this instant is not kept. Returns `None` if everything is kept.
    pub fn horizon(self, now: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Retention::For(length) => Some(length.before(now)),
            Retention::Forever => None,
        }
    }

    pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> Retention {
        let Some(written) = fields.text("retention", sink) else { return Retention::default() };
        Retention::parse(&written.value).unwrap_or_else(|reason| {
            let message = format!("`{}` is not a retention", written.value);
            sink.error(Diagnostic::error(Code::InvalidConfig, message).at(written.span).help(reason));
            Retention::default()
        })
    }
}

/// For people: `7 days`, `forever`.
impl std::fmt::Display for Retention {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Retention::For(length) => length.fmt(formatter),
            Retention::Forever => formatter.write_str("forever"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_length_of_an_hour_or_more_or_for_ever() {
        assert_eq!(Retention::parse("7 days"), Ok(Retention::default()));
        assert_eq!(Retention::parse("forever"), Ok(Retention::Forever));
        let horizon = |text: &str| Retention::parse(text).unwrap().horizon(DateTime::UNIX_EPOCH.naive_utc());
        assert_eq!(horizon("1 hour"), Some(DateTime::UNIX_EPOCH.naive_utc() - TimeDelta::hours(1)));
        assert_eq!(horizon("forever"), None);
        for wrong in ["59 minutes", "7", "7 nights", "never", ""] {
            assert!(Retention::parse(wrong).is_err(), "{wrong}");
        }
    }
}
