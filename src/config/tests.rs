//! Tests of configurations made from command lines.

use clap::Parser;

use super::options::OPTIONS;
use super::spec::flag;
use super::*;
use crate::storage::connect::Address;
use crate::storage::connect::hosts::TargetSession;

#[derive(Parser)]
#[command(args_override_self = true)]
struct TestCommand {
    #[command(flatten)]
    options: ConfigArgs,
}

/// The configuration of a command line, with how it is printed.
fn load_all(process: &ProcessEnv, arguments: &[&str]) -> Result<LoadedConfig, ConfigError> {
    let words = rewrite(arguments.iter().map(Into::into))?;
    let words = std::iter::once("pedigree".into()).chain(words);
    let command = TestCommand::try_parse_from(words);
    let command = command.map_err(|error| ConfigError::new(error.to_string()))?;
    command.options.load(process)
}

fn load_in(process: &ProcessEnv, arguments: &[&str]) -> Result<Config, ConfigError> {
    load_all(process, arguments).map(|loaded| loaded.config)
}

/// What `--print-config` prints.
fn printed(arguments: &[&str]) -> String {
    load_all(&ProcessEnv::default(), arguments).unwrap().text
}

fn refusal(arguments: &[&str]) -> String {
    let refused = load_in(&ProcessEnv::default(), arguments);
    refused.unwrap_err().to_string()
}

/// The process that is called by the name of ML Metadata's server.
fn in_upstreams_place() -> ProcessEnv {
    ProcessEnv::new("/bin/metadata_store_server".as_ref())
}

/// A configuration file, and its path.
fn file(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn a_flag_beats_the_file_which_beats_the_default() {
    let text = "grpc_port = 1\nlog_format = \"json\"\nkeepalive = 5\nkeepalive_timeout = 0.5";
    let (_file, path) = file(text);
    let arguments = [
        "--config",
        &path,
        "--grpc-port",
        "2",
        "--upgrade-schema",
        "--keepalive=1.5",
    ];
    let config = load_in(&ProcessEnv::default(), &arguments).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.database.address.to_string(), "sqlite:pedigree.db");
    assert!(config.migration.upgrade);
    let connections = &config.serving.connections;
    assert_eq!(connections.keepalive, Duration::from_millis(1500));
    assert_eq!(connections.keepalive_timeout, Duration::from_millis(500));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let text = refusal(&[
        "--database-url=oracle:x",
        "--database-connections=0",
        "--log-level=pedigree=loud",
        "--keepalive=0",
        "--grpc_port=0",
        "--grpc_channel_arguments=a",
        "--tls-key=x",
    ]);
    for part in [
        "database-url",
        "database-connections",
        "log-level",
        "keepalive must be more than 0",
        "grpc_port must be from 1 to 65535",
        "`a` is not key=value",
        "tls-cert and tls-key",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    for (text, problem) in [
        ("grcp_port = 1", "line 1: grcp_port is not an option"),
        ("\nkeepalive = -1", "line 2: keepalive must be a duration"),
        (
            "tls_key = ['x']",
            "line 1: tls_key must be a string, a number,",
        ),
    ] {
        let (_file, path) = file(text);
        let error = refusal(&["--config", &path]);
        assert!(error.contains(problem), "no {problem} in {error}");
    }
}

#[test]
fn in_upstreams_place_the_defaults_are_upstreams() {
    let config = load_in(&in_upstreams_place(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.database.address.to_string(), "sqlite::memory:");
    assert!(config.warnings[0].contains("no database is named"));

    let arguments = ["--grpc-host=127.0.0.1", "--database-url=sqlite:x.db"];
    let config = load_in(&in_upstreams_place(), &arguments).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.address.to_string(), "sqlite:x.db");
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn the_port_of_upstreams_image_counts_where_no_flag_gives_one() {
    let port = |variable: &str, arguments: &[&str]| {
        let process = ProcessEnv {
            grpc_port: Some(variable.to_owned()),
            ..ProcessEnv::default()
        };
        load_in(&process, arguments).map(|config| config.listen.port())
    };
    assert_eq!(port("", &[]).unwrap(), 8080);
    assert_eq!(port("9", &[]).unwrap(), 9);
    assert_eq!(port("9", &["--grpc-port=0"]).unwrap(), 0);
    assert_eq!(port("x", &["-grpc_port", "7"]).unwrap(), 7);
    assert_eq!(port("", &["--grpc_port=1", "--grpc_port=2"]).unwrap(), 2);
    for wrong in ["0", "-1", "65536", "x"] {
        let error = port(wrong, &[]).unwrap_err().to_string();
        assert!(error.contains("GRPC_PORT must be from 1"), "{error}");
        let flag = format!("--grpc_port={wrong}");
        let error = refusal(&[&flag]);
        assert!(error.contains("grpc_port must be from 1"), "{error}");
    }
}

#[test]
fn channel_arguments_as_kubeflow_pipelines_gives_them() {
    let arguments = "--grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600,\
                     grpc.max_send_message_length=104857600,grpc.x=1";
    let config = load_in(&in_upstreams_place(), &[arguments]).unwrap();
    let serving = &config.serving;
    assert_eq!(serving.connections.max_metadata, 16384);
    let lengths = (serving.max_request, serving.max_response);
    assert_eq!(lengths, (104_857_600, 104_857_600));
    assert!(
        config
            .warnings
            .iter()
            .any(|warning| warning.contains("grpc.x=1"))
    );
}

#[test]
fn what_is_printed_can_be_read_and_holds_no_secret() {
    let arguments = [
        "--database-url=postgres://u:hunter2@db:5432/d?sslpassword=hunter2",
        "--database-connections=7",
        "--database-wait=2.5",
        "--max-response-bytes=9",
        "--connection-age=60",
        "--admin-port=9090",
        "--web-origins=http://a,http://b",
        "--otlp-endpoint=http://u:hunter2@otlp:4317/?key=hunter2",
        "--tls-cert=\"c\"",
        "--tls-key=k",
        "--log-level=info,pedigree=debug",
    ];
    let text = printed(&arguments);
    assert!(!text.contains("hunter2"), "{text}");
    for line in [
        "grpc_host = \"127.0.0.1\"",
        "grpc_port = 8080",
        "database_url = \"postgres://db:5432/d\"",
        "database_acquire_timeout = 2.5",
        "change_retention = \"7d\"",
        "otlp_endpoint = \"http://otlp:4317\"",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
    let (_file, path) = file(&text.replace("db:5432", "u@db:5432"));
    assert_eq!(printed(&["--config", &path]), text);
}

#[test]
fn durations_and_sizes_take_units() {
    let config = load_in(
        &ProcessEnv::default(),
        &[
            "--change-retention=1d 12h",
            "--dedup-window=90",
            "--record-batch-linger=500us",
            "--keepalive=1.5",
            "--max-request-bytes=1.5GiB",
            "--max-response-bytes=64MB",
            "--max-metadata-bytes=8192",
        ],
    );
    let config = config.unwrap();
    assert_eq!(config.history.changes, Duration::from_hours(36));
    assert_eq!(config.history.messages, Duration::from_secs(90));
    assert_eq!(config.batches.age, Duration::from_micros(500));
    let serving = &config.serving;
    assert_eq!(serving.connections.keepalive, Duration::from_millis(1500));
    assert_eq!(serving.max_request, 3 << 29);
    assert_eq!(serving.max_response, 64_000_000);
    assert_eq!(serving.connections.max_metadata, 8192);

    for (argument, problem) in [
        (
            "--keepalive=5 parsecs",
            "--keepalive must be a duration such as 500ms, 30s or 7d, or a number of seconds, \
             not '5 parsecs'",
        ),
        ("--keepalive=inf", "--keepalive must be a duration"),
        ("--keepalive=", "--keepalive must be a duration"),
        (
            "--list-buffer-bytes=5s",
            "--list-buffer-bytes must be a size such as 16KiB or 64MiB, or a number of bytes, \
             not '5s'",
        ),
        (
            "--list-buffer-bytes=0.5",
            "--list-buffer-bytes must be a size",
        ),
        (
            "--slow-reader-timeout=1m",
            "--slow-reader-timeout must be at most 50s",
        ),
        (
            "--max-metadata-bytes=0",
            "--max-metadata-bytes must be more than 0",
        ),
        (
            "--record-batch=0",
            "--record-batch must be a whole number of at least 1",
        ),
    ] {
        let error = refusal(&[argument]);
        assert!(error.contains(problem), "no {problem} in {error}");
    }
}

#[test]
fn the_audit_is_kept_for_at_least_as_long_as_changes() {
    let history = |arguments: &[&str]| {
        let config = load_in(&ProcessEnv::default(), arguments);
        config.unwrap().history
    };
    let year = Duration::from_hours(365 * 24);
    assert_eq!(history(&["--audit-retention=365d"]).audit, Some(year));
    let alone = history(&["--change-retention=0", "--audit-retention=365d"]);
    assert_eq!((alone.changes, alone.audit), (Duration::ZERO, Some(year)));
    let all = history(&["--change-retention=all"]);
    assert_eq!((all.changes, all.audit), (Duration::MAX, None));
    assert_eq!(
        history(&["--audit-retention=all"]).audit,
        Some(Duration::MAX)
    );
    for (arguments, rule) in [
        (
            &["--audit-retention=6d"][..],
            "audit-retention must not be shorter than change-retention",
        ),
        (
            &["--change-retention=all", "--audit-retention=365d"],
            "audit-retention must not be shorter than change-retention",
        ),
        (
            &["--change-retention=everything"],
            "or a number of seconds, or all, not 'everything'",
        ),
        (&["--dedup-window=all"], "--dedup-window must be a duration"),
    ] {
        let refused = refusal(arguments);
        assert!(refused.contains(rule), "{refused}");
    }
}

/// The options that were renamed: the name before, and the name now.
const RENAMED: [(&str, &str); 10] = [
    ("history", "change_retention"),
    ("record_memory", "dedup_window"),
    ("record_batch_age", "record_batch_linger"),
    ("list_memory", "list_buffer_bytes"),
    ("stream_patience", "slow_reader_timeout"),
    ("database_wait", "database_acquire_timeout"),
    ("database_idle", "database_idle_timeout"),
    ("database_age", "database_max_lifetime"),
    ("connection_age", "max_connection_age"),
    ("connection_idle", "max_connection_idle"),
];

#[test]
fn names_of_the_version_before_still_work() {
    let renamed = OPTIONS.iter().filter(|option| !option.old_names.is_empty());
    assert_eq!(renamed.count(), RENAMED.len());
    for (old, new) in RENAMED {
        let line = format!("{new} = 11\n");
        let [old_flag, new_flag] = [old, new].map(|name| format!("--{}=11", flag(name)));
        assert!(printed(&[&old_flag]).contains(&line), "{old}");
        assert!(printed(&[&new_flag]).contains(&line), "{new}");
        let (_file, path) = file(&format!("{old} = 11"));
        assert!(printed(&["--config", &path]).contains(&line), "{old}");
        // A flag takes precedence over the file by either name.
        let other = old_flag.replace("11", "12");
        let text = printed(&["--config", &path, &other]);
        assert!(text.contains(&format!("{new} = 12\n")), "{old}");

        let error = refusal(&[&old_flag, &new_flag]);
        let [old_flag, new_flag] = [old, new].map(|name| format!("--{}", flag(name)));
        let expected = format!("{old_flag} and {new_flag} are names of the same option");
        let swapped = format!("{new_flag} and {old_flag} are names of the same option");
        assert!(
            error.contains(&expected) || error.contains(&swapped),
            "{error}"
        );
        let (_file, path) = file(&format!("{old} = 1\n{new} = 2"));
        let error = refusal(&["--config", &path]);
        assert!(error.contains("are names of the same option"), "{error}");
    }
}

#[test]
fn defaults_are_those_of_the_types() {
    let config = load_in(&ProcessEnv::default(), &[]).unwrap();
    let usual = Connect::new("sqlite:pedigree.db".parse().unwrap());
    assert_eq!(format!("{:?}", config.database), format!("{usual:?}"));
    assert_eq!(config.history, Retention::default());
    let with_url = Config::with_url("sqlite:pedigree.db").unwrap();
    assert_eq!(format!("{with_url:?}"), format!("{config:?}"));
}

#[test]
fn a_standby_is_of_the_same_kind_as_the_database_and_needs_its_history() {
    let primary = "--database-url=postgres://u:hunter2@a/d";
    let standbys = "--database-read-url=postgres://u:hunter2@b,c/d";
    let config = load_in(&ProcessEnv::default(), &[primary, standbys]).unwrap();
    let standby = config.standby.unwrap();
    assert!(!standby.create);
    let Address::Postgres(address) = &standby.address else {
        panic!("{standby:?}");
    };
    assert_eq!(address.target, TargetSession::Standby);
    let printed = printed(&[primary, standbys]);
    assert!(printed.contains("database_read_url = \"postgres://b:5432,c:5432/d\""));
    assert!(!printed.contains("hunter2"), "{printed}");

    let sqlite = [
        "--database-url=sqlite:x.db",
        "--database-read-url=sqlite:y.db",
    ];
    assert!(refusal(&sqlite).contains("SQLite does not have"));
    let other = refusal(&[primary, "--database-read-url=mysql://u:p@b/d"]);
    assert!(
        other.contains("must be a standby of the database"),
        "{other}"
    );
    let none = refusal(&[primary, standbys, "--change-retention=0"]);
    assert!(none.contains("change-retention must not be 0"), "{none}");
}

#[test]
fn web_pages_can_be_off_or_below_a_path() {
    let pages = |argument: &str| {
        let config = load_in(&ProcessEnv::default(), &[argument]).unwrap();
        config.serving.ui.map(|pages| pages.prefix)
    };
    assert_eq!(pages("--ui=off"), None);
    assert_eq!(pages("--ui=on"), Some(String::new()));
    assert_eq!(pages("--web-prefix=/a/b-1/"), Some("/a/b-1".to_owned()));
    for wrong in [
        "a",
        "//a",
        "/a//b",
        "/a b",
        "/a/../b",
        "/é",
        "/a?b",
        "https://a",
    ] {
        let refused = refusal(&[&format!("--web-prefix={wrong}")]);
        assert!(
            refused.contains("web-prefix must be a path"),
            "{wrong}: {refused}"
        );
    }
    assert!(refusal(&["--ui=yes"]).contains("ui must be on or off"));
}
