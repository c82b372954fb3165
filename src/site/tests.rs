//! The page as a whole: what it asks of others, and what becomes of hostile texts in it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::*;

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
    assert_eq!(data_of(&page(&data.to_string()).unwrap()), data);
}

#[test]
fn no_text_of_a_project_ends_the_script_that_holds_it() {
    let page = page(&json!({"name": "</script><script>alert(1)</script><!--"}).to_string()).unwrap();
    assert_eq!(page.matches("</script>").count(), 2, "the data, and the script of the page");
    assert!(!page.contains("alert(1)"));
}

#[test]
fn only_the_script_of_the_page_may_run() {
    let page = page("{}").unwrap();
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    assert!(page.contains(&format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data:"
    )));
    assert!(page.contains(&format!("<script>{SCRIPT}</script>")), "the hash is that of the text between the tags");
}

#[test]
fn the_page_asks_nobody_for_anything() {
    for (name, text) in [("page.html", PAGE), ("page.css", STYLE), ("page.js", SCRIPT)] {
        // Names a namespace, and is never fetched.
        let text = text.replace("\"http://www.w3.org/2000/svg\"", "");
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
    for way in ["outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!SCRIPT.contains(way), "`page.js` holds `{way}`");
    }
}
