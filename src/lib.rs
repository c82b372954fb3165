//! karat: a SQL-first pipeline compiler for the lakehouse.
#![forbid(unsafe_code)]
#![doc = include_str!("ARCHITECTURE.md")]

// Words.
pub mod name;
pub mod span;
pub mod day;
pub mod diag;
pub mod host;
// The front half: what the author wrote.
pub mod project;
pub mod template;
pub mod graph;
pub mod select;
