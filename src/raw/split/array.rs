//! Cuts a file that holds one JSON array of objects into its elements, some at a time. Brackets and quotes alone say where an
//! element ends; whether it is JSON, and an object, the parser says.

use std::ops::Range;
use std::sync::Arc;

use super::{BlockEnd, Splitter, count_lines};
use crate::raw::columns::FileColumns;
use crate::raw::error::RawError;
use crate::raw::quarantine::{BadRecord, BadRecordReason, RAW_SAMPLE_BYTES, RawSample};
use crate::raw::split::TextBlock;

/// What may come next in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The bracket that opens it.
    Opening,
    /// The first element, or the bracket that closes it.
    First,
    /// A comma, or the bracket that closes it.
    Comma,
    Element,
    /// Nothing but blanks.
    End,
}

/// Finds the end of one value: a pushdown automaton whose stack is a number, because which brackets match is not asked here.
#[derive(Debug, Clone, Copy, Default)]
struct Value {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Value {
    /// Goes on over these bytes. Returns how many of them belong to the value, if it ends among them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (offset, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => {
                    self.in_string = !self.in_string;
                    if !self.in_string && self.depth == 0 {
                        return Some(offset + 1);
                    }
                }
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => return Some(offset + 1),
                b'}' | b']' | b',' if self.depth == 0 => return Some(offset),
                byte if self.depth == 0 && byte.is_ascii_whitespace() => return Some(offset),
                _ => {}
            }
        }
        None
    }
}

/// The elements at the beginning of some bytes.
struct ArrayWalk {
    elements: Vec<Range<usize>>,
    /// What may come behind the last of them, or behind what stands before the first.
    next: Next,
    /// Where the bytes that were understood end: an element that is not whole begins there.
    end: usize,
    stop: Stop,
}

/// What ended a walk.
enum Stop {
    /// The bytes did.
    Bytes,
    /// There is no array like this.
    Broken(&'static str),
}

/// Goes over all elements that are whole.
fn walk(bytes: &[u8], next: Next) -> ArrayWalk {
    let mut walk = ArrayWalk { elements: Vec::new(), next, end: 0, stop: Stop::Bytes };
    loop {
        let rest = bytes.get(walk.end..).unwrap_or_default();
        walk.end += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let Some(byte) = bytes.get(walk.end) else { return walk };
        // The grammar of an array: what may come next, and what came. The inside of an element is left to the parser.
        let (step, next) = match (walk.next, byte) {
            (Next::Opening, b'[') => (1, Next::First),
            (Next::First | Next::Comma, b']') => (1, Next::End),
            (Next::Comma, b',') => (1, Next::Element),
            (Next::First | Next::Element, byte) if !matches!(byte, b',' | b']' | b'}' | b':') => {
                let rest = bytes.get(walk.end..).unwrap_or_default();
                let Some(length) = Value::default().end(rest) else { return walk };
                walk.elements.push(walk.end..walk.end + length);
                (length, Next::Comma)
            }
            (Next::Opening, _) => return ArrayWalk { stop: Stop::Broken("the array does not begin"), ..walk },
            (Next::First | Next::Element, _) => {
                return ArrayWalk { stop: Stop::Broken("an element of the array is missing"), ..walk };
            }
            (Next::Comma, _) => {
                return ArrayWalk {
                    stop: Stop::Broken("a comma between two elements of the array is missing"),
                    ..walk
                };
            }
            (Next::End, _) => {
                return ArrayWalk { stop: Stop::Broken("something follows the array: a file has only one"), ..walk };
            }
        };
        walk.end += step;
        walk.next = next;
    }
}

impl Splitter {
    /// Whether the file holds one array of objects, or an empty one, by its first bytes.
    pub(super) fn begins_array(&mut self, most: usize) -> Result<bool, RawError> {
        let mut wanted = self.buffer.len();
        loop {
            self.fill(wanted)?;
            let is_all = self.at_end || self.buffer.len() >= most;
            match self.buffer.trim_ascii_start() {
                [b'[', rest @ ..] => match rest.trim_ascii_start() {
                    [b'{', ..] => return Ok(true),
                    [b']', rest @ ..] if !rest.trim_ascii().is_empty() => return Ok(false),
                    [b']', ..] | [] if is_all => return Ok(true),
                    [b']', ..] | [] => {}
                    _ => return Ok(false),
                },
                [] if !is_all => {}
                _ => return Ok(false),
            }
            wanted = (self.buffer.len() * 2).clamp(16, most);
        }
    }

    /// The next elements, or `None` at the end of the array.
    pub(super) fn next_elements(
        &mut self,
        next: Next,
        columns: Arc<FileColumns>,
    ) -> Result<Option<TextBlock>, RawError> {
        let mut next = next;
        let mut wanted = self.target;
        loop {
            self.fill(wanted)?;
            let found = walk(&self.buffer, next);
            next = found.next;
            self.array = Some(next);
            if let Some(last) = found.elements.last() {
                // What follows the last element belongs to the next block.
                self.array = Some(Next::Comma);
                let cut = BlockEnd { end: last.end, open_quotes: Vec::new(), fault: None };
                let block = self.take(cut, columns)?;
                return Ok(Some(TextBlock { elements: Some(found.elements), ..block }));
            }
            // Blanks and commas are of no element, however many there are.
            let (before, partial) = self.buffer.split_at(found.end);
            self.line += count_lines(before);
            let held = partial.len();
            self.buffer.drain(..found.end);
            match found.stop {
                Stop::Broken(message) => return Err(self.broken_array(message)),
                Stop::Bytes if self.at_end && held == 0 && next == Next::End => return Ok(None),
                Stop::Bytes if self.at_end => {
                    return Err(self.broken_array("the array has no end: the file is cut off"));
                }
                // An element that is too long is read over without being kept, however long it is.
                Stop::Bytes if held > self.format.max_record_bytes => {
                    let cut = BlockEnd { end: 0, open_quotes: Vec::new(), fault: None };
                    let block = self.take(cut, columns)?;
                    let long = self.long_element()?;
                    self.array = Some(Next::Comma);
                    let lines = self.line - block.first_line;
                    return Ok(Some(TextBlock { set_aside: Some(long), lines, elements: Some(Vec::new()), ..block }));
                }
                Stop::Bytes if held == 0 => wanted = self.target,
                Stop::Bytes => wanted = self.more(),
            }
        }
    }

    /// Reads over the element at the buffer's beginning, keeping no more of it than its raw text needs.
    fn long_element(&mut self) -> Result<BadRecord, RawError> {
        let line = self.line;
        let mut value = Value::default();
        let mut sample = Vec::new();
        let mut length = 0;
        loop {
            let end = value.end(&self.buffer);
            let (text, _) = self.buffer.split_at(end.unwrap_or(self.buffer.len()));
            length += text.len() as u64;
            sample.extend(text.iter().take(RAW_SAMPLE_BYTES.saturating_sub(sample.len())));
            self.line += count_lines(text);
            let taken = text.len();
            self.buffer.drain(..taken);
            if end.is_some() {
                return Ok(BadRecord::new(
                    &self.file,
                    line,
                    BadRecordReason::RecordTooLong,
                    RawSample { bytes: &sample, length },
                ));
            }
            if self.at_end {
                return Err(self.broken_array("the array has no end: the file is cut off"));
            }
            self.fill(self.target)?;
        }
    }

    fn broken_array(&self, message: &'static str) -> RawError {
        RawError::Array { file: Arc::clone(&self.file), line: self.line, message }
    }
}
