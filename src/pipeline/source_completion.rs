//! Sources that are declared without the columns of their files: what the files hold, put into the YAML.

use std::collections::BTreeMap;

use super::load::{Loaded, is_of_package};
use super::source_inference::{Looked, SourceKey, keys_of, look_at, without_columns};
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::name::{SourceTableName, TableName};
use crate::parallel::in_parallel;
use crate::project::{
    Addition, CsvFormat, FoundColumn, SourceFormat, SourceLack, UnlocatedSource, format_of_ending, with_columns,
};
use crate::span::{FileId, Spanned};

/// The properties files that say more now, and what could not be found out.
#[derive(Debug, Default)]
pub(crate) struct CompletedSources {
    pub edited: Vec<EditedProperties>,
    pub faults: Vec<Diagnostic>,
}

/// A properties file as it is and as it should be.
#[derive(Debug)]
pub(crate) struct EditedProperties {
    pub path: String,
    /// What was read. If the file holds something else by the time it is written, it is left alone.
    pub original: String,
    pub text: String,
    /// How many tables have got columns.
    pub tables: usize,
}

impl Loaded {
    /// Looks at the files of every source of the project whose columns, or their types, are not declared. Blocks.
    pub fn complete_sources(&self) -> CompletedSources {
        let lacking = self.project.tables.iter().filter_map(|(name, table)| match &table.lack {
            SourceLack::Columns { location } | SourceLack::Types { location, .. } => {
                Some(Lacking { name, table, location })
            }
            SourceLack::Place | SourceLack::Path(_) => None,
        });
        let lacking: Vec<Lacking<'_>> = lacking.collect();
        let looked = in_parallel(&lacking, |source| self.addition(source));
        let mut completed = CompletedSources::default();
        let mut additions: BTreeMap<FileId, Vec<Addition>> = BTreeMap::new();
        for addition in looked {
            match addition {
                Ok(addition) => additions.entry(addition.name.file).or_default().push(addition),
                Err(fault) => completed.faults.push(fault),
            }
        }
        for (file, additions) in additions {
            match self.edited(file, &additions) {
                Ok(edited) => completed.edited.push(edited),
                Err(fault) => completed.faults.push(fault),
            }
        }
        completed
    }

    fn addition(&self, source: &Lacking<'_>) -> Result<Addition, Diagnostic> {
        let Lacking { name, table, location } = source;
        let wrong = |message: String| Diagnostic::error(Code::UnknownSource, message).at(table.span);
        if is_of_package(self.files.path(table.span.file)) {
            let message = format!("`{name}` is declared in a package, whose files are not edited");
            return Err(wrong(message).help("declare its columns where the package comes from"));
        }
        if location.starts_with("s3://") {
            let message = format!("`{name}` lies in a bucket, and only files of the project are looked at");
            return Err(wrong(message)
                .help("copy some of its objects into the project, and run `karat source infer` with their path"));
        }
        let key = SourceKey {
            schema: name.schema.clone(),
            table: SourceTableName::parse(&name.table)
                .map_err(|reason| wrong(format!("`{}` is not a name for a source: {reason}", name.table)))?,
        };
        let format = match format_of_ending(location) {
            Some("csv") => SourceFormat::Csv(CsvFormat::default()),
            Some("json") => SourceFormat::Json,
            Some(_) => SourceFormat::Parquet,
            None => SourceFormat::Delta,
        };
        let declared = without_columns(key, Spanned::new((*location).to_owned(), table.span), format);
        let looked = look_at(&declared, &self.source_folder());
        let Looked { found, .. } = looked.map_err(|(Failure::Project(fault) | Failure::World(fault))| fault)?;
        let keys = keys_of(&found, &declared.format);
        let columns = found.columns.into_iter();
        let columns = columns.map(|column| FoundColumn { name: column.name, data_type: column.data_type }).collect();
        Ok(Addition { name: table.span, keys, columns })
    }

    fn edited(&self, file: FileId, additions: &[Addition]) -> Result<EditedProperties, Diagnostic> {
        let path = self.files.path(file).to_owned();
        let unreadable =
            |error: String| Diagnostic::error(Code::UnreadableFile, format!("`{path}` is left as it is: {error}"));
        let original = self.host().read(&path).map_err(|error| unreadable(error.to_string()))?;
        // Places count from behind the mark with which some editors begin a file.
        let text = self.files.text(file);
        let mark =
            original.strip_suffix(text).ok_or_else(|| unreadable("it has changed since it was read".to_owned()))?;
        let edited = with_columns(text, file, additions)
            .ok_or_else(|| unreadable("its tables are not written out in it".to_owned()))?;
        Ok(EditedProperties { text: format!("{mark}{edited}"), original, tables: additions.len(), path })
    }
}

/// A table with files whose columns are not known.
struct Lacking<'a> {
    name: &'a TableName,
    table: &'a UnlocatedSource,
    location: &'a str,
}
