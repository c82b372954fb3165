//! The nearest name: "did you mean".

/// The one of `known` that was most probably meant by `typed`, if any is near enough.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = typed.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != typed)
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= tolerated(typed.len().min(name.len())))
        .min()
        .map(|(_, name)| name)
}

/// A third of the letters may differ, and always one.
fn tolerated(letters: usize) -> usize {
    (letters / 3).max(1)
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
