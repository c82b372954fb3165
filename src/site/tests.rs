//! The page as a whole: what it asks of others, and what becomes of hostile texts in it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::*;

fn page_of(json: &str, has_charts: bool) -> String {
    page(&PageData { json: json.to_owned(), has_charts }, PageUse::File).unwrap()
}

/// The data of a page, as its script reads it.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (packed, _) = rest.split_once("</script>").unwrap();
    let mut text = String::new();
    GzDecoder::new(STANDARD.decode(packed).unwrap().as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_page_holds_its_data() {
    let data = json!({"format": 1, "nodes": [{"name": "ü {{style}} {{script}}"}]});
    assert_eq!(data_of(&page_of(&data.to_string(), false)), data);
}

#[test]
fn no_text_of_a_project_ends_the_script_that_holds_it() {
    let page = page_of(&json!({"name": "</script><script>alert(1)</script><!--"}).to_string(), false);
    assert_eq!(page.matches("</script>").count(), 2, "the data, and the script of the page");
    assert!(!page.contains("alert(1)"));
}

#[test]
fn only_the_scripts_of_the_page_may_run() {
    let hash = |script: &str| STANDARD.encode(Sha256::digest(script.as_bytes()));
    let page = page_of("{}", false);
    let policy =
        |scripts: String| format!("default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:");
    assert!(page.contains(&policy(format!("'sha256-{}'", hash(SCRIPT)))));
    assert!(page.contains(&format!("<script>{SCRIPT}</script>")), "the hash is that of the text between the tags");
    assert!(!page.contains("uPlot=function"), "a page without charts is smaller");
    let page = page_of("{}", true);
    assert!(page.contains(&policy(format!("'sha256-{}' 'sha256-{}'", hash(PLOT_SCRIPT), hash(SCRIPT)))));
    assert!(page.contains(&format!("<script>{PLOT_SCRIPT}</script>")));
    assert_eq!(page.matches("</script>").count(), 3, "nothing in a script ends it");
    assert!(page.contains("Copyright (c) 2022 Leon Sorokin"), "the licence goes with the library");
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let library = [("uPlot.iife.min.js", PLOT_SCRIPT), ("uPlot.min.css", PLOT_STYLE)];
    for (name, text) in [("page.html", PAGE), ("page.css", STYLE), ("page.js", SCRIPT)].into_iter().chain(library) {
        // Names a namespace, and says where a library comes from: neither is fetched.
        let text =
            text.replace("\"http://www.w3.org/2000/svg\"", "").replace("/*! https://github.com/leeoniya/uPlot", "");
        for way in
            ["http:", "https:", "//cdn", "@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "import(", "src="]
        {
            assert!(!text.contains(way), "`{name}` holds `{way}`");
        }
    }
}

#[test]
fn only_rendered_descriptions_become_html() {
    let places: Vec<&str> = SCRIPT.lines().filter(|line| line.contains("innerHTML")).map(str::trim).collect();
    assert_eq!(places, ["made.innerHTML = html;"]);
    assert!(!PLOT_SCRIPT.contains("innerHTML"), "names of columns are texts for the library too");
    for way in ["outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!SCRIPT.contains(way) && !PLOT_SCRIPT.contains(way), "a script holds `{way}`");
    }
}
