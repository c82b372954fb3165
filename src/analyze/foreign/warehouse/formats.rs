//! Formats of times, as patterns of `to_char`.

/// Words of Snowflake's formats, in capitals, with those of PostgreSQL; where one begins with another the longer first.
const SNOWFLAKE: [(&str, &str); 16] = [
    ("YYYY", "YYYY"),
    ("YY", "YY"),
    ("MMMM", "FMMonth"),
    ("MM", "MM"),
    ("MON", "Mon"),
    ("DD", "DD"),
    ("DY", "Dy"),
    ("HH24", "HH24"),
    ("HH12", "HH12"),
    ("AM", "AM"),
    ("PM", "PM"),
    ("MI", "MI"),
    ("SS", "SS"),
    ("FF3", "MS"),
    ("FF6", "US"),
    ("FF0", ""),
];

/// Letters of Java's formats, which Spark has.
const JAVA: [(&str, &str); 16] = [
    ("yyyy", "YYYY"),
    ("yy", "YY"),
    ("y", "FMYYYY"),
    ("MMMM", "FMMonth"),
    ("MMM", "Mon"),
    ("MM", "MM"),
    ("dd", "DD"),
    ("d", "FMDD"),
    ("HH", "HH24"),
    ("hh", "HH12"),
    ("mm", "MI"),
    ("ss", "SS"),
    ("SSS", "MS"),
    ("SSSSSS", "US"),
    ("EEEE", "FMDay"),
    ("a", "AM"),
];

/// A pattern for a format of Snowflake; `None` if it has a word that PostgreSQL has not.
pub(super) fn of_snowflake(format: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let word = SNOWFLAKE
            .iter()
            .find(|(word, _)| rest.get(..word.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(word)));
        if let Some((word, written)) = word {
            pattern.push_str(written);
            rest = rest.get(word.len()..)?;
            continue;
        }
        if first == '"' {
            let end = rest.get(1..)?.find('"')? + 2;
            pattern.push_str(rest.get(..end)?);
            rest = rest.get(end..)?;
            continue;
        }
        push(&mut pattern, first)?;
        rest = rest.get(first.len_utf8()..)?;
    }
    Some(pattern)
}

/// A pattern for a format of Java; `None` if it has letters that PostgreSQL has no word for.
pub(super) fn of_java(format: &str) -> Option<String> {
    let mut pattern = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let text = rest.get(1..)?;
            let end = text.find('\'')?;
            pattern.push('"');
            pattern.push_str(text.get(..end)?);
            pattern.push('"');
            rest = text.get(end + 1..)?;
            continue;
        }
        if !first.is_alphabetic() {
            push(&mut pattern, first)?;
            rest = rest.get(first.len_utf8()..)?;
            continue;
        }
        let length = rest.chars().take_while(|letter| *letter == first).count();
        let letters = rest.get(..length)?;
        let (_, written) = JAVA.iter().find(|(word, _)| *word == letters)?;
        pattern.push_str(written);
        rest = rest.get(length..)?;
    }
    Some(pattern)
}

/// A sign between the words of a pattern; `T` is copied.
fn push(pattern: &mut String, sign: char) -> Option<()> {
    match sign {
        'T' => pattern.push_str("\"T\""),
        letter if letter.is_alphabetic() => return None,
        '"' | '\\' | '%' => return None,
        other => pattern.push(other),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_become_patterns() {
        assert_eq!(of_snowflake("YYYY-MM-DD HH24:MI:SS.FF3").as_deref(), Some("YYYY-MM-DD HH24:MI:SS.MS"));
        assert_eq!(of_snowflake("yyyy-mm-ddThh24:mi").as_deref(), Some("YYYY-MM-DD\"T\"HH24:MI"));
        assert_eq!(of_snowflake("DD MMMM YYYY").as_deref(), Some("DD FMMonth YYYY"));
        assert_eq!(of_snowflake("YYYY-\"W\"WW"), None);
        assert_eq!(of_java("yyyy-MM-dd'T'HH:mm:ss").as_deref(), Some("YYYY-MM-DD\"T\"HH24:MI:SS"));
        assert_eq!(of_java("YYYY-MM-dd"), None);
    }
}
