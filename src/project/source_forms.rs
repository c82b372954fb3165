//! How the values of a source are written: the options that all formats share.

use super::node::{Node, YamlFields};
use super::schema;
use super::source::SourceFormat;
use super::source_files::invalid;
use crate::diag::{Checked, Sink, any_of};
use crate::forms::{Forms, TimeForm};

/// The declared forms; the usual ones if nothing is declared.
pub(super) fn forms(fields: &YamlFields<'_>, format: Option<&SourceFormat>, sink: &mut Sink) -> Checked<Forms> {
    let (Some(format), Some(node)) = (format, fields.get("options")) else { return Ok(Forms::default()) };
    let options = YamlFields::of(node, "`options`", sink)?;
    match format {
        // They have options of their own as well.
        SourceFormat::Csv(_) => {}
        SourceFormat::Json => schema::JSON_OPTIONS.check(&options, sink),
        SourceFormat::Parquet | SourceFormat::Delta => schema::PARQUET_OPTIONS.check(&options, sink),
    }
    let forms = Forms {
        trim: options.read("trim", Node::expect_bool, sink).unwrap_or_default(),
        lenient_numbers: options.read("numbers", lenient, sink).unwrap_or_default(),
        decimal_comma: options.read("decimal", comma, sink).unwrap_or_default(),
        booleans: options.read("booleans", two_words, sink),
        date: options.read("date_format", time_form, sink),
        timestamp: options.read("timestamp_format", time_form, sink),
        coerce: options.read("coerce", Node::expect_bool, sink).unwrap_or_default(),
    };
    if forms.date.as_ref().is_some_and(TimeForm::has_time) {
        return Err(
            sink.error(invalid("`date_format` contains a time of day, which a date does not have", node.place()))
        );
    }
    Ok(forms)
}

fn lenient(node: &Node, what: &str, sink: &mut Sink) -> Checked<bool> {
    word(node, what, [("strict", false), ("lenient", true)], sink)
}

fn comma(node: &Node, what: &str, sink: &mut Sink) -> Checked<bool> {
    word(node, what, [(".", false), (",", true)], sink)
}

fn word(node: &Node, what: &str, meanings: [(&str, bool); 2], sink: &mut Sink) -> Checked<bool> {
    let text = node.expect_any_text(what, sink)?;
    let meaning = meanings.iter().find(|(word, _)| *word == text.value);
    meaning.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words = meanings.map(|(word, _)| word);
        let diagnostic = invalid(format!("{what} cannot be `{}`", text.value), text.span);
        sink.error(diagnostic.help(format!("it can be {}", any_of(words))))
    })
}

/// The words for true and for false.
fn two_words(node: &Node, what: &str, sink: &mut Sink) -> Checked<[String; 2]> {
    let words = node.expect_list(what, sink)?;
    let words = sink.check_all(words, |word, sink| word.expect_any_text(&format!("an item of {what}"), sink))?;
    let words: Vec<String> = words.into_iter().map(|word| word.value).collect();
    match <[String; 2]>::try_from(words) {
        Ok([yes, no]) if yes != no && !yes.is_empty() && !no.is_empty() => Ok([yes, no]),
        _ => {
            let diagnostic = invalid(format!("{what} must be two words, one for true and one for false"), node.place());
            Err(sink.error(diagnostic.help("write them like `booleans: [ja, nein]`")))
        }
    }
}

fn time_form(node: &Node, what: &str, sink: &mut Sink) -> Checked<TimeForm> {
    let text = node.expect_any_text(what, sink)?;
    TimeForm::parse(&text.value).map_err(|wrong| {
        let diagnostic = invalid(format!("{what} cannot be `{}`", text.value), text.span);
        sink.error(
            diagnostic.note(wrong).help("write it like `%d.%m.%Y` for a date, `%d.%m.%Y %H:%M:%S` for a timestamp"),
        )
    })
}
