//! CSV, byte by byte.

/// A record that has the right shape.
pub(super) struct Record {
    /// The line on which it starts; the header is on line 1.
    pub(super) line: u64,
    pub(super) fields: Vec<String>,
}

/// A record that has not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BadRecord {
    pub(super) line: u64,
    pub(super) reason: &'static str,
}

/// The records after the header.
///
/// A record may have several faults. Broken quoting comes first, because then nobody knows its fields; bytes that are
/// not UTF-8 come second. A quote that never closes makes one bad record of the rest of the file.
pub(super) fn read(bytes: &[u8]) -> Vec<Result<Record, BadRecord>> {
    let mut reader = Reader { bytes: bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes), at: 0, line: 1 };
    let mut width = None;
    let mut records = Vec::new();
    while reader.peek(0).is_some() {
        if reader.eat_line_end() {
            continue;
        }
        let line = reader.line;
        let fields = reader.record();
        let Some(width) = width else {
            width = Some(fields.map_or(0, |fields| fields.len()));
            continue;
        };
        records.push(
            check(fields, width).map(|fields| Record { line, fields }).map_err(|reason| BadRecord { line, reason }),
        );
    }
    records
}

fn check(fields: Option<Vec<Vec<u8>>>, width: usize) -> Result<Vec<String>, &'static str> {
    let fields = fields.ok_or("bad_quoting")?;
    let fields: Result<Vec<String>, _> = fields.into_iter().map(String::from_utf8).collect();
    let fields = fields.map_err(|_| "invalid_utf8")?;
    match fields.len() {
        fewer if fewer < width => Err("too_few_columns"),
        more if more > width => Err("too_many_columns"),
        _ => Ok(fields),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn at_line_end(&self) -> bool {
        self.peek(0) == Some(b'\n') || (self.peek(0) == Some(b'\r') && self.peek(1) == Some(b'\n'))
    }

    fn eat_line_end(&mut self) -> bool {
        if !self.at_line_end() {
            return false;
        }
        self.at += if self.peek(0) == Some(b'\n') { 1 } else { 2 };
        self.line += 1;
        true
    }

    /// The fields up to the line end, which is eaten; nothing if quotes are wrong, and then the record ends with the
    /// line on which they are.
    fn record(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut fields = Vec::new();
        loop {
            let field = if self.peek(0) == Some(b'"') { self.quoted() } else { self.unquoted() };
            let Some(field) = field else {
                while self.peek(0).is_some() && !self.eat_line_end() {
                    self.at += 1;
                }
                return None;
            };
            fields.push(field);
            if self.peek(0) == Some(b',') {
                self.at += 1;
            } else {
                self.eat_line_end();
                return Some(fields);
            }
        }
    }

    fn unquoted(&mut self) -> Option<Vec<u8>> {
        let mut field = Vec::new();
        while let Some(byte) = self.peek(0) {
            if byte == b',' || self.at_line_end() {
                break;
            }
            if byte == b'"' {
                return None;
            }
            field.push(byte);
            self.at += 1;
        }
        Some(field)
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut field = Vec::new();
        self.at += 1;
        loop {
            match (self.peek(0)?, self.peek(1)) {
                (b'"', Some(b'"')) => {
                    field.push(b'"');
                    self.at += 2;
                }
                (b'"', _) => {
                    self.at += 1;
                    let over = self.peek(0).is_none() || self.peek(0) == Some(b',') || self.at_line_end();
                    return over.then_some(field);
                }
                (byte, _) => {
                    self.line += u64::from(byte == b'\n');
                    field.push(byte);
                    self.at += 1;
                }
            }
        }
    }
}
