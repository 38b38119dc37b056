//! Upstream's own settings: its flags, its configuration file and the variables of its image, by upstream's names.
//!
//! Flags about the database become the same message that the file holds, as upstream's `main` does it; [`address`] makes of the
//! message what storage connects to. Other flags become settings of our own.

mod address;
mod channel;
mod file;
pub(super) mod gflags;

use std::path::Path;

use self::address::given;
use super::settings::Settings;
use super::tls::{Certificates, Pem};
use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

use crate::proto::ml_metadata::connection_config::Config as Database;
use crate::proto::ml_metadata::metadata_store_server_config::SslConfig;
use crate::proto::ml_metadata::postgre_sql_database_config::SslOptions;
use crate::proto::ml_metadata::{
    ConnectionConfig, MetadataStoreServerConfig, MigrationOptions, MySqlDatabaseConfig,
    PostgreSqlDatabaseConfig,
};
use crate::storage::connect::Address;

/// The flags of upstream's server. An empty text is as good as none.
#[derive(Clone, Debug, Default, Args)]
#[command(
    next_help_heading = "Flags of ML Metadata's server",
    rename_all = "snake_case"
)]
pub(super) struct Flags {
    /// As --grpc-port, but from 1
    #[arg(long = "grpc_port", value_name = "PORT")]
    port: Option<String>,

    /// Limits of messages and connections, as gRPC names them: `grpc.max_receive_message_length=104857600,…`
    #[arg(long, value_name = "KEY=VALUE,…")]
    grpc_channel_arguments: Option<String>,

    /// Which of the settings below count [default: the file if there is one, else mysql if given]
    #[arg(long, value_enum, value_name = "SOURCE")]
    metadata_source_config_type: Option<Source>,

    /// File with a `MetadataStoreServerConfig` in text format
    #[arg(long, value_name = "FILE", env = "METADATA_STORE_SERVER_CONFIG_FILE")]
    metadata_store_server_config_file: Option<String>,

    /// How often to look again at a schema that is not complete, as while somebody else creates it [default: 5]
    #[arg(long, value_name = "N")]
    metadata_store_connection_retries: Option<usize>,

    #[arg(long, value_name = "NAME")]
    mysql_config_host: Option<String>,
    #[arg(long, value_name = "PORT")]
    mysql_config_port: Option<i64>,
    #[arg(long, value_name = "NAME")]
    mysql_config_database: Option<String>,
    #[arg(long, value_name = "NAME")]
    mysql_config_user: Option<String>,
    #[arg(long, value_name = "PASSWORD")]
    mysql_config_password: Option<SecretString>,

    #[arg(long, value_name = "NAME")]
    postgres_config_host: Option<String>,
    #[arg(long, value_name = "ADDRESS")]
    postgres_config_hostaddr: Option<String>,
    #[arg(long, value_name = "PORT")]
    postgres_config_port: Option<String>,
    #[arg(long, value_name = "NAME")]
    postgres_config_user: Option<String>,
    #[arg(long, value_name = "PASSWORD")]
    postgres_config_password: Option<SecretString>,
    #[arg(long, value_name = "FILE")]
    postgres_config_passfile: Option<String>,
    #[arg(long, value_name = "NAME")]
    postgres_config_dbname: Option<String>,
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    postgres_config_skip_db_creation: Option<bool>,
    #[arg(long, value_name = "MODE")]
    postgres_config_sslmode: Option<String>,
    #[arg(long, value_name = "FILE")]
    postgres_config_sslcert: Option<String>,
    #[arg(long, value_name = "FILE")]
    postgres_config_sslkey: Option<String>,
    #[arg(long, value_name = "PASSPHRASE")]
    postgres_config_sslpassword: Option<SecretString>,
    #[arg(long, value_name = "FILE")]
    postgres_config_sslrootcert: Option<String>,

    /// As --upgrade-schema; counts beside a configuration file that has no `migration_options`
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    enable_database_upgrade: Option<bool>,

    /// As --downgrade-schema-to; does not count beside a configuration file
    #[arg(long, value_name = "VERSION", allow_negative_numbers = true)]
    downgrade_db_schema_version: Option<i64>,
}

/// Where the settings are to be taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Source {
    #[default]
    Default,
    ConfigFile,
    Mysql,
    Postgresql,
}

/// What upstream's settings say.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The database, and whether it is created when it is missing.
    pub database: Option<(Address, bool)>,
    pub upgrade: bool,
    pub downgrade_to: Option<i64>,
    pub retries: Option<usize>,
    pub certificates: Option<Certificates>,
    /// What flags say that is also a setting of ours.
    pub settings: Settings,
    /// What counts for nothing, and should be known.
    pub notes: Vec<String>,
}

/// A port from `name`. An empty text is as good as none, and what is no port goes to `wrong`.
pub(super) fn port(name: &str, text: Option<String>, wrong: &mut Vec<String>) -> Option<u16> {
    let text = given(text)?;
    let port = text.parse().ok().filter(|port| *port != 0);
    if port.is_none() {
        wrong.push(format!("{name} must be from 1 to 65535"));
    }
    port
}

impl Flags {
    /// What flags and file say together. What is wrong goes to `wrong`.
    pub(super) fn read(&self, wrong: &mut Vec<String>) -> Said {
        let config = self.config(wrong).unwrap_or_default();
        let connection = config.connection_config.and_then(|it| it.config);
        let migration = config.migration_options.unwrap_or_default();
        let mut notes = Vec::new();
        let arguments = self.grpc_channel_arguments.as_deref().unwrap_or_default();
        let channel = channel::settings(arguments, wrong, &mut notes);
        Said {
            certificates: config.ssl_config.and_then(|ssl| certificates(ssl, wrong)),
            settings: Settings {
                grpc_port: port("grpc_port", self.port.clone(), wrong),
                ..channel
            },
            notes,
            database: connection.and_then(|database| address::of(database, wrong)),
            upgrade: migration.enable_upgrade_migration(),
            downgrade_to: migration.downgrade_to_schema_version,
            retries: self.metadata_store_connection_retries,
        }
    }

    /// The configuration by upstream's precedence.
    fn config(&self, wrong: &mut Vec<String>) -> Option<MetadataStoreServerConfig> {
        let path = given(self.metadata_store_server_config_file.clone());
        let (mysql, postgres) = (self.mysql(), self.postgres());
        let (has_mysql, has_postgres) = (
            mysql != MySqlDatabaseConfig::default(),
            postgres != PostgreSqlDatabaseConfig::default(),
        );
        let database = match (self.source(), path) {
            (Source::Default | Source::ConfigFile, Some(path)) => {
                return file::read(Path::new(&path))
                    .map(|config| self.beside_file(config))
                    .map_err(|problem| wrong.push(problem))
                    .ok();
            }
            (Source::ConfigFile, None) => {
                wrong.push("metadata_store_server_config_file must name a file".into());
                None
            }
            (Source::Mysql, _) => Some(Database::Mysql(mysql)),
            (Source::Default, None) if has_mysql => Some(Database::Mysql(mysql)),
            (Source::Postgresql, _) => Some(Database::Postgresql(postgres)),
            (Source::Default, None) if has_postgres => {
                wrong.push(
                    "postgres_config_… count only with metadata_source_config_type=postgresql"
                        .into(),
                );
                None
            }
            (Source::Default, None) => None,
        };
        if let Some(Database::Mysql(MySqlDatabaseConfig { port: None, .. })) = &database {
            wrong.push("mysql: a port must be given".into());
        }
        let migration = self.migration();
        if migration.enable_upgrade_migration() && migration.downgrade_to_schema_version() >= 0 {
            wrong.push(
                "enable_database_upgrade and downgrade_db_schema_version exclude each other".into(),
            );
        }
        Some(MetadataStoreServerConfig {
            connection_config: Some(ConnectionConfig {
                config: database,
                ..ConnectionConfig::default()
            }),
            migration_options: Some(migration),
            ssl_config: None,
        })
    }

    fn source(&self) -> Source {
        self.metadata_source_config_type.unwrap_or_default()
    }

    fn migration(&self) -> MigrationOptions {
        MigrationOptions {
            enable_upgrade_migration: self.enable_database_upgrade,
            downgrade_to_schema_version: self.downgrade_db_schema_version,
        }
    }

    /// Upstream takes nothing but the file then. Installations pass the flag for the upgrade all the same, and mean it.
    fn beside_file(&self, config: MetadataStoreServerConfig) -> MetadataStoreServerConfig {
        let upgrade = MigrationOptions {
            enable_upgrade_migration: self.enable_database_upgrade,
            downgrade_to_schema_version: None,
        };
        MetadataStoreServerConfig {
            migration_options: config.migration_options.or(Some(upgrade)),
            ..config
        }
    }

    fn mysql(&self) -> MySqlDatabaseConfig {
        let flags = self.clone();
        MySqlDatabaseConfig {
            host: given(flags.mysql_config_host),
            port: flags.mysql_config_port.filter(|port| *port != 0),
            database: given(flags.mysql_config_database),
            user: given(flags.mysql_config_user),
            password: exposed(flags.mysql_config_password),
            ..MySqlDatabaseConfig::default()
        }
    }

    fn postgres(&self) -> PostgreSqlDatabaseConfig {
        let flags = self.clone();
        let ssl = SslOptions {
            sslmode: given(flags.postgres_config_sslmode),
            sslcert: given(flags.postgres_config_sslcert),
            sslkey: given(flags.postgres_config_sslkey),
            sslpassword: exposed(flags.postgres_config_sslpassword),
            sslrootcert: given(flags.postgres_config_sslrootcert),
        };
        PostgreSqlDatabaseConfig {
            host: given(flags.postgres_config_host),
            hostaddr: given(flags.postgres_config_hostaddr),
            port: given(flags.postgres_config_port),
            user: given(flags.postgres_config_user),
            password: exposed(flags.postgres_config_password),
            passfile: given(flags.postgres_config_passfile),
            dbname: given(flags.postgres_config_dbname),
            skip_db_creation: flags.postgres_config_skip_db_creation.filter(|skip| *skip),
            ssloption: Some(ssl).filter(|ssl| *ssl != SslOptions::default()),
        }
    }
}

/// The certificates in a file. What is wrong goes to `wrong`.
fn certificates(ssl: SslConfig, wrong: &mut Vec<String>) -> Option<Certificates> {
    let is_verified = ssl.client_verify();
    let client_ca = given(ssl.custom_ca).filter(|_| is_verified).map(Pem::Text);
    if is_verified && client_ca.is_none() {
        wrong.push("ssl_config: client_verify needs a custom_ca that clients come from".into());
    }
    let (Some(certificate), Some(key)) = (given(ssl.server_cert), given(ssl.server_key)) else {
        wrong.push("ssl_config: server_cert and server_key must be given".into());
        return None;
    };
    Some(Certificates {
        certificate: Pem::Text(certificate),
        key: Pem::Text(key),
        client_ca,
    })
}

fn exposed(secret: Option<SecretString>) -> Option<String> {
    given(secret.map(|secret| secret.expose_secret().to_owned()))
}
