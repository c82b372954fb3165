//! Values as JSON, with the blanks and escapes of Python.

use std::io;

use minijinja::Value;
use serde::Serialize;
use serde_json::ser::Formatter;

/// A value as JSON, or `None` if it cannot be written.
pub(in crate::template) fn json_text(value: &Value, sorts_keys: bool) -> Option<String> {
    let mut json = serde_json::to_value(value).ok()?;
    if sorts_keys {
        json.sort_all_objects();
    }
    let mut bytes = Vec::new();
    json.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, PythonFormat)).ok()?;
    String::from_utf8(bytes).ok()
}

struct PythonFormat;

impl PythonFormat {
    fn separate<W: ?Sized + io::Write>(writer: &mut W, is_first: bool) -> io::Result<()> {
        if is_first { Ok(()) } else { writer.write_all(b", ") }
    }
}

impl Formatter for PythonFormat {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        PythonFormat::separate(writer, is_first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        PythonFormat::separate(writer, is_first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for letter in fragment.chars() {
            if letter.is_ascii() {
                write!(writer, "{letter}")?;
                continue;
            }
            for unit in letter.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}
