//! An address as a URL: `sqlite:PATH`, `postgres://user:password@host:port/database?sslmode=…`,
//! `mysql://…`. Servers may be several: `host:port,host:port`.
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
use super::hosts::{self, TargetSession};
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
    let mut hosts = url.hosts.clone();
    let mut ports = url.ports.clone();
    let mut target = None;
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
            "host" => hosts = list(value),
            "hostaddr" => {
                let addresses = value.split(',').map(|text| readable::<IpAddr>(name, text));
                let texts = addresses.map(|address| Ok(address?.to_string()));
                hosts = texts.collect::<Result<_>>()?;
            }
            "port" => ports = port_list(name, value)?,
            "target_session_attrs" => target = Some(readable(name, value)?),
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
    if hosts.is_empty() {
        return Err(Error::invalid("names no host"));
    }
    let hosts = hosts::pair(hosts, &ports, postgres::DEFAULT_PORT)?;
    Ok(Postgres {
        target: target.unwrap_or_else(|| TargetSession::usual(hosts.len())),
        hosts,
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
    let mut hosts = url.hosts.clone();
    if hosts.is_empty() {
        hosts.push("localhost".into());
    }
    let hosts = hosts::pair(hosts, &url.ports, mysql::DEFAULT_PORT)?;
    let target = TargetSession::usual(hosts.len());
    let tcp = || MySqlAddress::Tcp(hosts);
    Ok(MySql {
        target,
        server: socket.map_or_else(tcp, MySqlAddress::Socket),
        user: url.user.clone(),
        password: url.password.clone(),
        database: url.database.clone().ok_or_else(no_database)?,
        ssl_mode,
        authorities,
        identity: Identity::of(cert, key, key_password)?,
    })
}

/// The hosts of a list, which the parameter of PostgreSQL has undivided.
fn list(value: &str) -> Vec<String> {
    if value.is_empty() {
        return Vec::new();
    }
    value.split(',').map(str::to_owned).collect()
}

/// The ports of a list, of which an empty one is the default.
fn port_list(name: &str, value: &str) -> Result<Vec<Option<u16>>> {
    let port = |text: &str| match text {
        "" => Ok(None),
        _ => readable(name, text).map(Some),
    };
    value.split(',').map(port).collect()
}

/// The parts of a URL with a server in it, decoded.
struct UrlParts {
    /// None, one or several.
    hosts: Vec<String>,
    /// As many as there are hosts, of which each may be without one.
    ports: Vec<Option<u16>>,
    user: Option<String>,
    password: Option<SecretString>,
    database: Option<String>,
    parameters: Vec<(String, String)>,
}

impl UrlParts {
    fn of(url: &str) -> Result<Self> {
        // A URL has one host, so every host of a list is read in the place of the list.
        let (start, list, end) = split_hosts(url)?;
        let parse = |host: &str| {
            Url::parse(&[start, host, end].concat())
                .map_err(|error| Error::invalid(format!("is no URL: {error}")))
        };
        let places: Vec<_> = list.split(',').collect();
        if places.len() > 1 && places.contains(&"") {
            return Err(Error::invalid(
                "has an empty name in its list of hosts: hosts are separated by single commas",
            ));
        }
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for place in &places {
            let url = parse(place)?;
            ports.push(url.port());
            hosts.extend(host(&url)?);
        }
        let url = parse(places[0])?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let password = url.password().map(decoded).transpose()?;
        let path = url.path();
        Ok(Self {
            hosts,
            ports,
            user: given(decoded(url.username())?),
            password: password.map(SecretString::from),
            database: given(decoded(path.strip_prefix('/').unwrap_or(path))?),
            parameters: url.query_pairs().into_owned().collect(),
        })
    }
}

/// A URL up to its hosts, the hosts, and the rest.
fn split_hosts(url: &str) -> Result<(&str, &str, &str)> {
    let scheme = url.find("://");
    let start = scheme.ok_or_else(|| Error::invalid("is no URL: no `//` follows the scheme"))? + 3;
    let length = url[start..].find(['/', '?', '#']);
    let end = length.map_or(url.len(), |length| start + length);
    let start = url[start..end]
        .rfind('@')
        .map_or(start, |login| start + login + 1);
    Ok((&url[..start], &url[start..end], &url[end..]))
}

/// The host of a URL with one, decoded.
fn host(url: &Url) -> Result<Option<String>> {
    let host = match url.host() {
        Some(Host::Domain(name)) => decoded(name)?,
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => String::new(),
    };
    // The directory of a socket may have any name.
    if host.contains(',') && !host.starts_with('/') {
        return Err(Error::invalid(
            "has an encoded comma in the name of a host: commas between hosts are not encoded",
        ));
    }
    Ok(Some(host).filter(|host| !host.is_empty()))
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
    fn a_list_of_hosts_has_a_port_for_each_or_one_for_all() {
        for (url, shown) in [
            ("postgres://h1,h2/d", "postgres://h1:5432,h2:5432/d"),
            ("postgres://u:p@h1:1,h2/d", "postgres://h1:1,h2:5432/d"),
            ("postgres://h1,[::1]:2/d", "postgres://h1:5432,::1:2/d"),
            (
                "postgres:///d?host=h1,h2&port=1,2",
                "postgres://h1:1,h2:2/d",
            ),
            ("postgres:///d?host=h1,h2&port=1", "postgres://h1:1,h2:1/d"),
            (
                "postgres:///d?host=h1,h2&port=,2",
                "postgres://h1:5432,h2:2/d",
            ),
            (
                "postgres://h:7/d?host=/run/a,h2",
                "postgres:///run/a:7,h2:7/d",
            ),
            (
                "postgres://h/d?hostaddr=127.0.0.1,::1",
                "postgres://127.0.0.1:5432,::1:5432/d",
            ),
            ("mysql://u@h1:1,h2/d", "mysql://h1:1,h2:3306/d"),
        ] {
            assert_eq!(address(url).to_string(), shown, "{url}");
        }
    }

    #[test]
    fn a_list_is_for_the_server_that_writes_unless_the_url_says_otherwise() {
        for (url, target) in [
            ("postgres://h/d", TargetSession::Any),
            ("postgres://h1,h2/d", TargetSession::ReadWrite),
            (
                "postgres://h1,h2/d?target_session_attrs=any",
                TargetSession::Any,
            ),
            (
                "postgres://h/d?target_session_attrs=primary",
                TargetSession::Primary,
            ),
            (
                "postgres://h1,h2/d?target_session_attrs=prefer-standby",
                TargetSession::PreferStandby,
            ),
        ] {
            let Address::Postgres(postgres) = address(url) else {
                panic!("another database");
            };
            assert_eq!(postgres.target, target, "{url}");
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
            "postgres://u:secret@h1,,h2/db",
            "postgres://u:secret@h1,/db",
            "postgres://u:secret@,h2/db",
            "postgres://u:secret@h1%2Ch2/db",
            "postgres://u:secret@h1:secret,h2/db",
            "postgres://u:secret@h1,h2:secret/db",
            "postgres://u:secret@h1,h2:70000/db",
            "postgres://u:secret@h/db?host=h1,,h2",
            "postgres://u:secret@h/db?host=h1,h2&port=1,2,3",
            "postgres://u:secret@h/db?host=h1,h2&port=1,secret",
            "postgres://u:secret@h1:1,h2:2/db?host=h1,h2,h3",
            "postgres://u:secret@h/db?hostaddr=127.0.0.1,secret",
            "postgres://u:secret@h1,h2/db?target_session_attrs=secret",
            "mysql://u:secret@h1,,h2/db",
            "mysql://u:secret@h1,h2:secret/db",
            "mysql://u:secret@h1,h2/db?target_session_attrs=primary",
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
