//! The code of a run, from git: repository, commit, path, and what differs from the commit.

use std::collections::BTreeMap;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use tempfile::TempDir;
use url::Url;

use crate::cli::Failure;
use crate::cli::output::report;

/// The largest difference that is stored, and the most bytes of untracked files.
const MAX_DIFF_BYTES: u64 = 32 << 20;

/// The code of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CodeFacts {
    /// The URL that the repository was cloned from, or its own.
    pub repository: String,
    pub commit: String,
    /// Empty without one.
    pub branch: String,
    /// The working directory in the repository; empty for its root.
    pub path: String,
    /// What differs from the commit, as git's binary patch with untracked files, if anything does.
    pub diff: Option<Vec<u8>>,
}

/// The work tree of a repository.
struct WorkTree {
    root: PathBuf,
    /// What the run says itself about files in it: its inputs and outputs are no code.
    excluded: Vec<String>,
}

/// The code of the working directory, without the files of the run. `None`, with a warning, where
/// there is no commit.
///
/// # Errors
///
/// If the work tree must be clean and is not, or differs by too much from its commit.
pub(super) fn code_facts(
    files: &[PathBuf],
    must_be_clean: bool,
) -> Result<Option<CodeFacts>, Failure> {
    let here = Path::new(".");
    let words = ["rev-parse", "--show-toplevel", "--show-prefix", "HEAD"];
    let found = match git(here, &words) {
        Ok(found) => found,
        Err(problem) if must_be_clean => return Err(problem),
        Err(problem) => {
            report(
                &mut stderr(),
                format_args!("no code is recorded: {problem}"),
            );
            return Ok(None);
        }
    };
    let mut lines = found.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (root, path, commit) = (PathBuf::from(line()), line(), line());
    let branch = git(here, &["symbolic-ref", "--quiet", "--short", "HEAD"]);
    let tree = WorkTree::new(root, files)?;
    let changes = tree.changes()?;
    if must_be_clean && !changes.is_empty() {
        return Err(Failure(format!(
            "the work tree differs from its commit: {}; commit it, or leave out --clean",
            changes.into_keys().collect::<Vec<_>>().join(", ")
        )));
    }
    Ok(Some(CodeFacts {
        repository: tree.repository()?,
        commit,
        branch: branch
            .map(|name| name.trim().to_owned())
            .unwrap_or_default(),
        path: path.trim_end_matches('/').to_owned(),
        diff: tree.diff(&changes)?,
    }))
}

impl WorkTree {
    fn new(root: PathBuf, files: &[PathBuf]) -> Result<Self, Failure> {
        let real = root.canonicalize()?;
        let inside = files.iter().filter_map(|file| {
            let file = real_path(file).ok()?;
            let inside = file.strip_prefix(&real).ok()?.to_str()?.to_owned();
            Some(format!(":(exclude,top,literal){inside}"))
        });
        Ok(Self {
            excluded: inside.collect(),
            root,
        })
    }

    /// The arguments with the files of the tree, but for those of the run.
    fn with_files<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let excluded = self.excluded.iter().map(String::as_str);
        words
            .iter()
            .copied()
            .chain(["--", ":/"])
            .chain(excluded)
            .collect()
    }

    /// The files that differ from the commit, and whether they differ from the index too.
    fn changes(&self) -> Result<BTreeMap<String, bool>, Failure> {
        let words = [
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--untracked-files=all",
        ];
        let found = git(&self.root, &self.with_files(&words))?;
        let mut untracked = 0;
        let mut changes = BTreeMap::new();
        for entry in found.split('\0').filter(|entry| entry.len() > 3) {
            let (status, name) = entry.split_at(3);
            if status == "?? " {
                let metadata = fs::symlink_metadata(self.root.join(name));
                untracked += metadata.map_or(0, |metadata| metadata.len());
            }
            // A file whose deletion is staged has another entry if it is there again.
            *changes.entry(name.to_owned()).or_default() |= !status.ends_with("  ");
        }
        if untracked > MAX_DIFF_BYTES {
            return Err(Failure(format!(
                "untracked files of the work tree have {untracked} bytes, more than \
                 {MAX_DIFF_BYTES}: commit them, add them to .gitignore, or name them with --in or \
                 --out"
            )));
        }
        Ok(changes)
    }

    /// The difference of these files to the commit, if there is one: what is staged may be undone
    /// in the work tree. It is made with an index and objects of its own, so that the repository
    /// stays as it is.
    fn diff(&self, changes: &BTreeMap<String, bool>) -> Result<Option<Vec<u8>>, Failure> {
        if changes.is_empty() {
            return Ok(None);
        }
        let own = TempDir::new()?;
        let index = own.path().join("index");
        let place = |name| -> Result<PathBuf, Failure> {
            let path = git(&self.root, &["rev-parse", "--git-path", name])?;
            Ok(self.root.join(path.trim_end_matches('\n')))
        };
        match fs::copy(place("index")?, &index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let objects = place("objects")?;
        let run = |words: &[&str]| {
            let mut command = git_command(&self.root, words);
            command
                .env("GIT_INDEX_FILE", &index)
                .env("GIT_OBJECT_DIRECTORY", own.path())
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &objects);
            output(command)
        };
        // The index has the others as they are. Git refuses names that neither it nor the work tree
        // has, and takes all files if it is given no names.
        let unstaged = changes.iter().filter(|(_, is_unstaged)| **is_unstaged);
        let unstaged: Vec<&str> = unstaged.map(|(name, _)| name.as_str()).collect();
        let names = own.path().join("names");
        fs::write(&names, unstaged.join("\0"))?;
        let from_file = format!("--pathspec-from-file={}", names.display());
        let add = [
            "--literal-pathspecs",
            "add",
            "--all",
            &from_file,
            "--pathspec-file-nul",
        ];
        if !unstaged.is_empty() {
            run(&add)?;
        }
        let diff = run(&self.with_files(&[
            "diff",
            "--cached",
            "--binary",
            "--full-index",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "HEAD",
        ]))?;
        if u64::try_from(diff.len()).is_ok_and(|length| length > MAX_DIFF_BYTES) {
            return Err(Failure(format!(
                "the work tree differs from its commit by more than {MAX_DIFF_BYTES} bytes: \
                 commit it"
            )));
        }
        Ok(Some(diff).filter(|diff| !diff.is_empty()))
    }

    /// The address of the remote `origin` without secrets, or that of the work tree.
    fn repository(&self) -> Result<String, Failure> {
        let remote = git(&self.root, &["config", "--get", "remote.origin.url"]);
        if let Ok(remote) = remote {
            return Ok(without_login(remote.trim()));
        }
        let url = Url::from_file_path(self.root.canonicalize()?);
        url.map(Into::into)
            .map_err(|()| Failure(format!("{} has no URL", self.root.display())))
    }
}

/// An address of git, or another URL, without what may be a secret: a password, the user of HTTP,
/// a query and a fragment.
pub(super) fn without_login(address: &str) -> String {
    if let Some((helper, rest)) = address.split_once("::")
        && helper.chars().all(|letter| letter.is_ascii_alphanumeric())
    {
        return format!("{helper}::{}", without_login(rest));
    }
    let Some((scheme, rest)) = address.split_once("://") else {
        return without_password(address);
    };
    if let Ok(mut parsed) = Url::parse(address) {
        // They fail for URLs without a host, which have no login.
        let _ = parsed.set_password(None);
        if scheme.to_ascii_lowercase().starts_with("http") {
            let _ = parsed.set_username("");
        }
        parsed.set_query(None);
        parsed.set_fragment(None);
        return parsed.into();
    }
    let plain = rest.split(['?', '#']).next().unwrap_or_default();
    let (_, place) = plain.rsplit_once('@').unwrap_or(("", plain));
    format!("{scheme}://{place}")
}

/// `USER@HOST:PATH` of SSH, or a path.
fn without_password(address: &str) -> String {
    match address.split_once('@') {
        Some((login, place)) if !login.split(':').next().unwrap_or_default().contains('/') => {
            let (user, _) = login.split_once(':').unwrap_or((login, ""));
            format!("{user}@{place}")
        }
        _ => address.to_owned(),
    }
}

/// A path without links, of a file that may not exist yet.
pub(in crate::cli) fn real_path(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) => {
            let absolute = std::path::absolute(path)?;
            match (absolute.parent(), absolute.file_name()) {
                (Some(parent), Some(name)) => Ok(real_path(parent)?.join(name)),
                _ => Err(error),
            }
        }
    }
}

fn git_command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(words);
    // A look at the work tree must not write to the repository.
    command.env("GIT_OPTIONAL_LOCKS", "0");
    command
}

fn git(folder: &Path, words: &[&str]) -> Result<String, Failure> {
    let output = output(git_command(folder, words))?;
    String::from_utf8(output).map_err(|_| Failure("git: a name that is not UTF-8".to_owned()))
}

fn output(mut command: Command) -> Result<Vec<u8>, Failure> {
    let output = command.output();
    let output = output.map_err(|error| Failure(format!("cannot start git: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(Failure(format!(
        "git: {}",
        told.lines().next().unwrap_or("it failed")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_no_facts() {
        for (url, stored) in [
            ("https://me:secret@host/a.git", "https://host/a.git"),
            ("https://token@host/a.git", "https://host/a.git"),
            ("git@host:a.git", "git@host:a.git"),
            ("ssh://git@host/a.git", "ssh://git@host/a.git"),
            ("ssh://git:secret@host:1/a", "ssh://git@host:1/a"),
            ("https://host/a?token=secret#secret", "https://host/a"),
            ("me:secret@host:a.git", "me@host:a.git"),
            ("me:se/cret@host:a.git", "me@host:a.git"),
            ("http::https://me:secret@host/a", "http::https://host/a"),
            ("https://me:secret/x@host/a", "https://host/a"),
            ("https://me:secret/x@host/a?secret", "https://host/a"),
            ("ssh://git:secret@[::1]/a", "ssh://git@[::1]/a"),
            ("/srv/a@b:c.git", "/srv/a@b:c.git"),
            ("/srv/a.git", "/srv/a.git"),
        ] {
            assert_eq!(without_login(url), stored);
        }
    }
}
