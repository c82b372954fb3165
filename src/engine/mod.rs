//! What plans are made of below the SQL: tables that are declared, stored or raw, and the operator that writes.

mod bind;
mod claims;
#[cfg(feature = "cluster")]
mod codec;
mod declared;
mod in_slices;
mod lake_file;
mod lake_scan;
mod lake_table;
mod origin_tally;
mod running_windows;
mod session;
mod slice_tally;
mod source_pruning;
mod source_report;
mod source_table;
mod write_node;
mod write_target;
mod written_rows;

#[cfg(test)]
pub(crate) use bind::let_through;
pub(crate) use bind::{Bound, Proved, ProvedWindow, bind, bind_proved};
#[cfg(feature = "cluster")]
pub(crate) use claims::claimed_files;
pub(crate) use claims::{all_paths, claimed};
#[cfg(feature = "cluster")]
pub(crate) use codec::KaratCodec;
pub(crate) use declared::{DeclaredTable, declared_table, show_filter};
pub(crate) use lake_file::DamagedFile;
pub(crate) use lake_table::{LAKE_URL, LakeTable, OTHER_LAKE_URL, OtherColumns};
pub(crate) use origin_tally::{OriginTally, RowsOfFiles};
pub(crate) use session::session;
pub(crate) use slice_tally::{SliceCut, SliceTally};
pub(crate) use source_pruning::KnownFiles;
pub(crate) use source_report::{SourceFindings, SourceReport};
pub(crate) use source_table::{ListedSource, SourceTable};
pub(crate) use write_node::WriteNode;
pub(crate) use write_target::{OpenTargets, WriteTarget};
pub(crate) use written_rows::{written_files, written_origins, written_slices};
