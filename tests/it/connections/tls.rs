//! TLS to databases, with servers and certificates of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pedigree::error::Error;
use pkcs8::der::pem::LineEnding;
use pkcs8::{PrivateKeyInfoRef, pkcs5::pbes2};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::{connect, refusal};
use crate::sql::run_sql;

with_servers!(postgres, mysql);

/// The passphrase of `client-encrypted.key`.
const PASSPHRASE: &str = "open sesame";

/// A folder of certificates: of the server `localhost`, of the client `certified`, and of an
/// authority that signed neither.
fn certificates() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        write(
            &format!("{name}.pem"),
            params.self_signed(&key).unwrap().pem(),
        );
        Issuer::new(params, key)
    };
    let issuer = authority("ca");
    authority("other-ca");
    for (name, common_name, names) in [
        ("server", "localhost", vec!["localhost".to_owned()]),
        ("client", "certified", vec![]),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        write(
            &format!("{name}.pem"),
            params.signed_by(&key, &issuer).unwrap().pem(),
        );
        write(&format!("{name}.key"), key.serialize_pem());
        let plain = key.serialize_der();
        let how = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, &[7; 16], [9; 16]);
        let secret = PrivateKeyInfoRef::try_from(plain.as_slice())
            .unwrap()
            .encrypt_with_params(how.unwrap(), PASSPHRASE)
            .unwrap();
        let secret = secret
            .to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)
            .unwrap();
        write(&format!("{name}-encrypted.key"), secret.to_string());
    }
    let ca = fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    let unusable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    write("bundle.pem", [unusable, "# ours\n", &ca, unusable].concat());
    write("unusable.pem", unusable.to_owned());
    fs::create_dir(dir.path().join("folder")).unwrap();
    for name in ["other-ca", "ca"] {
        let copy = dir.path().join(format!("folder/{name}.pem"));
        fs::copy(dir.path().join(format!("{name}.pem")), copy).unwrap();
    }
    fs::write(dir.path().join("folder/README"), "no certificate").unwrap();
    dir
}

/// A server with TLS. It stops when this is dropped.
struct TlsServer {
    certificates: TempDir,
    folder: TempDir,
    /// The URL without a database, with the host as a place to fill.
    url: String,
}

/// The script that starts servers, told to start one of the two.
fn script(folder: &Path, certificates: &Path, other: &str) -> Command {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases"));
    script
        .env_remove("PEDIGREE_TEST_POSTGRES_URL")
        .env_remove("PEDIGREE_TEST_MYSQL_URL")
        .env(format!("PEDIGREE_TEST_{other}_URL"), "not this one")
        .env("PEDIGREE_TEST_DATABASES", folder)
        .env("PEDIGREE_TEST_TLS", certificates)
        .stdin(Stdio::null());
    script
}

impl TlsServer {
    fn start(name: &str, other: &str) -> Self {
        let certificates = certificates();
        let folder = TempDir::new().unwrap();
        allow_all(folder.path());
        let mut script = script(folder.path(), certificates.path(), other);
        let started = script.arg("start").output().unwrap();
        assert!(started.status.success(), "{started:?}");
        let url = fs::read_to_string(folder.path().join(name).join("url")).unwrap();
        let (server, _) = url.trim().rsplit_once('/').unwrap();
        Self {
            url: server.to_owned(),
            certificates,
            folder,
        }
    }

    fn file(&self, name: &str) -> String {
        self.certificates.path().join(name).display().to_string()
    }

    /// The URL for a user without password, or the first user.
    fn url(&self, host: &str, user: &str, parameters: &str) -> String {
        let parameters = parameters
            .replace("{ca}", &self.file("ca.pem"))
            .replace("{other}", &self.file("other-ca.pem"))
            .replace("{folder}", &self.file("folder"))
            .replace("{bundle}", &self.file("bundle.pem"))
            .replace("{unusable}", &self.file("unusable.pem"))
            .replace("{empty}", &self.file("server.key"))
            .replace("{cert}", &self.file("client.pem"))
            .replace("{key}", &self.file("client.key"))
            .replace("{encrypted}", &self.file("client-encrypted.key"));
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let (login, place) = rest.split_once('@').unwrap();
        let (_, port) = place.rsplit_once(':').unwrap();
        let login = if user.is_empty() { login } else { user };
        format!("{scheme}://{login}@{host}:{port}/of_tls?{parameters}")
    }

    /// Which of `with` TLS and `without` it is when this user connects.
    async fn speaks(&self, host: &str, user: &str, parameters: &str, query: &'static str) -> bool {
        let database = connect(&self.url(host, user, parameters)).await;
        let database = database.unwrap_or_else(|error| panic!("{parameters}: {}", error.chain()));
        let mut tx = database.read().await.unwrap();
        let answer: Option<String> = tx.first(tx.sql("test", query)).await.unwrap();
        drop(tx);
        database.close().await;
        answer.unwrap() == "yes"
    }

    /// Checks that a login is refused with such a text.
    async fn refuses(&self, host: &str, user: &str, parameters: &str, expected: &str) -> Error {
        let error = refusal(&self.url(host, user, parameters)).await;
        let chain = error.chain();
        assert!(chain.contains(expected), "{user} {parameters}: {chain}");
        error
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let mut script = script(self.folder.path(), self.certificates.path(), "NEITHER");
        // It says on standard error what went wrong.
        let _ = script.arg("stop").stdout(Stdio::null()).status();
    }
}

/// Lets the servers' user in.
fn allow_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

const POSTGRES_TLS: &str =
    "SELECT CASE WHEN ssl THEN 'yes' ELSE 'no' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// Who may log in how. Nobody has a password but the first user.
const HBA: &str = "\
hostssl all certified all cert
host all certified all reject
hostssl all only_tls all trust
host all only_tls all reject
hostnossl all only_plain all trust
host all only_plain all reject
host all all all scram-sha-256
";

/// User, host, parameters, and whether it is TLS that is spoken then.
const POSTGRES_WAYS: &[(&str, &str, &str, bool)] = &[
    ("", "127.0.0.1", "", true),
    ("", "127.0.0.1", "sslmode=disable", false),
    ("", "127.0.0.1", "sslmode=allow", false),
    ("", "127.0.0.1", "sslmode=prefer", true),
    ("", "127.0.0.1", "sslmode=require", true),
    ("", "127.0.0.1", "sslmode=require&sslrootcert={ca}", true),
    ("", "127.0.0.1", "sslmode=verify-ca&sslrootcert={ca}", true),
    (
        "",
        "localhost",
        "sslmode=verify-full&sslrootcert={ca}",
        true,
    ),
    (
        "",
        "localhost",
        "sslmode=verify-full&sslrootcert={folder}",
        true,
    ),
    (
        "",
        "localhost",
        "sslmode=verify-full&sslrootcert={bundle}",
        true,
    ),
    // An authority that did not sign leaves only the way without TLS.
    ("", "127.0.0.1", "sslmode=prefer&sslrootcert={other}", false),
    ("only_tls", "127.0.0.1", "sslmode=allow", true),
    ("only_tls", "127.0.0.1", "sslmode=prefer", true),
    ("only_plain", "127.0.0.1", "sslmode=allow", false),
    ("only_plain", "127.0.0.1", "sslmode=prefer", false),
    (
        "certified",
        "127.0.0.1",
        "sslmode=require&sslcert={cert}&sslkey={key}",
        true,
    ),
    (
        "certified",
        "localhost",
        "sslmode=verify-full&sslrootcert={ca}&sslcert={cert}&sslkey={encrypted}&sslpassword=open%20sesame",
        true,
    ),
];

async fn postgres() {
    let server = TlsServer::start("postgres", "MYSQL");
    let admin = server.url("127.0.0.1", "", "sslmode=require");
    connect(&admin).await.unwrap().close().await;
    for user in ["certified", "only_tls", "only_plain"] {
        run_sql(&admin, format!("CREATE ROLE {user} LOGIN")).await;
    }
    let hba: PathBuf = server.folder.path().join("postgres/data/pg_hba.conf");
    fs::write(hba, HBA).unwrap();
    run_sql(&admin, "SELECT pg_reload_conf()").await;

    for (user, host, parameters, tls) in POSTGRES_WAYS {
        let speaks = server.speaks(host, user, parameters, POSTGRES_TLS).await;
        assert_eq!(speaks, *tls, "{user} {parameters}");
    }

    for (user, host, parameters, expected) in [
        (
            "",
            "127.0.0.1",
            "sslmode=verify-full&sslrootcert={ca}",
            "not valid for name",
        ),
        (
            "",
            "localhost",
            "sslmode=verify-full&sslrootcert={other}",
            "UnknownIssuer",
        ),
        (
            "",
            "localhost",
            "sslmode=verify-ca&sslrootcert={other}",
            "UnknownIssuer",
        ),
        (
            "",
            "localhost",
            "sslmode=require&sslrootcert={other}",
            "UnknownIssuer",
        ),
        ("", "localhost", "sslmode=verify-ca", "UnknownIssuer"),
    ] {
        let error = server.refuses(host, user, parameters, expected).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
    for (user, parameters, expected) in [
        ("only_tls", "sslmode=disable", "pg_hba.conf"),
        ("only_plain", "sslmode=require", "pg_hba.conf"),
        ("certified", "sslmode=require", "certificate"),
        ("certified", "sslmode=disable", "pg_hba.conf"),
        (
            "",
            "sslmode=verify-ca&sslrootcert=/none.pem",
            "cannot read /none.pem: No such file",
        ),
        (
            "",
            "sslmode=verify-ca&sslrootcert={empty}",
            "no certificate",
        ),
        (
            "",
            "sslmode=verify-ca&sslrootcert={unusable}",
            "no usable certificate in",
        ),
        (
            "certified",
            "sslcert={cert}&sslkey={encrypted}",
            "needs a passphrase",
        ),
        (
            "certified",
            "sslcert={cert}&sslkey={encrypted}&sslpassword=x",
            "passphrase is wrong",
        ),
        (
            "certified",
            "sslcert={cert}&sslkey=/none.key",
            "/none.key: No such file",
        ),
    ] {
        server
            .refuses("127.0.0.1", user, parameters, expected)
            .await;
    }
}

const MYSQL_TLS: &str = "SELECT CASE WHEN variable_value = '' THEN 'no' ELSE 'yes' END \
                         FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'";

async fn mysql() {
    let server = TlsServer::start("mysql", "POSTGRES");
    let admin = server.url("127.0.0.1", "", "ssl-mode=REQUIRED");
    connect(&admin).await.unwrap().close().await;
    for (user, with) in [("only_tls", "REQUIRE SSL"), ("certified", "REQUIRE X509")] {
        let statement = format!("CREATE USER {user}@'%' {with}; GRANT ALL ON *.* TO {user}@'%'");
        run_sql(&admin.replace("ssl-mode", "sslmode"), statement).await;
    }

    for (user, host, parameters, tls) in [
        ("", "127.0.0.1", "", true),
        ("", "127.0.0.1", "ssl-mode=DISABLED", false),
        ("", "127.0.0.1", "ssl-mode=PREFERRED", true),
        ("", "127.0.0.1", "ssl-mode=REQUIRED", true),
        ("", "127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca={ca}", true),
        ("", "127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca={bundle}", true),
        (
            "",
            "127.0.0.1",
            "ssl-mode=VERIFY_CA&ssl-capath={folder}",
            true,
        ),
        (
            "",
            "localhost",
            "ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}",
            true,
        ),
        ("only_tls", "127.0.0.1", "", true),
        (
            "certified",
            "127.0.0.1",
            "ssl-cert={cert}&ssl-key={key}",
            true,
        ),
    ] {
        let speaks = server.speaks(host, user, parameters, MYSQL_TLS).await;
        assert_eq!(speaks, tls, "{user} {parameters}");
    }

    for (host, parameters, expected) in [
        (
            "127.0.0.1",
            "ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}",
            "not valid for name",
        ),
        (
            "localhost",
            "ssl-mode=VERIFY_IDENTITY&ssl-ca={other}",
            "UnknownIssuer",
        ),
        (
            "localhost",
            "ssl-mode=VERIFY_CA&ssl-ca={other}",
            "UnknownIssuer",
        ),
        ("localhost", "ssl-mode=VERIFY_CA", "UnknownIssuer"),
    ] {
        let error = server.refuses(host, "", parameters, expected).await;
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    }
    for (user, parameters, expected) in [
        ("only_tls", "ssl-mode=DISABLED", "Access denied"),
        ("certified", "ssl-mode=REQUIRED", "Access denied"),
        (
            "",
            "ssl-mode=VERIFY_CA&ssl-capath=/none",
            "cannot read /none",
        ),
    ] {
        server
            .refuses("127.0.0.1", user, parameters, expected)
            .await;
    }

    mysql_by_the_configuration_file(&server, &admin);
}

fn mysql_by_the_configuration_file(server: &TlsServer, admin: &str) {
    let place = url::Url::parse(admin).unwrap();
    for (ssl, expected) in [
        ("ca: '{ca}' verify_server_cert: true", None),
        ("capath: '{folder}'", None),
        ("", None),
        ("ca: '{other}'", Some("UnknownIssuer")),
    ] {
        let ssl = ssl
            .replace("{ca}", &server.file("ca.pem"))
            .replace("{folder}", &server.file("folder"))
            .replace("{other}", &server.file("other-ca.pem"));
        let text = format!(
            "connection_config {{ mysql {{ host: 'localhost' port: {} user: '{}' password: '{}' database: 'of_tls' \
             ssl_options {{ {ssl} }} }} }}",
            place.port().unwrap(),
            place.username(),
            place.password().unwrap()
        );
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("config.pbtxt"), text).unwrap();
        let arguments = [
            "migrate",
            "--metadata_store_server_config_file=config.pbtxt",
        ];
        let ended = crate::binary::run(crate::binary::pedigree(dir.path(), &arguments));
        match expected {
            None => assert!(ended.status.success(), "{ended:?}"),
            Some(expected) => assert!(ended.stderr.contains(expected), "{ended:?}"),
        }
    }
}
