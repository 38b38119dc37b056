//! Files that say something about the environment of a run, by their names.

use crate::graph::tracking::EnvironmentFact;

/// The file with the list of packages.
const PACKAGES_FILE: &str = "requirements.txt";

/// The files that name a version of Python.
const PYTHON_FILES: [&str; 2] = ["python_env.yaml", "conda.yaml"];

/// How many bytes of such a file are read.
const MAX_READ_BYTES: usize = 64 << 10;

/// The most characters of a version.
const MAX_VERSION_CHARACTERS: usize = 64;

/// A file about an environment, as it arrives.
pub(super) enum EnvironmentFile {
    Packages,
    /// The beginning of a file that names a version of Python.
    Python(Vec<u8>),
}

impl EnvironmentFile {
    /// The file at a path, if it is one.
    pub(super) fn at(path: &str) -> Option<Self> {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        if name == PACKAGES_FILE {
            return Some(Self::Packages);
        }
        PYTHON_FILES
            .contains(&name)
            .then(|| Self::Python(Vec::new()))
    }

    /// Takes the next bytes of the file.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if let Self::Python(read) = self {
            let left = MAX_READ_BYTES - read.len();
            read.extend_from_slice(&bytes[..left.min(bytes.len())]);
        }
    }

    /// What the file says.
    pub(super) fn fact(&self) -> Option<EnvironmentFact> {
        match self {
            Self::Packages => Some(EnvironmentFact::Packages),
            Self::Python(read) => python(read).map(EnvironmentFact::Python),
        }
    }
}

/// The version of Python in the YAML of `MLflow`'s client: `python: 3.12.1`, or the package
/// `- python=3.12.1` of conda.
fn python(read: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(read);
    let mut versions = text.lines().filter_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix("python:");
        let rest = rest.or_else(|| line.strip_prefix("- python="))?;
        let version = rest.trim_matches(|it: char| it.is_whitespace() || "='\"".contains(it));
        let is_plain = |it: char| it.is_ascii_alphanumeric() || ".+".contains(it);
        let is_version = version.starts_with(|it: char| it.is_ascii_digit())
            && version.len() <= MAX_VERSION_CHARACTERS
            && version.chars().all(is_plain);
        is_version.then(|| version.to_owned())
    });
    versions.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_python_are_found() {
        for (text, expected) in [
            (
                "python: 3.12.1\nbuild_dependencies:\n- pip==25.1\n",
                Some("3.12.1"),
            ),
            ("python: '3.14.0rc1'\r\n", Some("3.14.0rc1")),
            (
                "dependencies:\n- python=3.11.9\n- pip<=24\n",
                Some("3.11.9"),
            ),
            ("dependencies:\n  - python==3.11.9\n", Some("3.11.9")),
            ("dependencies:\n- python>=3.11\n- python-dateutil=2\n", None),
            ("python: $(rm)\n", None),
            ("", None),
        ] {
            let mut file = EnvironmentFile::at("1/r/artifacts/m/conda.yaml").unwrap();
            let (first, second) = text.as_bytes().split_at(text.len() / 2);
            file.read(first);
            file.read(second);
            let expected = expected.map(|it| EnvironmentFact::Python(it.to_owned()));
            assert_eq!(file.fact(), expected, "{text}");
        }
    }

    #[test]
    fn other_files_say_nothing() {
        for path in ["a/requirements.txt.bak", "requirements.txt/x", "a/MLmodel"] {
            assert!(EnvironmentFile::at(path).is_none(), "{path}");
        }
        let mut file = EnvironmentFile::at("python_env.yaml").unwrap();
        file.read(&vec![b'\n'; MAX_READ_BYTES]);
        file.read(b"python: 3.12.1\n");
        assert_eq!(file.fact(), None);
    }
}
