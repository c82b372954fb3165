//! The program `git`: what a repository has, and its files at one commit.
//!
//! A list of packages may be somebody else's, so an address or a revision must never become an option of git's, a program that
//! git starts (`ext::`), or a way around the project: both are checked, no shell is involved, and git sees neither the
//! project's own repository nor the variables that would point it at one. It never asks anybody for a password.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
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

/// The commit that a revision means in the repository that a folder lies in.
///
/// # Errors
///
/// Returns why git cannot tell.
pub fn commit_of(folder: &Path, revision: &str) -> Result<String, GitFault> {
    if revision.starts_with('-') || revision.contains(char::is_control) {
        return Err(GitFault::Failed(format!("`{revision}` is not a revision")));
    }
    let wanted = format!("{revision}^{{commit}}");
    let asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted];
    let commit = run_here(folder, asked).map_err(|fault| match fault {
        GitFault::Missing => GitFault::Missing,
        GitFault::Failed(_) => GitFault::Failed(format!("the repository has no revision `{revision}`")),
    })?;
    Ok(commit.trim().to_owned())
}

/// A file of a commit: the id of its contents, and their size.
#[derive(Debug, Clone)]
pub(super) struct GitBlob {
    pub id: String,
    pub bytes: u64,
}

/// The files of a folder as they were at a commit of the repository that it lies in. Nothing is checked out.
#[derive(Debug)]
pub(super) struct GitObjects {
    root: PathBuf,
    pub commit: String,
    /// By their paths in the folder. Links and submodules are left out.
    pub files: BTreeMap<String, GitBlob>,
}

/// What is larger is read when somebody asks for it.
const SMALL_FILE: u64 = 256 * 1024;

impl GitObjects {
    /// Finds the files of a folder at a revision.
    pub fn at(root: &Path, revision: &str) -> Result<GitObjects, GitFault> {
        let commit = commit_of(root, revision)?;
        // Paths are relative to the folder, and other folders are left out.
        let listed = run_here(root, ["ls-tree", "-r", "-z", "-l", &commit])?;
        let mut files = BTreeMap::new();
        for entry in listed.split('\0') {
            let Some((facts, path)) = entry.split_once('\t') else { continue };
            let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
            let [mode, "blob", id, bytes] = facts.as_slice() else { continue };
            if mode.starts_with("100") {
                let bytes = bytes.parse().unwrap_or(u64::MAX);
                files.insert(path.to_owned(), GitBlob { id: (*id).to_owned(), bytes });
            }
        }
        Ok(GitObjects { root: root.to_owned(), commit, files })
    }

    /// All small files, by one call of git.
    pub fn small_files(&self) -> Result<BTreeMap<String, Vec<u8>>, GitFault> {
        let small: Vec<(&String, &GitBlob)> = self.files.iter().filter(|(_, blob)| blob.bytes <= SMALL_FILE).collect();
        let asked: String = small.iter().map(|(_, blob)| format!("{}\n", blob.id)).collect();
        let answered = said_by(here(&self.root, ["cat-file", "--batch"]), asked.as_bytes())?;
        let mut rest = answered.as_slice();
        let mut texts = BTreeMap::new();
        for (path, blob) in small {
            let broken = || GitFault::Failed(format!("git does not give the contents of `{path}`"));
            // `<id> blob <size>`, a line end, the contents, a line end.
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
            let length = usize::try_from(blob.bytes).map_err(|_| broken())?;
            let contents = rest.get(end + 1..end + 1 + length).ok_or_else(broken)?;
            texts.insert(path.clone(), contents.to_vec());
            rest = rest.get(end + 2 + length..).ok_or_else(broken)?;
        }
        Ok(texts)
    }

    /// The contents of one file.
    pub fn read(&self, id: &str) -> io::Result<Vec<u8>> {
        said_by(here(&self.root, ["cat-file", "blob", id]), &[]).map_err(|fault| match fault {
            GitFault::Missing => io::Error::other("git is not here"),
            GitFault::Failed(reason) => io::Error::other(reason),
        })
    }
}

/// git in a folder, without what would lead it elsewhere.
fn here<W: AsRef<OsStr>>(folder: &Path, words: impl IntoIterator<Item = W>) -> Command {
    let mut command = Command::new("git");
    for name in MISLEADING {
        command.env_remove(name);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(words).current_dir(folder).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command
}

/// Runs git in the repository that a folder lies in.
fn run_here<W: AsRef<OsStr>>(folder: &Path, words: impl IntoIterator<Item = W>) -> Result<String, GitFault> {
    in_utf8(said_by(here(folder, words), &[])?)
}

/// Runs git in a folder and returns what it printed.
fn run<W: AsRef<OsStr>>(folder: &Path, words: impl IntoIterator<Item = W>) -> Result<String, GitFault> {
    let mut command = here(folder, words);
    // Whatever repository the folder lies in says nothing of this one.
    let ceiling: PathBuf = folder.parent().unwrap_or(folder).to_owned();
    command.env("GIT_CEILING_DIRECTORIES", ceiling);
    in_utf8(said_by(command, &[])?)
}

fn in_utf8(said: Vec<u8>) -> Result<String, GitFault> {
    String::from_utf8(said).map_err(|_| GitFault::Failed("git's answer is not UTF-8".to_owned()))
}

/// What git prints if it is told this.
fn said_by(mut command: Command, told: &[u8]) -> Result<Vec<u8>, GitFault> {
    let input = if told.is_empty() { Stdio::null() } else { Stdio::piped() };
    let started = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut started = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => GitFault::Missing,
        _ => GitFault::Failed(error.to_string()),
    })?;
    let input = started.stdin.take();
    let done = std::thread::scope(|scope| {
        // git answers while it is being asked: whoever asks everything first would wait for an end that never comes.
        scope.spawn(move || input.map(|mut input| input.write_all(told)));
        started.wait_with_output()
    });
    let done = done.map_err(|error| GitFault::Failed(error.to_string()))?;
    if done.status.success() {
        return Ok(done.stdout);
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
