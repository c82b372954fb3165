//! Artifacts: what other tools read of a project and of its runs, in the schemas that dbt publishes.
//!
//! Everything here is data that is made of what was compiled and done, and then written as JSON. Ids are those that dbt gives:
//! tools join artifacts by them, and compare those of karat with those of dbt.

mod call_scan;
mod catalog;
mod config_view;
mod contract;
mod data_tests;
mod described;
mod digest;
mod disabled;
mod groups;
mod invocation;
mod macros;
mod manifest;
mod metrics;
mod models;
mod node_comparison;
mod node_id;
mod paths;
mod python_text;
mod qualified;
mod resource_index;
mod resources;
mod run_results;
mod source_results;
mod sources;
mod state;
mod stored_results;
mod test_id;
mod unit_tests;

pub(crate) use catalog::CatalogInputs;
pub(crate) use invocation::Invocation;
pub(crate) use manifest::{ManifestInputs, write_manifest};
pub(crate) use node_id::NodeIds;
pub(crate) use qualified::{qualified, relation_name};
pub(crate) use resource_index::ResourceIndex;
pub(crate) use resources::resource_id;
pub(crate) use run_results::{NodeResult, ResultStatus, RunResults};
pub(crate) use source_results::{NewestRow, SourceResult, write_sources};
pub(crate) use state::StoredManifest;
pub(crate) use stored_results::{stored_results, stored_sources};
pub(crate) use test_id::{TestFact, TestFacts, each_test, test_aliases, test_ids, unit_test_id};
