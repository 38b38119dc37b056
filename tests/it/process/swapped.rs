//! In the place of `metadata_store_server`: by its name, with its arguments, as Kubeflow Pipelines runs it.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use percent_encoding::percent_decode_str;
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::{artifact_names, put_type};
use crate::binary::{Process, Server, run};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

const CHANNEL: &str = "--grpc_channel_arguments=grpc.max_metadata_size=16384,\
                       grpc.max_receive_message_length=104857600,grpc.max_send_message_length=104857600";

/// An installation whose image was swapped: the program by upstream's name, in a folder that everyone can read.
struct Installation(TempDir);

impl Installation {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let (program, link) = (
            env!("CARGO_BIN_EXE_pedigree"),
            dir.path().join("metadata_store_server"),
        );
        // A symbolic link may lead where the user below cannot go.
        if fs::hard_link(program, &link).is_err() {
            fs::copy(program, &link).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command line as in a container, with the variables of the image: the directory cannot be written, and where this test
    /// is root, the user is not. But it is reached from this machine only.
    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(self.path().join("metadata_store_server"));
        command
            .env_clear()
            .envs([
                ("GRPC_PORT", "8080"),
                ("METADATA_STORE_SERVER_CONFIG_FILE", ""),
            ])
            .env("PEDIGREE_GRPC_HOST", "127.0.0.1")
            .current_dir("/")
            .args(arguments)
            .stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(1000).gid(0);
        }
        command
    }

    fn serve(&self, arguments: &[String], port: u16) -> Server {
        let server = Server::wait(Process::start(self.command(arguments)));
        assert_eq!(server.port, port);
        server
    }
}

/// A port that nobody has, as upstream's flag cannot ask for one.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What deployments know of a database.
struct Access {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
}

impl Access {
    fn to(database: &TestDatabase) -> Self {
        let url = url::Url::parse(&database.url).unwrap();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        Self {
            host: url.host_str().unwrap().to_owned(),
            port: url.port().unwrap(),
            user: decoded(url.username()),
            password: decoded(url.password().unwrap()),
            database: url.path().trim_start_matches('/').to_owned(),
        }
    }
}

async fn writes_and_reads(client: Client) {
    let artifact = Artifact::new(put_type(&client).await, "a");
    Artifact::put(vec![artifact])
        .ask(client.clone())
        .await
        .unwrap();
    assert_eq!(artifact_names(client).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_arguments_for_mysql() {
    let (installation, database) = (Installation::new(), TestDatabase::new(Backend::MySql));
    let (access, port) = (Access::to(&database), free_port());
    let arguments = [
        format!("--grpc_port={port}"),
        format!("--mysql_config_database={}", access.database),
        format!("--mysql_config_host={}", access.host),
        format!("--mysql_config_port={}", access.port),
        format!("--mysql_config_user={}", access.user),
        format!("--mysql_config_password={}", access.password),
        "--enable_database_upgrade=true".to_owned(),
        CHANNEL.to_owned(),
    ];
    let server = installation.serve(&arguments, port);
    writes_and_reads(server.client().await).await;
    let log = server.process.log();
    assert!(!log.contains("WARN"), "{log}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_arguments_for_postgresql() {
    let (installation, database) = (Installation::new(), TestDatabase::new(Backend::Postgres));
    let (access, port) = (Access::to(&database), free_port());
    let arguments = [
        format!("--grpc_port={port}"),
        "--metadata_source_config_type=postgresql".to_owned(),
        format!("--postgres_config_host={}", access.host),
        format!("--postgres_config_port={}", access.port),
        format!("--postgres_config_dbname={}", access.database),
        format!("--postgres_config_user={}", access.user),
        format!("--postgres_config_password={}", access.password),
        "--enable_database_upgrade=true".to_owned(),
    ];
    let server = installation.serve(&arguments, port);
    writes_and_reads(server.client().await).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_file_for_tls() {
    let (installation, database) = (Installation::new(), TestDatabase::new(Backend::MySql));
    let (access, port) = (Access::to(&database), free_port());
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.pem();
    // As `sed` joins the lines of a file, of which the last has no end any more.
    let escaped = |pem: &str| pem.trim_end().lines().collect::<Vec<_>>().join("\\n");
    let text = format!(
        "connection_config {{
  mysql {{
    host: \"{}\"
    port: {}
    database: \"{}\"
    user: \"{}\"
    password: \"{}\"
  }}
}}
ssl_config {{
  server_key: \"{}\"
  server_cert: \"{}\"
  custom_ca: \"{}\"
  client_verify: false
}}
",
        access.host,
        access.port,
        access.database,
        access.user,
        access.password,
        escaped(&signed.signing_key.serialize_pem()),
        escaped(&certificate),
        escaped(&certificate),
    );
    let file = installation.path().join("config.proto");
    fs::write(&file, text).unwrap();
    let arguments = [
        format!("--grpc_port={port}"),
        format!("--metadata_store_server_config_file={}", file.display()),
        "--enable_database_upgrade=true".to_owned(),
        CHANNEL.to_owned(),
    ];
    let server = installation.serve(&arguments, port);
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate));
    let channel = Channel::from_shared(format!("https://localhost:{port}"));
    let channel = channel.unwrap().tls_config(tls).unwrap();
    writes_and_reads(Client::new(channel.connect().await.unwrap())).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_flags_from_a_file_and_no_database() {
    let (installation, port) = (Installation::new(), free_port());
    let file = installation.path().join("flags");
    let text = format!("# comment\n-grpc_port {port}\n--noenable_database_upgrade\n");
    fs::write(&file, text).unwrap();
    let arguments = [
        format!("--flagfile={}", file.display()),
        "-grpc_channel_arguments".to_owned(),
        "grpc.so_reuseport=0".to_owned(),
    ];
    let server = installation.serve(&arguments, port);
    writes_and_reads(server.client().await).await;
    let log = server.process.log();
    for part in [
        "no database is named",
        "grpc.so_reuseport=0",
        "sqlite::memory:",
    ] {
        assert!(log.contains(part), "no {part} in {log}");
    }
    server.stop();
}

#[test]
fn a_flag_that_does_not_exist_ends_it() {
    let installation = Installation::new();
    for (flag, named) in [
        ("--grcp_port=1", "--grcp_port"),
        ("-grcp_port", "--grcp_port"),
        ("--nogrpc_port", "--nogrpc_port"),
        ("--enable_database_upgrade=maybe", "maybe"),
    ] {
        let ended = run(installation.command(&[flag.to_owned()]));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(named), "{ended:?}");
    }
}

#[test]
fn the_configuration_is_printed_and_nothing_is_served() {
    let installation = Installation::new();
    let arguments = [
        "--print-config",
        "-grpc_port=7",
        "--mysql_config_host=db",
        "--mysql_config_port=3306",
        "--mysql_config_database=metadb",
        "--enable_database_upgrade",
        CHANNEL,
    ];
    let ended = run(installation.command(&arguments.map(str::to_owned)));
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stderr, "");
    for line in [
        "grpc_host = \"127.0.0.1\"",
        "grpc_port = 7",
        "database_url = \"mysql://db:3306/metadb\"",
        "upgrade_schema = true",
        "max_request_bytes = 104857600",
        "max_metadata_bytes = 16384",
    ] {
        assert!(
            ended.stdout.lines().any(|it| it == line),
            "no {line} in {ended:?}"
        );
    }
}
