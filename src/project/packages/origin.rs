//! Where a package comes from.

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageOrigin {
    /// A folder, relative to the project.
    Local { path: String },
    /// A git repository.
    Git { url: String, revision: Option<String>, subdirectory: Option<String> },
    /// The package hub of dbt: `dbt-labs/dbt_utils`. The version is a number, or a range such as `>=1.0.0,<2.0.0`.
    Hub { package: String, version: Option<String> },
    /// A file to download.
    Tarball { url: String },
    /// A repository of an organization, which dbt's own service finds.
    Private { repository: String, provider: Option<String>, revision: Option<String> },
}

/// Whether two entries mean the same package, at whatever revision.
pub fn same_package(left: &PackageOrigin, right: &PackageOrigin) -> bool {
    let plain = |url: &str| url.trim_end_matches('/').trim_end_matches(".git").to_owned();
    match (left, right) {
        (PackageOrigin::Local { path: left }, PackageOrigin::Local { path: right }) => left == right,
        (
            PackageOrigin::Git { url: left, subdirectory: left_part, .. },
            PackageOrigin::Git { url: right, subdirectory: right_part, .. },
        ) => plain(left) == plain(right) && left_part == right_part,
        (PackageOrigin::Hub { package: left, .. }, PackageOrigin::Hub { package: right, .. }) => left == right,
        (PackageOrigin::Tarball { url: left }, PackageOrigin::Tarball { url: right }) => left == right,
        (PackageOrigin::Private { repository: left, .. }, PackageOrigin::Private { repository: right, .. }) => {
            left == right
        }
        _ => false,
    }
}

/// The name at the end of a path or a URL.
pub(super) fn last_part(path: &str) -> String {
    let path = path.trim().trim_end_matches('/').trim_end_matches(".git").trim_end_matches(".tar.gz");
    path.rsplit(['/', ':']).next().unwrap_or(path).to_owned()
}

impl PackageOrigin {
    /// The revision or version that an entry asks for.
    pub fn asked(&self) -> Option<&str> {
        match self {
            PackageOrigin::Git { revision, .. } | PackageOrigin::Private { revision, .. } => revision.as_deref(),
            PackageOrigin::Hub { version, .. } => version.as_deref(),
            PackageOrigin::Local { .. } | PackageOrigin::Tarball { .. } => None,
        }
    }

    /// What the package is called where nothing else says it.
    pub(super) fn last_part(&self) -> String {
        match self {
            PackageOrigin::Local { path } => last_part(path),
            PackageOrigin::Git { url, subdirectory, .. } => last_part(subdirectory.as_deref().unwrap_or(url)),
            PackageOrigin::Hub { package, .. } => last_part(package),
            PackageOrigin::Tarball { url } => last_part(url),
            PackageOrigin::Private { repository, .. } => last_part(repository),
        }
    }
}
