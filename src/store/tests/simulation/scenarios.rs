//! Scenarios of races and late answers that must hold, each told on its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::checks;
use super::history::{World, slice};
use super::process::{Process, stale};
use super::world::Model;
use crate::delta::Version;
use crate::incremental::Stale;
use crate::store::StoreError;
use crate::store::faults::{Fault, FaultPlan, FaultStore, Operation};
use crate::table::{InputVersion, Provenance};

/// The rule for a commit to this model's log that goes wrong.
fn at_commit(model: Model, nth: u64, fault: Fault) -> FaultPlan {
    FaultPlan::on(Operation::ConditionalPut, &format!("sim/{}/_delta_log/", model.name()), nth, fault)
}

fn process<'w>(world: &'w World, name: &str, plan: FaultPlan, seed: u64) -> Process<'w> {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultStore::new(Arc::clone(&world.store), plan));
    Process::new(name.to_owned(), store, &world.files, world.code, seed)
}

async fn versions(world: &World, model: Model) -> u64 {
    world.state(model).await.map_or(0, |state| state.version.next().number())
}

/// Everything that the simulation checks, after all requests have landed.
async fn all_is_well(mut world: World, claims: Vec<super::process::Claims>) {
    tokio::time::sleep(Duration::from_secs(120)).await;
    world.claims.extend(claims);
    world.settle().await.unwrap();
    checks::all(&world).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn scenario_7_a_lost_acknowledgement_is_one_commit_and_success() {
    for model in Model::ALL {
        for fault in [Fault::AppliedThenError, Fault::AppliedThenHang] {
            let world = World::new(7, None);
            let mut run = process(&world, "run", at_commit(model, 1, fault), 1);
            run.run().await.unwrap();
            let claims = vec![std::mem::take(&mut run.claims)];
            drop(run);
            assert_eq!(versions(&world, model).await, 1, "{model:?}, {fault:?}");
            all_is_well(world, claims).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn scenario_8_a_put_that_lands_late_lands_in_its_own_slot() {
    let world = World::new(8, None);
    let mut run = process(&world, "run", at_commit(Model::Events, 1, Fault::DropThenLandLate), 1).impatient();
    assert!(matches!(run.run().await, Err(StoreError::Unknown { .. })));
    drop(run);
    assert_eq!(versions(&world, Model::Events).await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(versions(&world, Model::Events).await, 1, "it has landed");
    all_is_well(world, Vec::new()).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_8_a_put_that_lands_late_lands_nowhere_if_its_slot_is_taken() {
    let world = World::new(8, None);
    let mut run = process(&world, "late", at_commit(Model::Events, 1, Fault::DropThenLandLate), 1).impatient();
    assert!(matches!(run.run().await, Err(StoreError::Unknown { .. })));
    drop(run);
    let mut other = process(&world, "other", FaultPlan::none(), 2);
    other.run().await.unwrap();
    let claims = vec![std::mem::take(&mut other.claims)];
    drop(other);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let state = world.state(Model::Events).await.unwrap();
    assert_eq!(state.version, Version::FIRST, "the late put has landed elsewhere");
    all_is_well(world, claims).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_9_rows_that_were_overwritten_do_not_come_back() {
    let world = World::new(9, None);
    // A's commit is there, but A does not know it, and goes.
    let mut a = process(&world, "a", at_commit(Model::Events, 1, Fault::AppliedThenError), 1).impatient();
    assert!(matches!(a.run().await, Err(StoreError::Unknown { .. })));
    drop(a);
    world.files.change(|rows| {
        rows.insert(slice(2), vec![4711]);
    });
    let mut b = process(&world, "b", FaultPlan::none(), 2);
    b.run().await.unwrap();
    let mut claims = vec![std::mem::take(&mut b.claims)];
    drop(b);
    let mut resumed = process(&world, "a again", FaultPlan::none(), 3);
    resumed.run().await.unwrap();
    claims.push(std::mem::take(&mut resumed.claims));
    drop(resumed);
    assert_eq!(versions(&world, Model::Events).await, 2, "A's rows, then B's");
    all_is_well(world, claims).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_10_first_runs_at_the_same_time_create_a_table_once() {
    let world = World::new(10, None);
    let runs = (0..8).map(|number| {
        let world = &world;
        async move {
            let mut run = process(world, &format!("run {number}"), FaultPlan::none(), number);
            run.run().await.unwrap();
            run.claims
        }
    });
    let claims = futures::future::join_all(runs).await;
    for model in Model::ALL {
        assert_eq!(versions(&world, model).await, 1, "{model:?}");
    }
    all_is_well(world, claims).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_11_a_writer_that_slept_does_not_take_a_table_back() {
    for model in Model::ALL {
        let world = World::new(11, None);
        let mut first = process(&world, "first", FaultPlan::none(), 1);
        first.run().await.unwrap();
        drop(first);
        world.change_files();
        let sleepy = at_commit(model, 1, Fault::Slow(Duration::from_secs(60)));
        let sleeper = async {
            let mut run = process(&world, "sleeper", sleepy, 2);
            run.run().await.unwrap();
            run.claims
        };
        let other = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.files.change(|rows| rows.entry(slice(3)).or_default().push(1234));
            let mut run = process(&world, "other", FaultPlan::none(), 3);
            run.run().await.unwrap();
            run.claims
        };
        let (slept, woke) = futures::future::join(sleeper, other).await;
        let state = world.state(model).await.unwrap();
        let newest = InputVersion::Files(world.files.newest().0.to_string());
        for made_of in state.known_ledger().unwrap().provenances() {
            if model == Model::Events {
                assert_eq!(made_of.inputs["files"], newest, "what slept shows");
            }
        }
        let mut states = BTreeMap::new();
        for model in Model::ALL {
            states.insert(model, Some(Arc::new(world.state(model).await.unwrap())));
        }
        if model != Model::Events {
            let version = |parent: &Model| (parent.table(), states[parent].as_ref().unwrap().as_input());
            let inputs = model.parents().iter().map(version).collect();
            let now = Provenance { fingerprint: model.fingerprint(1), inputs };
            assert_eq!(stale(model, &now, &states), Stale::Nothing, "{model:?} shows what was made of older inputs");
        }
        all_is_well(world, vec![slept, woke]).await;
    }
}
