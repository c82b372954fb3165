//! `sql_header`: statements that dbt runs before a model, in the same session. A model here is one SELECT, and there is no session.

use crate::diag::{Code, Diagnostic};
use crate::span::Span;

/// What to say of a header. Returns `None` for one without a statement: comments are for whoever reads them.
pub(super) fn fault(header: &str, span: Span) -> Option<Diagnostic> {
    let statement = first_statement(header)?;
    let lower = statement.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let begins = |beginning: &str| words.first() == Some(&beginning);
    let help = if begins("create") && words.iter().take(5).any(|word| word.starts_with("function")) {
        "write a macro that gives the expression, and call it where the function is called"
    } else if begins("set") && words.iter().take(4).any(|word| word.contains("timezone") || *word == "zone") {
        "all times are UTC: convert where another zone counts, `… at time zone 'Europe/Berlin'`"
    } else if begins("set") || begins("declare") {
        "write the value into the SELECT, or take it from `var()`"
    } else if begins("create") {
        "make it a model of its own, which may be `ephemeral`"
    } else {
        "a model is one SELECT; what runs before it belongs in a model of its own"
    };
    let shown: String = statement.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    let message = format!("the config `sql_header` would run `{shown} …`, and a model is one SELECT");
    Some(Diagnostic::error(Code::InvalidConfig, message).at(span).help(help))
}

/// The text behind comments, blanks and semicolons.
fn first_statement(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            return Some(rest).filter(|rest| !rest.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceFiles;

    #[test]
    fn a_header_of_comments_is_none_and_each_statement_has_its_remedy() {
        let span = Span::new(SourceFiles::default().add("models/a.sql", ""), 0..0);
        let help = |header: &str| fault(header, span).map(|fault| fault.helps.concat());
        for header in ["", " ;\n", "-- by hand", "/* a; b */ ; -- c\n"] {
            assert_eq!(help(header), None, "{header}");
        }
        for (header, words) in [
            ("-- f\ncreate temp function f(x int64) as (x + 1);", "a macro"),
            ("set time zone 'Asia/Kolkata'", "UTC"),
            ("SET session timezone to 'x'", "UTC"),
            ("set x = 1", "`var()`"),
            ("declare x int64 default 1", "`var()`"),
            ("create temporary table t as select 1", "ephemeral"),
            ("use warehouse w", "a model of its own"),
        ] {
            assert!(help(header).is_some_and(|help| help.contains(words)), "{header}: {:?}", help(header));
        }
        let message = fault("create or replace temp function f()", span).unwrap().message;
        assert!(message.contains("`create or replace temp …`"), "{message}");
    }
}
