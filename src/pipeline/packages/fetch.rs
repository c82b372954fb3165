//! A package from its git repository: asked, checked out aside, looked at, and only then given its name.

use std::path::Path;

use super::project_file_of;
use crate::host::{GitFault, GitRepository, Host, PackageFolder};
use crate::name::SchemaName;
use crate::project::{PackageContents, package_name};

/// The folder of packages, while packages are fetched into it.
pub(super) struct Fetcher {
    folder: PackageFolder,
    name: String,
}

/// A package that was checked out and has no place yet.
pub(super) struct Fetched {
    pub name: String,
    pub commit: String,
    pub contents: PackageContents,
    subdirectory: Option<String>,
}

impl Fetcher {
    pub fn open(root: &Path, name: &str) -> Result<Fetcher, String> {
        let opened = PackageFolder::open(root, name);
        let folder = opened.map_err(|error| format!("the folder `{name}` cannot be used: {error}"))?;
        Ok(Fetcher { folder, name: name.to_owned() })
    }

    /// The commit that a revision means now.
    pub fn commit_of(&self, repository: &GitRepository, revision: Option<&str>) -> Result<String, String> {
        repository.commit_of(revision, &self.folder.unfinished()).map_err(|fault| describe(&fault))
    }

    /// Checks a commit out aside, and reads what the package is.
    pub fn check_out(
        &self,
        repository: &GitRepository,
        commit: String,
        subdirectory: Option<&str>,
        host: &dyn Host,
    ) -> Result<Fetched, String> {
        if let Some(path) = subdirectory
            && path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git") || part.contains('\\'))
        {
            return Err(format!("`{path}` is not a folder inside the repository"));
        }
        let unfinished = self.folder.unfinished();
        let name = self.folder.checkout_name().map_err(|error| error.to_string())?;
        repository.check_out(&commit, &unfinished, name).map_err(|fault| describe(&fault))?;
        self.folder.clean_checkout(subdirectory).map_err(|error| error.to_string())?;
        let folder = self.folder.checked_out(subdirectory);
        let Some(name) = package_name(host, &folder) else {
            let file = project_file_of(subdirectory.unwrap_or(""));
            return Err(format!("it is no package: it has no `{}` with a name", file.trim_start_matches('/')));
        };
        // It becomes the name of a folder.
        if let Err(wrong) = SchemaName::parse(&name) {
            return Err(format!("`{name}` is not a name for a package: {wrong}"));
        }
        let contents = PackageContents::read(host, &folder).map_err(|error| error.to_string())?;
        Ok(Fetched { name, commit, contents, subdirectory: subdirectory.map(str::to_owned) })
    }

    /// Gives a package its place, and returns the folder.
    pub fn install(&self, fetched: &Fetched) -> Result<String, String> {
        let installed = self.folder.install(fetched.subdirectory.as_deref(), &fetched.name);
        installed.map_err(|error| error.to_string())?;
        Ok(format!("{}/{}", self.name, fetched.name))
    }
}

fn describe(fault: &GitFault) -> String {
    match fault {
        GitFault::Missing => "the program `git` is not here; install it".to_owned(),
        GitFault::Failed(message) => message.clone(),
    }
}
