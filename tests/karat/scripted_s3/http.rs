//! As much of HTTP/1.1 as the clients of an S3 server use: requests with a length, and connections that stay open.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: String,
    /// Decoded, without the slash at its beginning.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// Names in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// The next request of a connection; none when the connection is at its end or does not speak HTTP.
    pub(super) fn read(reader: &mut impl BufRead) -> Option<Message> {
        let first = line(reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = BTreeMap::new();
        loop {
            let line = line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        assert!(!headers.contains_key("transfer-encoding"), "this server reads no body without a length");
        let length = headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let query = query.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            // In a query, but not in a path, a plus sign is a blank.
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Some(Message { method, path: decode(path.trim_start_matches('/')), query: query.collect(), headers, body })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

/// What goes back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Arc<Vec<u8>>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    pub(super) fn xml(text: &str) -> Answer {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
        Answer::new(200).with("content-type", "application/xml").with_body(Arc::new(text.into_bytes()))
    }

    /// An error in S3's form.
    pub(super) fn failure(status: u16, code: &str) -> Answer {
        let answer = Answer::xml(&format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"));
        Answer { status, ..answer }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn with_body(self, body: Arc<Vec<u8>>) -> Answer {
        Answer { body, ..self }
    }

    /// The answer to HEAD tells the length of a body that does not come.
    pub(super) fn to_bytes(&self, is_head: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // These statuses have no body, and clients do not expect a length.
        if !matches!(self.status, 204 | 304) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !is_head && !matches!(self.status, 204 | 304) {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// One line without its end; none at the end of the connection.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    // A line of a request is never longer.
    let count = reader.take(1 << 16).read_line(&mut line).ok()?;
    (count > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Replaces `%41` by `A`.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
