//! Upstream's configuration file: a `MetadataStoreServerConfig` in protobuf's text format.

use std::fs;
use std::path::Path;

use miette::Diagnostic;
use prost_reflect::DynamicMessage;
use prost_reflect::text_format::ParseError;

use crate::proto;
use crate::proto::ml_metadata::MetadataStoreServerConfig;

/// Reads the file. The error quotes nothing that could be a password.
pub(super) fn read(path: &Path) -> Result<MetadataStoreServerConfig, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    text.and_then(|text| parse(&text)).map_err(|problem| {
        let path = path.display();
        format!("cannot use metadata_store_server_config_file {path}: {problem}")
    })
}

fn parse(text: &str) -> Result<MetadataStoreServerConfig, String> {
    let descriptor = proto::pool()
        .get_message_by_name("ml_metadata.MetadataStoreServerConfig")
        .ok_or("its descriptor is missing")?;
    let message = DynamicMessage::parse_text_format(descriptor, text)
        .map_err(|error| describe(text, &error))?;
    let config: MetadataStoreServerConfig =
        message.transcode_to().map_err(|error| error.to_string())?;
    if config
        .connection_config
        .as_ref()
        .is_none_or(|it| it.config.is_none())
    {
        return Err("connection_config names no database".into());
    }
    Ok(config)
}

/// Where the text cannot be read, and why, unless that would quote what follows the name of a
/// secret.
fn describe(text: &str, error: &ParseError) -> String {
    let start = error.labels().and_then(|mut labels| labels.next());
    let start = start.map_or(text.len(), |label| label.offset());
    let before = text.get(..start).unwrap_or(text);
    let line = before
        .lines()
        .last()
        .filter(|_| !before.ends_with('\n'))
        .unwrap_or_default();
    let place = format!(
        "line {}, column {}",
        before.matches('\n').count() + 1,
        line.chars().count() + 1
    );
    // The field of the password is the last one that begins before the error.
    let in_secret = before
        .rfind("password")
        .is_some_and(|at| before[at..].matches(':').count() <= 1);
    // A key in PEM may contain colons.
    if in_secret || before.contains("server_key") || line.contains("password") {
        return format!("{place}: cannot be read");
    }
    format!("{place}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for (text, problem) in [
            ("", "connection_config names no database"),
            (
                "connection_config {}",
                "connection_config names no database",
            ),
            (
                "connection_config {\n  mysql { hots: 'h' } }",
                "line 2, column 11: field 'hots' not found",
            ),
            ("connection_config { mysql {", "line 1, column 28: expected"),
            (
                "connection_config { mysql { password: hunter2 } }",
                "line 1, column 39: cannot be read",
            ),
            (
                "connection_config { mysql { password: 'a'hunter2 } }",
                "line 1, column 50: cannot be read",
            ),
            (
                "ssl_config { server_key: 'a: b\\nc: hunter2' hunter2 }",
                "line 1, column 53: cannot be read",
            ),
            (
                "ssl_config { server_key: '-----BEGIN\nhunter2' }",
                "cannot be read",
            ),
            (
                "migration_options { enable_upgrade_migration: 7 }",
                "line 1, column 47: expected",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn text_format_as_upstream_writes_it() {
        let text = "# comment
            connection_config: < mysql { host: 'db' \"\" port: 3306, database: \"m\\144\"; user: \"u\" skip_db_creation: true } >
            migration_options { enable_upgrade_migration: true }";
        let config = parse(text).unwrap();
        let migration = config.migration_options.unwrap();
        assert!(migration.enable_upgrade_migration());
        assert_eq!(migration.downgrade_to_schema_version(), -1);
        let Some(crate::proto::ml_metadata::connection_config::Config::Mysql(mysql)) =
            config.connection_config.unwrap().config
        else {
            panic!("another database");
        };
        assert_eq!((mysql.host(), mysql.database()), ("db", "md"));
    }
}
