//! karat: a SQL-first pipeline compiler for the lakehouse.
#![forbid(unsafe_code)]
#![doc = include_str!("../ARCHITECTURE.md")]

// Words.
pub mod name;
pub mod span;
pub mod day;
pub mod forms;
pub mod column_type;
pub mod figures;
pub mod diag;
pub mod host;
mod parallel;
mod text_edit;
#[cfg(test)]
mod dice;
// The front half: what the author wrote.
pub mod project;
pub mod template;
pub mod graph;
pub mod select;
// The engine line: below it the engine may be named.
#[cfg(feature = "engine")]
mod memory;
#[cfg(feature = "engine")]
mod locked;
#[cfg(feature = "engine")]
mod shown;
#[cfg(feature = "engine")]
mod chart;
#[cfg(feature = "engine")]
mod delta;
#[cfg(feature = "engine")]
mod register;
#[cfg(feature = "engine")]
mod raw;
#[cfg(feature = "engine")]
mod seed;
#[cfg(feature = "engine")]
mod partition_writer;
#[cfg(feature = "engine")]
mod table;
#[cfg(feature = "engine")]
mod run_record;
#[cfg(feature = "engine")]
mod analyze;
#[cfg(feature = "engine")]
mod store;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "engine")]
mod incremental;
#[cfg(feature = "engine")]
mod check;
#[cfg(feature = "engine")]
mod failure;
#[cfg(feature = "engine")]
mod catalog;
#[cfg(feature = "engine")]
mod execute;
#[cfg(feature = "engine")]
mod unit_test;
#[cfg(feature = "engine")]
mod plan;
#[cfg(feature = "engine")]
mod run;
#[cfg(feature = "engine")]
mod verify;
#[cfg(feature = "engine")]
mod compile;
#[cfg(feature = "engine")]
mod artifacts;
#[cfg(feature = "engine")]
mod site;
#[cfg(feature = "engine")]
mod sample;
#[cfg(feature = "engine")]
pub mod pipeline;
#[cfg(feature = "engine")]
mod terminal;
#[cfg(feature = "engine")]
pub mod cli;
#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
