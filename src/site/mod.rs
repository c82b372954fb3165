//! The documentation page: one HTML file that shows a project, its tables and its runs, and asks nobody for anything.
//!
//! `payload.rs` is the data of the page, `describe.rs` makes it of a project, `calendar.rs` says of each slice how it stands,
//! `layout.rs` lays the graph out, and `markdown.rs` renders descriptions. The page itself is `page.html` with `page.css` and
//! `page.js`. Whatever a project says is text to the page: only `markdown.rs` makes HTML of it, without any HTML of the author's.

mod calendar;
mod describe;
mod layout;
mod markdown;
mod payload;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

pub(crate) use describe::SiteInputs;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page with its data, which is the JSON of a [`payload::Payload`].
///
/// # Errors
///
/// Returns an error if the data cannot be compressed.
pub(crate) fn page(payload: &str) -> io::Result<String> {
    // Base64 has no character that means anything in HTML, and the page of a large project stays small.
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(payload.as_bytes())?;
    let data = STANDARD.encode(packed.finish()?);
    // Only this script may run in the page: a second bar, should anything of a project get into it as HTML.
    let script = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len() + 64);
    let mut rest = PAGE;
    for (mark, text) in
        [("{{hash}}", script.as_str()), ("{{style}}", STYLE), ("{{data}}", &data), ("{{script}}", SCRIPT)]
    {
        let (before, after) = rest.split_once(mark).expect("the page has each of its marks once, in this order");
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}
