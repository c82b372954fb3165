//! Macros of the project, of its packages and of dbt: which file defines which, and which files a template needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::definition::{MacroDefinition, macro_definitions};
use super::function;
use super::own_tags::{TEST_PREFIX, without_own_tags, without_stray_tags};
use super::rewrite::{Callables, MacroNames, RewrittenText, TemplateKind, called_names, rewrite};
use super::token::ScannedText;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::{DBT_PACKAGE, MacroSource, Project, SqlDialect};
use crate::span::{FileId, SourceFiles, Span};

/// What a macro may be called to be chosen by `adapter.dispatch()`, best first.
const DISPATCH_PREFIXES: [&str; 3] = ["datafusion__", "postgres__", "default__"];

/// The prefixes where SQL is written for a dialect.
fn prefixes_of(dialect: SqlDialect) -> [&'static str; 3] {
    let [own, _, default] = DISPATCH_PREFIXES;
    match dialect {
        SqlDialect::Postgres => DISPATCH_PREFIXES,
        SqlDialect::DuckDb => [own, "duckdb__", default],
        SqlDialect::Snowflake => [own, "snowflake__", default],
        SqlDialect::BigQuery => [own, "bigquery__", default],
        SqlDialect::Spark => [own, "spark__", default],
    }
}

/// A macro by its package and its own name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MacroName {
    pub package: String,
    pub name: String,
}

impl fmt::Display for MacroName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.package, self.name)
    }
}

/// All macros. Each package is a name space.
#[derive(Debug)]
pub(super) struct Library {
    pub files: Vec<MacroFile>,
    by_name: BTreeMap<MacroName, Definition>,
    /// The files that define a macro of this name, in any package: by the whole name, and by what stands behind a prefix of
    /// `adapter.dispatch()`.
    by_plain_name: FilesByName,
    /// The project's own name.
    root: String,
    packages: BTreeSet<String>,
    /// Where `adapter.dispatch()` searches for the macros of a package, if the project file says so.
    search_orders: BTreeMap<String, Vec<String>>,
    /// For which database the SQL is written.
    dialect: SqlDialect,
}

type FilesByName = BTreeMap<String, Vec<usize>>;

#[derive(Debug)]
pub(super) struct MacroFile {
    pub file: FileId,
    pub path: String,
    pub package: String,
    pub text: Arc<str>,
    written: Vec<MacroDefinition>,
    /// Most projects need none of dbt's macros, so a file is read when the first template needs it.
    read: OnceLock<ReadMacroFile>,
}

#[derive(Debug)]
struct ReadMacroFile {
    rewritten: RewrittenText,
    /// The files whose macros this one calls, by index.
    calls: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
struct Definition {
    file: usize,
    span: Span,
    written: MacroDefinition,
}

impl Library {
    /// Finds all macros; two of one name in one package, or one of the project with the name of a function, are errors.
    pub fn read(project: &Project, files: &SourceFiles, sink: &mut Sink) -> Checked<Library> {
        let macro_files = project.macro_files.iter().map(|source| {
            let text = files.shared_text(source.file);
            MacroFile {
                file: source.file,
                path: files.path(source.file).to_owned(),
                package: source.package.clone(),
                written: macro_definitions(&text),
                text,
                read: OnceLock::new(),
            }
        });
        let macro_files: Vec<MacroFile> = macro_files.collect();
        let by_name = definitions(project, &macro_files, files, sink)?;
        let packages = project.packages.keys().cloned().chain([project.name.value.clone(), DBT_PACKAGE.to_owned()]);
        Ok(Library {
            files: macro_files,
            by_plain_name: by_plain_name(&by_name, project.reading.dialect),
            by_name,
            root: project.name.value.clone(),
            packages: packages.collect(),
            search_orders: project.search_orders.clone(),
            dialect: project.reading.dialect,
        })
    }

    /// One that has the macros of this text in this package.
    #[cfg(test)]
    pub fn of_text(package: &str, text: &str) -> Library {
        let mut files = SourceFiles::default();
        let file = files.add("macros/m.sql", text);
        let defined = macro_definitions(text).into_iter().map(|written| {
            let span = Span::new(file, written.name.clone());
            let name = MacroName { package: package.to_owned(), name: files.slice(span).to_owned() };
            (name, Definition { file: 0, span, written })
        });
        let by_name = defined.collect();
        Library {
            files: Vec::new(),
            by_plain_name: by_plain_name(&by_name, SqlDialect::default()),
            by_name,
            root: package.to_owned(),
            packages: BTreeSet::from([package.to_owned()]),
            search_orders: BTreeMap::new(),
            dialect: SqlDialect::default(),
        }
    }

    /// What a template of a package may call.
    pub fn callables<'a>(&'a self, package: &'a str) -> Callables<'a> {
        Callables { names: self, package }
    }

    /// Whether a macro of a file that was read gives this name to a value.
    pub fn assigns(&self, name: &str) -> bool {
        let read = self.files.iter().filter_map(|file| file.read.get());
        read.into_iter().any(|file| file.rewritten.assigned.contains(name))
    }

    /// The text of a macro file as the engine reads it.
    pub fn rewritten<'a>(&'a self, file: &'a MacroFile) -> &'a RewrittenText {
        &self.read_file(file).rewritten
    }

    fn read_file<'a>(&'a self, file: &'a MacroFile) -> &'a ReadMacroFile {
        file.read.get_or_init(|| {
            let text = without_stray_tags(without_own_tags(&file.text));
            let scanned = ScannedText::of(&text);
            let callables = self.callables(&file.package);
            ReadMacroFile {
                rewritten: rewrite(&scanned, TemplateKind::MacroFile(&file.written), &callables),
                calls: self.called_in(&scanned),
            }
        })
    }

    pub fn is_package(&self, name: &str) -> bool {
        self.packages.contains(name)
    }

    /// The macro that a plain name means in a template of a package: its own, then one of the project, then one of dbt.
    pub fn resolve(&self, package: &str, name: &str) -> Option<MacroName> {
        if !self.is_anywhere(name) {
            return None;
        }
        [package, &self.root, DBT_PACKAGE].into_iter().find_map(|package| self.defined(package, name))
    }

    /// A macro of the project itself.
    pub fn of_root(&self, name: &str) -> Option<MacroName> {
        self.of_package(&self.root, name)
    }

    /// A macro of this package.
    pub fn of_package(&self, package: &str, name: &str) -> Option<MacroName> {
        self.is_anywhere(name).then(|| self.defined(package, name)).flatten()
    }

    /// Whether any package has a macro of this name. Every word of every template is asked about, and nearly none is one.
    fn is_anywhere(&self, name: &str) -> bool {
        self.by_plain_name.contains_key(name)
    }

    fn defined(&self, package: &str, name: &str) -> Option<MacroName> {
        let name = MacroName { package: package.to_owned(), name: name.to_owned() };
        self.by_name.contains_key(&name).then_some(name)
    }

    /// The index of the file that defines the macro.
    pub fn file_of(&self, name: &MacroName) -> Option<usize> {
        self.by_name.get(name).map(|definition| definition.file)
    }

    /// How the macro was written.
    pub fn definition(&self, name: &MacroName) -> Option<&MacroDefinition> {
        self.by_name.get(name).map(|definition| &definition.written)
    }

    /// The macro that has this parameter and in whose text this place is: the last one that begins before it.
    pub fn macro_with_parameter(&self, place: Span, parameter: &str) -> Option<&str> {
        let before =
            |definition: &&Definition| definition.span.file == place.file && definition.span.end <= place.start;
        let found = self.by_name.iter().filter(|(_, definition)| before(definition));
        let (name, definition) = found.max_by_key(|(_, definition)| definition.span.start)?;
        definition.written.parameters.iter().any(|known| known == parameter).then_some(name.name.as_str())
    }

    /// The names that a template of a package may use plainly.
    pub fn names(&self, package: &str) -> impl Iterator<Item = &str> {
        let is_visible = move |name: &&MacroName| name.package == package || name.package == self.root;
        self.by_name.keys().filter(is_visible).map(|name| name.name.as_str())
    }

    /// The macro that `adapter.dispatch(name, namespace)` means in a template of a package. Packages that are searched first
    /// win over better prefixes, as in dbt.
    pub fn dispatched(&self, from: &str, name: &str, namespace: Option<&str>) -> Option<MacroName> {
        let order: Vec<&str> = match namespace {
            None => vec![from, &self.root, DBT_PACKAGE],
            Some(namespace) => match self.search_orders.get(namespace) {
                Some(order) => order.iter().map(String::as_str).collect(),
                None if self.is_package(namespace) => vec![&self.root, namespace],
                // dbt takes one that is no package for none.
                None => vec![from, &self.root, DBT_PACKAGE],
            },
        };
        order.into_iter().find_map(|package| {
            prefixes_of(self.dialect).iter().find_map(|prefix| self.of_package(package, &format!("{prefix}{name}")))
        })
    }

    /// The tests that macros define: plain names of the project's own, and with the package before them.
    pub fn test_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for macro_name in self.by_name.keys() {
            let Some(test) = macro_name.name.strip_prefix(TEST_PREFIX) else { continue };
            names.insert(format!("{}.{test}", macro_name.package));
            if macro_name.package == self.root {
                names.insert(test.to_owned());
            }
        }
        names
    }

    /// The files that a template is seen to need, directly or through other macros.
    pub fn needed_by(&self, scanned: &ScannedText<'_>) -> BTreeSet<usize> {
        self.closed(self.called_in(scanned))
    }

    /// These files and all that they call.
    pub fn closed(&self, files: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut waiting: Vec<usize> = files.iter().copied().collect();
        let mut found = files;
        while let Some(file) = waiting.pop().and_then(|index| self.files.get(index)) {
            // `insert` is false for a file that was found before, so circles of macros end here.
            waiting.extend(self.read_file(file).calls.iter().filter(|called| found.insert(**called)));
        }
        found
    }

    fn called_in(&self, scanned: &ScannedText<'_>) -> BTreeSet<usize> {
        // A name may mean a macro of any package: one too many costs an import. One too few, because the name is computed or
        // given to a variable first, costs a second render, for which the call asks.
        called_names(scanned).filter_map(|name| self.by_plain_name.get(name)).flatten().copied().collect()
    }
}

impl MacroNames for Library {
    fn sees(&self, package: &str, name: &str) -> bool {
        self.resolve(package, name).is_some()
    }

    fn has(&self, package: &str, name: &str) -> bool {
        self.of_package(package, name).is_some()
    }
}

fn by_plain_name(by_name: &BTreeMap<MacroName, Definition>, dialect: SqlDialect) -> FilesByName {
    let mut files = FilesByName::new();
    for (MacroName { name, .. }, definition) in by_name {
        let dispatched = prefixes_of(dialect).into_iter().filter_map(|prefix| name.strip_prefix(prefix));
        for plain in dispatched.chain([name.as_str()]) {
            files.entry(plain.to_owned()).or_default().push(definition.file);
        }
    }
    files
}

fn definitions(
    project: &Project,
    macro_files: &[MacroFile],
    files: &SourceFiles,
    sink: &mut Sink,
) -> Checked<BTreeMap<MacroName, Definition>> {
    let mut found: BTreeMap<MacroName, Definition> = BTreeMap::new();
    let all = project.macro_files.iter().zip(macro_files).enumerate().flat_map(|(index, (source, file))| {
        file.written.iter().cloned().map(move |written| {
            let span = Span::new(source.file, written.name.clone());
            (source, Definition { file: index, span, written })
        })
    });
    sink.check_all(all, |(source, definition): (&MacroSource, Definition), sink| {
        let span = definition.span;
        let name = format!("{}{}", definition.written.prefix, files.slice(span));
        if source.package == project.name.value && function::is_known(&name) {
            return Err(sink.error(taken(&name, span)));
        }
        let name = MacroName { package: source.package.clone(), name };
        match found.insert(name.clone(), definition) {
            Some(first) => Err(sink.error(duplicate(&name.name, first.span, span))),
            None => Ok(()),
        }
    })?;
    Ok(found)
}

fn taken(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateName, format!("`{name}` is a function of karat"))
        .labelled(span, "this macro needs another name")
}

fn duplicate(name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateName, format!("two macros are called `{name}`"))
        .labelled(second, "the second one")
        .labelled(first, "the first one")
        .help("give one of them another name: all macros of a project share one namespace")
}
