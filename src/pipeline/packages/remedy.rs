//! What to do about a package that karat does not fetch: the exact entry to write, where it is known.

use crate::project::{ListedPackage, PackageOrigin};

/// Packages of the hub whose repositories, of the same owner on GitHub, have other names. The hub serves the files of the tags of
/// these repositories.
const REPOSITORIES: [(&str, &str); 11] = [
    ("brooklyn-data/dbt_artifacts", "dbt_artifacts"),
    ("calogica/dbt_date", "dbt-date"),
    ("calogica/dbt_expectations", "dbt-expectations"),
    ("dbt-labs/audit_helper", "dbt-audit-helper"),
    ("dbt-labs/codegen", "dbt-codegen"),
    ("dbt-labs/dbt_external_tables", "dbt-external-tables"),
    ("dbt-labs/dbt_project_evaluator", "dbt-project-evaluator"),
    ("dbt-labs/dbt_utils", "dbt-utils"),
    ("elementary-data/elementary", "dbt-data-reliability"),
    ("metaplane/dbt_date", "dbt-date"),
    ("metaplane/dbt_expectations", "dbt-expectations"),
];

/// Whose repositories are called as their packages, with `dbt_` before.
const PREFIXING: &str = "fivetran";

/// How to get a package into the project.
pub(super) fn how_to_vendor(package: &ListedPackage, install_folder: &str) -> String {
    let place = format!("{install_folder}/{}", package.name);
    match &package.origin {
        PackageOrigin::Hub { package, version } => {
            let known = repository_of(package);
            let tag = version
                .as_deref()
                .filter(|version| is_exact(version))
                .map(|version| version.trim_start_matches(['=', 'v']));
            let tag = tag.unwrap_or("<tag of the version>");
            match known {
                Some(repository) => format!(
                    "karat asks no hub; write the package's repository in its place: `- git: {repository}` with `revision: {tag}`"
                ),
                None => format!(
                    "karat asks no hub; hub.getdbt.com/{package} names its repository: write `- git:` with its address and \
                     `revision: {tag}` in its place, or put its files into `{place}`"
                ),
            }
        }
        PackageOrigin::Tarball { url } => format!("karat downloads nothing; unpack {url} into `{place}`"),
        PackageOrigin::Private { repository, provider, revision } => {
            let server = match provider.as_deref() {
                None | Some("github") => Some("github.com"),
                Some("gitlab") => Some("gitlab.com"),
                Some(_) => None,
            };
            let revision = revision.as_deref().map_or_else(String::new, |revision| format!(", `revision: {revision}`"));
            match server {
                Some(server) => format!(
                    "only dbt's own service finds `private:`; write `- git: git@{server}:{repository}.git`{revision} in its place"
                ),
                None => {
                    "only dbt's own service finds `private:`; write `- git:` with the repository's address".to_owned()
                }
            }
        }
        PackageOrigin::Local { path } if package.is_outside() => {
            format!("nothing outside of the project is read; put a copy of `{path}` into `{place}`")
        }
        PackageOrigin::Local { path } => format!("there is no `{path}/dbt_project.yml`"),
        PackageOrigin::Git { .. } => "`karat deps` fetches it".to_owned(),
    }
}

/// The address of the repository of a package of the hub, if it is known.
fn repository_of(package: &str) -> Option<String> {
    let (owner, name) = package.split_once('/')?;
    let known = REPOSITORIES.iter().find(|(hub, _)| *hub == package).map(|(_, repository)| (*repository).to_owned());
    let repository = known.or_else(|| (owner == PREFIXING).then(|| format!("dbt_{name}")))?;
    Some(format!("https://github.com/{owner}/{repository}.git"))
}

/// Whether a version is one number and no range.
fn is_exact(version: &str) -> bool {
    let number = version.trim_start_matches(['=', 'v']);
    !number.is_empty()
        && number.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+'))
}
