//! Known names, for help: the nearest one, or all of them.

/// The one of `known` that was most probably meant by `typed`, if any is near enough.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = typed.to_lowercase();
    known
        .into_iter()
        // What was typed may be known elsewhere, and is no suggestion.
        .filter(|name| *name != typed)
        // Two letters that changed places are one mistake, not two (Damerau's distance).
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= tolerated(typed.len().min(name.len())))
        .min()
        .map(|(_, name)| name)
}

/// A third of the letters may differ, and always one.
fn tolerated(letters: usize) -> usize {
    (letters / 3).max(1)
}

/// `a`, `b` and `c`, each in backticks.
pub(crate) fn all_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    listed(words, "and")
}

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    listed(words, "or")
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>, conjunction: &str) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {conjunction} {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_far_ones_are_not() {
        assert_eq!(nearest("notez", ["notes", "users"]), Some("notes"));
        assert_eq!(nearest("materialised", ["materialized", "tags"]), Some("materialized"));
        assert_eq!(nearest("qqq", ["notes", "users"]), None);
    }
}
