//! Tables that are added to: each batch counts once, whatever goes wrong, and the ledger knows the rows.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};

use super::project::Project;
use crate::store::faults::{Fault, FaultPlan, FaultStore, Waits};
use crate::table::{Ledger, LedgerLayer, LedgerName, SliceKey, SliceRows};

const APPEND: &str = "{{ config(materialized='incremental', incremental_strategy='append') }}\n";
const MERGE: &str = "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='day') }}\n";
const DELETE: &str = "{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['day'], partition_by='day') }}\n";
const KEEP: &str = "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='day', merge_exclude_columns=['n', 'first']) }}\n";
const FIRST: &str = "day,amount\n2023-05-01,10\n2023-05-02,20\n";
const SECOND: &str = "day,amount\n2023-05-02,1\n2023-05-03,7\n";

/// Orders, and models that are added to. A batch of the first is all that is there: one that counted twice would show.
fn project() -> Project {
    let project = Project::new();
    project.write("data/1.csv", FIRST);
    project.write("models/added.sql", &format!("{APPEND}select day, amount from {{{{ ref('orders') }}}}"));
    let sums = "select day, sum(amount) as amount, count(*) as n from {{ ref('orders') }} \
                where day is not null group by day";
    project.write("models/merged.sql", &format!("{MERGE}{sums}"));
    // What it keeps was true of the batch in which a day came first.
    let first = "select day, sum(amount) as amount, count(*) as n, min(amount) as first from {{ ref('orders') }} \
                 where day is not null group by day";
    project.write("models/first.sql", &format!("{KEEP}{first}"));
    let newest = "{% if is_incremental() %} where day >= (select max(day) from {{ this }}) {% endif %}";
    project.write("models/kept.sql", &format!("{DELETE}select day, amount from {{{{ ref('orders') }}}}{newest}"));
    project
}

fn rows(project: &Project) -> String {
    let sql = "select 'added' as t, day, amount from {{ ref('added') }} union all \
               select 'merged', day, amount from {{ ref('merged') }} union all \
               select 'first', day, amount * 10000 + n * 100 + first from {{ ref('first') }} order by 1, 2, 3";
    project.karat(&["query", sql, "--output", "csv", "--limit", "0"]).out
}

const BATCHES: [&str; 6] = ["run", "--select", "orders", "added", "merged", "first"];

/// What a table's newest ledger says of all its rows.
fn ledger_of(project: &Project, table: &str) -> SliceRows {
    let read = async {
        let listed: Vec<_> = project.store.list(None).try_collect().await.unwrap();
        let mut newest: Option<Ledger> = None;
        for meta in listed.iter().filter(|meta| meta.location.as_ref().contains(&format!("/{table}/_karat/ledger/"))) {
            let bytes = project.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
            let name = LedgerName::from_path(meta.location.as_ref()).unwrap();
            let ledger = Ledger::of_layers(vec![LedgerLayer::read(name, &bytes).unwrap()]).unwrap();
            if newest.as_ref().is_none_or(|newest| newest.version < ledger.version) {
                newest = Some(ledger);
            }
        }
        newest.unwrap().slices.get(&SliceKey::All).unwrap().rows
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read)
}

#[test]
fn the_digest_of_an_added_to_table_is_that_of_its_rows() {
    let project = project();
    project.write("data/2.csv", SECOND);
    let batches = ["day,amount\n2023-05-03,5\n2023-05-04,1\n", "day,amount\n,3\n", "day,amount\n2023-04-01,2\n"];
    for (number, batch) in batches.iter().enumerate() {
        let answer = project.karat(&["run", "--select", "orders", "added", "merged", "first", "kept"]);
        assert_eq!(answer.code, 0, "{}", answer.talk);
        for table in ["added", "merged", "first", "kept"] {
            let copy = format!("{{{{ config(materialized='table') }}}}select * from {{{{ ref('{table}') }}}}");
            project.write(&format!("models/copy_{number}_{table}.sql"), &copy);
            assert_eq!(project.karat(&["run", "--select", &format!("copy_{number}_{table}")]).code, 0);
            let expected = ledger_of(&project, &format!("copy_{number}_{table}"));
            assert_eq!(ledger_of(&project, table), expected, "{table} after run {number}");
            assert!(expected.rows > 0);
        }
        project.write("data/3.csv", batch);
    }
}

#[test]
fn a_batch_counts_once_wherever_a_run_is_disturbed() {
    let disturbed = |plan: FaultPlan| {
        let project = project();
        assert_eq!(project.karat(&BATCHES).code, 0);
        project.write("data/2.csv", SECOND);
        let wire = Arc::new(FaultStore::new(Arc::clone(&project.store), plan).waiting(Waits::short()));
        let store: Arc<dyn ObjectStore> = Arc::clone(&wire) as Arc<_>;
        let answer = project.karat_on(&store, &BATCHES);
        (project, answer, wire.calls())
    };
    let (undisturbed, answer, calls) = disturbed(FaultPlan::none());
    assert_eq!(answer.code, 0, "{}", answer.talk);
    let expected = rows(&undisturbed);
    assert_eq!(expected.matches("added").count(), 6, "the second batch was added to the first: {expected}");
    // Of the second of May the sum is new, and the number and the first amount are those of the first batch.
    assert!(expected.contains("first,2023-05-02,210120\n"), "{expected}");
    for call in 0..calls {
        for mode in [Fault::AppliedThenError, Fault::DropThenLandLate, Fault::Abort] {
            let (project, answer, _) = disturbed(FaultPlan::at(call, mode));
            assert!(matches!(answer.code, 0 | 3), "exit {} of {mode:?} at call {call}: {}", answer.code, answer.talk);
            assert_eq!(project.karat(&BATCHES).code, 0, "{mode:?} at call {call}");
            assert_eq!(rows(&project), expected, "after {mode:?} at call {call} and a plain run");
        }
    }
}
