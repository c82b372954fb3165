//! What can be wrong with a seed, as diagnostics that point to its line.

use super::types_in_words;
use crate::column_type::ColumnType;
use crate::diag::{Code, Diagnostic};
use crate::raw::{BadRecord, BadRecordReason, RawError, RescuedValue};
use crate::span::{FileId, Span, Spanned};

/// So many bad lines are told one by one.
const MOST_TOLD: usize = 10;

/// Something that is wrong with a seed.
#[derive(Debug, Clone)]
pub(crate) struct SeedFault {
    diagnostic: Diagnostic,
    place: FaultPlace,
}

#[derive(Debug, Clone)]
enum FaultPlace {
    /// A line of the seed, from 1.
    Line(u64),
    /// A place in YAML.
    Config(Span),
}

impl SeedFault {
    fn at_line(line: u64, diagnostic: Diagnostic) -> SeedFault {
        SeedFault { diagnostic, place: FaultPlace::Line(line) }
    }

    /// The diagnostic, with its place in the text of the seed.
    pub fn located(self, file: FileId, text: &str) -> Diagnostic {
        match self.place {
            FaultPlace::Line(line) => self.diagnostic.at(line_span(file, text, line)),
            FaultPlace::Config(span) => self.diagnostic.at(span),
        }
    }

    /// The reader cannot make anything of the file.
    pub(super) fn unreadable(error: &RawError) -> SeedFault {
        match error {
            RawError::Disguised { disguise, .. } => {
                SeedFault::at_line(1, not_read(disguise.what).help(disguise.remedy))
            }
            RawError::Header { line, message, .. } => SeedFault::at_line(*line, not_read(message)),
            RawError::Array { line, message, .. } => SeedFault::at_line(*line, not_read(message)),
            RawError::Columns { line, message, .. } => SeedFault::at_line(line.unwrap_or(1), not_read(message)),
            RawError::Unreadable { error, .. } => SeedFault::at_line(1, not_read(&error.to_string())),
            RawError::Format { message } => SeedFault::at_line(1, not_read(message)),
        }
    }

    pub(super) fn empty() -> SeedFault {
        let diagnostic = Diagnostic::error(Code::InvalidSeed, "the seed is empty");
        SeedFault::at_line(1, diagnostic.help("write the names of its columns into the first line: `id,name`"))
    }

    pub(super) fn unnamed(number: usize, count: usize) -> SeedFault {
        let message = format!("the column {number} of {count} has no name in the header");
        let help = "give it a name, or take away the delimiter that is too much";
        SeedFault::at_line(1, Diagnostic::error(Code::InvalidSeed, message).help(help))
    }

    pub(super) fn no_identifier(name: &str, wrong: &str) -> SeedFault {
        let message = format!("`{name}` is not a name for a column: {wrong}");
        let diagnostic = Diagnostic::error(Code::InvalidSeed, message);
        let help = "rename it in the header, or set `quote_columns: true` to keep names as they are written".to_owned();
        let delimiter = name.chars().find(|letter| matches!(letter, ';' | '\t' | '|' | ','));
        SeedFault::at_line(
            1,
            diagnostic.help(match delimiter {
                Some('\t') => {
                    "set `delimiter: \"\\t\"` in the config of the seed, if the names are divided by tabs".to_owned()
                }
                Some(mark) => {
                    format!("set `delimiter: \"{mark}\"` in the config of the seed, if `{mark}` divides the names")
                }
                None => help,
            }),
        )
    }

    pub(super) fn reserved(name: &str) -> SeedFault {
        let message = format!("a seed cannot have a column `{name}`: karat uses the name itself");
        SeedFault::at_line(1, Diagnostic::error(Code::InvalidSeed, message).help("rename it in the header"))
    }

    pub(super) fn repeated(name: &str, first: usize, second: usize) -> SeedFault {
        let message = format!("the columns {first} and {second} are both called `{name}`");
        SeedFault::at_line(1, Diagnostic::error(Code::InvalidSeed, message).help("rename one of them in the header"))
    }

    /// A config speaks of a column that the seed has not.
    pub(super) fn no_column(column: &Spanned<String>, known: &[String]) -> SeedFault {
        let message = format!("the seed has no column `{}`", column.value);
        let diagnostic = Diagnostic::error(Code::MissingColumn, message);
        let diagnostic = diagnostic.suggest(&column.value, known.iter().map(String::as_str));
        SeedFault { diagnostic, place: FaultPlace::Config(column.span) }
    }

    /// A column that is declared as a decimal of any size, and whose values no decimal holds.
    pub(super) fn no_decimal(column: &str) -> SeedFault {
        let message = format!("the values of the column `{column}` have more digits than a decimal, which has 38");
        let help = format!("give `{column}` another type in `column_types`: `float` or `text`");
        SeedFault::at_line(1, Diagnostic::error(Code::InvalidSeedValue, message).help(help))
    }

    /// The first of `count` values that are not of the declared type.
    pub(super) fn misfit(column: &str, data_type: ColumnType, first: &RescuedValue, count: u64) -> SeedFault {
        let wanted = type_in_words(data_type);
        let message = format!("line {}: `{}` in the column `{column}` is not {wanted}", first.line, first.text);
        let diagnostic = Diagnostic::error(Code::InvalidSeedValue, message);
        let diagnostic = match count {
            1 => diagnostic,
            _ => diagnostic.note(format!("{count} values of the column are not {wanted}; this is the first")),
        };
        let help =
            format!("correct the value, or give `{column}` another type in `column_types`: {}", types_in_words());
        SeedFault::at_line(first.line, diagnostic.help(help))
    }
}

fn not_read(why: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidSeed, format!("the seed cannot be read: {why}"))
}

fn type_in_words(data_type: ColumnType) -> String {
    match data_type {
        ColumnType::Text => "a text".to_owned(),
        ColumnType::Integer => "an integer of 64 bits".to_owned(),
        ColumnType::Float => "a number".to_owned(),
        ColumnType::Boolean => "`true` or `false`".to_owned(),
        ColumnType::Date => "a date like `2026-03-31`".to_owned(),
        ColumnType::Timestamp => "a timestamp like `2026-03-31 18:00:00`".to_owned(),
        ColumnType::Decimal { precision, scale } => format!("a decimal({precision}, {scale})"),
    }
}

/// What to say of lines that are no rows.
pub(super) fn of_records(bad: &[BadRecord], columns: usize) -> Vec<SeedFault> {
    let mut faults = Vec::new();
    for record in bad.iter().take(MOST_TOLD) {
        let (what, help) = of_record(record.reason, columns);
        let message = format!("line {}: {what}", record.line);
        let mut diagnostic = Diagnostic::error(Code::InvalidSeed, message).help(help);
        if faults.len() + 1 == MOST_TOLD && bad.len() > MOST_TOLD {
            diagnostic = diagnostic.note(format!("{} more lines are wrong", bad.len() - MOST_TOLD));
        }
        faults.push(SeedFault::at_line(record.line, diagnostic));
    }
    faults
}

fn of_record(reason: BadRecordReason, columns: usize) -> (String, &'static str) {
    match reason {
        BadRecordReason::TooFewColumns => (
            format!("the row has fewer fields than the header, which has {columns}"),
            "an empty field between two delimiters is null",
        ),
        BadRecordReason::TooManyColumns => (
            format!("the row has more fields than the header, which has {columns}"),
            "put a value that holds the delimiter in double quotes",
        ),
        BadRecordReason::BadQuoting => (
            "a quote stands inside of a field, or something follows a closing quote".to_owned(),
            "put the whole value in double quotes, and double those in it: `\"5\"\" disk\"`",
        ),
        BadRecordReason::UnclosedQuote => {
            ("a quote is never closed".to_owned(), "close it, or double it if it belongs to the value")
        }
        BadRecordReason::InvalidUtf8 => ("its bytes are not UTF-8".to_owned(), "save the file with the encoding UTF-8"),
        BadRecordReason::RecordTooLong => {
            ("the row has more than 1 MiB".to_owned(), "look for a quote that is never closed")
        }
        BadRecordReason::BadJson => ("it is not a record".to_owned(), "write one row a line"),
    }
}

/// The bytes of a line without its end.
fn line_span(file: FileId, text: &str, line: u64) -> Span {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    // Lines end as the reader has counted them: with a line feed, quoted or not.
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let length = text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
    Span::new(file, start..start + length)
}
