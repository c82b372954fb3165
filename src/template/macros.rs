//! The macros of the project: which file defines which, and which files a template needs.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{MacroDefinition, macro_definitions};
use super::function;
use super::rewrite::{Callables, RewrittenText, TemplateKind, mentioned, rewrite};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::Project;
use crate::span::{FileId, SourceFiles, Span};

/// What a macro may be called to be chosen by `adapter.dispatch()`, best first.
const DISPATCH_PREFIXES: [&str; 3] = ["datafusion__", "postgres__", "default__"];

/// All macros, in one namespace.
#[derive(Debug)]
pub(super) struct Library {
    pub files: Vec<MacroFile>,
    by_name: BTreeMap<String, Definition>,
}

#[derive(Debug)]
pub(super) struct MacroFile {
    pub file: FileId,
    pub path: String,
    pub rewritten: RewrittenText,
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
    /// Finds all macros; two of one name, or one with the name of a function, are errors.
    pub fn read(project: &Project, files: &SourceFiles, sink: &mut Sink) -> Checked<Library> {
        let by_name = definitions(project, files, sink)?;
        let mut library = Library { files: Vec::new(), by_name };
        let callables =
            Callables { project: &project.name.value, is_macro: &|name| library.by_name.contains_key(name) };
        let files = project.macro_files.iter().map(|file| MacroFile {
            file: *file,
            path: files.path(*file).to_owned(),
            rewritten: rewrite(files.text(*file), TemplateKind::MacroFile, &callables),
            calls: library.called_in(files.text(*file)),
        });
        library.files = files.collect();
        Ok(library)
    }

    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The index of the file that defines the macro.
    pub fn file_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).map(|definition| definition.file)
    }

    /// How the macro was written.
    pub fn definition(&self, name: &str) -> Option<&MacroDefinition> {
        self.by_name.get(name).map(|definition| &definition.written)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The macro that `adapter.dispatch(name)` means.
    pub fn dispatched(&self, name: &str) -> Option<String> {
        DISPATCH_PREFIXES.iter().map(|prefix| format!("{prefix}{name}")).find(|full| self.has(full))
    }

    /// The files that a template needs, directly or through other macros. It may name too many.
    pub fn needed_by(&self, text: &str) -> BTreeSet<usize> {
        self.closed(self.called_in(text))
    }

    /// These files and all that they call.
    pub fn closed(&self, files: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut waiting: Vec<usize> = files.iter().copied().collect();
        let mut found = files;
        while let Some(file) = waiting.pop().and_then(|index| self.files.get(index)) {
            // `insert` is false for a file that was found before, so circles of macros end here.
            waiting.extend(file.calls.iter().filter(|called| found.insert(**called)));
        }
        found
    }

    fn called_in(&self, text: &str) -> BTreeSet<usize> {
        // Most projects have no macros, and need not be searched for their names.
        if self.by_name.is_empty() {
            return BTreeSet::new();
        }
        let mut files = BTreeSet::new();
        // Any word or string may name a macro. One too many costs an import; one too few would be an unknown name.
        for word in mentioned(text) {
            files.extend(self.file_of(word));
            files.extend(self.dispatched(word).and_then(|full| self.file_of(&full)));
        }
        files
    }
}

fn definitions(project: &Project, files: &SourceFiles, sink: &mut Sink) -> Checked<BTreeMap<String, Definition>> {
    let mut found: BTreeMap<String, Definition> = BTreeMap::new();
    let all = project.macro_files.iter().enumerate().flat_map(|(index, file)| {
        let written = macro_definitions(files.text(*file)).into_iter();
        written.map(move |written| Definition { file: index, span: Span::new(*file, written.name.clone()), written })
    });
    sink.check_all(all, |definition, sink| {
        let name = files.slice(definition.span);
        if function::is_known(name) {
            return Err(sink.error(taken(name, definition.span)));
        }
        let span = definition.span;
        match found.insert(name.to_owned(), definition) {
            Some(first) => Err(sink.error(duplicate(name, first.span, span))),
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
