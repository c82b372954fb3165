//! What templates in YAML know, in the files of the project and in those of each package.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::files::ProjectFiles;
use super::load_request::LoadRequest;
use super::node::YamlFields;
use super::yaml_template::YamlScope;
use super::{DATABASE, Target, vars};
use crate::diag::Sink;

/// The scopes of all files of YAML.
pub(super) struct YamlScopes {
    /// That of the project's own.
    pub own: YamlScope,
    /// Those of the packages, in their order.
    packages: Vec<YamlScope>,
}

impl YamlScopes {
    /// Reads the variables, as far as they are known before the project files are rendered, and the target's names.
    pub fn of(
        files: &ProjectFiles,
        request: &LoadRequest,
        typed_vars: Option<&BTreeMap<String, Value>>,
        docs: &BTreeMap<String, String>,
    ) -> YamlScopes {
        // What is wrong with the file is said when it is read after that.
        let unsaid = &mut Sink::default();
        let mut of_project = BTreeMap::new();
        let mut listed = BTreeSet::new();
        let mut name = String::new();
        let mut target = Target::default();
        let fields = YamlFields::of(&files.project, "the project file", unsaid).ok();
        if let Some(fields) = &fields {
            name = fields.name("the project", unsaid).map(|name| name.value).unwrap_or_default();
            of_project = vars::read_project(fields, &name, unsaid);
            if let Ok(chosen) = Target::choose(fields, request.target.as_deref(), files.profile.as_ref(), unsaid) {
                listed = chosen.env_vars.clone();
                target = chosen;
            }
        }
        // The later extension wins, as everywhere.
        let above = target.vars.iter().chain(typed_vars.into_iter().flatten());
        let above: BTreeMap<String, Value> = above.map(|(name, value)| (name.clone(), value.clone())).collect();
        let texts = [
            ("name", target.name.as_str()),
            ("schema", target.names.schema.as_deref().unwrap_or(&name)),
            ("type", "datafusion"),
            ("database", target.names.database.as_deref().unwrap_or(DATABASE)),
            ("profile_name", files.profile.as_ref().map_or(&*name, |profile| &*profile.name)),
        ];
        let mut vars = of_project.clone();
        vars.extend(above.clone());
        let own = YamlScope::new(&vars, &files.variables, &listed, &texts).with_docs(docs.clone());
        let of_package = |package: &ProjectFiles| {
            let mut vars = vars_of(package);
            vars.extend(of_project.clone());
            if let (Some(fields), Some(name)) = (&fields, package.name()) {
                vars.extend(vars::of_namespace(fields, &name));
            }
            vars.extend(above.clone());
            own.clone().with_vars(&vars)
        };
        YamlScopes { packages: files.packages.iter().map(of_package).collect(), own }
    }

    /// The scope for the files of a package, or of the project itself.
    pub fn of_file(&self, package: Option<usize>) -> &YamlScope {
        package.and_then(|package| self.packages.get(package)).unwrap_or(&self.own)
    }
}

/// What a package says of its own variables.
fn vars_of(package: &ProjectFiles) -> BTreeMap<String, Value> {
    let unsaid = &mut Sink::default();
    let Ok(fields) = YamlFields::of(&package.project, "the project file", unsaid) else { return BTreeMap::new() };
    vars::read_project(&fields, &package.name().unwrap_or_default(), unsaid)
}

#[cfg(test)]
mod tests {
    use crate::project::testing::load;

    #[test]
    fn yaml_of_a_package_sees_what_the_project_says_of_its_variables() {
        let sources = "
sources:
- name: crm
  schema: \"{{ var('crm_schema', 'crm') }}\"
  tables:
  - {name: account, identifier: \"{{ var('account') }}\"}
  - {name: lead, identifier: \"{{ var('lead') }}\"}
  - {name: task, identifier: \"{{ var('task') }}\"}
";
        let files = [
            ("dbt_packages/crm/dbt_project.yml", "name: crm\nvars: {crm: {account: a, lead: b}, task: c}"),
            ("dbt_packages/crm/models/s.yml", sources),
        ];
        let project = load("name: p\nvars: {crm: {account: account_data, crm_schema: raw}, task: t}", &files).unwrap();
        let found = project.tables.values().map(|table| format!("{}.{}", table.schema, table.identifier));
        assert_eq!(found.collect::<Vec<_>>(), ["raw.account_data", "raw.b", "raw.t"]);
    }
}
