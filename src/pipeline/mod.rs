//! The library: what karat does, as functions that neither print nor wait, and know no command line.
//!
//! ```text
//!  Host ──▶ compile ──▶ Compilation
//! ```
//!
//! A [`Compilation`] holds what could be made of a project, broken or not: every model that is well, and every
//! diagnostic of the others. An editor asks for one with each key that is pressed, over an
//! [`Overlay`](crate::host::Overlay) of the texts that are not saved yet. The command line is one client of this
//! module.

mod compilation;
mod load;

pub use compilation::{Compilation, ModelColumn, compile};
pub(crate) use load::{Loaded, load, plan_checks, plan_models};
