//! `models:`, `seeds:` and `snapshots:` of the project file: configs for the files in a folder and below it.

use super::model::Model;
use super::node::{YamlEntry, YamlFields, YamlKind};
use super::settings::{Configs, Settings};
use crate::diag::{Code, Diagnostic, Sink, nearest};
use crate::span::Span;

/// A folder, or a model as the last part of a path, and what is set for it.
#[derive(Debug)]
pub(super) struct ConfigFolder {
    name: String,
    span: Option<Span>,
    settings: Settings,
    folders: Vec<ConfigFolder>,
    configs: Configs,
}

impl ConfigFolder {
    fn new(configs: Configs) -> ConfigFolder {
        ConfigFolder { name: String::new(), span: None, settings: Settings::new(configs), folders: Vec::new(), configs }
    }

    /// Reads the tree below the key. The project's own name may stand between it and the folders, as in a dbt project.
    pub(super) fn read(key: &str, fields: &YamlFields<'_>, project: &str, sink: &mut Sink) -> ConfigFolder {
        let mut root = ConfigFolder::new(match key {
            "seeds" => Configs::Seeds,
            "snapshots" => Configs::Snapshots,
            "data_tests" | "tests" => Configs::DataTests,
            _ => Configs::Models,
        });
        let node = fields.get(key);
        if let Some(entries) = node.and_then(|node| node.expect_mapping(&format!("`{key}`"), sink).ok()) {
            let (own, others): (Vec<&YamlEntry>, Vec<&YamlEntry>) = entries
                .iter()
                .partition(|(key, node)| key.value == project && matches!(node.kind, YamlKind::Mapping(_)));
            root.add(others, sink);
            for (_, node) in own {
                if let YamlKind::Mapping(entries) = &node.kind {
                    root.add(entries, sink);
                }
            }
        }
        root
    }

    /// `data_tests:`, or `tests:`, as it was called before.
    pub(super) fn of_tests(fields: &YamlFields<'_>, project: &str, sink: &mut Sink) -> ConfigFolder {
        let key = if fields.get("data_tests").is_some() { "data_tests" } else { "tests" };
        ConfigFolder::read(key, fields, project, sink)
    }

    fn add<'a>(&mut self, entries: impl IntoIterator<Item = &'a YamlEntry>, sink: &mut Sink) {
        for (key, node) in entries {
            if key.value.starts_with('+') {
                self.settings.set_node(key, node, sink);
            } else if let YamlKind::Mapping(below) = &node.kind {
                let mut folder = ConfigFolder::new(self.configs);
                folder.name.clone_from(&key.value);
                folder.span = Some(key.span);
                folder.add(below, sink);
                self.folders.push(folder);
            } else if self.configs.has(&key.value) || self.configs.keeps(&key.value) {
                self.settings.set_node(key, node, sink);
            } else if !node.is_null() {
                let message = format!("`{}` is neither a config nor a folder", key.value);
                let diagnostic = Diagnostic::error(Code::UnknownKey, message).at(key.span);
                let diagnostic = match self.configs.near(&key.value) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("a config begins with `+`, a folder holds a mapping"),
                };
                sink.error(diagnostic);
            }
        }
    }

    /// What holds for a model or a seed: from the root down, a deeper folder over the ones above it.
    pub(super) fn settings_for(&self, fqn: &[String]) -> Settings {
        let mut settings = Settings::new(self.configs);
        // The first part is the project's name, which the root stands for.
        self.apply(fqn.get(1..).unwrap_or(&[]), &mut settings);
        settings
    }

    /// What a project says of a model or a seed of one of its packages: the package's name stands as a folder.
    pub(super) fn settings_of_package(&self, fqn: &[String]) -> Settings {
        let mut settings = Settings::new(self.configs);
        self.apply(fqn, &mut settings);
        settings
    }

    fn apply(&self, path: &[String], settings: &mut Settings) {
        settings.merge(&self.settings);
        if let Some((first, rest)) = path.split_first() {
            // A folder may stand below the project's name and beside it: both count, in their order.
            for folder in self.folders.iter().filter(|folder| folder.name == *first) {
                folder.apply(rest, settings);
            }
        }
    }

    /// A folder that no model lies in is probably misspelled.
    pub(super) fn warn_of_unmatched<'a>(
        &self,
        project: &str,
        models: impl Iterator<Item = &'a Model>,
        sink: &mut Sink,
    ) {
        let path = |model: &'a Model| match model.package == project {
            true => model.fqn.get(1..).unwrap_or(&[]),
            false => &model.fqn[..],
        };
        let paths: Vec<&[String]> = models.map(path).collect();
        self.warn_below(&paths, sink);
    }

    pub(super) fn warn_below(&self, paths: &[&[String]], sink: &mut Sink) {
        for folder in &self.folders {
            let below: Vec<&[String]> = paths
                .iter()
                .filter_map(|path| path.split_first())
                .filter(|(first, _)| **first == folder.name)
                .map(|(_, rest)| rest)
                .collect();
            if !below.is_empty() {
                folder.warn_below(&below, sink);
                continue;
            }
            let what = match self.configs {
                Configs::Models => "model",
                Configs::Seeds => "seed",
                Configs::Snapshots => "snapshot",
                Configs::DataTests => "test",
            };
            let message = format!("no folder or {what} is called `{}` here", folder.name);
            let known = || paths.iter().filter_map(|path| path.first()).map(String::as_str);
            let diagnostic = Diagnostic::warning(Code::UnknownKey, message).suggest(&folder.name, known());
            // A mapping without a plus could be a folder, so `column_types:` is read as one that nothing lies in.
            let is_config_without_plus = self.configs.has(&folder.name) && nearest(&folder.name, known()).is_none();
            let diagnostic = match is_config_without_plus {
                true => diagnostic.help(format!("a config begins with `+`: `+{}`", folder.name)),
                false => diagnostic,
            };
            sink.warn(match folder.span {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::project::testing::{load, said};

    const MODELS: [(&str, &str); 2] =
        [("models/silver/users/dim_users.sql", "select 1"), ("models/gold/dau.sql", "select 1")];

    #[test]
    fn a_deeper_folder_wins_and_tags_and_meta_merge() {
        let project = "
name: notes
models:
  +tags: all
  +meta: {owner: ann}
  +materialized: view
  notes:
    silver:
      +tags: [silver, dirty]
      +meta: {tier: 1}
      users:
        materialized: table
        dim_users:
          +sort_by: user_id
";
        let loaded = load(project, &MODELS).unwrap();
        let settings = |name: &str| {
            let model = loaded.models.values().find(|model| model.name.as_str() == name).unwrap();
            model.settings.values.iter().map(|(key, value)| (key.clone(), value.value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(
            settings("dim_users"),
            [
                ("materialized".to_owned(), json!("table")),
                ("meta".to_owned(), json!({"owner": "ann", "tier": 1})),
                ("sort_by".to_owned(), json!("user_id")),
                ("tags".to_owned(), json!(["all", "silver", "dirty"])),
            ]
        );
        assert_eq!(
            settings("dau"),
            [
                ("materialized".to_owned(), json!("view")),
                ("meta".to_owned(), json!({"owner": "ann"})),
                ("tags".to_owned(), json!(["all"])),
            ]
        );
    }

    #[test]
    fn a_folder_that_matches_nothing_is_a_warning() {
        insta::assert_snapshot!(said("name: notes\nmodels:\n  slver:\n    +tags: x\n  +materialised: view\n  enabeld: true\n", &MODELS), @r"
        warning[unknown-key]: no folder or model is called `slver` here
         --> project.yml:3:3
          |
        3 |   slver:
          |   ^^^^^
          |
          = help: did you mean `silver`?

        error[unknown-key]: no config is called `materialised`
         --> project.yml:5:3
          |
        5 |   +materialised: view
          |   ^^^^^^^^^^^^^
          |
          = help: did you mean `materialized`?

        error[unknown-key]: `enabeld` is neither a config nor a folder
         --> project.yml:6:3
          |
        6 |   enabeld: true
          |   ^^^^^^^
          |
          = help: did you mean `enabled`?
        ");
    }

    #[test]
    fn a_config_of_others_needs_no_plus_sign() {
        let loaded = load("name: notes\nmodels:\n  transient: true\n", &MODELS).unwrap();
        let kept = |key: &str| loaded.models.values().all(|model| model.settings.get(key).is_some());
        assert!(kept("transient"));
    }
}
