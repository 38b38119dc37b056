//! The flags, the configuration file and the image's variables of ML Metadata's server ("upstream"
//! here), under their own names.
//!
//! Flags about the database become the protobuf message that the file contains, as upstream's
//! `main` does it, and [`address`] converts that message. Other flags become options of ours.

mod address;
mod channel;
mod file;
pub(super) mod gflags;

use std::path::Path;

use self::address::given;
use super::sources::{GivenOptions, OptionSource};
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

/// The flags of upstream's server. An empty value means that the flag is not given.
#[derive(Clone, Debug, Default, Args)]
#[command(
    next_help_heading = "Flags of ML Metadata's server",
    rename_all = "snake_case"
)]
pub(super) struct Flags {
    /// As --grpc-port, from 1 to 65535
    #[arg(long = "grpc_port", value_name = "PORT")]
    port: Option<String>,

    /// Limits by gRPC's names, such as `grpc.max_receive_message_length=104857600`, separated by
    /// commas
    #[arg(long, value_name = "KEY=VALUE,…")]
    grpc_channel_arguments: Option<String>,

    /// Which of the settings below applies [default: the file if given, else mysql if given]
    #[arg(long, value_enum, value_name = "SOURCE")]
    metadata_source_config_type: Option<ConfigSource>,

    /// File with a `MetadataStoreServerConfig` in text format
    #[arg(long, value_name = "FILE", env = "METADATA_STORE_SERVER_CONFIG_FILE")]
    metadata_store_server_config_file: Option<String>,

    /// Number of retries while the schema is incomplete because another process creates it
    /// [default: 5]
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

    /// As --upgrade-schema; ignored if the configuration file has `migration_options`
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    enable_database_upgrade: Option<bool>,

    /// As --downgrade-schema-to; ignored if there is a configuration file
    #[arg(long, value_name = "VERSION", allow_negative_numbers = true)]
    downgrade_db_schema_version: Option<i64>,
}

/// The settings that apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ConfigSource {
    #[default]
    Default,
    ConfigFile,
    Mysql,
    Postgresql,
}

/// Upstream's settings that have no option of ours.
#[derive(Debug, Default)]
pub(super) struct UpstreamSettings {
    pub database: Option<Address>,
    /// How often an incomplete schema is looked at again.
    pub retries: Option<usize>,
    pub certificates: Option<Certificates>,
    /// What has no effect.
    pub warnings: Vec<String>,
}

/// Reads a port from 1 to 65535. An empty text means none; anything else is a problem.
pub(super) fn port(name: &str, text: Option<String>, problems: &mut Vec<String>) -> Option<u16> {
    let text = given(text)?;
    let port = text.parse().ok().filter(|port| *port != 0);
    if port.is_none() {
        problems.push(format!("{name} must be from 1 to 65535"));
    }
    port
}

impl Flags {
    /// Reads flags and file. Those that have an option of ours are added to `options`.
    pub(super) fn read(&self, options: &mut GivenOptions) -> UpstreamSettings {
        let problems = &mut options.problems;
        let config = self.config(problems).unwrap_or_default();
        let connection = config.connection_config.and_then(|it| it.config);
        let database = connection.and_then(|database| address::convert(database, problems));
        let certificates = config
            .ssl_config
            .and_then(|ssl| certificates(ssl, problems));
        if let Some(port) = port("grpc_port", self.port.clone(), problems) {
            options.add(
                "grpc_port",
                OptionSource::CompatFlag,
                "--grpc_port",
                &port.to_string(),
            );
        }
        let mut warnings = Vec::new();
        let arguments = self.grpc_channel_arguments.as_deref().unwrap_or_default();
        channel::add(arguments, options, &mut warnings);
        let migration = config.migration_options.unwrap_or_default();
        for (name, value) in [
            (
                "database_create",
                database.as_ref().map(|(_, create)| create.to_string()),
            ),
            (
                "upgrade_schema",
                migration.enable_upgrade_migration.map(|it| it.to_string()),
            ),
            (
                "downgrade_schema_to",
                migration
                    .downgrade_to_schema_version
                    .map(|it| it.to_string()),
            ),
        ] {
            if let Some(value) = value {
                options.add(name, OptionSource::Fallback, name, &value);
            }
        }
        UpstreamSettings {
            database: database.map(|(address, _)| address),
            retries: self.metadata_store_connection_retries,
            certificates,
            warnings,
        }
    }

    /// The configuration by upstream's precedence.
    fn config(&self, problems: &mut Vec<String>) -> Option<MetadataStoreServerConfig> {
        let path = given(self.metadata_store_server_config_file.clone());
        let (mysql, postgres) = (self.mysql(), self.postgres());
        let (has_mysql, has_postgres) = (
            mysql != MySqlDatabaseConfig::default(),
            postgres != PostgreSqlDatabaseConfig::default(),
        );
        let database = match (self.source(), path) {
            (ConfigSource::Default | ConfigSource::ConfigFile, Some(path)) => {
                return file::read(Path::new(&path))
                    .map(|config| self.beside_file(config))
                    .map_err(|problem| problems.push(problem))
                    .ok();
            }
            (ConfigSource::ConfigFile, None) => {
                problems.push("metadata_store_server_config_file must name a file".into());
                None
            }
            (ConfigSource::Mysql, _) => Some(Database::Mysql(mysql)),
            (ConfigSource::Default, None) if has_mysql => Some(Database::Mysql(mysql)),
            (ConfigSource::Postgresql, _) => Some(Database::Postgresql(postgres)),
            (ConfigSource::Default, None) if has_postgres => {
                problems.push(
                    "postgres_config_… flags need metadata_source_config_type=postgresql".into(),
                );
                None
            }
            (ConfigSource::Default, None) => None,
        };
        if let Some(Database::Mysql(MySqlDatabaseConfig { port: None, .. })) = &database {
            problems.push("mysql: a port must be given".into());
        }
        let migration = self.migration();
        if migration.enable_upgrade_migration() && migration.downgrade_to_schema_version() >= 0 {
            problems.push(
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

    fn source(&self) -> ConfigSource {
        self.metadata_source_config_type.unwrap_or_default()
    }

    fn migration(&self) -> MigrationOptions {
        MigrationOptions {
            enable_upgrade_migration: self.enable_database_upgrade,
            downgrade_to_schema_version: self.downgrade_db_schema_version,
        }
    }

    /// Upstream ignores all flags beside a file. Installations pass the upgrade flag all the same,
    /// so it applies here unless the file says otherwise.
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

/// The certificates in a file. What is wrong with them is added to `problems`.
fn certificates(ssl: SslConfig, problems: &mut Vec<String>) -> Option<Certificates> {
    let is_verified = ssl.client_verify();
    let client_ca = given(ssl.custom_ca).filter(|_| is_verified).map(Pem::Text);
    if is_verified && client_ca.is_none() {
        problems.push(
            "ssl_config: client_verify needs a custom_ca, the certificate authority of the clients"
                .into(),
        );
    }
    let (Some(certificate), Some(key)) = (given(ssl.server_cert), given(ssl.server_key)) else {
        problems.push("ssl_config: server_cert and server_key must be given".into());
        return None;
    };
    Some(Certificates {
        certificate: Pem::Text(certificate),
        key: Pem::Text(key),
        client_ca,
        client_crl: None,
    })
}

fn exposed(secret: Option<SecretString>) -> Option<String> {
    given(secret.map(|secret| secret.expose_secret().to_owned()))
}
