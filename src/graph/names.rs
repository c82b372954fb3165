//! Names of tables that would collide: with each other, or with what karat and readers keep in a lake for themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::Dag;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, QUARANTINE_SUFFIX};
use crate::span::Span;
use crate::template::{Rendered, RenderedModel};

/// Models by the names of their tables in lower case: on some disks and in some engines two
/// names that differ only in case are one.
type TakenNames<'a> = BTreeMap<String, &'a RenderedModel>;

/// Reports every stored model whose table cannot stand where its name puts it.
pub(super) fn refuse_collisions(dag: &Dag, rendered: &Rendered, sink: &mut Sink) -> Checked<()> {
    let mut taken = TakenNames::new();
    let shared = refuse_shared_tables(dag, rendered, &mut taken, sink);
    let stored = dag.models().filter_map(|name| rendered.outline(name));
    let hidden = sink.check_all(stored.filter(|model| model.config.materialized.is_stored()), refuse_hidden);
    let apart = refuse_quarantines(dag, rendered, &taken, sink);
    shared?;
    hidden?;
    apart
}

/// Two models, or a model and a seed, whose aliases or schemas put them into one place.
fn refuse_shared_tables<'a>(
    dag: &Dag,
    rendered: &'a Rendered,
    taken: &mut TakenNames<'a>,
    sink: &mut Sink,
) -> Checked<()> {
    let models = dag.models().filter_map(|name| rendered.outline(name));
    sink.check_all(models, |model, sink| match taken.insert(model.table.to_string().to_lowercase(), model) {
        None => Ok(()),
        Some(first) => {
            let message = format!("`{}` and `{}` both stand at `{}`", first.name, model.name, model.table);
            let diagnostic = Diagnostic::error(Code::DuplicateName, message);
            let diagnostic = diagnostic.labelled(beginning(model), "this model needs another `alias` or `schema`");
            Err(sink.error(diagnostic.labelled(beginning(first), "the place is taken by this one")))
        }
    })?;
    Ok(())
}

/// Folders that make the folder above them look like a table: they belong to Delta and to karat.
const PARTS_OF_TABLES: [&str; 4] = ["_change_data", "_delta_index", "_delta_log", "_karat"];

/// Readers of a lake pass over schemas that begin with `_`, and karat keeps its own things in such ones. A table is read by its path,
/// whatever its name begins with.
fn refuse_hidden(model: &RenderedModel, sink: &mut Sink) -> Checked<()> {
    let schema = model.table.schema.as_str();
    let table = model.table.table.as_str();
    let (message, help) = if schema.starts_with('_') {
        let renamed = schema.trim_start_matches('_');
        (
            format!("the schema `{schema}` begins with `_`: such folders of a lake are hidden from its readers"),
            format!("call it `{renamed}`, or leave `schema` out"),
        )
    } else if PARTS_OF_TABLES.contains(&table.to_lowercase().as_str()) {
        let renamed = table.trim_start_matches('_');
        (
            format!(
                "the table `{table}` is called like a folder inside of tables: readers would take `{schema}` for a table"
            ),
            format!("rename the model to `{renamed}`, give it the `alias` `{renamed}`, or make it `ephemeral`"),
        )
    } else {
        return Ok(());
    };
    Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(beginning(model)).help(help)))
}

/// A model that reads a source, also through models without a table, keeps that source's bad records in a table beside its
/// own.
fn refuse_quarantines(dag: &Dag, rendered: &Rendered, taken: &TakenNames<'_>, sink: &mut Sink) -> Checked<()> {
    let readers = readers_of_sources(dag, rendered);
    let stored = readers.into_iter().filter_map(|name| rendered.outline(name));
    sink.check_all(stored.filter(|model| model.config.materialized.is_stored()), |reader, sink| {
        let kept = format!("{}{QUARANTINE_SUFFIX}", reader.table).to_lowercase();
        match taken.get(&kept).filter(|model| model.config.materialized.is_stored()) {
            None => Ok(()),
            Some(model) => {
                let message = format!(
                    "`{}` is the table for the bad records of `{}`, which reads a source",
                    model.table, reader.name
                );
                Err(sink.error(collision(message, reader, model)))
            }
        }
    })?;
    Ok(())
}

/// The models that read a source themselves or through models that are inlined.
fn readers_of_sources<'a>(dag: &'a Dag, rendered: &Rendered) -> BTreeSet<&'a ModelName> {
    let mut readers: BTreeSet<&ModelName> = BTreeSet::new();
    for name in dag.models() {
        let parents = dag.referred(name).into_iter().flat_map(|node| dag.parents(node));
        let reads = parents.into_iter().any(|parent| match parent.model() {
            None => parent.source().is_some(),
            Some(parent) => readers.contains(parent) && is_inlined(rendered, parent),
        });
        if reads {
            readers.insert(name);
        }
    }
    readers
}

fn is_inlined(rendered: &Rendered, name: &ModelName) -> bool {
    rendered.outline(name).is_some_and(|model| !model.config.materialized.is_stored())
}

fn collision(message: String, first: &RenderedModel, second: &RenderedModel) -> Diagnostic {
    Diagnostic::error(Code::DuplicateName, message)
        .labelled(beginning(second), "this model needs another name")
        .labelled(beginning(first), "it is taken by this one")
}

fn beginning(model: &RenderedModel) -> Span {
    Span::new(model.file, 0..0)
}

#[cfg(test)]
mod tests {
    use crate::diag::{Sink, Style, render_all};
    use crate::graph::build;
    use crate::host::MemoryHost;
    use crate::template::render_models;
    use crate::template::tests::project;

    /// What is said of a project with these files; `None` if nothing is.
    fn said(files: &[(&str, &str)]) -> Option<String> {
        let (project, sources) = project(files);
        let mut sink = Sink::default();
        let rendered =
            render_models(&project, &sources, &MemoryHost::default(), &mut crate::template::NoCompiler, &mut sink)
                .unwrap();
        let built = build(&project, &rendered, &mut sink);
        built.err().map(|_| render_all(&sink.take(), &sources, Style::Plain))
    }

    const READS: &str = "{{ config(materialized='table') }}select * from {{ source('raw', 'notes') }}";
    const TABLE: &str = "{{ config(materialized='table') }}select 1";
    const VIEW: &str = "{{ config(materialized='view') }}select * from {{ source('raw', 'notes') }}";

    #[test]
    fn the_table_of_bad_records_is_nobody_elses() {
        insta::assert_snapshot!(said(&[("models/m/m1.sql", READS), ("models/m/M1_quarantine.sql", TABLE)]).unwrap(), @r"
        error[duplicate-name]: `m.M1_quarantine` is the table for the bad records of `m1`, which reads a source
         --> models/m/M1_quarantine.sql:1:1
          |
        1 | {{ config(materialized='table') }}select 1
          | ^ this model needs another name
          |
         ::: models/m/m1.sql:1:1
          |
        1 | {{ config(materialized='table') }}select * from {{ source('raw', 'notes') }}
          | - it is taken by this one
        ");
        let of_the_view = "{{ config(materialized='table') }}select * from {{ ref('v') }}";
        let through_a_view =
            [("models/m/v.sql", VIEW), ("models/m/m1.sql", of_the_view), ("models/m/m1_quarantine.sql", TABLE)];
        assert!(said(&through_a_view).unwrap().contains("bad records of `m1`"));
    }

    #[test]
    fn a_name_is_free_where_no_bad_records_are_kept() {
        assert_eq!(said(&[("models/m/v.sql", VIEW), ("models/m/v_quarantine.sql", TABLE)]), None);
        assert_eq!(said(&[("models/m/m1.sql", TABLE), ("models/m/m1_quarantine.sql", TABLE)]), None);
        assert_eq!(said(&[("models/m/m1.sql", READS), ("models/n/m1_quarantine.sql", TABLE)]), None);
    }

    #[test]
    fn hidden_folders_of_a_lake_hold_no_table() {
        let files = [
            ("models/m/_delta_log.sql", TABLE),
            ("models/m/releases.sql", "{{ config(schema='_karat', materialized='table') }}select 1"),
            ("models/_m/x.sql", TABLE),
        ];
        insta::assert_snapshot!(said(&files).unwrap(), @r"
        error[invalid-name]: the table `_delta_log` is called like a folder inside of tables: readers would take `m` for a table
         --> models/m/_delta_log.sql:1:1
          |
        1 | {{ config(materialized='table') }}select 1
          | ^
          |
          = help: rename the model to `delta_log`, give it the `alias` `delta_log`, or make it `ephemeral`

        error[invalid-name]: the schema `_karat` begins with `_`: such folders of a lake are hidden from its readers
         --> models/m/releases.sql:1:1
          |
        1 | {{ config(schema='_karat', materialized='table') }}select 1
          | ^
          |
          = help: call it `karat`, or leave `schema` out

        error[invalid-name]: the schema `_m` begins with `_`: such folders of a lake are hidden from its readers
         --> models/_m/x.sql:1:1
          |
        1 | {{ config(materialized='table') }}select 1
          | ^
          |
          = help: call it `m`, or leave `schema` out
        ");
        assert_eq!(said(&[("models/m/_delta_log.sql", "{{ config(materialized='ephemeral') }}select 1")]), None);
        assert_eq!(said(&[("models/m/_part.sql", TABLE), ("models/m/_.sql", TABLE)]), None);
    }
}
