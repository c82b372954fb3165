//! Where the files of a source lie, and how they are written.

use super::lake::{check_bucket, is_folder};
use super::node::{Node, YamlFields, YamlKind};
use super::scalar::{Scalar, Typed};
use super::schema;
use super::source::{CsvFormat, SourceFormat};
use crate::diag::{Checked, Code, Diagnostic, Sink, any_of};
use crate::span::{Span, Spanned};

/// Where the files lie. Outside of the project nothing is read: whoever clones a project can see what it takes.
pub(super) fn location(fields: &YamlFields<'_>, table: &Spanned<String>, sink: &mut Sink) -> Checked<Spanned<String>> {
    let Some(node) = fields.get("location") else {
        let diagnostic = invalid(format!("the source table `{}` has no `location`", table.value), table.span);
        return Err(sink.error(diagnostic.help("add where its files are, like `location: data/users/*.csv`")));
    };
    let written = node.expect_text("`location`", sink)?;
    if written.value.contains("{{") {
        let diagnostic = invalid("`location` is not a template", written.span);
        return Err(sink.error(diagnostic.help("write the path, with `*` for what changes")));
    }
    inside(&written, sink)
}

/// A path inside the project, without `./` in front, or one in a bucket of the target's store.
pub(super) fn inside(written: &Spanned<String>, sink: &mut Sink) -> Checked<Spanned<String>> {
    match written.value.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => {
            return in_bucket(rest, written.span).map_err(|diagnostic| sink.error(diagnostic.at(written.span)));
        }
        // What stands behind another scheme may hold a password.
        Some((scheme, _)) if scheme.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
            let diagnostic = invalid(format!("files of sources cannot be at `{scheme}://`"), written.span);
            let help = "a location is a path inside the project, like `data/users/*.csv`, or in a bucket, like `s3://bucket/users/*.csv`";
            return Err(sink.error(diagnostic.help(help)));
        }
        Some(_) | None => {}
    }
    let path = written.value.trim_start_matches("./");
    let is_inside = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_inside || path.contains(['\\', ':']) {
        let diagnostic = invalid(format!("`{}` is not a path inside the project", written.value), written.span);
        let help = "copy or link the data into the project, and write its path with `/`, like `data/users/*.csv`";
        return Err(sink.error(diagnostic.help(help)));
    }
    Ok(Spanned::new(path.to_owned(), written.span))
}

/// A bucket and a key or glob. Nothing is asked: the bucket may not be there.
fn in_bucket(rest: &str, span: Span) -> Result<Spanned<String>, Diagnostic> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    check_bucket("location", bucket)?;
    if key.is_empty() || !key.split('/').all(is_folder) {
        let diagnostic = Diagnostic::error(Code::InvalidConfig, format!("`s3://{rest}` names no objects of a bucket"));
        let help = "write the bucket and the names of its objects, like `s3://bucket/users/*.csv`, without parts that are empty, `.` or `..`";
        return Err(diagnostic.help(help));
    }
    Ok(Spanned::new(format!("s3://{rest}"), span))
}

/// The declared format, or the one that the ending of the location tells.
pub(super) fn format(fields: &YamlFields<'_>, location: &Spanned<String>, sink: &mut Sink) -> Checked<SourceFormat> {
    const WORDS: [&str; 4] = ["csv", "json", "parquet", "delta"];
    let (word, span) = match fields.get("format") {
        Some(node) => {
            let word = node.expect_text("`format`", sink)?;
            (word.value, word.span)
        }
        None => match format_of_ending(&location.value) {
            Some(word) => (word.to_owned(), location.span),
            // What the target says of all sources: a place without an ending was checked to be one of folders.
            None if fields.get("location").is_none() => ("delta".to_owned(), location.span),
            None => {
                let diagnostic = invalid("the extension of `location` does not determine the format", location.span);
                return Err(sink.error(
                    diagnostic.help("add `format: csv`, `format: json`, `format: parquet` or `format: delta`"),
                ));
            }
        },
    };
    if word == "csv" {
        return csv_format(fields, sink).map(SourceFormat::Csv);
    }
    match word.as_str() {
        "json" => Ok(SourceFormat::Json),
        "parquet" => Ok(SourceFormat::Parquet),
        "delta" if is_pattern(&location.value) => {
            let diagnostic = invalid("the location of a Delta table is one folder", location.span);
            Err(sink.error(diagnostic.help("write the folder that holds `_delta_log`, like `lake/raw/orders`")))
        }
        "delta" if location.value.starts_with("s3://") => {
            let diagnostic = invalid("a Delta table in a bucket is no source yet", location.span);
            Err(sink.error(
                diagnostic.help("copy the table's folder into the project, or have its writer put out Parquet files"),
            ))
        }
        "delta" => Ok(SourceFormat::Delta),
        _ => {
            let diagnostic = invalid(format!("`format` cannot be `{word}`"), span).suggest(&word, WORDS);
            Err(sink.error(diagnostic.help(format!("it can be {}", any_of(WORDS)))))
        }
    }
}

/// Whether a location stands for several paths.
pub(super) fn is_pattern(location: &str) -> bool {
    location.contains(['*', '?', '[', '{'])
}

/// The format that the ending of a path tells.
pub fn format_of_ending(location: &str) -> Option<&'static str> {
    let lower = location.to_ascii_lowercase();
    let plain = lower.trim_end_matches(".gz").trim_end_matches(".zst");
    match plain.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => Some("csv"),
        Some("json" | "jsonl" | "ndjson") => Some("json"),
        Some("parquet") => Some("parquet"),
        _ => None,
    }
}

fn csv_format(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<CsvFormat> {
    let default = CsvFormat::default();
    let Some(node) = fields.get("options") else {
        return Ok(default);
    };
    let options = YamlFields::of(node, "`options`", sink)?;
    schema::CSV_OPTIONS.check(&options, sink);
    let format = CsvFormat {
        header: options.read("header", Node::expect_bool, sink).unwrap_or(default.header),
        delimiter: options.read("delimiter", read_byte, sink).unwrap_or(default.delimiter),
        quote: options.read("quote", read_quote, sink).unwrap_or(default.quote),
        comment: options.read("comment", read_byte, sink),
        skip: options.read("skip", read_count, sink).unwrap_or(default.skip),
        null: null_text(&options, sink),
    };
    if format.quote == Some(format.delimiter) {
        return Err(sink.error(same_character(node, "delimiter", "quote")));
    }
    if format.comment == Some(format.delimiter) {
        return Err(sink.error(same_character(node, "delimiter", "comment")));
    }
    if format.comment.is_some() && format.comment == format.quote {
        return Err(sink.error(same_character(node, "quote", "comment")));
    }
    Ok(format)
}

fn same_character(options: &Node, one: &str, other: &str) -> Diagnostic {
    invalid(format!("`{one}` and `{other}` are the same character"), options.place())
}

/// The text that means null; `null: NULL` is a null for YAML, but not for who wrote it.
fn null_text(options: &YamlFields<'_>, sink: &mut Sink) -> Option<String> {
    let (_, node) = options.entries().iter().find(|(key, _)| key.value == "null")?;
    match &node.kind {
        YamlKind::Scalar(scalar) => Some(scalar.text.clone()).filter(|text| !text.is_empty()),
        YamlKind::Sequence(_) | YamlKind::Mapping(_) => {
            node.expect_any_text("`null`", sink).ok().map(|text| text.value)
        }
    }
}

/// One character, or `none`.
fn read_quote(node: &Node, what: &str, sink: &mut Sink) -> Checked<Option<u8>> {
    match &node.kind {
        YamlKind::Scalar(scalar) if scalar.text == "none" => Ok(None),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => read_byte(node, what, sink).map(Some),
    }
}

fn read_count(node: &Node, what: &str, sink: &mut Sink) -> Checked<u64> {
    let count = match &node.kind {
        YamlKind::Scalar(Scalar { typed: Typed::Integer(count), .. }) => u64::try_from(*count).ok(),
        YamlKind::Scalar(_) | YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
    };
    count.ok_or_else(|| sink.error(invalid(format!("{what} must be a number of lines, like `1`"), node.place())))
}

fn read_byte(node: &Node, what: &str, sink: &mut Sink) -> Checked<u8> {
    let text = node.expect_any_text(what, sink)?;
    match text.value.as_bytes() {
        // A tab cannot be seen in YAML, and single quotes keep `\t` as two characters.
        _ if matches!(text.value.as_str(), "tab" | "\\t") => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => {
            let diagnostic = invalid(format!("{what} must be one character of ASCII, or `tab`"), text.span);
            Err(sink.error(diagnostic))
        }
    }
}

pub(super) fn invalid(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message).at(span)
}
