//! Parses a block of JSON: one object a line, or the elements of one array.
//!
//! serde_json judges whether a line is JSON; the values are then taken as they were typed, so that a number with more
//! digits than a float holds is neither rounded in a decimal column nor in `_rescued`.

use memchr::memchr_iter;
use serde::de::IgnoredAny;

use super::batch::{BATCH_ROWS, BatchBuilder};
use super::field::Field;
use super::format::{RawColumn, RawFormat, UnknownColumns};
use super::path_values::{PathValue, Repeated};
use super::quarantine::{BadRecord, BadRecordReason, RawSample};
use super::record::without_return;
use super::split::TextBlock;
use crate::column_type::ColumnType;

/// A member of an object: its name, and its value as JSON text.
type Member<'a> = (String, &'a str);

/// Adds the rows of the block to `batches` and what is no row to `bad`.
pub(super) fn parse(block: &TextBlock, format: &RawFormat, batches: &mut BatchBuilder<'_>, bad: &mut Vec<BadRecord>) {
    let mut records = Records { block, format, batches, bad };
    each_record(block, |line, text, length| records.add(line, text, length));
}

/// Visits the members of the good records of a block, in their order: names, and values as JSON.
pub(super) fn each_member(block: &TextBlock, mut visit: impl FnMut(&str, &str)) {
    each_record(block, |_, text, _| {
        for (name, json) in members(text).unwrap_or_default() {
            visit(&name, json);
        }
    });
}

/// Visits the records of a block: the line of each, its text, and the length that the limit counts.
fn each_record(block: &TextBlock, mut visit: impl FnMut(u64, &[u8], usize)) {
    match &block.elements {
        Some(elements) => {
            let mut line = block.first_line;
            let mut position = 0;
            for element in elements {
                let before = block.bytes.get(position..element.start).unwrap_or_default();
                line += memchr_iter(b'\n', before).count() as u64;
                position = element.start;
                let text = block.bytes.get(element.clone()).unwrap_or_default();
                visit(line, text, text.len());
            }
        }
        None => {
            for (line, record) in (block.first_line..).zip(block.bytes.split_inclusive(|byte| *byte == b'\n')) {
                let length = record.len() - 1;
                let text = record.get(..without_return(record, 0, length)).unwrap_or_default();
                if !text.is_empty() {
                    visit(line, text, length);
                }
            }
        }
    }
}

/// Where the records of a block go.
struct Records<'a, 'b> {
    block: &'a TextBlock,
    format: &'a RawFormat,
    batches: &'a mut BatchBuilder<'b>,
    bad: &'a mut Vec<BadRecord>,
}

impl Records<'_, '_> {
    /// Adds one record, which begins in this line of the file; `length` is what the limit counts.
    fn add(&mut self, line: u64, text: &[u8], length: usize) {
        let is_long = length > self.format.max_record_bytes;
        let members = if is_long { Err(BadRecordReason::RecordTooLong) } else { members(text) };
        match members {
            Ok(members) => {
                if self.batches.pending() == BATCH_ROWS {
                    self.batches.flush();
                }
                self.batches.start_rows(&[line.cast_signed()]);
                push_row(&members, &self.block.columns.of_path, self.format, self.batches);
            }
            Err(reason) => self.bad.push(BadRecord::new(&self.block.file, line, reason, RawSample::whole(text))),
        }
    }
}

fn push_row(members: &[Member<'_>], path: &[PathValue], format: &RawFormat, batches: &mut BatchBuilder<'_>) {
    for (index, column) in format.columns.iter().enumerate() {
        match members.iter().find(|(name, _)| *name == column.name) {
            Some((_, "null")) => batches.push_or_rescue(index, Field::new(b""), ""),
            Some((_, json)) => push_value(index, column, json, batches),
            // A record that has no such member has the value of the path.
            None => match path.iter().find(|value| value.declared == index) {
                Some(value) => batches.extend(index, &Repeated { value, rows: 1 }),
                None => batches.push_or_rescue(index, Field::new(b""), ""),
            },
        }
    }
    if format.unknown_columns == UnknownColumns::Ignore {
        return;
    }
    for (place, (name, json)) in members.iter().enumerate() {
        if format.position(name).is_none() {
            batches.rescue(format.columns.len() + place, name, json);
        }
    }
}

/// Appends a value that is not null.
fn push_value(index: usize, column: &RawColumn, json: &str, batches: &mut BatchBuilder<'_>) {
    let forms = batches.forms();
    let text = serde_json::from_str::<String>(json).ok();
    let text = if forms.trim { text.map(|text| text.trim_ascii().to_owned()) } else { text };
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match (column.data_type, text) {
        (ColumnType::Text, Some(text)) => return batches.push_any_text(index, &text),
        (ColumnType::Text, None) if forms.coerce => return batches.push_any_text(index, json),
        (ColumnType::Date | ColumnType::Timestamp, Some(text)) if !text.is_empty() => {
            return batches.push_or_rescue(index, Field::new(text.as_bytes()), json);
        }
        (ColumnType::Boolean, None) if matches!(json, "true" | "false") || (forms.coerce && is_number) => {
            return batches.push_or_rescue(index, Field::new(json.as_bytes()), json);
        }
        (ColumnType::Integer | ColumnType::Float | ColumnType::Decimal { .. }, None) if is_number => {
            // Whatever the comma of the texts is, JSON's numbers have a point.
            let number = if forms.decimal_comma { json.replace('.', ",") } else { json.to_owned() };
            return batches.push_or_rescue(index, Field::new(number.as_bytes()), json);
        }
        (ColumnType::Integer | ColumnType::Float | ColumnType::Decimal { .. } | ColumnType::Boolean, Some(text))
            if forms.coerce && !text.is_empty() =>
        {
            return batches.push_or_rescue(index, Field::new(text.as_bytes()), json);
        }
        _ => {}
    }
    batches.push_misfit(index, json);
}

/// The members of the object on a line.
fn members(line: &[u8]) -> Result<Vec<Member<'_>>, BadRecordReason> {
    let line = std::str::from_utf8(line).map_err(|_| BadRecordReason::InvalidUtf8)?;
    serde_json::from_str::<IgnoredAny>(line).map_err(|_| BadRecordReason::BadJson)?;
    let mut rest = line.trim_ascii().strip_prefix('{').ok_or(BadRecordReason::BadJson)?.trim_ascii_start();
    let mut members: Vec<Member<'_>> = Vec::new();
    // The line is known to be valid JSON, so every split below finds what it looks for.
    while rest.starts_with('"') {
        let (name, behind) = rest.split_at(value_length(rest));
        let name = serde_json::from_str::<String>(name).map_err(|_| BadRecordReason::BadJson)?;
        let value = behind.trim_ascii_start().strip_prefix(':').ok_or(BadRecordReason::BadJson)?.trim_ascii_start();
        let (value, behind) = value.split_at(value_length(value));
        // Of two members with one name, either would be lost.
        if members.iter().any(|(other, _)| *other == name) {
            return Err(BadRecordReason::BadJson);
        }
        members.push((name, value));
        rest = behind.trim_ascii_start().trim_start_matches(',').trim_ascii_start();
    }
    Ok(members)
}

/// The length of the valid JSON value at the beginning of a text.
fn value_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                if !in_string && depth == 0 {
                    return offset + 1;
                }
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' => return offset + depth,
            b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return offset,
            _ => {}
        }
    }
    text.len()
}
