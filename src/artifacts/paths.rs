//! Paths as dbt writes them: relative to the package, and relative to the folder of models, seeds or tests in it.

use crate::project::Project;

/// The path inside of the package: `dbt_packages/tools/models/a.sql` is `models/a.sql` of `tools`.
pub(super) fn in_package<'a>(project: &Project, package: &str, path: &'a str) -> &'a str {
    if package == project.name.value {
        return path;
    }
    // The folder of a package has its name, wherever packages are.
    let folder = format!("/{package}/");
    path.find(&folder).and_then(|start| path.get(start + folder.len()..)).unwrap_or(path)
}

/// The path below the folder that begins it: `staging/a.sql` of `models/staging/a.sql`.
pub(super) fn below_folder(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, below)| below)
}

/// The package, the folders below the first one, then these names: how selectors name what a properties file declares.
pub(super) fn fqn_in_file(package: &str, path: &str, names: &[&str]) -> Vec<String> {
    let below = below_folder(path);
    let folders = below.split('/').take(below.split('/').count().saturating_sub(1));
    std::iter::once(package).chain(folders).chain(names.iter().copied()).map(str::to_owned).collect()
}
