//! What to do with the sample project once its tables are there.

/// Command lines and what each shows, one a line; `karat` is how karat is called, and `target` ends each line.
pub(crate) fn what_to_try(karat: &str, target: &str) -> String {
    let tries = [
        ("show sessions", "rows of a model"),
        ("query \"select * from gold.dau_by_country\"", "any SQL over the tables"),
        ("compile --select daily_active_users", "its SQL, its plan, the partitions it reads"),
        ("run --select gold --start 2023-06-15", "rebuild one day"),
        ("build", "after an edit of models/silver/fct_interactions.sql"),
    ];
    let width = 46 + target.len();
    let line = |(command, what): &(&str, &str)| format!("  {karat} {:width$} {what}", format!("{command}{target}"));
    tries.iter().map(line).collect::<Vec<_>>().join("\n")
}
