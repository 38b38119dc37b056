//! From command lines to configurations.

use super::*;

/// The configuration of a command line.
fn read(around: &Surroundings, arguments: &[&str]) -> Result<Config> {
    let arguments = arguments.iter().map(Into::into);
    let arguments = upstream::gflags::rewrite(arguments).map_err(Error::invalid)?;
    let words: Vec<_> = iter::once("pedigree".into()).chain(arguments).collect();
    let command = Command::try_parse_from(&words);
    let command = command.map_err(|error| unreadable::all(error, &words))?;
    Ok(command.read(around)?.1)
}

fn refusal(arguments: &[&str]) -> String {
    let refused = read(&Surroundings::default(), arguments);
    refused.unwrap_err().to_string()
}

fn in_upstreams_place() -> Surroundings {
    Surroundings::of_process("/bin/metadata_store_server".as_ref())
}

#[test]
fn a_flag_beats_the_file_which_beats_the_default() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "grpc_port = 1\nlog_format = \"json\"\nkeepalive = 5\nkeepalive_timeout = 0.5";
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = [
        "--config",
        path,
        "--grpc-port",
        "2",
        "--upgrade-schema",
        "--keepalive=1.5",
    ];
    let config = read(&Surroundings::default(), &arguments).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.database.address.to_string(), "sqlite:pedigree.db");
    assert!(config.migration.upgrade);
    let connections = &config.serving.connections;
    assert_eq!(connections.keepalive, Duration::from_millis(1500));
    assert_eq!(connections.keepalive_timeout, Duration::from_millis(500));
    assert_eq!(config.notes, [""; 0]);
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
    assert!(toml::from_str::<Settings>("grcp_port = 1").is_err());
    assert!(toml::from_str::<Settings>("keepalive = -1").is_err());
}

#[test]
fn in_upstreams_place_the_defaults_are_upstreams() {
    let config = read(&in_upstreams_place(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.database.address.to_string(), "sqlite::memory:");
    assert!(config.notes[0].contains("no database is named"));

    let arguments = ["--grpc-host=127.0.0.1", "--database-url=sqlite:x.db"];
    let config = read(&in_upstreams_place(), &arguments).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.address.to_string(), "sqlite:x.db");
    assert_eq!(config.notes, [""; 0]);
}

#[test]
fn the_port_of_upstreams_image_counts_where_no_flag_gives_one() {
    let port = |variable: &str, arguments: &[&str]| {
        let around = Surroundings {
            grpc_port: Some(variable.to_owned()),
            ..Surroundings::default()
        };
        read(&around, arguments).map(|config| config.listen.port())
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
    let config = read(&in_upstreams_place(), &[arguments]).unwrap();
    let serving = &config.serving;
    assert_eq!(serving.connections.max_metadata, 16384);
    let lengths = (serving.max_request, serving.max_response);
    assert_eq!(lengths, (104_857_600, 104_857_600));
    assert!(config.notes.iter().any(|note| note.contains("grpc.x=1")));
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
    let printed = read(&Surroundings::default(), &arguments).unwrap();
    let printed = printed.to_string();
    assert!(!printed.contains("hunter2"), "{printed}");
    for line in [
        "grpc_host = \"127.0.0.1\"",
        "grpc_port = 8080",
        "database_url = \"postgres://db:5432/d\"",
        "database_wait = 2.5",
        "otlp_endpoint = \"http://otlp:4317\"",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line}: {printed}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), printed.replace("db:5432", "u@db:5432")).unwrap();
    let path = file.path().to_str().unwrap();
    let again = read(&Surroundings::default(), &["--config", path]).unwrap();
    assert_eq!(again.to_string(), printed);
}

#[test]
fn a_word_that_is_no_flag_is_not_repeated() {
    for arguments in [
        &["--mysql_config_password=", "hunter2"][..],
        &["--enable_database_upgrade", "hunter2"],
        &["--mysql_config_pasword=hunter2"],
        &["-mysql_config_pasword", "hunter2"],
        &["migrate", "hunter2"],
        &["serve", "hunter2"],
    ] {
        let error = refusal(arguments);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
