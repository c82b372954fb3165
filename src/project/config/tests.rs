//! Configs of one model, from YAML to the typed config.

use super::*;
use crate::diag::{Style, render_all};
use crate::project::BatchWrite;
use crate::project::testing::load;
use crate::span::SourceFiles;

fn resolve(config: &str) -> Result<ModelConfig, String> {
    let yaml = format!("models:\n- name: a\n  config: {config}\n");
    let project = load("name: p", &[("models/a.sql", "select 1"), ("models/a.yml", &yaml)])?;
    let model = project.models.values().next().expect("the model is enabled");
    let (mut files, mut sink) = (SourceFiles::default(), Sink::default());
    for (path, text) in [("project.yml", "name: p"), ("models/a.sql", "select 1"), ("models/a.yml", &yaml)] {
        files.add(path, text);
    }
    ModelConfig::resolve(&model.settings, &mut sink).map_err(|_| render_all(&sink.take(), &files, Style::Plain))
}

#[test]
fn a_model_is_a_view_unless_it_says_otherwise() {
    let config = resolve("{}").unwrap();
    assert_eq!(config.materialized.word(), "view");
    assert_eq!(config.batch_size, Grain::Day);
    assert!(config.enabled && config.partition_by.is_empty() && config.event_time.is_none());
}

#[test]
fn an_incremental_model_is_cut_by_its_event_time() {
    let config = resolve("{materialized: incremental, event_time: day, begin: 2023-05-01, batch_size: month}").unwrap();
    assert_eq!(config.event_time.unwrap().value, "day");
    assert!(config.partition_by.is_empty());
    assert_eq!(config.batch_size, Grain::Month);
    assert_eq!(config.begin, parse_instant("2023-05-01"));
    let config =
        resolve("{materialized: incremental, event_time: ts, partition_by: [day, country], sort_by: id}").unwrap();
    assert_eq!(config.partition_by.len(), 2);
    assert_eq!(config.sort_by[0].value, "id");
}

#[test]
fn slices_need_an_event_time() {
    let config = "{materialized: incremental, incremental_strategy: microbatch}";
    insta::assert_snapshot!(resolve(config).unwrap_err(), @r"
    error[invalid-config]: `incremental_strategy='microbatch'` needs `event_time`
     --> models/a.yml:3:61
      |
    3 |   config: {materialized: incremental, incremental_strategy: microbatch}
      |                                                             ^^^^^^^^^^
      |
      = note: `event_time` is the output column that says when a row happened; it divides the table into slices
      = help: add it to the config, like `event_time='event_date'`
      = help: a table without times can grow by `incremental_strategy='append'` or `'merge'`
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot shows all of it")]
fn every_wrong_value_is_shown_with_what_it_can_be() {
    let config = "
    materialized: tabel
    batch_size: week
    begin: yesterday
    partition_by: _day
    sort_by: [a, a]
    tags: ['a b']
    enabled: 'on'
    schema: my-schema
    incremental_strategy: mrege
    on_schema_change: ignored
    event_time: 5";
    insta::assert_snapshot!(resolve(config).unwrap_err(), @r#"
    error[invalid-config]: `materialized` cannot be `tabel`
     --> models/a.yml:4:19
      |
    4 |     materialized: tabel
      |                   ^^^^^
      |
      = help: did you mean `table`?
      = help: it can be `view`, `ephemeral`, `table` or `incremental`

    error[invalid-config]: `batch_size` cannot be `week`
     --> models/a.yml:5:17
      |
    5 |     batch_size: week
      |                 ^^^^
      |
      = help: it can be `hour`, `day`, `month` or `year`

    error[invalid-config]: `begin` cannot be `yesterday`
     --> models/a.yml:6:12
      |
    6 |     begin: yesterday
      |            ^^^^^^^^^
      |
      = help: write a date or a time in UTC, like `2023-05-01` or `2023-05-01 13:00:00`

    error[invalid-config]: the partition column `_day` begins with `_` or `.`
     --> models/a.yml:7:19
      |
    7 |     partition_by: _day
      |                   ^^^^
      |
      = note: other engines treat such folders as hidden
      = help: give the column another name in the SELECT

    error[invalid-config]: `sort_by` names `a` twice
     --> models/a.yml:8:14
      |
    8 |     sort_by: [a, a]
      |              ^^^^^^

    error[invalid-name]: `a b` is not a tag: a tag has no blanks, commas, `+` or `@`
     --> models/a.yml:9:11
      |
    9 |     tags: ['a b']
      |           ^^^^^^^

    error[invalid-config]: `enabled` must be `true` or `false`, not `on`
      --> models/a.yml:10:14
       |
    10 |     enabled: 'on'
       |              ^^^^

    error[invalid-name]: `my-schema` is not a schema: a name has only letters, digits and `_`
      --> models/a.yml:11:13
       |
    11 |     schema: my-schema
       |             ^^^^^^^^^
       |
       = help: write `my_schema`

    error[invalid-config]: `incremental_strategy` cannot be `mrege`
      --> models/a.yml:12:27
       |
    12 |     incremental_strategy: mrege
       |                           ^^^^^
       |
       = help: did you mean `merge`?
       = help: it can be `microbatch`, `append`, `merge` or `delete+insert`

    error[invalid-config]: `on_schema_change` cannot be `ignored`
      --> models/a.yml:13:23
       |
    13 |     on_schema_change: ignored
       |                       ^^^^^^^
       |
       = help: did you mean `ignore`?
       = help: it can be `fail`, `ignore`, `append_new_columns` or `sync_all_columns`

    error[invalid-config]: `event_time` must be a text, not `5`
      --> models/a.yml:14:17
       |
    14 |     event_time: 5
       |                 ^
    "#);
}

#[test]
fn a_key_and_a_strategy_that_finds_rows_by_it_need_each_other() {
    let resolved = |strategy: &str| {
        resolve(&format!("\n    materialized: incremental\n    incremental_strategy: {strategy}")).unwrap()
    };
    let merge = resolved("merge\n    unique_key: [id, day]");
    assert_eq!(merge.materialized.batch(), Some(BatchWrite::Merge));
    assert_eq!(merge.unique_key.iter().map(|column| column.value.as_str()).collect::<Vec<_>>(), ["id", "day"]);
    assert_eq!(merge.on_schema_change, OnSchemaChange::Fail);
    let insert = resolved("delete+insert\n    unique_key: id\n    on_schema_change: sync_all_columns");
    assert_eq!(insert.materialized.batch(), Some(BatchWrite::DeleteInsert));
    assert_eq!(insert.on_schema_change, OnSchemaChange::SyncAllColumns);
    assert!(resolved("append").unique_key.is_empty());
    let said = resolve("\n    materialized: incremental\n    incremental_strategy: merge").unwrap_err();
    assert!(said.contains("`incremental_strategy='merge'` needs `unique_key`"), "{said}");
}

#[test]
fn without_a_strategy_a_key_or_an_event_time_decides() {
    for (config, strategy) in [
        ("", Some("append")),
        ("event_time: day", Some("microbatch")),
        ("unique_key: id", Some("delete+insert")),
        ("unique_key: id, event_time: day", Some("delete+insert")),
        ("unique_key: id, merge_update_columns: a", Some("merge")),
        // dbt takes these for no key.
        ("unique_key: ''", Some("append")),
        ("unique_key: []", Some("append")),
    ] {
        let resolved = resolve(&format!("{{materialized: incremental, {config}}}")).unwrap();
        assert_eq!(resolved.materialized.strategy(), strategy, "{config}");
        assert_eq!(resolved.assumed_append.is_some(), strategy == Some("append"), "{config}");
    }
    let written = resolve("{materialized: incremental, incremental_strategy: append}").unwrap();
    assert_eq!(written.assumed_append, None);
}

#[test]
fn a_key_column_that_stands_twice_counts_once() {
    let config = resolve("{materialized: incremental, unique_key: [id, day, id]}").unwrap();
    assert_eq!(config.unique_key.iter().map(|column| column.value.as_str()).collect::<Vec<_>>(), ["id", "day"]);
}

#[test]
fn a_merge_may_say_which_columns_of_rows_that_are_there_it_changes() {
    let resolved = |more: &str| {
        let merge = "\n    materialized: incremental\n    incremental_strategy: merge\n    unique_key: [id, day]";
        resolve(&format!("{merge}{more}")).map(|config| config.updated_columns)
    };
    let names = |columns: &UpdatedColumns| {
        columns.named().iter().map(|column| column.value.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(resolved("").unwrap(), UpdatedColumns::All);
    let update = resolved("\n    merge_update_columns: [status, amount]").unwrap();
    assert!(matches!(update, UpdatedColumns::Only(_)));
    assert_eq!(names(&update), "status amount");
    let exclude = resolved("\n    merge_exclude_columns: first_seen").unwrap();
    assert!(matches!(exclude, UpdatedColumns::AllBut(_)));
    assert_eq!(names(&exclude), "first_seen");
    for nothing in ["merge_update_columns: null", "merge_exclude_columns: null", "merge_exclude_columns: []"] {
        assert_eq!(resolved(&format!("\n    {nothing}")).unwrap(), UpdatedColumns::All, "{nothing}");
    }
    // A null takes back what a lower layer has set, so the other list is alone.
    let one = resolved("\n    merge_exclude_columns: null\n    merge_update_columns: status").unwrap();
    assert_eq!(names(&one), "status");
    for (config, expected) in [
        (
            "merge_update_columns: a\n    merge_exclude_columns: b",
            "`merge_update_columns` and `merge_exclude_columns` are both set",
        ),
        ("merge_update_columns: []", "`merge_update_columns` names no column"),
        ("merge_update_columns: [a, day]", "`merge_update_columns` names `day`, which is part of `unique_key`"),
        ("merge_exclude_columns: id", "`merge_exclude_columns` names `id`, which is part of `unique_key`"),
        ("merge_update_columns: [a, a]", "`merge_update_columns` names `a` twice"),
        ("merge_exclude_columns: 5", "`merge_exclude_columns` must be a column or a list of columns, not `5`"),
    ] {
        let said = resolved(&format!("\n    {config}")).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn configs_without_a_use_are_taken_out_and_said_once_for_each_kind() {
    let idle = |config: &str| {
        let config = resolve(config).unwrap();
        assert!(config.unique_key.is_empty() && config.updated_columns == UpdatedColumns::All);
        config.idle
    };
    let all = [
        idle("{materialized: table, unique_key: id}"),
        idle("{materialized: table, unique_key: [id, day]}"),
        idle("{materialized: view, merge_exclude_columns: a}"),
        idle("{materialized: incremental, incremental_strategy: append, unique_key: id}"),
        idle("{materialized: incremental, incremental_strategy: microbatch, event_time: day, merge_update_columns: a}"),
    ]
    .concat();
    let said: Vec<String> = idle_configs(all.iter())
        .iter()
        .map(|warning| [std::slice::from_ref(&warning.message), &*warning.notes].concat().join("; "))
        .collect();
    assert_eq!(
        said,
        [
            "`unique_key` does nothing in a model that is a `table`; 2 models set it; this is the first",
            "`merge_exclude_columns` does nothing in a model that is a `view`",
            "`unique_key` does nothing with `incremental_strategy='append'`",
            "`merge_update_columns` does nothing with `incremental_strategy='microbatch'`",
        ]
    );
    let insert = resolve(
        "{materialized: incremental, incremental_strategy: delete+insert, unique_key: id, merge_update_columns: a}",
    );
    let insert = insert.unwrap();
    assert_eq!(insert.unique_key[0].value, "id");
    assert_eq!(insert.idle.len(), 1);
}

/// These texts are hashed into the fingerprints of tables that are built: another text would build all of them again.
#[test]
fn what_materializations_put_into_fingerprints_stays_as_it_is() {
    let incremental = |strategy: &str| format!("\n    materialized: incremental\n    incremental_strategy: {strategy}");
    let keyed = |strategy: &str| incremental(&format!("{strategy}\n    unique_key: [id, day]"));
    for (config, expected) in [
        ("{}".to_owned(), ""),
        ("{materialized: ephemeral}".to_owned(), ""),
        ("{materialized: table, incremental_strategy: append, on_schema_change: ignore}".to_owned(), ""),
        ("{materialized: incremental, event_time: day}".to_owned(), "microbatch  "),
        (incremental("microbatch\n    event_time: day\n    on_schema_change: ignore"), "microbatch  ignore"),
        (incremental("append"), "append  "),
        (incremental("append\n    on_schema_change: sync_all_columns"), "append  "),
        (keyed("delete+insert"), "delete+insert id,day "),
        (keyed("merge"), "merge id,day "),
        (keyed("merge\n    merge_update_columns: [b, a]"), "merge id,day  only [\"a\", \"b\"]"),
        (keyed("merge\n    merge_exclude_columns: a"), "merge id,day  all but [\"a\"]"),
    ] {
        let config = resolve(&config).unwrap();
        assert_eq!(config.materialized.fingerprint_part(&config.options()), expected, "{config:?}");
    }
}
