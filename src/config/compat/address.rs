//! Converts upstream's configuration of a database into an [`Address`]. An empty text means none.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::proto::ml_metadata::connection_config::Config;
use crate::proto::ml_metadata::sqlite_metadata_source_config::ConnectionMode;
use crate::proto::ml_metadata::{
    MySqlDatabaseConfig, PostgreSqlDatabaseConfig, SqliteMetadataSourceConfig,
};
use crate::storage::connect::Address;
use crate::storage::connect::hosts::{Host, TargetSession};
use crate::storage::connect::mysql::{self, MySql, MySqlAddress};
use crate::storage::connect::postgres::{Postgres, SslMode};
use crate::storage::connect::sqlite::{Mode, Sqlite};
use crate::storage::connect::tls::Identity;

/// The address, and whether a missing database is created. Problems are added to `problems`.
pub(super) fn convert(config: Config, problems: &mut Vec<String>) -> Option<(Address, bool)> {
    match config {
        Config::FakeDatabase(_) => {
            let memory = Sqlite {
                file: None,
                mode: Mode::Create,
            };
            Some((Address::Sqlite(memory), true))
        }
        Config::Sqlite(config) => Some((
            Address::Sqlite(sqlite(&config, &mut report("sqlite", problems))?),
            true,
        )),
        Config::Mysql(config) => {
            let create = !config.skip_db_creation();
            let address = my_sql(config, &mut report("mysql", problems))?;
            Some((Address::MySql(address), create))
        }
        Config::Postgresql(config) => {
            let create = !config.skip_db_creation();
            let address = postgres(config, &mut report("postgresql", problems))?;
            Some((Address::Postgres(address), create))
        }
    }
}

/// A function that adds problems with the settings of one database.
fn report<'a>(database: &'static str, problems: &'a mut Vec<String>) -> impl FnMut(&str) + 'a {
    move |problem| problems.push(format!("{database}: {problem}"))
}

/// A text that is not empty.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn path(text: Option<String>) -> Option<PathBuf> {
    given(text).map(PathBuf::from)
}

/// Reports a list of hosts: ML Metadata's settings name one.
fn refuse_list(host: &str, report: &mut impl FnMut(&str)) {
    if host.contains(',') {
        report("a list of hosts is for --database-url");
    }
}

/// A port from 1 to 65535; anything else is a problem.
fn port(port: Option<u16>, report: &mut impl FnMut(&str)) -> Option<u16> {
    let port = port.filter(|port| *port != 0);
    if port.is_none() {
        report("the port must be from 1 to 65535");
    }
    port
}

fn identity(
    cert: Option<String>,
    key: Option<String>,
    password: Option<String>,
    report: &mut impl FnMut(&str),
) -> Option<Identity> {
    let identity = Identity::of(path(cert), path(key), given(password).map(Into::into));
    identity
        .map_err(|problem| report(&problem.to_string()))
        .ok()
        .flatten()
}

fn sqlite(config: &SqliteMetadataSourceConfig, report: &mut impl FnMut(&str)) -> Option<Sqlite> {
    let uri = config.filename_uri().parse::<Sqlite>();
    let uri = uri
        .map_err(|problem| report(&format!("filename_uri {problem}")))
        .ok()?;
    let mode = match config.connection_mode() {
        ConnectionMode::Readonly => Mode::ReadOnly,
        ConnectionMode::Readwrite => Mode::ReadWrite,
        ConnectionMode::ReadwriteOpencreate | ConnectionMode::Unknown => Mode::Create,
    };
    Some(Sqlite {
        mode: uri.mode.min(mode),
        ..uri
    })
}

fn my_sql(config: MySqlDatabaseConfig, report: &mut impl FnMut(&str)) -> Option<MySql> {
    refuse_list(config.host(), report);
    let server = match (given(config.host), path(config.socket)) {
        (Some(host), None) => match config.port.unwrap_or(0) {
            0 => Some(mysql::DEFAULT_PORT),
            number => port(u16::try_from(number).ok(), report),
        }
        .map(|port| MySqlAddress::Tcp(vec![Host { name: host, port }])),
        (None, Some(socket)) => Some(MySqlAddress::Socket(socket)),
        _ => {
            report("exactly one of host and socket must be given");
            None
        }
    };
    let database = given(config.database);
    if database.is_none() {
        report("a database must be given");
    }
    let with_tls = config.ssl_options.is_some();
    let ssl = config.ssl_options.unwrap_or_default();
    if !ssl.cipher().is_empty() {
        report(
            "cipher cannot be chosen: leave it out. Only ciphers of TLS 1.2 and 1.3 without known \
             weaknesses are used",
        );
    }
    let verified = ssl.verify_server_cert();
    let authorities: Vec<PathBuf> = path(ssl.ca).into_iter().chain(path(ssl.capath)).collect();
    Some(MySql {
        target: TargetSession::Any,
        ssl_mode: match (with_tls, verified, authorities.is_empty()) {
            (false, ..) => mysql::SslMode::Preferred,
            (true, true, _) => mysql::SslMode::VerifyIdentity,
            (true, false, false) => mysql::SslMode::VerifyCa,
            (true, false, true) => mysql::SslMode::Required,
        },
        authorities,
        identity: identity(ssl.cert, ssl.key, None, report),
        user: given(config.user),
        password: given(config.password).map(Into::into),
        server: server?,
        database: database?,
    })
}

fn postgres(config: PostgreSqlDatabaseConfig, report: &mut impl FnMut(&str)) -> Option<Postgres> {
    refuse_list(config.host(), report);
    let host = match (given(config.host), given(config.hostaddr)) {
        (Some(host), None) => Some(host),
        (None, Some(address)) if address.parse::<IpAddr>().is_ok() => Some(address),
        (None, Some(_)) => {
            report("hostaddr must be a numeric address");
            None
        }
        _ => {
            report("exactly one of host and hostaddr must be given");
            None
        }
    };
    let (user, database) = (given(config.user), given(config.dbname));
    for (name, value) in [("user", &user), ("dbname", &database)] {
        if value.is_none() {
            report(&format!("a {name} must be given"));
        }
    }
    let number = given(config.port);
    let number = port(number.and_then(|port| port.parse().ok()), report);
    let ssl = config.ssloption.unwrap_or_default();
    let sslmode = match given(ssl.sslmode).map(|mode| mode.parse()) {
        None => Some(SslMode::Prefer),
        Some(Ok(mode)) => Some(mode),
        Some(Err(_)) => {
            report("sslmode must be disable, allow, prefer, require, verify-ca or verify-full");
            None
        }
    };
    let identity = identity(ssl.sslcert, ssl.sslkey, ssl.sslpassword, report);
    Some(Postgres {
        hosts: vec![Host {
            name: host?,
            port: number?,
        }],
        target: TargetSession::Any,
        user,
        password: given(config.password).map(Into::into),
        passfile: path(config.passfile),
        database: database?,
        sslmode: sslmode?,
        sslrootcert: path(ssl.sslrootcert),
        identity,
        settings: Vec::new(),
    })
}
