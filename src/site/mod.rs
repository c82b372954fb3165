//! The documentation page: one HTML file that shows a project, its tables and its runs, and asks nobody for anything.
//!
//! `payload.rs` is the data of the page, `describe.rs` makes it of a project, `calendar.rs` says of each slice how it stands,
//! `layout.rs` lays the graph out, and `markdown.rs` renders descriptions. The page itself is `page.html` with `page.css` and
//! `page.js`; `charts.js` draws charts with uPlot, which is in `uplot/`. Whatever a project says is text to the page: only `markdown.rs` makes HTML of it, without any HTML of the author's.

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
const SCRIPT: &str = concat!(include_str!("charts.js"), "\n", include_str!("page.js"));
/// The library that draws charts, in the pages that have some; its licence stands in `uplot/LICENSE` and in the page.
const PLOT_SCRIPT: &str =
    concat!("/*\n", include_str!("uplot/LICENSE"), "*/\n", include_str!("uplot/uPlot.iife.min.js"));
const PLOT_STYLE: &str = include_str!("uplot/uPlot.min.css");

/// The data of a page.
#[derive(Debug)]
pub(crate) struct PageData {
    /// The JSON of a [`payload::Payload`].
    pub json: String,
    /// Whether the page needs what draws charts.
    pub has_charts: bool,
}

/// What a served page has beside the script: it asks whether there is a newer one, and then loads that.
const FOLLOW: &str = include_str!("follow.js");

/// Who shows a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageUse<'a> {
    /// It is opened from a disk, and asks nobody for anything.
    File,
    /// A server has it, which calls what it shows by this name.
    Served(&'a str),
}

/// The page with its data.
///
/// # Errors
///
/// Returns an error if the data cannot be compressed.
pub(crate) fn page(data: &PageData, used_as: PageUse<'_>) -> io::Result<String> {
    // Base64 has no character that means anything in HTML, and the page of a large project stays small.
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(data.json.as_bytes())?;
    let packed = STANDARD.encode(packed.finish()?);
    let library = if data.has_charts { format!("<script>{PLOT_SCRIPT}</script>\n") } else { String::new() };
    let style = if data.has_charts { format!("{PLOT_STYLE}\n{STYLE}") } else { STYLE.to_owned() };
    // Only these scripts may run in the page: a second bar, should anything of a project get into it as HTML.
    let follow = match used_as {
        PageUse::File => None,
        PageUse::Served(state) => Some(FOLLOW.replace("{{state}}", state)),
    };
    let scripts = data.has_charts.then_some(PLOT_SCRIPT).into_iter().chain([SCRIPT]).chain(follow.as_deref());
    let hash = |script: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes())));
    let mut hashes = scripts.map(hash).collect::<Vec<_>>().join(" ");
    let mut library = library;
    if let Some(follow) = &follow {
        // It may ask the server that it comes from, and nobody else.
        hashes.push_str("; connect-src 'self'");
        library.push_str(&format!("<script>{follow}</script>\n"));
    }
    let mut page = String::with_capacity(PAGE.len() + style.len() + library.len() + SCRIPT.len() + packed.len() + 64);
    let mut rest = PAGE;
    for (mark, text) in [
        ("{{hashes}}", hashes.as_str()),
        ("{{style}}", &style),
        ("{{data}}", &packed),
        ("{{library}}", &library),
        ("{{script}}", SCRIPT),
    ] {
        let (before, after) = rest.split_once(mark).expect("the page has each of its marks once, in this order");
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}
