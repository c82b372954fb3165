//! Everything of the project is read here, once: the project file, models, seeds, snapshots, macros, properties, singular tests.

use std::collections::BTreeMap;
use std::io;

use super::hidden::secret_parts;
use super::ignore_rules::IgnoreRules;
use super::node::{Node, YamlFields};
use super::seed_text::{MAX_SEED_BYTES, SeedText, seed_text};
use super::yaml_template::variables_in;
use super::{DbtProfile, LoadRequest, packages, yaml};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::host::Host;
use crate::span::{FileId, SourceFiles, Span, Spanned};

/// The names of a project file; the first that exists is read.
pub const PROJECT_FILE_NAMES: [&str; 2] = ["project.yml", "dbt_project.yml"];

/// Where a project names selectors.
pub const SELECTORS: &str = "selectors.yml";

const NO_FUNCTIONS: &str = "functions of one's own are not available: write a macro that gives the expression";

/// A file below one of the project's paths.
#[derive(Debug, Clone)]
pub struct FoundFile {
    pub file: FileId,
    /// Relative to the project: `models/gold/daily_active_users.sql`.
    pub path: String,
    /// Relative to the model, macro or test path: `gold/daily_active_users.sql`.
    pub below: String,
}

/// A CSV file below the seed paths. What is wrong with it counts only if it is not disabled.
#[derive(Debug, Clone)]
pub(super) struct FoundSeed {
    pub(super) found: FoundFile,
    pub(super) fault: Option<Diagnostic>,
}

/// What was read. [`SourceFiles`] has the texts.
#[derive(Debug, Clone)]
pub struct ProjectFiles {
    pub(super) project: Node,
    project_file: FileId,
    models: Vec<FoundFile>,
    pub(super) seeds: Vec<FoundSeed>,
    snapshots: Vec<FoundFile>,
    properties: Vec<FoundFile>,
    macros: Vec<FoundFile>,
    singular_tests: Vec<FoundFile>,
    analyses: Vec<FoundFile>,
    /// Rows of unit tests.
    fixtures: Vec<FoundFile>,
    /// Markdown files with blocks of documentation.
    docs: Vec<FoundFile>,
    /// `selectors.yml`, if there is one.
    pub(super) selectors: Option<FileId>,
    /// The environment variables that YAML asks for, as far as they are set.
    pub(super) variables: BTreeMap<String, String>,
    /// The names that dbt's profile has for the project's targets.
    pub(super) profile: Option<DbtProfile>,
    /// The packages, which are projects of their own within this one. They have no packages themselves.
    pub(super) packages: Vec<ProjectFiles>,
}

impl ProjectFiles {
    /// `project.yml`, or `dbt_project.yml` in its place.
    pub fn project_file(&self) -> FileId {
        self.project_file
    }

    /// The SQL files below the model paths, sorted by path, and Python files, which stand for models that cannot be built.
    pub fn models(&self) -> &[FoundFile] {
        &self.models
    }

    /// The SQL files below the snapshot paths, sorted by path.
    pub fn snapshots(&self) -> &[FoundFile] {
        &self.snapshots
    }

    /// The YAML files below all paths, sorted by path.
    pub fn properties(&self) -> &[FoundFile] {
        &self.properties
    }

    /// The SQL files below the macro paths, and those in `generic` folders of the test paths, sorted by path.
    pub fn macros(&self) -> &[FoundFile] {
        &self.macros
    }

    /// The other SQL files below the test paths, sorted by path.
    pub fn singular_tests(&self) -> &[FoundFile] {
        &self.singular_tests
    }

    /// The SQL files below the analysis paths, sorted by path.
    pub fn analyses(&self) -> &[FoundFile] {
        &self.analyses
    }

    /// The CSV and SQL files in `fixtures` of the test paths: rows of unit tests.
    pub(super) fn fixtures(&self) -> &[FoundFile] {
        &self.fixtures
    }

    /// The Markdown files that hold blocks of documentation.
    pub(super) fn docs(&self) -> &[FoundFile] {
        &self.docs
    }

    /// The name in the project file, if there is one.
    pub(super) fn name(&self) -> Option<String> {
        let fields = YamlFields::of(&self.project, "the project file", &mut Sink::default()).ok()?;
        fields.text("name", &mut Sink::default()).map(|name| name.value)
    }

    /// The same with the names of dbt's profile, if there is one.
    ///
    /// # Errors
    ///
    /// Returns an error if the file that was asked for cannot be read.
    pub fn with_profile(self, host: &dyn Host, request: &LoadRequest, sink: &mut Sink) -> Checked<ProjectFiles> {
        let profile = DbtProfile::read(host, &self.project, request, sink)?;
        Ok(ProjectFiles { profile, ..self })
    }

    /// The same files with other project files, those of packages too.
    pub(super) fn with_project_files(&self, change: ProjectFileChange<'_>, sink: &mut Sink) -> ProjectFiles {
        let mut changed = self.clone();
        change(None, &mut changed.project, sink);
        for (place, package) in changed.packages.iter_mut().enumerate() {
            change(Some(place), &mut package.project, sink);
        }
        changed
    }
}

/// What is done with the project file of a package, by its place among all, or with the project's own.
type ProjectFileChange<'a> = &'a dyn Fn(Option<usize>, &mut Node, &mut Sink);

/// Reads the project whose file stands at the host's root. `files` keeps what was read also when this fails,
/// so that diagnostics can show it.
pub fn read(host: &dyn Host, files: &mut SourceFiles, sink: &mut Sink) -> Checked<ProjectFiles> {
    let (project_file, project) = read_project_file(host, files, sink)?;
    let mut found = read_one(host, "", ProjectNode { file: project_file, node: project }, files, sink)?;
    if host.exists(SELECTORS) {
        found.selectors = read_file(host, SELECTORS, files, sink).ok();
    }
    for folder in packages::folders(host, &found.project, files, sink) {
        let path = format!("{folder}/{}", packages::PACKAGE_FILE);
        let Ok(file) = read_file(host, &path, files, sink) else { continue };
        let Ok(node) = yaml::parse(files.text(file), file, sink) else { continue };
        found.packages.extend(read_one(host, &folder, ProjectNode { file, node }, files, sink));
    }
    Ok(found)
}

/// A project file that was parsed.
struct ProjectNode {
    file: FileId,
    node: Node,
}

/// Reads what a project, or a package in a folder of it, consists of.
fn read_one(
    host: &dyn Host,
    folder: &str,
    project: ProjectNode,
    files: &mut SourceFiles,
    sink: &mut Sink,
) -> Checked<ProjectFiles> {
    let ProjectNode { file: project_file, node: project } = project;
    let fields = YamlFields::of(&project, "the project file", sink)?;
    let ignored = IgnoreRules::read(host, folder).unwrap_or_else(|error| {
        sink.error(unreadable(".dbtignore", &error));
        IgnoreRules::default()
    });
    let mut reading = Reading { host, folder, files, sink, ignored, read: BTreeMap::new() };
    let listed = reading.list(&fields);
    let models = reading.read_all(&listed.models, &[".sql", ".py"]);
    let seeds = reading.read_seeds(&listed.seeds);
    let snapshots = reading.read_all(&listed.snapshots, &[".sql"]);
    let properties = reading.read_properties(&listed);
    let mut macros = reading.read_all(&listed.macros, &[".sql"]);
    macros.extend(reading.read_all(&listed.generic_tests, &[".sql"]));
    macros.sort_by(|left, right| left.path.cmp(&right.path));
    let singular_tests = reading.read_all(&listed.singular_tests, &[".sql"]);
    let analyses = reading.read_all(&listed.analyses, &[".sql"]);
    let fixtures = reading.read_all(&listed.fixtures, &[".csv", ".sql"]);
    let docs = reading.read_docs(&listed);
    let texts = properties.iter().map(|found| files.text(found.file)).chain([files.text(project_file)]);
    let names = texts.flat_map(variables_in);
    let variables = names.filter_map(|name| Some((name.to_owned(), host.variable(name)?))).collect();
    let packages = Vec::new();
    sink.unless_errors(ProjectFiles {
        variables,
        project,
        project_file,
        models,
        seeds,
        snapshots,
        properties,
        macros,
        singular_tests,
        analyses,
        fixtures,
        docs,
        selectors: None,
        profile: None,
        packages,
    })
}

/// The project file alone.
pub(super) fn project_node(host: &dyn Host, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Node> {
    read_project_file(host, files, sink).map(|(_, node)| node)
}

fn read_project_file(host: &dyn Host, files: &mut SourceFiles, sink: &mut Sink) -> Checked<(FileId, Node)> {
    let Some(name) = PROJECT_FILE_NAMES.into_iter().find(|name| host.exists(name)) else {
        let diagnostic = Diagnostic::error(Code::NoProject, "there is no `project.yml` here or in a folder above");
        return Err(sink.error(diagnostic.help("`karat demo` writes a small project to start from")));
    };
    let file = read_file(host, name, files, sink)?;
    let project = yaml::parse(files.text(file), file, sink)?;
    if project.is_null() {
        let diagnostic = Diagnostic::error(Code::InvalidYaml, format!("`{name}` is empty"));
        return Err(sink.error(diagnostic.help("write at least its name: `name: my_project`")));
    }
    Ok((file, project))
}

fn read_file(host: &dyn Host, path: &str, files: &mut SourceFiles, sink: &mut Sink) -> Checked<FileId> {
    match host.read(path) {
        // Some editors begin a file with a mark that is no part of its text.
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let is_sql = path.ends_with(".sql");
            Ok(if is_sql { files.add(path, text) } else { files.add_hiding(path, text, secret_parts) })
        }
        Err(error) => Err(sink.error(unreadable(path, &error))),
    }
}

fn unreadable(path: &str, error: &io::Error) -> Diagnostic {
    // The standard library's own text for this case speaks of a stream.
    let is_encoding = error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("UTF-8");
    let reason = if is_encoding { "its bytes are not UTF-8".to_owned() } else { error.to_string() };
    let diagnostic = Diagnostic::error(Code::UnreadableFile, format!("`{path}` cannot be read: {reason}"));
    if is_encoding { diagnostic.help("save the file with the encoding UTF-8") } else { diagnostic }
}

/// A path that was found, before it is read.
struct ListedFile {
    path: String,
    below: String,
}

/// The files below the paths of a project, before they are read.
struct ListedFiles {
    models: Vec<ListedFile>,
    seeds: Vec<ListedFile>,
    snapshots: Vec<ListedFile>,
    macros: Vec<ListedFile>,
    analyses: Vec<ListedFile>,
    functions: Vec<ListedFile>,
    /// Below the test paths: macros, queries, and rows of unit tests.
    generic_tests: Vec<ListedFile>,
    singular_tests: Vec<ListedFile>,
    fixtures: Vec<ListedFile>,
    /// Below the paths that are of documentation alone.
    docs: Vec<ListedFile>,
}

impl ListedFiles {
    /// Those of all paths but that of documentation alone: properties may stand below each, as in dbt.
    fn with_nodes(&self) -> [&[ListedFile]; 8] {
        [
            &self.models,
            &self.seeds,
            &self.snapshots,
            &self.macros,
            &self.analyses,
            &self.functions,
            &self.generic_tests,
            &self.singular_tests,
        ]
    }
}

struct Reading<'a> {
    host: &'a dyn Host,
    /// The folder of the package; empty for the project itself.
    folder: &'a str,
    files: &'a mut SourceFiles,
    sink: &'a mut Sink,
    /// What `.dbtignore` leaves out.
    ignored: IgnoreRules,
    /// Model and test paths may overlap; a file is read once.
    read: BTreeMap<String, FileId>,
}

impl Reading<'_> {
    /// Finds all files, and warns of those that nothing reads where they lie.
    fn list(&mut self, fields: &YamlFields<'_>) -> ListedFiles {
        let (generic_tests, other_tests): (Vec<_>, Vec<_>) = self
            .below(fields, "test-paths", "tests")
            .into_iter()
            .partition(|found| found.below.starts_with("generic/"));
        let (fixtures, singular_tests): (Vec<_>, Vec<_>) =
            other_tests.into_iter().partition(|found| found.below.starts_with("fixtures/"));
        let has_docs = fields.get("docs-paths").is_some();
        let listed = ListedFiles {
            models: self.below(fields, "model-paths", "models"),
            seeds: self.below(fields, "seed-paths", "seeds"),
            snapshots: self.below(fields, "snapshot-paths", "snapshots"),
            macros: self.below(fields, "macro-paths", "macros"),
            analyses: self.below(fields, "analysis-paths", "analyses"),
            functions: self.below(fields, "function-paths", "functions"),
            docs: if has_docs { self.below(fields, "docs-paths", "docs") } else { Vec::new() },
            generic_tests,
            singular_tests,
            fixtures,
        };
        self.warn_of_unread(&listed.models, ".csv", "seeds lie in `seeds/`, or where `seed-paths` says");
        self.warn_of_unread(&listed.seeds, ".sql", "models lie in `models/`, or where `model-paths` says");
        self.warn_of_unread(&listed.functions, ".sql", NO_FUNCTIONS);
        self.warn_of_unread(&listed.functions, ".py", NO_FUNCTIONS);
        listed
    }

    fn read_properties(&mut self, listed: &ListedFiles) -> Vec<FoundFile> {
        let mut found = Vec::new();
        for files in listed.with_nodes() {
            found.extend(self.read_all(files, &[".yml", ".yaml"]));
        }
        sorted(found)
    }

    fn read_docs(&mut self, listed: &ListedFiles) -> Vec<FoundFile> {
        let mut found = Vec::new();
        for files in listed.with_nodes().into_iter().chain([&*listed.docs]) {
            found.extend(self.read_blocks(files));
        }
        sorted(found)
    }

    /// All files below the folders that `key` names, sorted; of overlapping folders the first one counts.
    fn below(&mut self, fields: &YamlFields<'_>, key: &str, default: &str) -> Vec<ListedFile> {
        let key = if fields.get(key).is_none() { old_name(key) } else { key };
        let Some(folders) = fields.read(key, Node::expect_texts, self.sink) else {
            return self.walk(default);
        };
        let mut found: Vec<ListedFile> = Vec::new();
        for folder in folders {
            let Ok(path) = relative_folder(&folder, self.sink) else {
                continue;
            };
            let listed = self.walk(&path);
            // What a package lacks is nothing that the project's author could mend, and a new project of dbt lists analyses
            // that it does not have.
            if listed.is_empty() && self.folder.is_empty() && key != "analysis-paths" {
                let message = format!("`{path}` is empty");
                self.sink.warn(Diagnostic::warning(Code::InvalidConfig, message).at(folder.span));
            }
            found.extend(listed);
        }
        found.sort_by(|left, right| left.path.cmp(&right.path));
        // Overlapping folders list a file twice.
        found.dedup_by(|later, earlier| later.path == earlier.path);
        found
    }

    fn walk(&mut self, folder: &str) -> Vec<ListedFile> {
        let folder = &if self.folder.is_empty() { folder.to_owned() } else { format!("{}/{folder}", self.folder) };
        match self.host.files_below(folder) {
            Ok(paths) => {
                let wanted = paths.into_iter().filter(|path| !self.is_ignored(path));
                wanted.map(|path| ListedFile { below: below(&path, folder), path }).collect()
            }
            Err(error) => {
                self.sink.error(unreadable(folder, &error));
                Vec::new()
            }
        }
    }

    /// Whether `.dbtignore` leaves it out, whose paths begin in the folder of the project or package.
    fn is_ignored(&self, path: &str) -> bool {
        self.ignored.ignores(&below(path, self.folder))
    }

    /// Warns of files that are of no use where they lie. Those of packages are nothing that the author could mend.
    fn warn_of_unread(&mut self, listed: &[ListedFile], ending: &str, help: &str) {
        let mut unread = listed.iter().filter(|file| file.path.ends_with(ending));
        let Some(first) = unread.next().filter(|_| self.folder.is_empty()) else { return };
        let message = match unread.count() {
            0 => format!("`{}` is not read", first.path),
            more => format!("`{}` and {more} more `{ending}` files below its folder are not read", first.path),
        };
        self.sink.warn(Diagnostic::warning(Code::DiffersFromDbt, message).help(help));
    }

    /// Markdown files that have a block of documentation; the others are nobody's business.
    fn read_blocks(&mut self, listed: &[ListedFile]) -> Vec<FoundFile> {
        let mut found = Vec::new();
        for ListedFile { path, below } in listed.iter().filter(|file| file.path.ends_with(".md")) {
            let Ok(text) = self.host.read(path) else { continue };
            if text.contains("enddocs") {
                let file = self.files.add(path.as_str(), text);
                found.push(FoundFile { file, path: path.clone(), below: below.clone() });
            }
        }
        found
    }

    fn read_seeds(&mut self, listed: &[ListedFile]) -> Vec<FoundSeed> {
        let mut seeds = Vec::new();
        for ListedFile { path, below } in listed {
            if !path.ends_with(".csv") {
                continue;
            }
            match self.host.read_bytes(path, MAX_SEED_BYTES + 1) {
                Ok(bytes) => {
                    let SeedText { text, fault } = seed_text(path, &bytes);
                    let file = self.files.add(path.as_str(), text);
                    let fault = fault.map(|fault| fault.diagnostic.at(Span::new(file, fault.at)));
                    let found = FoundFile { file, path: path.clone(), below: below.clone() };
                    seeds.push(FoundSeed { found, fault });
                }
                Err(error) => {
                    self.sink.error(unreadable(path, &error));
                }
            }
        }
        seeds
    }

    fn read_all(&mut self, listed: &[ListedFile], endings: &[&str]) -> Vec<FoundFile> {
        let mut found = Vec::new();
        for ListedFile { path, below } in listed {
            if !endings.iter().any(|ending| path.ends_with(ending)) {
                continue;
            }
            let file = match self.read.get(path) {
                Some(file) => *file,
                None => match read_file(self.host, path, self.files, self.sink) {
                    Ok(file) => file,
                    Err(_) => continue,
                },
            };
            self.read.insert(path.clone(), file);
            found.push(FoundFile { file, path: path.clone(), below: below.clone() });
        }
        found
    }
}

/// Each file once, by its path.
fn sorted(mut found: Vec<FoundFile>) -> Vec<FoundFile> {
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found.dedup_by(|later, earlier| later.path == earlier.path);
    found
}

/// What dbt called a key before.
fn old_name(key: &str) -> &str {
    match key {
        "model-paths" => "source-paths",
        "seed-paths" => "data-paths",
        other => other,
    }
}

fn below(path: &str, folder: &str) -> String {
    path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/').to_owned()
}

/// A folder inside the project, without `./` in front and `/` behind.
fn relative_folder(folder: &Spanned<String>, sink: &mut Sink) -> Checked<String> {
    let path = folder.value.trim_start_matches("./").trim_end_matches('/');
    let is_inside = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if is_inside && !path.contains(['\\', ':']) {
        return Ok(path.to_owned());
    }
    let message = format!("`{}` is not a folder inside the project", folder.value);
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(folder.span);
    Err(sink.error(diagnostic.help("write a path like `models/core`, relative to the project file, with `/`")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::host::MemoryHost;
    use crate::project::LoadRequest;
    use crate::project::testing::{load_from, said};

    /// A host on which some paths cannot be read.
    struct BrokenHost {
        files: MemoryHost,
        broken: &'static str,
        kind: io::ErrorKind,
    }

    impl Host for BrokenHost {
        fn read(&self, path: &str) -> io::Result<String> {
            if path == self.broken {
                Err(io::Error::new(self.kind, "stream did not contain valid UTF-8"))
            } else {
                self.files.read(path)
            }
        }

        fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
            if folder == self.broken { Err(self.kind.into()) } else { self.files.files_below(folder) }
        }

        fn exists(&self, path: &str) -> bool {
            self.files.exists(path)
        }

        fn variables(&self) -> &BTreeMap<String, String> {
            self.files.variables()
        }

        fn current_folder(&self) -> &Path {
            self.files.current_folder()
        }

        fn user_file(&self, path: &Path) -> io::Result<String> {
            self.files.user_file(path)
        }

        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }

    fn broken(broken: &'static str, kind: io::ErrorKind) -> String {
        let files =
            MemoryHost::with_files([("project.yml", "name: p"), ("models/a.sql", ""), ("models/b.sql", "select 1")]);
        load_from(&BrokenHost { files, broken, kind }, &LoadRequest::default()).1
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_reason() {
        insta::assert_snapshot!(broken("models/a.sql", io::ErrorKind::InvalidData), @r"
        error[unreadable-file]: `models/a.sql` cannot be read: its bytes are not UTF-8
         = help: save the file with the encoding UTF-8
        ");
        insta::assert_snapshot!(broken("models", io::ErrorKind::PermissionDenied), @r"
        error[unreadable-file]: `models` cannot be read: permission denied
        ");
    }

    #[test]
    fn a_project_file_must_exist_and_say_something() {
        let nothing = MemoryHost::default();
        insta::assert_snapshot!(load_from(&nothing, &LoadRequest::default()).1, @r"
        error[no-project]: there is no `project.yml` here or in a folder above
         = help: `karat demo` writes a small project to start from
        ");
        insta::assert_snapshot!(said("# only a comment\n", &[]), @r"
        error[invalid-yaml]: `project.yml` is empty
         = help: write at least its name: `name: my_project`
        ");
        insta::assert_snapshot!(said("- a list\n", &[]), @r"
        error[invalid-yaml]: the project file must be a mapping of keys to values, not a list
         --> project.yml:1:3
          |
        1 | - a list
          |   ^^^^^^
        ");
    }

    #[test]
    fn a_project_file_of_dbt_is_taken_in_its_place() {
        let host =
            MemoryHost::with_files([("dbt_project.yml", "name: p\nmodel-paths: [m]"), ("m/a.sql", "\u{feff}select 1")]);
        let (mut files, mut sink) = (SourceFiles::default(), Sink::default());
        let read = read(&host, &mut files, &mut sink).unwrap();
        assert_eq!(files.path(read.project_file()), "dbt_project.yml");
        assert_eq!(files.text(read.models()[0].file), "select 1");
    }

    #[test]
    fn the_paths_say_what_is_read_and_a_file_is_read_once() {
        let project = "name: p\nmodel-paths: [./models/core/, models]\ntest-paths: tests/data\n";
        let host = MemoryHost::with_files([
            ("project.yml", project),
            ("models/core/a.sql", ""),
            ("models/b.sql", ""),
            ("models/core/p.yaml", ""),
            ("models/notes.md", ""),
            ("macros/m.sql", ""),
            ("tests/data/t.sql", ""),
            ("tests/data/generic/g.sql", ""),
            ("tests/other.sql", ""),
        ]);
        let (mut files, mut sink) = (SourceFiles::default(), Sink::default());
        let read = read(&host, &mut files, &mut sink).unwrap();
        let paths = |found: &[FoundFile]| found.iter().map(|found| found.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(read.models()), ["models/b.sql", "models/core/a.sql"]);
        assert_eq!(read.models()[1].below, "a.sql");
        assert_eq!(paths(read.properties()), ["models/core/p.yaml"]);
        assert_eq!(paths(read.macros()), ["macros/m.sql", "tests/data/generic/g.sql"]);
        assert_eq!(paths(read.singular_tests()), ["tests/data/t.sql"]);
        assert_eq!(files.ids().count(), 7);
    }

    #[test]
    fn a_path_is_a_folder_inside_the_project() {
        let project = "name: p\nmodel-paths: [../other, /abs, modles]\nmacro-paths: 5\n";
        insta::assert_snapshot!(said(project, &[]), @r"
        error[invalid-config]: `../other` is not a folder inside the project
         --> project.yml:2:15
          |
        2 | model-paths: [../other, /abs, modles]
          |               ^^^^^^^^
          |
          = help: write a path like `models/core`, relative to the project file, with `/`

        error[invalid-config]: `/abs` is not a folder inside the project
         --> project.yml:2:25
          |
        2 | model-paths: [../other, /abs, modles]
          |                         ^^^^
          |
          = help: write a path like `models/core`, relative to the project file, with `/`

        warning[invalid-config]: `modles` is empty
         --> project.yml:2:31
          |
        2 | model-paths: [../other, /abs, modles]
          |                               ^^^^^^

        error[invalid-yaml]: `macro-paths` must be a text or a list of texts, not a number
         --> project.yml:3:14
          |
        3 | macro-paths: 5
          |              ^
        ");
    }
}
