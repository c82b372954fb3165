//! The program `git`: what a repository has, and its files at one commit.
//!
//! A list of packages may be somebody else's, so an address or a revision must never become an option of git's, a program that
//! git starts (`ext::`), or a way around the project: both are checked, no shell is involved, and git sees neither the
//! project's own repository nor the variables that would point it at one. It never asks anybody for a password.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What would lead git to another repository than the one that is named. Git sets them where it starts programs, such as hooks.
const MISLEADING: [&str; 8] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// Settings that hold whatever the user's configuration says: no hooks, no other line ends, no endless wait for a server.
const SETTINGS: [&str; 8] = [
    "advice.detachedHead=false",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.hooksPath=/dev/null",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
];

/// A repository that may be asked: its address is one of a server or of a folder, and nothing else.
#[derive(Debug, Clone)]
pub struct GitRepository {
    address: String,
    /// Whether it lies on this machine.
    is_local: bool,
}

/// Why git did not do what it was asked for.
#[derive(Debug)]
pub enum GitFault {
    /// The program is not here.
    Missing,
    /// What it said.
    Failed(String),
}

impl GitRepository {
    /// Checks the address of a repository. A path is relative to `root`.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with an address that could be taken for something else, or that holds a password.
    pub fn at(url: &str, root: &Path) -> Result<GitRepository, String> {
        if url.is_empty() || url.starts_with('-') || url.contains("//-") || url.contains(char::is_control) {
            return Err("it is no address of a repository".to_owned());
        }
        if url.contains("::") {
            return Err("an address with `::` would start another program".to_owned());
        }
        if let Some((scheme, rest)) = url.split_once("://") {
            return match scheme {
                "file" => Ok(GitRepository { address: url.to_owned(), is_local: true }),
                "https" | "http" | "ssh" | "git" => {
                    let user = rest.split('/').next().unwrap_or(rest).rsplit_once('@').map(|(user, _)| user);
                    if user.is_some_and(|user| scheme != "ssh" || user.contains(':')) {
                        return Err("passwords do not belong in a list of packages".to_owned());
                    }
                    Ok(GitRepository { address: url.to_owned(), is_local: false })
                }
                _ => Err(format!("`{scheme}://` is no way to a repository that karat takes")),
            };
        }
        // `git@github.com:owner/name.git`: a colon before any slash.
        let is_server = url.split('/').next().is_some_and(|first| first.contains(':'));
        if is_server {
            return Ok(GitRepository { address: url.to_owned(), is_local: false });
        }
        let path = root.join(url);
        match path.to_str() {
            Some(path) => Ok(GitRepository { address: path.to_owned(), is_local: true }),
            None => Err("the path is not UTF-8".to_owned()),
        }
    }

    /// Whether it lies on this machine.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The commit that a revision means now: a tag, else a branch, else a whole commit. Without a revision, what the
    /// repository shows first.
    ///
    /// # Errors
    ///
    /// Returns an error if git cannot ask the repository, or it has no such revision.
    pub fn commit_of(&self, revision: Option<&str>, folder: &Path) -> Result<String, GitFault> {
        let Some(revision) = revision else {
            let found = self.references(&["HEAD"], folder)?;
            let head = found.into_iter().find(|(_, name)| name == "HEAD").map(|(commit, _)| commit);
            return head.ok_or_else(|| GitFault::Failed("the repository is empty".to_owned()));
        };
        check_revision(revision).map_err(GitFault::Failed)?;
        if is_commit(revision) {
            return Ok(revision.to_owned());
        }
        let tag = format!("refs/tags/{revision}");
        // What an annotated tag stands for.
        let tagged = format!("refs/tags/{revision}^{{}}");
        let branch = format!("refs/heads/{revision}");
        let found = self.references(&[&tag, &tagged, &branch], folder)?;
        let commit = |name: &str| found.iter().find(|(_, found)| found == name).map(|(commit, _)| commit.clone());
        commit(&tagged).or_else(|| commit(&tag)).or_else(|| commit(&branch)).ok_or_else(|| {
            let short = revision.len() >= 4 && revision.chars().all(|letter| letter.is_ascii_hexdigit());
            let hint = if short { "; of a commit, write all 40 digits" } else { "" };
            GitFault::Failed(format!("it has no tag or branch `{revision}`{hint}"))
        })
    }

    /// Puts the files of a commit into a new folder below `folder`, without git's own.
    ///
    /// # Errors
    ///
    /// Returns an error if git cannot fetch the commit.
    pub fn check_out(&self, commit: &str, folder: &Path, name: &str) -> Result<(), GitFault> {
        if !is_commit(commit) {
            return Err(GitFault::Failed(format!("`{commit}` is not a commit")));
        }
        let target = folder.join(name);
        // No template: it could bring hooks.
        run(folder, [OsStr::new("init"), "--quiet".as_ref(), "--template=".as_ref(), "--".as_ref(), target.as_ref()])?;
        let address = self.address.as_str();
        let alone = run(&target, ["fetch", "--quiet", "--no-tags", "--depth=1", "--", address, commit]);
        if alone.is_err() {
            // Not every server gives a commit that is not the tip of a branch.
            let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
            run(&target, ["fetch", "--quiet", "--no-tags", "--", address, all[0], all[1]])?;
        }
        run(&target, ["checkout", "--quiet", "--detach", commit, "--"])?;
        Ok(())
    }

    /// The references of these names, and perhaps others, with their commits.
    fn references(&self, names: &[&str], folder: &Path) -> Result<Vec<(String, String)>, GitFault> {
        let mut words = vec!["ls-remote", "--quiet", "--", self.address.as_str()];
        words.extend(names);
        let text = run(folder, words)?;
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(commit, name)| (commit.to_owned(), name.to_owned())).collect())
    }
}

/// Whether a revision is the whole name of a commit.
pub fn is_commit(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.chars().all(|letter| matches!(letter, '0'..='9' | 'a'..='f'))
}

/// A revision is a name of a tag or a branch as git allows them, and nothing that git would compute.
fn check_revision(revision: &str) -> Result<(), String> {
    let forbidden = |letter: char| letter.is_whitespace() || letter.is_control() || "~^:?*[]\\{}@+'\"".contains(letter);
    let is_name = !revision.is_empty()
        && !revision.starts_with(['-', '/', '.'])
        && !revision.ends_with(['/', '.'])
        && !revision.contains("..")
        && !revision.contains(forbidden);
    if is_name { Ok(()) } else { Err(format!("`{revision}` is not a tag, a branch or a commit")) }
}

/// Runs git in a folder and returns what it printed.
fn run<W: AsRef<OsStr>>(folder: &Path, words: impl IntoIterator<Item = W>) -> Result<String, GitFault> {
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    // Whatever repository the folder lies in says nothing of this one.
    let ceiling: PathBuf = folder.parent().unwrap_or(folder).to_owned();
    command.args(words).current_dir(folder).stdin(Stdio::null());
    command.env("GIT_CEILING_DIRECTORIES", ceiling).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    let done = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitFault::Missing,
        _ => GitFault::Failed(error.to_string()),
    })?;
    if done.status.success() {
        return String::from_utf8(done.stdout).map_err(|_| GitFault::Failed("git's answer is not UTF-8".to_owned()));
    }
    let said = String::from_utf8_lossy(&done.stderr);
    // The first line with the reason; what follows is advice.
    let reason = said.lines().find_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
    let reason = reason.or_else(|| said.lines().rfind(|line| !line.trim().is_empty())).unwrap_or("git failed");
    Err(GitFault::Failed(reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        GitRepository::at(url, Path::new("/root")).unwrap_err()
    }

    #[test]
    fn an_address_is_never_an_option_a_program_or_a_password() {
        for url in ["", "-c", "--upload-pack=touch x", "ssh://-oProxyCommand=x/y", "https://a\nb"] {
            assert_eq!(refused(url), "it is no address of a repository", "{url}");
        }
        for url in ["ext::sh -c touch% x", "fd::1", "https::x"] {
            assert_eq!(refused(url), "an address with `::` would start another program", "{url}");
        }
        for url in ["https://token@github.com/a/b", "https://u:p@github.com/a/b.git", "ssh://u:p@host/a"] {
            assert_eq!(refused(url), "passwords do not belong in a list of packages", "{url}");
        }
        assert_eq!(refused("ftp://host/a"), "`ftp://` is no way to a repository that karat takes");
        for (url, is_local) in [
            ("https://github.com/a/b.git", false),
            ("git@github.com:a/b.git", false),
            ("ssh://git@host:22/a", false),
            ("file:///srv/a.git", true),
            ("../a.git", true),
        ] {
            assert_eq!(GitRepository::at(url, Path::new("/root")).unwrap().is_local(), is_local, "{url}");
        }
    }

    #[test]
    fn a_revision_is_a_name_and_nothing_that_git_computes() {
        for revision in ["1.0.0", "v1.2-rc", "feature/x", "main"] {
            assert_eq!(check_revision(revision), Ok(()), "{revision}");
        }
        for revision in ["", "--upload-pack=x", "-x", "a:b", "+main", "HEAD~1", "a..b", "a b", "refs/*", "@{1}", "a^{}"]
        {
            assert!(check_revision(revision).is_err(), "{revision}");
        }
    }
}
