//! OpenLineage: each run and each model as events that lineage servers read, sent while the run goes on.
//!
//! The environment says where to, with the variables of OpenLineage's own clients; a project cannot. `events.rs` makes events of
//! what a run's observer hears, `facets.rs` has what they say of datasets, and `transport.rs` delivers them on a thread of its own: a
//! server that does not answer never stops a run, and delays its end by a few seconds at most.

mod events;
mod facets;
mod transport;

pub(crate) use events::LineageEvents;
