//! One run of a command: what it is made of before, and what it left behind.

use std::path::{Path, PathBuf};

use tonic::Status;
use url::Url;
use uuid::Uuid;

use super::RunArgs;
use super::bindings::{NamedValue, RoleBinding};
use super::child::CommandEnd;
use super::code::{code_facts, real_path};
use super::environment::environment_facts;
use super::facts::{RunFacts, int, text};
use crate::cli::Failure;
use crate::cli::client::{Reconnects, StoreClient};
use crate::cli::digests::{Contents, Digests, FileStamp, stamps};
use crate::proto::ml_metadata::event::{self, path};
use crate::proto::ml_metadata::{Artifact, GetArtifactsByUriRequest, value};
use crate::proto::pedigree::lineage::v1::artifact_ref::Identity;
use crate::proto::pedigree::lineage::v1::run_event::Type;
use crate::proto::pedigree::lineage::v1::{ArtifactRef, Content, ContextRef, RunEvent, TypePolicy};
use crate::reproduce::{Placeholder, expand};

/// The type of artifacts whose type is not given.
const DEFAULT_ARTIFACT_TYPE: &str = "pedigree.File";

/// The files of a folder with their stamps, for each output.
pub(super) type OutputStamps = Vec<Vec<(PathBuf, FileStamp)>>;

/// A file or folder with a role, once it is there.
struct RoleFile {
    binding: RoleBinding,
    uri: String,
    contents: Contents,
    /// The artifact that the server knows it by.
    known_id: Option<i64>,
}

/// A run of a command.
pub(super) struct RunStep<'a> {
    args: &'a RunArgs,
    external_id: String,
    words: Vec<String>,
    facts: RunFacts,
    digests: Digests,
    inputs: Vec<RoleFile>,
    outputs: Vec<RoleFile>,
}

impl<'a> RunStep<'a> {
    /// Reads the inputs, the code and the environment.
    pub(super) fn prepare(args: &'a RunArgs) -> Result<Self, Failure> {
        let words = args.command.iter().map(|word| {
            let expanded = expand(word, |placeholder| value_of(args, placeholder));
            expanded.map_err(|name| Failure(format!("the command has {name}, which is not given")))
        });
        let words = words.collect::<Result<Vec<_>, _>>()?;
        let program = words.first().map_or("", String::as_str);
        let mut digests = Digests::with_cache();
        let inputs = args.inputs.iter();
        let inputs = inputs.map(|binding| role_file(args, binding, &mut digests));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        digests.save();
        let files = args.inputs.iter().chain(&args.outputs);
        let files: Vec<PathBuf> = files.map(|binding| binding.path.clone()).collect();
        let code = code_facts(&files, args.clean)?;
        let environment = environment_facts(program);
        Ok(Self {
            args,
            external_id: format!("pedigree-run:{}", Uuid::new_v4()),
            facts: RunFacts::gather(args, code, environment)?,
            words,
            digests,
            inputs,
            outputs: Vec::new(),
        })
    }

    /// The words of the command, without placeholders.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// Looks up the artifacts of the inputs, so that they are those that earlier runs produced,
    /// whatever their types are.
    pub(super) async fn find_inputs(
        &mut self,
        mut client: StoreClient,
        mut reconnects: Reconnects,
    ) -> Result<(), Failure> {
        if self.inputs.is_empty() {
            return Ok(());
        }
        let request = GetArtifactsByUriRequest {
            uris: self.inputs.iter().map(|input| input.uri.clone()).collect(),
            has_retired_uri: false,
        };
        let found = loop {
            let answer: Result<_, Status> = client.get_artifacts_by_uri(request.clone()).await;
            match answer {
                Ok(response) => break response.into_inner().artifacts,
                Err(status) => reconnects.wait(status).await?,
            }
        };
        for input in &mut self.inputs {
            let is_meant = |artifact: &&Artifact| input.is(artifact);
            input.known_id = found.iter().filter(is_meant).filter_map(|it| it.id).max();
        }
        Ok(())
    }

    /// What the outputs are before the command.
    pub(super) fn output_stamps(&self) -> OutputStamps {
        let outputs = self.args.outputs.iter();
        outputs.map(|binding| stamps(&binding.path)).collect()
    }

    /// Reads the outputs, and the inputs once more.
    ///
    /// # Errors
    ///
    /// If an input changed, or an output is missing or as it was before.
    pub(super) fn finish(&mut self, before: &OutputStamps) -> Result<(), Failure> {
        for input in &self.inputs {
            let now = self.digests.of(&input.binding.path)?;
            if now != input.contents {
                let (role, path) = (&input.binding.role, input.binding.path.display());
                return Err(Failure(format!(
                    "the input {role} ({path}) changed while the command ran"
                )));
            }
        }
        let mut outputs = Vec::new();
        for (binding, before) in self.args.outputs.iter().zip(before) {
            let (role, path) = (&binding.role, binding.path.display());
            let now = stamps(&binding.path);
            if !binding.path.exists() || (!now.is_empty() && now == *before) {
                return Err(Failure(format!(
                    "the command did not write the output {role} ({path})"
                )));
            }
            outputs.push(role_file(self.args, binding, &mut self.digests)?);
        }
        self.outputs = outputs;
        self.digests.save();
        Ok(())
    }

    /// The event of the start.
    pub(super) fn start(&self) -> RunEvent {
        let contexts = self
            .args
            .context
            .iter()
            .map(|NamedValue { name, value }| ContextRef {
                r#type: name.clone(),
                name: value.clone(),
                ..ContextRef::default()
            });
        let inputs = self.inputs.iter().map(RoleFile::artifact);
        RunEvent {
            contexts: contexts.collect(),
            inputs: inputs.chain(self.facts.blobs()).collect(),
            custom_properties: self.facts.properties(),
            ..self.event(Type::Start)
        }
    }

    /// The event of the end.
    pub(super) fn end(&self, end: &CommandEnd) -> RunEvent {
        let Some(problem) = &end.problem else {
            return RunEvent {
                outputs: self.outputs.iter().map(RoleFile::artifact).collect(),
                ..self.event(Type::Complete)
            };
        };
        let properties = [
            ("error".to_owned(), text(problem)),
            ("exit_code".to_owned(), int(i64::from(end.code))),
        ];
        RunEvent {
            custom_properties: properties.into(),
            ..self.event(Type::Fail)
        }
    }

    fn event(&self, event_type: Type) -> RunEvent {
        RunEvent {
            event_type: event_type.into(),
            type_policy: TypePolicy::Create.into(),
            r#type: self.args.r#type.clone(),
            name: self.args.name.clone().unwrap_or_default(),
            external_id: self.external_id.clone(),
            ..RunEvent::default()
        }
    }

    /// A line for each output that is recorded: role, path and digest.
    pub(super) fn output_lines(&self) -> impl Iterator<Item = String> {
        self.outputs.iter().map(|output| {
            let RoleBinding { role, path, .. } = &output.binding;
            format!("{role} {} {}", path.display(), output.contents.digest)
        })
    }
}

impl RoleFile {
    /// Whether an artifact of the server is this file.
    fn is(&self, artifact: &Artifact) -> bool {
        let digest = artifact.custom_properties.get("digest");
        let digest = digest.and_then(|value| match value.value.as_ref()? {
            value::Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        });
        let type_name = self.binding.type_name.as_deref();
        artifact.uri.as_deref() == Some(self.uri.as_str())
            && digest == Some(self.contents.digest.as_str())
            && (type_name.is_none() || artifact.r#type.as_deref() == type_name)
    }

    fn artifact(&self) -> ArtifactRef {
        let type_name = self.binding.type_name.as_deref();
        let content = Content {
            uri: self.uri.clone(),
            digest: self.contents.digest.clone(),
        };
        let identity = self
            .known_id
            .map_or(Identity::Content(content), Identity::Id);
        let count = |number: u64| int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut properties = vec![("bytes".to_owned(), count(self.contents.bytes))];
        let files = self.contents.files;
        properties.extend(files.map(|files| ("files".to_owned(), count(files))));
        let type_name = type_name.unwrap_or(DEFAULT_ARTIFACT_TYPE);
        ArtifactRef {
            r#type: match identity {
                Identity::Id(_) => String::new(),
                _ => type_name.to_owned(),
            },
            identity: Some(identity),
            custom_properties: properties.into_iter().collect(),
            path: Some(role_path(&self.binding.role)),
            ..ArtifactRef::default()
        }
    }
}

/// The path of an event that has a role.
pub(in crate::cli) fn role_path(role: &str) -> event::Path {
    event::Path {
        steps: vec![path::Step {
            value: Some(path::step::Value::Key(role.to_owned())),
        }],
    }
}

fn role_file(
    args: &RunArgs,
    binding: &RoleBinding,
    digests: &mut Digests,
) -> Result<RoleFile, Failure> {
    let contents = digests.of(&binding.path)?;
    let given = args.uris.iter().find(|uri| uri.name == binding.role);
    let uri = match given {
        Some(given) => given.value.clone(),
        None => file_uri(&binding.path)?,
    };
    Ok(RoleFile {
        binding: binding.clone(),
        uri,
        contents,
        known_id: None,
    })
}

fn file_uri(path: &Path) -> Result<String, Failure> {
    let url = Url::from_file_path(real_path(path)?);
    url.map(Into::into)
        .map_err(|()| Failure(format!("{} has no URL", path.display())))
}

/// What a placeholder of the command stands for here.
fn value_of(args: &RunArgs, placeholder: Placeholder<'_>) -> Option<String> {
    let path = |bindings: &[RoleBinding], role: &str| {
        let binding = bindings.iter().find(|binding| binding.role == role)?;
        Some(binding.path.to_str()?.to_owned())
    };
    match placeholder {
        Placeholder::Input(role) => path(&args.inputs, role),
        Placeholder::Output(role) => path(&args.outputs, role),
        Placeholder::Parameter(name) => {
            let parameter = args.parameters.iter().find(|given| given.name == name);
            parameter.map(|given| given.value.clone())
        }
    }
}
