//! The list of options. Each row is a flag, an environment variable, a key of the configuration
//! file, a line of `--print-config`, and a row of a table in `docs/configuration.md`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::log::{LogFormat, LogLevel};
use super::spec::OptionDefault::{Unset, Value};
use super::spec::options;
use super::values::{
    AtLeast, AtMost, Bytes, HostNames, KeepTime, OnOff, Origins, Positive, WebPrefix,
};
use crate::blobs::BlobPlace;
use crate::storage::connect::Address;

options! {
    "Listening" {
        /// Address to listen on
        grpc_host: IpAddr, "ADDRESS", Value("127.0.0.1");

        /// Port for gRPC, gRPC-Web and HTTP; 0 takes a free port
        grpc_port: u16, "PORT", Value("8080");

        /// Address of the admin port
        admin_host: IpAddr, "ADDRESS", Value("127.0.0.1");

        /// Admin port: /livez, /readyz and Prometheus' /metrics over HTTP; 0 takes a free port
        admin_port: Option<u16>, "PORT", Unset("none");

        /// Host names by which clients may reach the server, separated by commas; * allows all
        hosts: Option<HostNames>, "HOSTS",
            Unset("on a loopback address, localhost and its addresses; on others, all");

        /// Origins whose web pages may call by gRPC-Web (CORS), separated by commas; * allows all
        web_origins: Origins, "ORIGINS", Unset("none");

        /// Whether the web pages are served at /: on or off
        ui: OnOff, "MODE", Value("on");

        /// Path below which a proxy serves the web pages, such as /pedigree
        web_prefix: WebPrefix, "PATH", Unset("none");

        /// Maximum time that a web page may take
        ui_deadline: Positive<Duration>, "DURATION", Value("5s");

        /// Certificate chain of the server, a PEM file; read again when it changes
        tls_cert: Option<PathBuf>, "FILE", Unset("no TLS");

        /// Private key of the certificate, a PEM file; read again when it changes
        tls_key: Option<PathBuf>, "FILE", Unset("no TLS");

        /// Certificate authorities of the clients, a PEM file; clients must show a certificate
        tls_client_ca: Option<PathBuf>, "FILE", Unset("no client certificates");

        /// Lists of revoked client certificates (CRLs), a PEM file; read again when it changes
        tls_client_crl: Option<PathBuf>, "FILE", Unset("no revocation");

        /// Who may call and do what, a TOML file (docs/security.md); read again when it changes
        security: Option<PathBuf>, "FILE", Unset("everybody may do everything");
    }

    "Database" {
        /// Database: sqlite:PATH, sqlite::memory:, postgres://… or mysql://…; other users of the
        /// machine can read a password in a flag
        database_url: Address, "URL", Value("sqlite:pedigree.db");

        /// Standby of the database, for reads that take long: Trace, Watch, unpaged lists; user and
        /// password as for the database
        database_read_url: Option<Address>, "URL", Unset("none");

        /// User of the database; takes precedence over that of the URL
        database_user: Option<String>, "NAME", Unset("from the URL");

        /// Password of the user, not percent-encoded; takes precedence over that of the URL
        database_password: Option<SecretString>, "PASSWORD", Unset("from the URL");

        /// File whose first line is the password
        database_password_file: Option<PathBuf>, "FILE", Unset("none");

        /// Maximum number of connections: half of them for writes, and at most a quarter for
        /// lineage traversals and unpaged lists
        database_connections: AtLeast<2>, "N", Value("16");

        /// Maximum time that a request waits for a connection
        database_acquire_timeout: Duration, "DURATION", Value("10s"), was "database_wait";

        /// Time after which an unused connection is closed
        database_idle_timeout: Duration, "DURATION", Value("10m"), was "database_idle";

        /// Maximum age of a connection
        database_max_lifetime: Duration, "DURATION", Value("30m"), was "database_age";

        /// Maximum time of a statement that only reads; 0 for no limit
        statement_timeout: Duration, "DURATION", Value("60s");

        /// Whether a missing PostgreSQL or MySQL database is created
        database_create: bool, "BOOL", Value("true");

        /// Whether MySQL text is sent as utf8mb4, for a database that ML Metadata's server never
        /// opens: that server sends UTF-8 as latin1
        mysql_utf8mb4: bool, "BOOL", Value("false");

        /// Whether a database of an older schema version is upgraded at start
        upgrade_schema: bool, "BOOL", Value("false");

        /// Downgrade the schema to this version, for an older server, and exit
        downgrade_schema_to: Option<i64>, "VERSION", Unset("no downgrade");
    }

    "History and streams" {
        /// Retention of the change history, which Watch reads; all keeps everything and adopts what
        /// is older, 0 keeps no history
        change_retention: KeepTime, "DURATION", Value("7d"), was "history";

        /// Retention of the audit (docs/security.md), at least that of the change history: the
        /// records of writes are its changes
        audit_retention: Option<KeepTime>, "DURATION", Unset("as --change-retention");

        /// Deduplication window: a message id that Record sees again within it is not stored again
        dedup_window: Duration, "DURATION", Value("7d"), was "record_memory";

        /// Whether passwords, tokens and other secrets in facets of OpenLineage are stored
        keep_facet_secrets: bool, "BOOL", Value("false");

        /// Where lineage is sent as OpenLineage events, a TOML file (docs/openlineage.md); read at
        /// the start
        openlineage_targets: Option<PathBuf>, "FILE", Unset("nowhere");

        /// Maximum number of messages of a stream that one commit stores
        record_batch: AtLeast<1>, "N", Value("256");

        /// Maximum time that a message waits for others to share its commit
        record_batch_linger: Duration, "DURATION", Value("2ms"), was "record_batch_age";
    }

    "Artifacts" {
        /// Directory of the files that clients of MLflow upload, created by the first one, or a
        /// folder of a bucket: s3://BUCKET/FOLDER, gs://… or az://…
        artifact_store: BlobPlace, "PLACE", Value("pedigree-artifacts");

        /// Maximum size of an uploaded file
        max_artifact_bytes: Bytes, "SIZE", Value("64GiB");
    }

    "Limits" {
        /// Maximum size of a request message
        max_request_bytes: Bytes, "SIZE", Value("32MiB");

        /// Memory budget for requests in flight, including what decoding them takes; a connection
        /// may use half of it
        request_memory: Option<Positive<Bytes>>, "SIZE",
            Unset("half of the memory of the container or the machine");

        /// Maximum time that a request, or a message of a stream, may send nothing before its end
        request_body_timeout: Positive<Duration>, "DURATION", Value("30s");

        /// Maximum size of a response message
        max_response_bytes: Option<Bytes>, "SIZE", Unset("no limit");

        /// Maximum size of the headers of a request
        max_metadata_bytes: Positive<Bytes>, "SIZE", Value("16KiB");

        /// Maximum number of requests in flight; more are refused with RESOURCE_EXHAUSTED
        max_requests: usize, "N", Value("1024");

        /// Maximum number of streams in flight: Record, Watch, Trace, and lists that are read
        /// slowly; a connection may have half of them
        max_streams: usize, "N", Value("1024");

        /// Memory budget for unpaged list responses in flight; a response that does not fit is
        /// streamed in two passes
        list_buffer_bytes: Bytes, "SIZE", Value("64MiB"), was "list_memory";

        /// Maximum time that a client may leave a lineage traversal or a streamed list unread
        /// while it holds a database connection; at most 50s
        slow_reader_timeout: AtMost<50>, "DURATION", Value("30s"), was "stream_patience";

        /// Maximum age of a client connection; its requests in flight are completed
        max_connection_age: Option<Positive<Duration>>, "DURATION", Unset("no limit"),
            was "connection_age";

        /// Maximum time that a client connection may be without a request
        max_connection_idle: Positive<Duration>, "DURATION", Value("5m"), was "connection_idle";

        /// Maximum number of client connections, at most three quarters of `ulimit -n`; more are
        /// closed at once
        max_connections: Positive<usize>, "N", Value("8192");

        /// Maximum number of connections from one IPv4 address or one /64 network of IPv6
        max_connections_per_address: Option<Positive<usize>>, "N",
            Unset("half of --max-connections");

        /// Time without traffic after which the server sends an HTTP/2 ping
        keepalive: Positive<Duration>, "DURATION", Value("60s");

        /// Maximum time to answer the ping; after it the connection is closed
        keepalive_timeout: Positive<Duration>, "DURATION", Value("20s");

        /// Maximum time that a request waits for the database to be opened at the start
        startup_wait: Duration, "DURATION", Value("30s");

        /// Maximum time that requests in flight may take after a signal to stop
        shutdown_grace: Duration, "DURATION", Value("25s");
    }

    "Logs and traces" {
        /// Format of log lines on standard error: text or json
        log_format: LogFormat, "FORMAT", Value("text");

        /// Log level: error, warn, info, debug or trace, or directives such as info,pedigree=debug
        log_level: LogLevel, "LEVEL", Value("info");

        /// OTLP collector for traces over gRPC, such as http://127.0.0.1:4317
        otlp_endpoint: Option<String>, "URL", Unset("no traces");
    }
}
