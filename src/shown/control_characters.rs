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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(visible("a\u{1b}]0;x\u{7}b\u{7f}\u{9b}\r\n\t", false), "a␛]0;x␇b␡\u{fffd}␍\n␉");
        assert_eq!(visible("a\nb\u{0}", true), "a␊b␀");
    }
}
