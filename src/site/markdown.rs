//! Descriptions, which are Markdown, as HTML.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Renders a description. HTML in it is shown as it was written; links lead only to the web and to mail; an image, which
/// would be loaded from elsewhere, becomes a link to it.
pub(super) fn rendered(text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut out = String::new();
    html::push_html(&mut out, parser.map(harmless));
    out
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: target(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: target(dest_url), title, id })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    }
}

/// Where a link leads; nowhere if that is not the web or mail.
fn target(url: CowStr<'_>) -> CowStr<'_> {
    let lower = url.to_ascii_lowercase();
    let is_harmless = ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    if is_harmless { url } else { CowStr::Borrowed("#!/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_rendered() {
        assert_eq!(
            rendered("Users *per day*, see [the wiki](https://example.org/a?b=1&c=2).\n\n- one\n- `two`"),
            "<p>Users <em>per day</em>, see <a href=\"https://example.org/a?b=1&amp;c=2\">the wiki</a>.</p>\n<ul>\n\
             <li>one</li>\n<li><code>two</code></li>\n</ul>\n"
        );
        assert_eq!(rendered("  \n"), "");
    }

    #[test]
    fn html_of_the_author_is_shown_and_not_obeyed() {
        assert_eq!(
            rendered("<script>alert(1)</script> and a <b onclick=\"x()\">b</b></script>"),
            "&lt;script&gt;alert(1)&lt;/script&gt; and a &lt;b onclick=\"x()\"&gt;b&lt;/b&gt;&lt;/script&gt;"
        );
    }

    #[test]
    fn links_lead_to_the_web_or_nowhere() {
        for wrong in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "&#106;avascript:alert(1)",
            "//host/x",
            "vbscript:x",
        ] {
            for text in [
                format!("[x]({wrong})"),
                format!("<{wrong}>"),
                format!("![x]({wrong})"),
                format!("[x][1]\n\n[1]: {wrong}"),
            ] {
                let html = rendered(&text);
                for link in html.split("href=\"").skip(1) {
                    assert!(link.starts_with("#!/\""), "{text} became {html}");
                }
                assert!(!html.contains("<img"), "{text} became {html}");
            }
        }
        assert_eq!(
            rendered("![logo](https://example.org/logo.png)"),
            "<p><a href=\"https://example.org/logo.png\">logo</a></p>\n"
        );
    }
}
