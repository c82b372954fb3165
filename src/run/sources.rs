//! The files of a source, as they are when a run begins.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use globset::GlobBuilder;

use crate::diag::{Code, Diagnostic};
use crate::name::TableName;
use crate::project::{ColumnType, MissingColumn, OnMissing, Source, SourceFormat, UnknownColumn};
use crate::raw::{
    CsvOptions, DEFAULT_MAX_RECORD_BYTES, MissingColumns, NO_QUOTE, RawColumn, RawFormat, RawKind, RawType,
    UnknownColumns,
};
use crate::store::{LeadsOut, LocalBackend};
use crate::table::{SourceEntry, SourceListing};

use super::failure::Failure;

/// Listings by their source.
pub(crate) type Listings = BTreeMap<TableName, Arc<SourceListing>>;

/// Per source the digest of its files.
pub(crate) fn digests(listings: &Listings) -> BTreeMap<TableName, String> {
    listings.iter().map(|(name, listing)| (name.clone(), listing.digest.clone())).collect()
}

/// Lists the files of a source. Blocks. None at all is an error, except where files that are gone leave their rows.
pub(crate) fn list_sources(project: &LocalBackend, source: &Source) -> Result<SourceListing, Failure> {
    let location = source.location.value.as_str();
    let entries = matching(project, location).map_err(|error| unreadable(source, &error))?;
    let keeps_missing = source.on_missing == OnMissing::Keep;
    if entries.is_empty() && !keeps_missing {
        return Err(no_file(source));
    }
    let mut hasher = blake3::Hasher::new();
    for entry in &entries {
        hasher.update(format!("{}\0{}\0{}\n", entry.path, entry.size, entry.modified).as_bytes());
    }
    let digest = hasher.finalize().to_hex().chars().take(32).collect();
    Ok(SourceListing { entries, digest, keeps_missing })
}

/// There is nothing to build from.
pub(super) fn no_file(source: &Source) -> Failure {
    let location = source.location.value.as_str();
    let message = format!("no file matches `{location}`, the location of the source `{}`", source.name());
    let diagnostic = Diagnostic::error(Code::NoSourceFile, message)
        .at(source.location.span)
        .help("put the files there, or correct `location`; `karat sample-data` writes those of the sample project");
    Failure::Project(diagnostic)
}

fn unreadable(source: &Source, error: &io::Error) -> Failure {
    let location = &source.location.value;
    if let Some(leads_out) = error.get_ref().and_then(|inner| inner.downcast_ref::<LeadsOut>()) {
        let diagnostic = Diagnostic::error(Code::UnreadableFile, leads_out.to_string()).at(source.location.span).note(
            "the author of a project could get at files that only its users may read: only the user's profile can allow such links",
        );
        let allow = format!("write `source_folders: [{}]` into your profile", leads_out.folder.display());
        return Failure::Project(diagnostic.help(allow));
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let message = format!("`{location}` may not be read: {error}");
            let diagnostic = Diagnostic::error(Code::UnreadableFile, message).at(source.location.span);
            Failure::Project(diagnostic.help("give yourself permission to read it"))
        }
        _ => {
            let message = format!("`{location}` cannot be listed: {error}");
            Failure::Project(Diagnostic::error(Code::UnreadableFile, message).at(source.location.span))
        }
    }
}

fn matching(project: &LocalBackend, location: &str) -> io::Result<Vec<SourceEntry>> {
    let wild = |part: &str| part.contains(['*', '?', '[', '{']);
    let folder: Vec<&str> = location.split('/').take_while(|part| !wild(part)).collect();
    let folder = folder.join("/");
    if folder.len() == location.len() {
        return match project.entry(location) {
            Ok(entry) => Ok(vec![entry]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
    }
    if !project.exists(&folder) {
        return Ok(Vec::new());
    }
    let glob = GlobBuilder::new(location).literal_separator(true).build();
    let matcher = glob.map_err(io::Error::other)?.compile_matcher();
    project.list(&folder, &|path| matcher.is_match(path))
}

/// How the reader of raw files is told of a source's format.
pub(crate) fn raw_format(source: &Source) -> Arc<RawFormat> {
    let kind = match &source.format {
        SourceFormat::Csv(csv) => RawKind::Csv(CsvOptions {
            delimiter: csv.delimiter,
            quote: csv.quote.unwrap_or(NO_QUOTE),
            comment: csv.comment,
            skip: csv.skip,
            header: csv.header,
            null_text: csv.null.clone(),
        }),
        SourceFormat::Json => RawKind::JsonLines,
        SourceFormat::Parquet => RawKind::Parquet,
    };
    let missing_columns = match source.missing_columns {
        MissingColumn::Fail => MissingColumns::Error,
        MissingColumn::Allow => MissingColumns::Null,
    };
    let unknown_columns = match source.unknown_columns {
        UnknownColumn::Fail => UnknownColumns::Error,
        UnknownColumn::Rescue => UnknownColumns::Rescue,
        UnknownColumn::Ignore => UnknownColumns::Ignore,
    };
    let column = |column: &crate::project::SourceColumn| RawColumn {
        name: column.name.value.clone(),
        data_type: raw_type(column.data_type),
    };
    Arc::new(RawFormat {
        columns: source.columns.iter().map(column).collect(),
        kind,
        forms: Arc::clone(&source.forms),
        missing_columns,
        unknown_columns,
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
    })
}

fn raw_type(declared: ColumnType) -> RawType {
    match declared {
        ColumnType::Text => RawType::Text,
        ColumnType::Integer => RawType::Integer,
        ColumnType::Float => RawType::Float,
        ColumnType::Boolean => RawType::Boolean,
        ColumnType::Date => RawType::Date,
        ColumnType::Timestamp => RawType::Timestamp,
        ColumnType::Decimal { precision, scale } => RawType::Decimal { precision, scale },
    }
}
