//! Formats of times: those of `strftime`, as patterns of `to_char`.

/// The pattern of `to_char`; `None` if it has no word for a part.
pub(in crate::analyze::foreign) fn pattern(format: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut plain = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            plain.push(letter);
            continue;
        }
        let word = match letters.next()? {
            '-' => match letters.next()? {
                'd' => "FMDD",
                'm' => "FMMM",
                'H' => "FMHH24",
                'I' => "FMHH12",
                'M' => "FMMI",
                'S' => "FMSS",
                _ => return None,
            },
            'Y' => "YYYY",
            'y' => "YY",
            'm' => "MM",
            'd' => "DD",
            'H' => "HH24",
            'I' => "HH12",
            'M' => "MI",
            'S' => "SS",
            'f' => "US",
            'p' => "AM",
            'j' => "DDD",
            'b' => "Mon",
            'B' => "FMMonth",
            'a' => "Dy",
            'A' => "FMDay",
            'G' => "IYYY",
            'V' => "IW",
            '%' => {
                plain.push('%');
                continue;
            }
            _ => return None,
        };
        push_plain(&mut pattern, &mut plain)?;
        pattern.push_str(word);
    }
    push_plain(&mut pattern, &mut plain)?;
    Some(pattern)
}

/// Letters would be taken for parts of a pattern: they stand in quotes.
fn push_plain(pattern: &mut String, plain: &mut String) -> Option<()> {
    if plain.contains(['"', '\\']) {
        return None;
    }
    if plain.contains(|letter: char| letter.is_alphanumeric() || letter == '%') {
        pattern.push('"');
        pattern.push_str(plain);
        pattern.push('"');
    } else {
        pattern.push_str(plain);
    }
    plain.clear();
    Some(())
}
