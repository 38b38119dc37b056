//! The file of targets: TOML, without unknown keys.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::LineageTarget;
use super::request::{EndpointSettings, TargetEndpoint, TokenSource};
use crate::api::openlineage::out::ExportRules;
use crate::error::StartError;
use crate::model::Door;
use crate::web_client::is_safe;

/// The maximum length of the name of a target, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The most events of a request.
const MAX_BATCH_EVENTS: usize = 1000;

/// The paths that servers of `OpenLineage` have, for an event and for an array of them.
const EVENT_PATH: &str = "/api/v1/lineage";
const BATCH_PATH: &str = "/api/v1/lineage/batch";

/// The namespace of jobs where the file names none.
const DEFAULT_NAMESPACE: &str = "pedigree";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetsDocument {
    #[serde(default, rename = "target")]
    targets: Vec<Spanned<TargetEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetEntry {
    name: String,
    url: String,
    endpoint: Option<String>,
    token_file: Option<PathBuf>,
    token_variable: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    compression: Compression,
    batch: Option<usize>,
    namespace: Option<String>,
    doors: Option<Vec<DoorName>>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    contexts: Vec<String>,
    #[serde(default)]
    namespaces: Vec<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Compression {
    #[default]
    None,
    Gzip,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DoorName {
    MlMetadata,
    Pedigree,
    #[serde(rename = "openlineage")]
    OpenLineage,
    #[serde(rename = "mlflow")]
    MlFlow,
    Command,
}

impl From<DoorName> for Door {
    fn from(name: DoorName) -> Self {
        match name {
            DoorName::MlMetadata => Self::MlMetadata,
            DoorName::Pedigree => Self::Pedigree,
            DoorName::OpenLineage => Self::OpenLineage,
            DoorName::MlFlow => Self::MlFlow,
            DoorName::Command => Self::Command,
        }
    }
}

/// The doors of a target that names none: what came in as events is not sent out again, and a run
/// is not sent with each value of a metric.
const DEFAULT_DOORS: [Door; 3] = [Door::MlMetadata, Door::Pedigree, Door::Command];

/// Reads and checks a file.
///
/// # Errors
///
/// If it cannot be read or is wrong, with the file, the line, and no secret.
pub(super) fn read(path: &Path) -> Result<Vec<LineageTarget>, StartError> {
    let wrong = |text: String| StartError::Targets(format!("{}{text}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(format!(": {error}")))?;
    parse(&text).map_err(|(line, problem)| wrong(format!(", line {line}: {problem}")))
}

fn parse(text: &str) -> Result<Vec<LineageTarget>, (usize, String)> {
    let line_at = |offset: usize| text[..offset].matches('\n').count() + 1;
    let document: TargetsDocument = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        (line, error.message().to_owned())
    })?;
    let mut names = HashSet::new();
    let mut targets = Vec::new();
    for entry in document.targets {
        let line = line_at(entry.span().start);
        let target = entry.into_inner().check().map_err(|text| (line, text))?;
        if !names.insert(target.name.clone()) {
            return Err((line, format!("there are two targets `{}`", target.name)));
        }
        targets.push(target);
    }
    Ok(targets)
}

impl TargetEntry {
    fn check(self) -> Result<LineageTarget, String> {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        let lengths = 1..=MAX_NAME_BYTES;
        if !lengths.contains(&self.name.len()) || !self.name.bytes().all(is_allowed) {
            return Err("the name of a target has lower-case letters, digits and -._".into());
        }
        let batch = self.batch.unwrap_or(1);
        if !(1..=MAX_BATCH_EVENTS).contains(&batch) {
            return Err(format!("batch must be from 1 to {MAX_BATCH_EVENTS}"));
        }
        let is_batch = self.batch.is_some();
        let endpoint = self.endpoint.as_deref();
        let url = url_of(
            &self.url,
            endpoint.unwrap_or(if is_batch { BATCH_PATH } else { EVENT_PATH }),
        )?;
        let token = token(self.token_file, self.token_variable)?;
        if token.is_some() && !is_safe(&url) {
            return Err("a token is sent by https, or by http to this machine".into());
        }
        let doors = self
            .doors
            .map(|doors| doors.into_iter().map(Door::from).collect());
        let settings = EndpointSettings {
            url,
            token,
            is_compressed: self.compression == Compression::Gzip,
            batch: is_batch.then_some(batch),
        };
        let endpoint = TargetEndpoint::open(settings, self.ca_file.as_deref());
        Ok(LineageTarget {
            name: self.name,
            rules: ExportRules {
                doors: doors.unwrap_or_else(|| DEFAULT_DOORS.to_vec()),
                types: self.types,
                contexts: self.contexts,
                namespaces: self.namespaces,
                job_namespace: self.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into()),
            },
            endpoint: endpoint.map_err(|error| error.to_string())?,
        })
    }
}

/// The URL of an endpoint, which is a path, with a query if there is one.
fn url_of(base: &str, endpoint: &str) -> Result<Url, String> {
    let rule = "url must be an http or https URL without a login";
    let base = Url::parse(base).map_err(|_| rule)?;
    let has_login = !base.username().is_empty() || base.password().is_some();
    if has_login || !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(rule.into());
    }
    let joined = format!(
        "{}/{}",
        base.as_str().trim_end_matches('/'),
        endpoint.trim_start_matches('/')
    );
    let joined = Url::parse(&joined).map_err(|_| "endpoint must be a path")?;
    if joined.origin() != base.origin() {
        return Err("endpoint must be a path".into());
    }
    Ok(joined)
}

fn token(file: Option<PathBuf>, variable: Option<String>) -> Result<Option<TokenSource>, String> {
    match (file, variable) {
        (Some(_), Some(_)) => Err("token_file and token_variable exclude each other".into()),
        (Some(file), None) => Ok(Some(TokenSource::File(file))),
        (None, Some(name)) => {
            let value = env::var(&name)
                .ok()
                .filter(|value| !value.trim().is_empty());
            let value = value.ok_or_else(|| format!("the variable {name} is not set"))?;
            Ok(Some(TokenSource::Text(SecretString::from(value))))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, String) {
        parse(text).unwrap_err()
    }

    #[test]
    fn a_target_needs_a_name_and_a_url() {
        let targets = parse("[[target]]\nname = 'm'\nurl = 'http://h:5000/'\n").unwrap();
        let [target] = targets.as_slice() else {
            panic!("{targets:?}");
        };
        assert_eq!(target.rules.job_namespace, "pedigree");
        assert!(!target.rules.doors.contains(&Door::OpenLineage));
        let shown = format!("{targets:?}");
        assert!(shown.contains("/api/v1/lineage"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let of = |more: &str| problem(&format!("\n[[target]]\nname = 'm'\n{more}\n"));
        assert_eq!(of("url = 'ftp://h'").0, 2);
        for (more, part) in [
            ("url = 'http://a:b@h'", "without a login"),
            ("url = 'http://h'\nbatch = 0", "batch"),
            ("url = 'http://h'\ntoken_file = '/t'", "by https"),
            (
                "url = 'https://h'\ntoken_variable = 'NO_SUCH_VARIABLE'",
                "is not set",
            ),
            ("url = 'https://h'\ndoors = ['front']", "front"),
            ("url = 'https://h'\ncolor = 'red'", "color"),
            ("url = 'https://h'\ncompression = 'zstd'", "zstd"),
            (
                "url = 'https://h'\nca_file = '/no/such/file'",
                "/no/such/file",
            ),
        ] {
            let (_, text) = of(more);
            assert!(text.contains(part), "{more}: {text}");
        }
        let twice = "[[target]]\nname = 'm'\nurl = 'http://h'\n".repeat(2);
        assert_eq!(problem(&twice).0, 4);
    }

    #[test]
    fn an_endpoint_is_a_path_below_the_url() {
        for (base, endpoint, url) in [
            (
                "http://h:5000",
                "/api/v1/lineage",
                "http://h:5000/api/v1/lineage",
            ),
            (
                "https://h/gms/",
                "openapi/lineage",
                "https://h/gms/openapi/lineage",
            ),
        ] {
            assert_eq!(url_of(base, endpoint).unwrap().as_str(), url);
        }
    }
}
