//! Passwords stay out of all that the program says.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Parts, parts};
use crate::binary::{Process, pedigree, run, wait_for};
use crate::support::Backend;

blocking_cases!(with_servers: no_failing_start_says_a_password);
blocking_once! {
    no_key_and_no_word_that_went_astray_is_repeated,
    the_printed_configuration_has_no_secret,
}

const SECRET: &str = "Tr0ub4dor";

/// Everything that failing starts say, as loudly as they can.
fn said(dir: &TempDir, arguments: &[&str]) -> String {
    let mut command = pedigree(dir.path(), &["--log-level=trace"]);
    if arguments.first() == Some(&"migrate") {
        command = pedigree(dir.path(), &["migrate", "--log-level=trace"]);
    }
    let rest = arguments.iter().filter(|argument| **argument != "migrate");
    command
        .args(rest)
        .env("PEDIGREE_GRPC_PORT", "0")
        .env("RUST_BACKTRACE", "full");
    let mut process = Process::start(command);
    // Who serves waits for a database that is away.
    let status = wait_for("the end", || {
        let waits = process.log().contains("the database is not there yet");
        if waits {
            process.signal(Signal::TERM);
        }
        process.try_end().map(|status| (waits, status))
    });
    assert!(status.0 || !status.1.success(), "{arguments:?}");
    process.output() + &process.log()
}

fn no_failing_start_says_a_password() {
    let dir = TempDir::new().unwrap();
    let mut all = String::new();
    let mut add = |arguments: &[&str]| {
        let said = said(&dir, arguments);
        assert!(!said.contains(SECRET), "{arguments:?}: {said}");
        all.push_str(&said);
    };
    let [postgres, mysql] = [Backend::Postgres, Backend::MySql].map(|backend| {
        let Parts { host, port, .. } = parts(backend);
        format!("{host}:{port}")
    });
    let urls = [
        // A wrong password, an unknown user, nobody there, no such host.
        format!("postgres://pedigree:{SECRET}@{postgres}/x"),
        format!("postgres://nobody:{SECRET}@{postgres}/x?sslmode=disable"),
        format!("postgres://pedigree:{SECRET}@{postgres}/x?sslmode=verify-full"),
        format!("mysql://pedigree:{SECRET}@{mysql}/x"),
        format!("mysql://pedigree:{SECRET}@{mysql}/x?ssl-mode=REQUIRED"),
        format!("mysql://u:{SECRET}@127.0.0.1:1/x"),
        format!("postgres://u:{SECRET}@no.such.host.invalid/x"),
        // Malformed.
        format!("postgres://u:{SECRET}@h:{SECRET}/x"),
        format!("postgres:u:{SECRET}@h/x"),
        format!("mysql://u:{SECRET}@h"),
        format!("mysql://u:{SECRET}@h/x?pasword={SECRET}"),
        format!("oracle://u:{SECRET}@h/x"),
        format!("postgres://h/x?user=u&password={SECRET}&port={SECRET}"),
        format!("postgres://h/x?sslcert=a&sslkey=b&sslpassword={SECRET}"),
    ];
    for url in &urls {
        add(&["--database-url", url]);
        add(&["migrate", "--database-url", url]);
        add(&["migrate", "--dry-run", "--database-url", url]);
        // In the wrong place.
        add(&[url]);
        add(&["migrate", url]);
        add(&["--database-uri", url]);
        add(&["--grpc-port", url]);
    }
    for (file, text) in [
        (
            "a.toml",
            format!("database_url = \"mysql://u:{SECRET}@127.0.0.1:1/x\""),
        ),
        ("b.toml", format!("grpc_port = \"mysql://u:{SECRET}@h/x\"")),
        ("c.toml", format!("database_url = mysql://u:{SECRET}@h/x")),
    ] {
        fs::write(dir.path().join(file), text).unwrap();
        add(&["--config", file]);
    }
    let password = format!("password: '{SECRET}'");
    for text in [
        format!("mysql {{ host: '127.0.0.1' port: 1 database: 'x' {password} }}"),
        format!("mysql {{ {password} hots: 1 }}"),
        format!("mysql {{ password: {SECRET} }}"),
        format!("mysql {{ password: 'x'{SECRET} }}"),
        format!("mysql {{ password: 'x\\q{SECRET}' }}"),
        format!("mysql {{\n password:\n {SECRET} }}"),
        format!("postgresql {{ host: 'h' {password} ssloption {{ sslpassword: {SECRET} }} }}"),
    ] {
        let text = format!("connection_config {{ {text} }}");
        fs::write(dir.path().join("config.pbtxt"), text).unwrap();
        add(&["--metadata_store_server_config_file=config.pbtxt"]);
    }
    let mysql = format!("--mysql_config_password={SECRET}");
    let postgres_flag = format!("--postgres_config_password={SECRET}");
    add(&[&mysql]);
    add(&["--metadata_source_config_type=postgresql", &postgres_flag]);
    add(&[
        "--mysql_config_host=127.0.0.1",
        "--mysql_config_port=1",
        "--mysql_config_database=x",
        &mysql,
    ]);
    // A password file, one of whose lines is malformed, and one that others may read.
    let passfile = dir.path().join("passfile");
    let url = format!(
        "postgres://pedigree@{postgres}/x?passfile={}",
        passfile.display()
    );
    for (mode, text) in [
        (0o600, format!("127.0.0.1:{SECRET}\n*:*:*:*:{SECRET}\n")),
        (0o644, format!("*:*:*:*:{SECRET}\n")),
    ] {
        fs::write(&passfile, text).unwrap();
        fs::set_permissions(&passfile, fs::Permissions::from_mode(mode)).unwrap();
        add(&["--database-url", &url]);
    }
    for expected in [
        "not five fields",
        "should be 0600",
        "password authentication failed",
        "cannot be read",
    ] {
        assert!(all.contains(expected), "no {expected} in {all}");
    }
}

fn no_key_and_no_word_that_went_astray_is_repeated() {
    let dir = TempDir::new().unwrap();
    let add = |arguments: &[&str]| {
        let said = said(&dir, arguments);
        assert!(!said.contains(SECRET), "{arguments:?}: {said}");
    };
    for text in [
        format!("server_key: '{SECRET}' server_cert: 'c'"),
        format!("server_key: '{SECRET}' {SECRET}"),
        format!("server_key: {SECRET}"),
        format!("server_key: 'DEK-Info: x\\n\n{SECRET}'"),
        format!("server_key: '{SECRET}' client_verify: true"),
    ] {
        let text = format!("connection_config {{ fake_database {{}} }} ssl_config {{ {text} }}");
        fs::write(dir.path().join("config.pbtxt"), text).unwrap();
        add(&["--metadata_store_server_config_file=config.pbtxt"]);
    }
    // Flags that do not exist or do not take the word that follows, also in a file.
    for words in [
        ["--mysql_config_pasword", SECRET],
        ["-mysql_config_pasword", SECRET],
        ["--mysql_config_password=", SECRET],
        ["--enable_database_upgrade", SECRET],
    ] {
        add(&words);
        add(&["migrate", words[0], words[1]]);
        fs::write(dir.path().join("flags"), words.join(" ")).unwrap();
        add(&["--flagfile=flags"]);
        fs::write(dir.path().join("flags"), words.join("\n")).unwrap();
        add(&["--flagfile=flags"]);
    }
}

fn the_printed_configuration_has_no_secret() {
    let dir = TempDir::new().unwrap();
    let config = format!(
        "connection_config {{ mysql {{ host: 'h' port: 1 database: 'd' user: 'u' password: '{SECRET}' }} }}
         ssl_config {{ server_key: '{SECRET}' server_cert: '{SECRET}' custom_ca: '{SECRET}' client_verify: true }}"
    );
    fs::write(dir.path().join("config.pbtxt"), config).unwrap();
    fs::write(dir.path().join("password"), SECRET).unwrap();
    let url = format!("postgres://u:{SECRET}@h/d?sslcert=c&sslkey=k&sslpassword={SECRET}");
    let otlp = format!("http://u:{SECRET}@127.0.0.1:1/?key={SECRET}");
    let password = format!("--mysql_config_password={SECRET}");
    for arguments in [
        &["--metadata_store_server_config_file=config.pbtxt"][..],
        &["--database-url", &url, "--otlp-endpoint", &otlp],
        &[
            "--database-url=mysql://u@h/d",
            "--database-password",
            SECRET,
        ],
        &[
            "--database-url=mysql://u@h/d",
            "--database-password-file=password",
        ],
        &[
            "--mysql_config_host=h",
            "--mysql_config_port=1",
            "--mysql_config_database=d",
            &password,
        ],
    ] {
        let mut command = pedigree(dir.path(), &["--print-config", "--log-level=trace"]);
        command.args(arguments);
        let ended = run(command);
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.contains("database_url"), "{ended:?}");
        let said = ended.stdout + &ended.stderr;
        assert!(!said.contains(SECRET), "{arguments:?}: {said}");
    }
}
