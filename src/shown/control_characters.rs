//! Texts from outside, which must not command a terminal.

/// A text from outside as it may go to a terminal: its control characters are shown, not sent. Line ends stay, unless the
/// text is to be `one_line`.
pub(crate) fn visible(text: &str, one_line: bool) -> String {
    let is_sent = |letter: char| !letter.is_control() || (!one_line && letter == '\n');
    // Nearly every text is clean.
    if text.chars().all(is_sent) {
        return text.to_owned();
    }
    text.chars().map(|letter| if is_sent(letter) { letter } else { picture(letter) }).collect()
}

/// Unicode has a picture of each control character of ASCII.
fn picture(letter: char) -> char {
    match u32::from(letter) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// The same for a text that karat has coloured: colours stay, and nothing else that begins with an escape.
pub(crate) fn with_colours(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(at);
        shown.push_str(&visible(before, false));
        // A colour is `ESC [ numbers m`. Whatever else begins with an escape could move the cursor or write to the clipboard.
        let inside = sequence.get(2..).unwrap_or_default();
        let length = inside.find(|letter: char| !letter.is_ascii_digit() && letter != ';').unwrap_or(inside.len());
        let end = if inside.get(length..).is_some_and(|behind| behind.starts_with('m')) { 2 + length + 1 } else { 0 };
        let (colour, behind) = sequence.split_at(end);
        shown.push_str(colour);
        if end == 0 {
            shown.push('\u{241b}');
        }
        rest = if end == 0 { behind.get(1..).unwrap_or_default() } else { behind };
    }
    shown.push_str(&visible(rest, false));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(visible("a\u{1b}]0;x\u{7}b\u{7f}\u{9b}\r\n\t", false), "a␛]0;x␇b␡\u{fffd}␍\n␉");
        assert_eq!(visible("a\nb\u{0}", true), "a␊b␀");
        assert_eq!(with_colours("\u{1b}[32mok\u{1b}[0m \u{1b}[2J\u{1b}[1;31"), "\u{1b}[32mok\u{1b}[0m ␛[2J␛[1;31");
        assert_eq!(with_colours("\u{1b}\u{1b}[\u{1b}[1m"), "␛␛[\u{1b}[1m");
    }
}
