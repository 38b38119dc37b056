//! An address as a URL: `sqlite:PATH`, `postgres://user:password@host:port/database?sslmode=…`,
//! `mysql://…`.
//!
//! Errors quote no value: any could be a password that stands in the wrong place.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

use super::Address;
use super::command_line;
use super::mysql::{self, MySql, MySqlAddress};
use super::postgres::{self, Postgres};
use super::sqlite::{Mode, Sqlite};
use super::tls::Identity;
use crate::error::{Error, Result};

impl FromStr for Address {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("sqlite", place)) => sqlite(place).map(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => {
                postgres(&UrlParts::of(url)?).map(Self::Postgres)
            }
            Some(("mysql" | "mariadb", _)) => mysql(&UrlParts::of(url)?).map(Self::MySql),
            _ => Err(Error::invalid(
                "must be sqlite:PATH, sqlite::memory:, postgres://… or mysql://…",
            )),
        }
    }
}

impl FromStr for Sqlite {
    type Err = Error;

    /// Reads a path, or a URI as SQLite takes it, such as `file:store.db?mode=ro`; nothing and
    /// `:memory:` mean memory.
    fn from_str(name: &str) -> Result<Self> {
        if let Some(place) = name.strip_prefix("file:") {
            return sqlite(place);
        }
        Ok(Self {
            file: Some(name)
                .filter(|name| !["", ":memory:"].contains(name))
                .map(PathBuf::from),
            mode: Mode::Create,
        })
    }
}

/// Reads what follows `sqlite:` or `file:`.
fn sqlite(place: &str) -> Result<Sqlite> {
    let (path, parameters) = place.split_once('?').unwrap_or((place, ""));
    let path = path.strip_prefix("//").map_or(path, |place| {
        let local = place.strip_prefix("localhost");
        local.filter(|path| path.starts_with('/')).unwrap_or(place)
    });
    let path = decoded(path)?;
    let mut file = Some(path)
        .filter(|path| path != ":memory:")
        .map(PathBuf::from);
    let mut mode = Mode::Create;
    for (key, value) in url::form_urlencoded::parse(parameters.as_bytes()) {
        match (&*key, &*value) {
            ("mode", "ro") => mode = Mode::ReadOnly,
            ("mode", "rw") => mode = Mode::ReadWrite,
            ("mode", "rwc") => mode = Mode::Create,
            ("mode", "memory") => file = None,
            ("cache", "private" | "shared") => {}
            _ => return Err(unknown(&key)),
        }
    }
    if file
        .as_ref()
        .is_some_and(|file| file.as_os_str().is_empty())
    {
        return Err(Error::invalid("names no SQLite file"));
    }
    Ok(Sqlite { file, mode })
}

fn postgres(url: &UrlParts) -> Result<Postgres> {
    let mut host = url.host.clone();
    let mut port = url.port;
    let mut user = url.user.clone();
    let mut password = url.password.clone();
    let mut passfile = None;
    let mut database = url.database.clone();
    let mut sslmode = postgres::SslMode::Prefer;
    let (mut root, mut cert, mut key, mut key_password) = (None, None, None, None);
    let mut settings = Vec::new();
    for (name, value) in &url.parameters {
        let value = value.as_str();
        let path = || Some(PathBuf::from(value));
        let text = || Some(value.to_owned());
        match name.as_str() {
            "host" => host = text(),
            "hostaddr" => host = Some(readable::<IpAddr>(name, value)?.to_string()),
            "port" => port = Some(readable(name, value)?),
            "user" => user = text(),
            "password" => password = Some(value.into()),
            "passfile" => passfile = path(),
            "dbname" => database = text(),
            "options" => settings = command_line::settings(value)?,
            "sslmode" => sslmode = readable(name, value)?,
            "sslrootcert" => root = path(),
            "sslcert" => cert = path(),
            "sslkey" => key = path(),
            "sslpassword" => key_password = Some(value.into()),
            _ => return Err(unknown(name)),
        }
    }
    let host = host.ok_or_else(|| Error::invalid("names no host"))?;
    Ok(Postgres {
        host: one_host(host)?,
        port: port.unwrap_or(postgres::DEFAULT_PORT),
        user,
        password,
        passfile,
        database: database.ok_or_else(no_database)?,
        sslmode,
        sslrootcert: root,
        identity: Identity::of(cert, key, key_password)?,
        settings,
    })
}

fn mysql(url: &UrlParts) -> Result<MySql> {
    let mut socket = None;
    let mut ssl_mode = mysql::SslMode::Preferred;
    let mut authorities = Vec::new();
    let (mut cert, mut key, mut key_password) = (None, None, None);
    for (name, value) in &url.parameters {
        let path = || PathBuf::from(value);
        match name.as_str() {
            "socket" => socket = Some(path()),
            "ssl-mode" => ssl_mode = readable(name, value)?,
            "ssl-ca" | "ssl-capath" => authorities.push(path()),
            "ssl-cert" => cert = Some(path()),
            "ssl-key" => key = Some(path()),
            "ssl-key-password" => key_password = Some(value.as_str().into()),
            _ => return Err(unknown(name)),
        }
    }
    let host = one_host(url.host.clone().unwrap_or_else(|| "localhost".into()))?;
    let tcp = || MySqlAddress::Tcp {
        host,
        port: url.port.unwrap_or(mysql::DEFAULT_PORT),
    };
    Ok(MySql {
        server: socket.map_or_else(tcp, MySqlAddress::Socket),
        user: url.user.clone(),
        password: url.password.clone(),
        database: url.database.clone().ok_or_else(no_database)?,
        ssl_mode,
        authorities,
        identity: Identity::of(cert, key, key_password)?,
    })
}

/// A list of hosts is not one host with commas in its name, for which a server would wait without
/// end. The directory of a socket may have any name.
fn one_host(host: String) -> Result<String> {
    if host.contains(',') && !host.starts_with('/') {
        return Err(Error::invalid(
            "names several hosts: only one can be given, such as an address that moves with the \
             primary",
        ));
    }
    Ok(host)
}

/// The parts of a URL with a server in it, decoded.
struct UrlParts {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<SecretString>,
    database: Option<String>,
    parameters: Vec<(String, String)>,
}

impl UrlParts {
    fn of(url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(|error| Error::invalid(format!("is no URL: {error}")))?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let host = match url.host() {
            Some(Host::Domain(name)) => given(decoded(name)?),
            Some(Host::Ipv4(address)) => Some(address.to_string()),
            Some(Host::Ipv6(address)) => Some(address.to_string()),
            None => None,
        };
        let password = url.password().map(decoded).transpose()?;
        let path = url.path();
        Ok(Self {
            host,
            port: url.port(),
            user: given(decoded(url.username())?),
            password: password.map(SecretString::from),
            database: given(decoded(path.strip_prefix('/').unwrap_or(path))?),
            parameters: url.query_pairs().into_owned().collect(),
        })
    }
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| Error::invalid("has a part that is not UTF-8"))
}

fn readable<T: FromStr>(name: &str, value: &str) -> Result<T> {
    value
        .parse()
        .map_err(|_| Error::invalid(format!("has a parameter `{name}` that cannot be read")))
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!(
        "has a parameter `{name}` that is not known, or not with this value"
    ))
}

fn no_database() -> Error {
    Error::invalid("names no database")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn address(url: &str) -> Address {
        url.parse().unwrap()
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        for (url, shown) in [
            (
                "postgres://u:secret@h:1/db?sslpassword=secret",
                "postgres://h:1/db",
            ),
            (
                "postgresql://u:secret%40@[::1]/My%20%22DB%22",
                "postgres://::1:5432/My \"DB\"",
            ),
            (
                "postgres://%2Frun%2Fpg/db?password=secret",
                "postgres:///run/pg:5432/db",
            ),
            ("mysql://u:secret@h/db", "mysql://h:3306/db"),
            (
                "mariadb://u:secret@localhost/db?socket=/run/s",
                "mysql:///run/s/db",
            ),
            ("sqlite:a@b.db", "sqlite:a@b.db"),
            ("sqlite:///a%3Fb.db?mode=ro", "sqlite:/a?b.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite:x?mode=memory", "sqlite::memory:"),
        ] {
            let address = address(url);
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("secret\""), "{address:?}");
        }
    }

    #[test]
    fn passwords_are_decoded() {
        let Address::Postgres(postgres) = address("postgres://u%3A:p%40%2F@h/d") else {
            panic!("another database");
        };
        assert_eq!(postgres.user.unwrap(), "u:");
        assert_eq!(postgres.password.unwrap().expose_secret(), "p@/");
        let Address::Postgres(postgres) = address("postgres://h/d?options=-c%20search_path%3Dml")
        else {
            panic!("another database");
        };
        assert_eq!(postgres.settings, [("search_path".into(), "ml".into())]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        for url in [
            "secret",
            "oracle:secret",
            "postgres://u:secret@h:secret/db",
            "postgres://u:secret@h",
            "postgres://u:secret@/db",
            "postgres://u:secret@h1,h2/db",
            "postgres://u:secret@h1:1,h2:2/db",
            "postgres://u:secret@h/db?host=h1,h2",
            "mysql://u:secret@h1,h2/db",
            "postgres://u:secret@h/db?sslmode=secret",
            "postgres://u:secret@h/db?hostaddr=secret",
            "postgres://u:secret@h/db?sslcert=secret",
            "postgres://u:secret@h/db?options=secret",
            "postgres://u:secret@h/db?passwort=secret",
            "mysql://u:secret@h",
            "mysql://u:secret@/:::",
            "mysql://u:%FF@h/db",
            "mysql://h/db?ssl-mode=secret",
            "sqlite:",
            "sqlite:?mode=ro",
            "sqlite:a.db?vfs=secret",
        ] {
            let error = url.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn sqlite_file_names() {
        for (name, file, mode) in [
            ("", None, Mode::Create),
            (":memory:", None, Mode::Create),
            ("a b?.db", Some("a b?.db"), Mode::Create),
            ("file:a%20b.db", Some("a b.db"), Mode::Create),
            ("file:/a.db?mode=ro", Some("/a.db"), Mode::ReadOnly),
            ("file:///a.db?mode=rw", Some("/a.db"), Mode::ReadWrite),
            ("file://localhost/a.db", Some("/a.db"), Mode::Create),
            ("file::memory:?cache=shared", None, Mode::Create),
        ] {
            let sqlite: Sqlite = name.parse().unwrap();
            assert_eq!(sqlite.file, file.map(PathBuf::from), "{name}");
            assert_eq!(sqlite.mode, mode, "{name}");
        }
        for name in ["file:", "file:a.db?immutable=1", "file:a.db?mode=x"] {
            name.parse::<Sqlite>().unwrap_err();
        }
    }
}
