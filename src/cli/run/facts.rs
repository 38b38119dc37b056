//! The facts of a run, by the names that all doors give them.

use std::collections::BTreeMap;
use std::path::Path;

use super::RunArgs;
use super::code::CodeFacts;
use super::environment::{EnvironmentFacts, is_python};
use super::step::role_path;
use crate::build_info::VERSION;
use crate::cli::Failure;
use crate::cli::blob_store::StoredBlob;
use crate::cli::digests::file_name;
use crate::proto::ml_metadata::{Value, value};
use crate::proto::pedigree::lineage::v1::artifact_ref::Identity;
use crate::proto::pedigree::lineage::v1::{ArtifactRef, Content};
use crate::reproduce::{BLOB_TYPE, CODE_DIFF, ENVIRONMENT_LOCK};

/// Properties of the execution, and the blobs that they name.
pub(super) struct RunFacts {
    properties: BTreeMap<String, Value>,
    blobs: Vec<(&'static str, StoredBlob)>,
}

impl RunFacts {
    /// Puts together what is known, and stores the blobs.
    pub(super) fn gather(
        args: &RunArgs,
        code: Option<CodeFacts>,
        environment: EnvironmentFacts,
    ) -> Result<Self, Failure> {
        let mut facts = Self {
            properties: BTreeMap::new(),
            blobs: Vec::new(),
        };
        facts.add("producer", &format!("pedigree/{VERSION}"));
        facts.add(
            "command",
            &serde_json::to_string(&recorded_command(args, &environment))?,
        );
        if let Some(check) = &args.check {
            let words: Vec<&str> = check.split_whitespace().collect();
            facts.add("check", &serde_json::to_string(&words)?);
        }
        for parameter in &args.parameters {
            facts.add(&format!("param.{}", parameter.name), &parameter.value);
        }
        for (side, bindings) in [("input", &args.inputs), ("output", &args.outputs)] {
            for binding in bindings {
                let path = binding
                    .path
                    .to_str()
                    .ok_or_else(|| Failure(format!("{} is not UTF-8", binding.path.display())))?;
                facts.add(&format!("{side}.{}", binding.role), path);
            }
        }
        if let Some(code) = code {
            facts.add("code.repository", &code.repository);
            facts.add("code.commit", &code.commit);
            facts.add("code.branch", &code.branch);
            facts.add("code.path", &code.path);
            if let Some(diff) = code.diff {
                facts.add_blob(args, CODE_DIFF, &diff)?;
            }
        }
        facts.add("environment.platform", &environment.platform);
        facts.add("environment.hardware", &environment.hardware);
        facts.add(
            "environment.image",
            environment.image.as_deref().unwrap_or_default(),
        );
        facts.add(
            "environment.variables",
            environment.variables.as_deref().unwrap_or_default(),
        );
        if let Some(python) = environment.python {
            facts.add("environment.python", &python.version);
            facts.add_blob(args, ENVIRONMENT_LOCK, python.lock.as_bytes())?;
        }
        Ok(facts)
    }

    /// Adds a fact, unless it is empty.
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.properties.insert(name.to_owned(), text(value));
        }
    }

    fn add_blob(
        &mut self,
        args: &RunArgs,
        name: &'static str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let blob = args.blobs.put(bytes)?;
        self.add(name, &blob.digest);
        self.blobs.push((name, blob));
        Ok(())
    }

    pub(super) fn properties(&self) -> BTreeMap<String, Value> {
        self.properties.clone()
    }

    /// The blobs as inputs of the run, whose roles are the names of the facts.
    pub(super) fn blobs(&self) -> impl Iterator<Item = ArtifactRef> {
        self.blobs.iter().map(|(name, blob)| {
            let content = Content {
                uri: blob.uri.clone(),
                digest: blob.digest.clone(),
            };
            let bytes = int(i64::try_from(blob.bytes).unwrap_or(i64::MAX));
            ArtifactRef {
                r#type: BLOB_TYPE.to_owned(),
                identity: Some(Identity::Content(content)),
                custom_properties: [("bytes".to_owned(), bytes)].into(),
                path: Some(role_path(name)),
                ..ArtifactRef::default()
            }
        })
    }
}

/// The command as it is given, but for the path of Python: each environment has its own.
fn recorded_command(args: &RunArgs, environment: &EnvironmentFacts) -> Vec<String> {
    let mut words = args.command.clone();
    if let Some(program) = words.first_mut()
        && environment.python.is_some()
        && is_python(Path::new(program))
    {
        *program = file_name(Path::new(program), "python").to_owned();
    }
    words
}

pub(in crate::cli) fn int(number: i64) -> Value {
    Value {
        value: Some(value::Value::IntValue(number)),
    }
}

pub(in crate::cli) fn text(text: &str) -> Value {
    Value {
        value: Some(value::Value::StringValue(text.to_owned())),
    }
}
