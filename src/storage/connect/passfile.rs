//! libpq's password file: lines of `host:port:database:user:password`, where `*` matches anything
//! and a backslash escapes a colon or a backslash.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// What a password is wanted for.
pub(super) struct ServerLogin<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

/// The password in this file, or else in the user's own. A file that others may read is not used,
/// as with libpq.
pub(super) fn find(file: Option<&Path>, login: &ServerLogin) -> Option<SecretString> {
    let path = file.map(Path::to_path_buf).or_else(default_file)?;
    let text = match read(&path) {
        Ok(text) => text,
        // The user's own file is optional.
        Err(_) if file.is_none() && !path.exists() => return None,
        Err(problem) => {
            tracing::warn!(file = %path.display(), "the password file is not used: {problem}");
            return None;
        }
    };
    let passwords = text.lines().enumerate().filter_map(|(index, line)| {
        let fields = fields(line)?;
        if fields.len() != 5 {
            let line = index + 1;
            tracing::warn!(file = %path.display(), line, "a line of the password file has not five fields");
            return None;
        }
        login.matches(&fields).then(|| fields[4].text.clone())
    });
    passwords.into_iter().next().map(SecretString::from)
}

fn default_file() -> Option<PathBuf> {
    let named = env::var_os("PGPASSFILE").filter(|path| !path.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".pgpass"))
    })
}

fn read(path: &Path) -> Result<String, String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a plain file".into());
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err("others than its owner have access to it; its mode should be 0600".into());
    }
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

/// A field of a line.
#[derive(Debug, Default, PartialEq)]
struct Field {
    text: String,
    /// Whether it is an asterisk that no backslash stands before.
    any: bool,
}

impl Field {
    fn matches(&self, text: &str) -> bool {
        self.any || self.text == text
    }
}

/// The fields of a line; `None` for a comment or an empty line. The password is the rest of the
/// line after the fourth colon.
fn fields(line: &str) -> Option<Vec<Field>> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut fields = vec![Field::default()];
    let mut escaped = false;
    for letter in line.chars() {
        let count = fields.len();
        let field = fields.last_mut()?;
        match letter {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ':' if !escaped && count < 5 => fields.push(Field::default()),
            _ => {
                field.any = letter == '*' && !escaped && field.text.is_empty();
                field.text.push(letter);
            }
        }
        escaped = false;
    }
    Some(fields)
}

impl ServerLogin<'_> {
    fn matches(&self, fields: &[Field]) -> bool {
        // A Unix socket is the host `localhost`.
        let local = self.host.starts_with('/') && fields[0].matches("localhost");
        (local || fields[0].matches(self.host))
            && fields[1].matches(&self.port.to_string())
            && fields[2].matches(self.database)
            && fields[3].matches(self.user)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret;

    use super::*;

    const LOGIN: ServerLogin = ServerLogin {
        host: "db",
        port: 5432,
        database: "mlmd",
        user: "me",
    };

    fn found(text: &str, mode: u32, login: &ServerLogin) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let password = find(Some(file.path()), login)?;
        Some(password.expose_secret().to_owned())
    }

    #[test]
    fn the_first_line_that_matches_counts() {
        let text = "# comment\n\nshort:line\nother:*:*:*:no\ndb:5432:mlmd:me:a\\:b:c\\\\*\n*:*:*:*:later\n";
        assert_eq!(found(text, 0o600, &LOGIN).unwrap(), "a:b:c\\*");
        let socket = ServerLogin {
            host: "/run/postgresql",
            ..LOGIN
        };
        assert_eq!(found(text, 0o400, &socket).unwrap(), "later");
        let text = "localhost:*:*:*:home\n";
        assert_eq!(found(text, 0o600, &socket).unwrap(), "home");
        assert_eq!(found(text, 0o600, &LOGIN), None);
        assert_eq!(found("db:5432:\\*:me:x", 0o600, &LOGIN), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        for mode in [0o640, 0o604, 0o660] {
            assert_eq!(found("*:*:*:*:x", mode, &LOGIN), None);
        }
        assert!(find(Some(Path::new("/none")), &LOGIN).is_none());
        assert!(find(Some(Path::new("/tmp")), &LOGIN).is_none());
    }
}
