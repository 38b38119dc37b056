//! As Kubeflow Pipelines runs `metadata_store_server`: with its arguments for MySQL, with those of
//! its overlay for PostgreSQL, and with the file that its overlay for TLS writes.

use std::fs;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use super::swapped::{CHANNEL, serve, writes_and_reads};
use crate::binary::Server;
use crate::clients::kubeflow_pipelines;
use crate::container::{Image, free_port};
use crate::python::{python, sized};
use crate::serving::Authority;
use crate::support::{Access, Backend, Client, TestDatabase};

/// A way to start the server.
#[derive(Clone, Copy)]
enum Form {
    MySql,
    Postgres,
    Tls,
}

/// Registers cases, each as a test per form.
macro_rules! in_every_form {
    ($($case:ident),* $(,)?) => {
        in_form!(mysql, MySql: $($case)*);
        in_form!(postgres, Postgres: $($case)*);
        in_form!(tls, Tls: $($case)*);
    };
}

macro_rules! in_form {
    ($module:ident, $form:ident: $($case:ident)*) => {
        mod $module {
            use super::{Form, Swapped};
            use crate::support::timed_blocking;

            $(#[test]
            fn $case() {
                let case = || super::$case(Swapped::start(Form::$form));
                timed_blocking(concat!(module_path!(), "::", stringify!($case)), case);
            })*
        }
    };
}

in_every_form!(
    it_listens_before_it_has_its_database,
    the_test_file_of_the_wheel_passes,
    the_parts_of_kubeflow_pipelines_get_the_answers_they_rely_on,
);

/// An installation whose image was swapped, on a new database.
struct Swapped {
    server: Server,
    /// What clients trust, where they must have TLS.
    ca: Option<PathBuf>,
    _image: Image,
    _database: TestDatabase,
}

impl Swapped {
    fn start(form: Form) -> Self {
        let image = Image::new();
        let database = TestDatabase::missing(match form {
            Form::MySql | Form::Tls => Backend::MySql,
            Form::Postgres => Backend::Postgres,
        });
        let (access, port) = (database.access(), free_port());
        let ca = image.path().join("ca.pem");
        let (arguments, ca) = match form {
            Form::MySql => (mysql(&access, port), None),
            Form::Postgres => (postgres(&access, port), None),
            Form::Tls => (tls(&access, port, &image, &ca), Some(ca)),
        };
        let server = serve(&image, &arguments, port);
        let log = server.process.log();
        // The program itself has nothing to warn of. That a statement was slow is told elsewhere.
        assert!(!log.contains("WARN pedigree: "), "{log}");
        Self {
            server,
            ca,
            _image: image,
            _database: database,
        }
    }

    async fn channel(&self) -> Channel {
        let Some(ca) = &self.ca else {
            return self.server.connect().await;
        };
        let ca = Certificate::from_pem(fs::read(ca).unwrap());
        let channel = Channel::from_shared(format!("https://localhost:{}", self.server.port));
        let tls = ClientTlsConfig::new().ca_certificate(ca);
        let channel = channel.unwrap().tls_config(tls).unwrap();
        channel.connect().await.unwrap()
    }
}

fn mysql(access: &Access, port: u16) -> Vec<String> {
    vec![
        format!("--grpc_port={port}"),
        format!("--mysql_config_database={}", access.database),
        format!("--mysql_config_host={}", access.host),
        format!("--mysql_config_port={}", access.port),
        format!("--mysql_config_user={}", access.user),
        format!("--mysql_config_password={}", access.password),
        "--enable_database_upgrade=true".to_owned(),
        CHANNEL.to_owned(),
    ]
}

fn postgres(access: &Access, port: u16) -> Vec<String> {
    vec![
        format!("--grpc_port={port}"),
        "--metadata_source_config_type=postgresql".to_owned(),
        format!("--postgres_config_host={}", access.host),
        format!("--postgres_config_port={}", access.port),
        format!("--postgres_config_dbname={}", access.database),
        format!("--postgres_config_user={}", access.user),
        format!("--postgres_config_password={}", access.password),
        "--enable_database_upgrade=true".to_owned(),
    ]
}

/// Certificates come from an authority whose own is written to `ca`.
fn tls(access: &Access, port: u16, image: &Image, ca: &Path) -> Vec<String> {
    let authority = Authority::new();
    fs::write(ca, &authority.pem).unwrap();
    let (certificate, key) = authority.sign();
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
        escaped(&key),
        escaped(&certificate),
        escaped(&authority.pem),
    );
    let file = image.path().join("config.proto");
    fs::write(&file, text).unwrap();
    vec![
        format!("--grpc_port={port}"),
        format!("--metadata_store_server_config_file={}", file.display()),
        "--enable_database_upgrade=true".to_owned(),
        CHANNEL.to_owned(),
    ]
}

/// A kubelet looks for the port after three seconds, however long a database takes.
fn it_listens_before_it_has_its_database(swapped: Swapped) {
    let log = swapped.server.process.log();
    let [listening, opened] = ["listening", "opened the database"].map(|text| log.find(text));
    assert!(listening.unwrap() < opened.unwrap(), "{log}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        writes_and_reads(Client::new(swapped.channel().await)).await;
    });
    swapped.server.stop();
}

/// All of it passes on each database in `wheel.rs`; in the short form of the suite a part of it
/// shows that each form comes to the same.
fn the_test_file_of_the_wheel_passes(swapped: Swapped) {
    let port = swapped.server.port.to_string();
    let every = sized("6", "1");
    let mut arguments = vec!["--patched", "--port", &port, "--every", every];
    if let Some(ca) = &swapped.ca {
        arguments.extend(["--ca", ca.to_str().unwrap()]);
    }
    python("upstream_tests.py", &arguments);
    swapped.server.stop();
}

fn the_parts_of_kubeflow_pipelines_get_the_answers_they_rely_on(swapped: Swapped) {
    let address = format!("127.0.0.1:{}", swapped.server.port);
    kubeflow_pipelines(&address, swapped.ca.as_deref());
    swapped.server.stop();
}
