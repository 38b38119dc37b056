//! In the place of `metadata_store_server`: by its name, with its arguments.

use std::fs;

use super::{artifact_names, put_type};
use crate::binary::{Process, Server, run};
use crate::container::{Image, free_port};
use crate::support::Client;
use crate::support::prelude::*;

once! {
    with_flags_from_a_file_and_no_database,
}
blocking_once! {
    a_flag_that_does_not_exist_ends_it,
    the_configuration_is_printed_and_nothing_is_served,
}

pub const CHANNEL: &str = "--grpc_channel_arguments=grpc.max_metadata_size=16384,\
                       grpc.max_receive_message_length=104857600,grpc.max_send_message_length=104857600";

/// The program by upstream's name, with these arguments.
pub fn serve(image: &Image, arguments: &[String], port: u16) -> Server {
    let server = Server::wait(Process::start(
        image.command("metadata_store_server", arguments),
    ));
    assert_eq!(server.port, port);
    server
}

pub async fn writes_and_reads(client: Client) {
    let artifact = Artifact::new(put_type(&client).await, "a");
    Artifact::put(vec![artifact])
        .ask(client.clone())
        .await
        .unwrap();
    assert_eq!(artifact_names(client).await, ["a"]);
}

async fn with_flags_from_a_file_and_no_database() {
    let (image, port) = (Image::new(), free_port());
    let file = image.path().join("flags");
    let text = format!("# comment\n-grpc_port {port}\n--noenable_database_upgrade\n");
    fs::write(&file, text).unwrap();
    let arguments = [
        format!("--flagfile={}", file.display()),
        "-grpc_channel_arguments".to_owned(),
        "grpc.so_reuseport=0".to_owned(),
    ];
    let server = serve(&image, &arguments, port);
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

fn a_flag_that_does_not_exist_ends_it() {
    let image = Image::new();
    for (flag, named) in [
        ("--grcp_port=1", "--grcp_port"),
        ("-grcp_port", "--grcp_port"),
        ("--nogrpc_port", "--nogrpc_port"),
        ("--enable_database_upgrade=maybe", "maybe"),
    ] {
        let ended = run(image.command("metadata_store_server", &[flag.to_owned()]));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(named), "{ended:?}");
    }
}

fn the_configuration_is_printed_and_nothing_is_served() {
    let image = Image::new();
    let arguments = [
        "--print-config",
        "-grpc_port=7",
        "--mysql_config_host=db",
        "--mysql_config_port=3306",
        "--mysql_config_database=metadb",
        "--enable_database_upgrade",
        CHANNEL,
    ];
    let ended = run(image.command("metadata_store_server", &arguments.map(str::to_owned)));
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
