//! The engine's messages in the words and quotes of karat's own.

/// karat's own messages say after a colon what to write. Returns `None` if this one does not.
pub(crate) fn fact_and_remedy(message: &str) -> Option<(&str, String)> {
    let (fact, remedy) = message.split_once(": write ")?;
    Some((fact, format!("write {remedy}")))
}

/// The engine's message without the word for its kind, with names in backticks.
pub(super) fn tidy(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let prefixes = ["Error during planning: ", "Execution error: ", "This feature is not implemented: "];
    backticked(prefixes.iter().fold(message, |text, prefix| text.strip_prefix(prefix).unwrap_or(text)))
}

/// `'a'` as `` `a` ``; an apostrophe within a word stays.
pub(super) fn backticked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let within = before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric());
        shown.push(if letter == '\'' && !within { '`' } else { letter });
        before = letter;
    }
    shown
}

pub(super) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        // A word in capitals is SQL's, and stays.
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
