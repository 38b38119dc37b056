//! The security file: who may call, what they may do, and what is known of them.

mod append_only;
mod attack;
mod audit;
mod authorization;
mod certificates;
mod commands;
mod commits;
mod file;
mod groups;
mod jwt;
mod limits;
mod observe;
mod proxies;
mod refusals;
pub mod retention;
mod sinks;
mod streams;
mod tenants;
mod tokens;
mod types;

use std::fs;
use std::path::{Path, PathBuf};

use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::binary::{pedigree, run};
use crate::serving::put_type;
use crate::support::Client;

/// The name of the file in a folder of a test.
const FILE: &str = "security.toml";

/// A token and its entry in a security file, as the command makes them.
pub struct MadeToken {
    pub text: String,
    pub entry: String,
}

impl MadeToken {
    pub fn new(folder: &Path, subject: &str) -> Self {
        Self::with(folder, &["--subject", subject])
    }

    pub fn with(folder: &Path, arguments: &[&str]) -> Self {
        let made = run(pedigree(folder, &[&["token", "new"], arguments].concat()));
        assert!(made.status.success(), "{made:?}");
        let (text, entry) = made.stdout.split_once("\n\n").unwrap();
        Self {
            text: text.to_owned(),
            entry: entry.to_owned(),
        }
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text)
    }
}

/// A grant of everything to everybody who is authenticated.
const GRANT: &str = "[[grant]]\nsubjects = [\"*\"]\nrole = \"admin\"\n";

/// Writes a security file in which everybody may do everything.
pub fn write_file(folder: &Path, parts: &[&str]) -> PathBuf {
    write_policy(folder, &[parts, &[GRANT]].concat())
}

/// Writes a security file.
pub fn write_policy(folder: &Path, parts: &[&str]) -> PathBuf {
    let path = folder.join(FILE);
    fs::write(&path, parts.concat()).unwrap();
    path
}

/// A request with these headers `authorization`.
pub fn with_authorization<T>(message: T, values: &[&str]) -> Request<T> {
    let mut metadata = MetadataMap::new();
    for value in values {
        metadata.append("authorization", value.parse().unwrap());
    }
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata;
    request
}

/// Declares a type, and returns the refusal if there is one.
pub async fn put(mut client: Client, name: &str, values: &[&str]) -> Result<i64, Status> {
    let request = with_authorization(put_type(name), values);
    let answer = client.put_artifact_type(request).await?;
    Ok(answer.into_inner().type_id())
}
