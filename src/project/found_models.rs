//! Models, seeds and snapshots where they are found: their names, and what project files say of their folders.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{FoundFile, FoundSeed, ProjectFiles};
use super::folders::ConfigFolder;
use super::model::Model;
use super::node::{Node, YamlFields};
use super::package::Package;
use super::seed::{Seed, SeedConfig};
use super::snapshots::{self, FoundSnapshot};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, NodeKind, SchemaName};
use crate::span::{SourceFiles, Span};

/// A properties file of a package.
pub(super) struct PropertiesFile<'a> {
    pub package: Option<String>,
    pub found: &'a FoundFile,
    pub node: Node,
}

/// What `ref()` finds, as far as it was found.
pub(super) struct FoundModels {
    pub models: BTreeMap<ModelName, Model>,
    /// The first of each name by the name in lower case: two names that differ only in case are one file on some disks and
    /// one table in some engines.
    pub names: BTreeMap<String, ModelName>,
}

/// What the project files say of the models, the seeds or the snapshots of one package.
#[derive(Clone, Copy)]
pub(super) struct PackageConfig<'a> {
    name: &'a SchemaName,
    folders: &'a ConfigFolder,
    /// What the project says of its package, which wins. `None` for the project itself.
    of_root: Option<&'a ConfigFolder>,
}

/// What they say of all three.
pub(super) struct PackageConfigs<'a> {
    models: PackageConfig<'a>,
    seeds: PackageConfig<'a>,
    snapshots: PackageConfig<'a>,
}

/// The configs for folders in the project's own file.
pub(super) struct ProjectFolders {
    models: ConfigFolder,
    seeds: ConfigFolder,
    snapshots: ConfigFolder,
}

impl ProjectFolders {
    pub fn read(fields: &YamlFields<'_>, project: &str, sink: &mut Sink) -> ProjectFolders {
        ProjectFolders {
            models: ConfigFolder::read("models", fields, project, sink),
            seeds: ConfigFolder::read("seeds", fields, project, sink),
            snapshots: ConfigFolder::read("snapshots", fields, project, sink),
        }
    }

    /// What holds for the project's own.
    pub fn configs<'a>(&'a self, name: &'a SchemaName) -> PackageConfigs<'a> {
        let own = |folders| PackageConfig { name, folders, of_root: None };
        PackageConfigs { models: own(&self.models), seeds: own(&self.seeds), snapshots: own(&self.snapshots) }
    }

    /// What holds for a package.
    pub fn configs_of<'a>(&'a self, package: &'a Package<'a>) -> PackageConfigs<'a> {
        let its = |folders, root| PackageConfig { name: &package.name, folders, of_root: Some(root) };
        PackageConfigs {
            models: its(&package.models, &self.models),
            seeds: its(&package.seeds, &self.seeds),
            snapshots: its(&package.snapshots, &self.snapshots),
        }
    }

    pub fn warn_of_unmatched(&self, project: &str, models: &BTreeMap<ModelName, Model>, sink: &mut Sink) {
        let of_kinds =
            [(&self.models, NodeKind::Model), (&self.seeds, NodeKind::Seed), (&self.snapshots, NodeKind::Snapshot)];
        for (folders, kind) in of_kinds {
            let all = models.values().flat_map(|model| std::iter::once(model).chain(&model.rivals));
            folders.warn_of_unmatched(project, all.filter(|model| model.kind() == kind), sink);
        }
    }
}

/// The files of one package.
#[derive(Clone, Copy)]
pub(super) struct PackageFiles<'a> {
    pub files: &'a ProjectFiles,
    /// Those of all packages.
    pub properties: &'a [PropertiesFile<'a>],
    pub texts: &'a SourceFiles,
}

impl FoundModels {
    pub fn add_all(&mut self, of: PackageFiles<'_>, configs: PackageConfigs<'_>, sink: &mut Sink) {
        self.add_models(of.files, of.texts, configs.models, sink);
        self.add_seeds(of.files, of.texts, configs.seeds, sink);
        self.add_snapshots(of, configs.snapshots, sink);
        self.add_relations(of, configs.snapshots, sink);
    }

    fn add_models(&mut self, files: &ProjectFiles, texts: &SourceFiles, package: PackageConfig<'_>, sink: &mut Sink) {
        for found in files.models() {
            if let Ok(mut model) = found_model(NodeKind::Model, found, package, sink) {
                // As in dbt, a file without a word is no model yet.
                if texts.text(found.file).trim().is_empty() && !is_disabled(&model) {
                    let message = format!("the model `{}` is left out: its file is empty", model.name);
                    let diagnostic = Diagnostic::warning(Code::NotASelect, message).at(beginning(found));
                    sink.warn(diagnostic.help("write one SELECT, or remove the file"));
                    model.settings.switch_off(beginning(found));
                }
                self.add(model, sink);
            }
        }
    }

    fn add_seeds(&mut self, files: &ProjectFiles, texts: &SourceFiles, package: PackageConfig<'_>, sink: &mut Sink) {
        for FoundSeed { found, .. } in &files.seeds {
            if let Ok(mut model) = found_model(NodeKind::Seed, found, package, sink) {
                model.seed = Some(Seed { text: texts.shared_text(found.file), config: SeedConfig::default() });
                self.add(model, sink);
            }
        }
    }

    /// Adds the snapshots that are blocks of SQL files.
    fn add_snapshots(&mut self, of: PackageFiles<'_>, package: PackageConfig<'_>, sink: &mut Sink) {
        for found in of.files.snapshots() {
            for snapshot in snapshots::in_blocks(found, of.texts, sink) {
                if let Ok(model) = found_snapshot(snapshot, package, sink) {
                    self.add(model, sink);
                }
            }
        }
    }

    /// Adds the snapshots that properties files declare by a relation.
    fn add_relations(&mut self, of: PackageFiles<'_>, package: PackageConfig<'_>, sink: &mut Sink) {
        let its =
            of.properties.iter().filter(|properties| properties.package.as_deref() == Some(package.name.as_str()));
        for PropertiesFile { found, node, .. } in its {
            // What is no mapping is reported when it is described.
            let Ok(fields) = YamlFields::of(node, "a properties file", &mut Sink::default()) else { continue };
            for snapshot in snapshots::in_properties(&fields, found, of.texts, sink) {
                if let Ok(model) = found_snapshot(snapshot, package, sink) {
                    self.add(model, sink);
                }
            }
        }
    }

    /// Adds a model, a seed or a snapshot, whose name must be new: all share one name space. One that the project file
    /// disables makes room for another, as a project disables what it replaces of a package. Models of one name may all but one
    /// switch themselves off, which only their templates tell.
    fn add(&mut self, model: Model, sink: &mut Sink) {
        let lower = model.name.as_str().to_lowercase();
        let first = self.names.get(&lower).and_then(|name| self.models.get_mut(name));
        let Some(first) = first.filter(|first| !is_disabled(first)) else {
            if let Some(disabled) = self.names.insert(lower, model.name.clone()) {
                self.models.remove(&disabled);
            }
            self.models.insert(model.name.clone(), model);
            return;
        };
        if is_disabled(&model) {
            return;
        }
        if first.name == model.name && first.kind() == NodeKind::Model && model.kind() == NodeKind::Model {
            first.rivals.push(model);
            return;
        }
        let mut kinds = [first.kind(), model.kind()];
        kinds.sort_by_key(|kind| kind.word());
        let [one, other] = kinds;
        let message = match one == other {
            true => format!("two {one}s are called `{}`", model.name),
            false => format!("a {one} and a {other} are called `{}`", model.name),
        };
        let diagnostic = Diagnostic::error(Code::DuplicateName, message).labelled(model.place(), "the second one");
        let diagnostic = diagnostic.labelled(first.place(), "the first one");
        let renamed = if model.snapshot.is_some() { model.name.as_str() } else { &model.path };
        sink.error(diagnostic.help(format!("rename `{renamed}`: a name is unique in the whole project")));
    }
}

/// Whether the project file switches it off; what its template says is not known yet.
fn is_disabled(model: &Model) -> bool {
    model.settings.get("enabled").is_some_and(|enabled| enabled.value == Value::Bool(false))
}

fn without_ending(path: &str) -> &str {
    [".sql", ".csv", ".py"].iter().find_map(|ending| path.strip_suffix(ending)).unwrap_or(path)
}

/// A model or a seed by its file.
fn found_model(kind: NodeKind, found: &FoundFile, package: PackageConfig<'_>, sink: &mut Sink) -> Checked<Model> {
    let mut parts: Vec<&str> = without_ending(&found.below).split('/').collect();
    let stem = parts.pop().unwrap_or_default();
    let name = ModelName::parse(stem).or_else(|wrong| match ModelName::standing_for(stem) {
        Ok(name) => {
            let message = format!("the {kind} `{stem}` is called `{name}` here, and so is its table: {wrong}");
            let diagnostic = Diagnostic::warning(Code::InvalidName, message).at(beginning(found));
            sink.warn(diagnostic.note(format!("`ref('{stem}')` finds it")).help(renaming(found, stem)));
            Ok(name)
        }
        Err(_) => {
            let message = format!("`{stem}` is not a name for a {kind}: {wrong}");
            let diagnostic = Diagnostic::error(Code::InvalidName, message).at(beginning(found));
            Err(sink.error(diagnostic.help(renaming(found, stem))))
        }
    });
    let folder_schema = folder_schema(parts.first().copied(), found, package, sink);
    let name = name?;
    let written_name = (name.as_str() != stem).then(|| stem.to_owned());
    let model = model_called(name, folder_schema?, &parts, ModelPlace { found, package });
    Ok(Model { written_name, ..model })
}

/// A snapshot where it is declared.
fn found_snapshot(snapshot: FoundSnapshot<'_>, package: PackageConfig<'_>, sink: &mut Sink) -> Checked<Model> {
    let FoundSnapshot { name, path, folder, found, template } = snapshot;
    let parsed = ModelName::parse(&name.value).map_err(|wrong| {
        let message = format!("`{}` is not a name for a snapshot: {wrong}", name.value);
        sink.error(Diagnostic::error(Code::InvalidName, message).at(name.span))
    });
    let folder_schema = folder_schema(folder, found, package, sink);
    let model = model_called(parsed?, folder_schema?, &path, ModelPlace { found, package });
    Ok(Model { snapshot: Some(template), ..model })
}

/// The schema that a folder is; that of the package if there is none.
fn folder_schema(
    folder: Option<&str>,
    found: &FoundFile,
    package: PackageConfig<'_>,
    sink: &mut Sink,
) -> Checked<SchemaName> {
    let Some(folder) = folder else { return Ok(package.name.clone()) };
    // Folders of dbt may have other names, as `jaffle-data`, because they are no schemas there.
    SchemaName::parse(&plain_name(folder)).map_err(|wrong| {
        let message = format!("the folder `{folder}` is not a name for a schema: {wrong}");
        let diagnostic = Diagnostic::error(Code::InvalidName, message).at(beginning(found));
        sink.error(diagnostic.help(renaming(found, folder)))
    })
}

/// Where a model comes from.
#[derive(Clone, Copy)]
struct ModelPlace<'a> {
    found: &'a FoundFile,
    package: PackageConfig<'a>,
}

/// A model of which nothing is known yet but its name, and what project files say of it.
fn model_called(name: ModelName, folder_schema: SchemaName, path: &[&str], place: ModelPlace<'_>) -> Model {
    let ModelPlace { found, package } = place;
    let names = std::iter::once(package.name.as_str()).chain(path.iter().copied()).chain([name.as_str()]);
    let fqn: Vec<String> = names.map(str::to_owned).collect();
    let mut settings = package.folders.settings_for(&fqn);
    if let Some(root) = package.of_root {
        settings.merge(&root.settings_of_package(&fqn));
    }
    Model {
        name,
        written_name: None,
        package: package.name.as_str().to_owned(),
        seed: None,
        snapshot: None,
        rivals: Vec::new(),
        folder_schema,
        file: found.file,
        path: found.path.clone(),
        settings,
        fqn,
        description: String::new(),
        columns: Vec::new(),
        tests: Vec::new(),
        version: None,
        constraints: Vec::new(),
        charts: Vec::new(),
        described_at: None,
        written: serde_json::Map::new(),
    }
}

/// A file as a whole has no place of its own.
pub(super) fn beginning(found: &FoundFile) -> Span {
    Span::new(found.file, 0..0)
}

/// The name with `_` for everything that is neither a letter nor a digit.
fn plain_name(part: &str) -> String {
    part.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// `rename it`, with a name that would do if one can be made from the old one.
fn renaming(found: &FoundFile, part: &str) -> String {
    let plain = plain_name(part);
    match ModelName::parse(&plain) {
        Ok(_) => format!("rename it to `{}`", found.path.replacen(part, &plain, 1)),
        Err(_) => "rename it with letters, digits and `_`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::project::testing::load;

    #[test]
    fn what_the_project_file_disables_makes_room_for_another_of_its_name() {
        let files = [("models/a/users.sql", "select 1"), ("models/b/users.sql", "select 2"), ("seeds/users.csv", "id")];
        let path = |off: &str| {
            let loaded = load(&format!("name: p\nmodels: {{{off}}}\nseeds: {{+enabled: false}}"), &files).unwrap();
            loaded.models.into_values().map(|model| model.path).collect::<Vec<_>>()
        };
        assert_eq!(path("a: {+enabled: false}"), ["models/b/users.sql"]);
        assert_eq!(path("b: {+enabled: false}"), ["models/a/users.sql"]);
    }
}
