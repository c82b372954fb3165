//! As much XML as S3 speaks: texts between tags.

/// The texts of all elements of this name, in their order.
pub(super) fn texts(document: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = document.split(start.as_str()).skip(1);
    parts.filter_map(|part| part.split_once(end.as_str())).map(|(text, _)| unescape(text)).collect()
}

/// An element with a text in it.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#34;", "\"");
    // Last, so that what was escaped twice stays escaped once.
    text.replace("&apos;", "'").replace("&#39;", "'").replace("&amp;", "&")
}
