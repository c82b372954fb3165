//! Rows written as CSV, each field with its place in the text. Fixtures are small, and an error must point at one value.

use std::ops::Range;

/// A field as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CsvField {
    /// Without its quotes.
    pub text: String,
    /// In the text, with its quotes.
    pub range: Range<usize>,
}

/// The records of a text, blank lines left out.
///
/// # Errors
///
/// Returns the place of a quote that is never closed.
pub(super) fn records(text: &str) -> Result<Vec<Vec<CsvField>>, Range<usize>> {
    let mut all = Vec::new();
    let mut record = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (field, next) = field(text, at)?;
        record.push(field);
        at = next;
        match text.as_bytes().get(at) {
            Some(b',') => {
                at += 1;
                // A comma at the very end begins one more field, which is empty.
                if at == text.len() {
                    record.push(CsvField { text: String::new(), range: at..at });
                }
            }
            Some(b'\r') if text.as_bytes().get(at + 1) == Some(&b'\n') => {
                end_record(&mut record, &mut all);
                at += 2;
            }
            Some(_) => {
                end_record(&mut record, &mut all);
                at += 1;
            }
            None => {}
        }
    }
    end_record(&mut record, &mut all);
    Ok(all)
}

fn end_record(record: &mut Vec<CsvField>, all: &mut Vec<Vec<CsvField>>) {
    let ended = std::mem::take(record);
    let is_blank = ended.iter().all(|field| field.range.is_empty() || field.text.trim().is_empty()) && ended.len() < 2;
    if !is_blank {
        all.push(ended);
    }
}

/// The field that begins here, and where it ends: at a comma, a line end or the end of the text.
fn field(text: &str, start: usize) -> Result<(CsvField, usize), Range<usize>> {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |text: &str| text.find([',', '\n', '\r']).unwrap_or(text.len());
    if !rest.starts_with('"') {
        let end = start + ends(rest);
        let written = text.get(start..end).unwrap_or_default().to_owned();
        return Ok((CsvField { text: written, range: start..end }, end));
    }
    // Within quotes, two of them mean one.
    let mut value = String::new();
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(quote) = rest.find('"') else { return Err(start..start + 1) };
        value.push_str(rest.get(..quote).unwrap_or_default());
        at += quote + 1;
        if text.as_bytes().get(at) != Some(&b'"') {
            break;
        }
        value.push('"');
        at += 1;
    }
    // What stands between the quote and the comma belongs to the value, as Python reads it.
    let behind = text.get(at..).unwrap_or_default();
    let end = at + ends(behind);
    value.push_str(text.get(at..end).unwrap_or_default());
    Ok((CsvField { text: value, range: start..end }, end))
}

#[cfg(test)]
mod tests {
    use super::records;

    fn read(text: &str) -> Vec<Vec<String>> {
        let records = records(text).unwrap();
        records.into_iter().map(|record| record.into_iter().map(|field| field.text).collect()).collect()
    }

    #[test]
    fn fields_are_read_as_python_reads_them() {
        assert_eq!(read("a,b\n1,\"x, \"\"y\"\"\nz\"\n\n2,\n"), [["a", "b"], ["1", "x, \"y\"\nz"], ["2", ""]]);
        assert_eq!(read("a\r\n 1\r\n"), [["a"], [" 1"]]);
        assert_eq!(read("a,b\n1,"), [["a", "b"], ["1", ""]]);
        assert_eq!(read("a,b\n,\n"), [["a", "b"], ["", ""]]);
        assert_eq!(read(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn each_field_knows_its_place() {
        let text = "id,name\n1,\"ann\"\n";
        let records = records(text).unwrap();
        assert_eq!(text.get(records[1][1].range.clone()), Some("\"ann\""));
        assert_eq!(super::records("a\n\"b"), Err(2..3));
    }
}
