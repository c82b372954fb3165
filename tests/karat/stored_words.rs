//! Words that are stored with tables: later versions of karat compare them, so they never change.

use std::fs;

use crate::folder::Folder;

const ROWS: &str = "select 1 as id, date '2023-05-01' as day";

#[test]
fn how_the_rows_of_a_table_were_made_is_stored_in_words_that_never_change() {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\n");
    for (model, config, words) in [
        ("whole", "materialized='table'", "one piece"),
        ("slices", "materialized='incremental', event_time='day', batch_size='month'", "slices of a month by `day`"),
        ("added", "materialized='incremental', incremental_strategy='append'", "rows of `append`"),
        (
            "merged",
            "materialized='incremental', incremental_strategy='merge', unique_key=['id', 'day']",
            "rows of `merge`, told apart by `id`, `day`",
        ),
    ] {
        folder.write(&format!("models/{model}.sql"), format!("{{{{ config({config}) }}}}\n{ROWS}\n"));
        folder.karat(&["run", "--quiet", "--select", model]);
        let log = folder.root().join(format!("lake/shop/{model}/_delta_log/00000000000000000000.json"));
        let commit = fs::read_to_string(&log).unwrap();
        let words = serde_json::to_string(words).unwrap();
        assert!(commit.contains(&format!(":{words}")), "{model}: {words} is not in\n{commit}");
    }
}
