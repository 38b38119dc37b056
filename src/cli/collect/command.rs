//! The command of a step of Kubeflow Pipelines, in the words of this vocabulary.
//!
//! Its launcher fills placeholders such as `{{$.inputs.parameters['x']}}`. They become `{in:ROLE}`,
//! `{out:ROLE}` and `{param:NAME}`. Paths that the launcher makes up are written as it makes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::spec::{ArtifactDefinition, ContainerSpec, PipelineComponent};
use crate::reproduce::expand;

/// Where the launcher lets a step write its output parameters, each in a file with its name.
const PARAMETER_FOLDER: &str = "/tmp/kfp/outputs/";

/// The file in which an executor in Python says what it wrote.
const OUTPUT_FILE: &str = "/tmp/kfp_outputs/output_metadata.json";

/// What the words begin with that stand for several or none, as the compiler writes them.
const STRUCTURE_STARTS: [&str; 2] = [r#"{"Concat":"#, r#"{"IfPresent":"#];

/// What an execution was given.
#[derive(Debug)]
pub(super) struct StepInputs<'s> {
    pub component: &'s PipelineComponent,
    /// With those that the component has by default.
    pub parameters: &'s BTreeMap<String, Json>,
    /// The roles of the artifacts that it read.
    pub artifacts: &'s BTreeSet<String>,
}

/// A command with placeholders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TranslatedCommand {
    pub words: Vec<String>,
    /// Placeholders of the pipeline for which there is no other word.
    pub untranslated: BTreeSet<String>,
}

/// The command of a container and its arguments.
///
/// # Errors
///
/// What in it would be read as a placeholder, and is none, or what cannot be said.
pub(super) fn translate(
    container: &ContainerSpec,
    step: &StepInputs<'_>,
) -> Result<TranslatedCommand, String> {
    let mut translated = TranslatedCommand::default();
    for word in container.command.iter().chain(&container.args) {
        for word in plain_words(word, step) {
            let word = step.translated(&word, &mut translated.untranslated)?;
            translated.words.push(word);
        }
    }
    Ok(translated)
}

/// The words that a word stands for. A structure says which: a concatenation is one word, and a
/// condition is those of one of its sides.
fn plain_words(word: &str, step: &StepInputs<'_>) -> Vec<String> {
    let structure = STRUCTURE_STARTS.iter().any(|start| word.starts_with(start));
    match serde_json::from_str(word) {
        Ok(json) if structure => structure_words(&json, step),
        _ => vec![word.to_owned()],
    }
}

fn structure_words(json: &Json, step: &StepInputs<'_>) -> Vec<String> {
    if let Some(parts) = json["Concat"].as_array() {
        let parts = parts.iter().flat_map(|part| structure_words(part, step));
        return vec![parts.collect()];
    }
    if let Some(condition) = json["IfPresent"].as_object() {
        let given =
            |name: &str| step.artifacts.contains(name) || step.parameters.contains_key(name);
        let name = condition.get("InputName").and_then(Json::as_str);
        let side = if name.is_some_and(given) {
            "Then"
        } else {
            "Else"
        };
        let side = condition.get(side);
        return side.map_or_else(Vec::new, |side| structure_words(side, step));
    }
    match json {
        Json::Array(parts) => {
            let words = parts.iter().flat_map(|part| structure_words(part, step));
            words.collect()
        }
        Json::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

impl StepInputs<'_> {
    /// A word with other placeholders. What has no other word stays, and is noted.
    fn translated(&self, word: &str, left: &mut BTreeSet<String>) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = word;
        while let Some((before, inside, after)) = next_placeholder(rest) {
            check_plain(before)?;
            text.push_str(before);
            if let Some(said) = self.said(inside)? {
                text.push_str(&said);
            } else {
                let placeholder = ["{{$", inside, "}}"].concat();
                text.push_str(&placeholder);
                left.insert(placeholder);
            }
            rest = after;
        }
        check_plain(rest)?;
        text.push_str(rest);
        Ok(text)
    }

    /// What stands for a placeholder, of which this is what is behind `{{$`.
    fn said(&self, inside: &str) -> Result<Option<String>, String> {
        let inputs = &self.component.input_definitions.artifacts;
        let outputs = &self.component.output_definitions;
        if inside.is_empty() {
            return self.executor_input().map(Some);
        }
        if inside == ".json_escape[1]" {
            let text = Json::String(self.executor_input()?).to_string();
            return Ok(Some(text.trim_matches('"').to_owned()));
        }
        if let ".outputs.output_file" | ".outputMetadataUri" | ".outputs.output_metadata_uri" =
            inside
        {
            return Ok(Some(OUTPUT_FILE.to_owned()));
        }
        let is_place = |rest: &str| [".path", ".uri"].contains(&rest);
        let found = if let Some((name, "")) = key(inside, ".inputs.parameters") {
            let is_given = self.parameters.contains_key(name);
            is_given.then(|| placeholder("param", name))
        } else if let Some((name, rest)) = key(inside, ".inputs.artifacts") {
            let is_one = inputs.get(name).is_some_and(|it| !it.is_artifact_list);
            let is_given = is_one && self.artifacts.contains(name);
            (is_given && is_place(rest)).then(|| placeholder("in", name))
        } else if let Some((name, rest)) = key(inside, ".outputs.artifacts") {
            let is_given = outputs.artifacts.contains_key(name);
            (is_given && is_place(rest)).then(|| placeholder("out", name))
        } else if let Some((name, ".output_file")) = key(inside, ".outputs.parameters") {
            Some([PARAMETER_FOLDER, name].concat())
        } else {
            None
        };
        Ok(found)
    }

    /// What an executor in Python reads about its inputs and outputs, as JSON. Files are where the
    /// command finds them. The metadata of artifacts is left out: it changes after a run.
    fn executor_input(&self) -> Result<String, String> {
        let component = self.component;
        let inputs = component.input_definitions.artifacts.iter();
        let inputs = inputs.filter(|(name, _)| self.artifacts.contains(*name));
        let inputs: Vec<_> = inputs.collect();
        if let Some((name, _)) = inputs.iter().find(|(_, it)| it.is_artifact_list) {
            return Err(format!("{name} is a list of artifacts, which has no word"));
        }
        let outputs = &component.output_definitions;
        let parameters: Json = self.parameters.clone().into_iter().collect();
        check_plain(&parameters.to_string())?;
        let files = outputs.parameters.keys().map(|name| {
            let path = [PARAMETER_FOLDER, name].concat();
            let file = json!({ "outputFile": path });
            (name.clone(), file)
        });
        let files: Map<String, Json> = files.collect();
        let input = json!({
            "inputs": {
                "parameterValues": parameters,
                "artifacts": runtime_artifacts("in", inputs.into_iter()),
            },
            "outputs": {
                "parameters": files,
                "artifacts": runtime_artifacts("out", outputs.artifacts.iter()),
                "outputFile": OUTPUT_FILE,
            },
        });
        Ok(input.to_string())
    }
}

fn runtime_artifacts<'d>(
    side: &str,
    definitions: impl Iterator<Item = (&'d String, &'d ArtifactDefinition)>,
) -> Json {
    let artifacts = definitions.map(|(name, definition)| {
        let artifact = json!({
            "name": name,
            "type": definition.artifact_type,
            "uri": placeholder(side, name),
            "metadata": {},
        });
        (name.clone(), json!({ "artifacts": [artifact] }))
    });
    artifacts.collect::<Map<String, Json>>().into()
}

fn placeholder(kind: &str, name: &str) -> String {
    ["{", kind, ":", name, "}"].concat()
}

/// The text before the first placeholder of a pipeline, what is in it, and the text behind it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once("{{$")?;
    let (inside, after) = from.split_once("}}")?;
    Some((before, inside, after))
}

/// The name in `.inputs.parameters['NAME']`, and what is behind it.
fn key<'t>(inside: &'t str, list: &str) -> Option<(&'t str, &'t str)> {
    let name = inside.strip_prefix(list)?.strip_prefix("['")?;
    name.split_once("']")
}

/// Whether a text has nothing that would be read as a placeholder here, such as `{out:.3f}` in the
/// source of a step.
fn check_plain(text: &str) -> Result<(), String> {
    let read = expand(text, |_| None);
    read.map(drop)
        .map_err(|found| format!("{found} in it would be read as a placeholder"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::collect::spec::{PipelineSpec, training};

    /// The command of a component of the pipeline, with these parameters and inputs.
    fn command(
        spec: &PipelineSpec,
        component: &str,
        parameters: &Json,
        artifacts: &[&str],
    ) -> Result<TranslatedCommand, String> {
        let component = &spec.components[component];
        let parameters = parameters.as_object().unwrap().clone();
        let step = StepInputs {
            component,
            parameters: &parameters.into_iter().collect(),
            artifacts: &artifacts.iter().map(|it| (*it).to_owned()).collect(),
        };
        translate(spec.container(component).unwrap(), &step)
    }

    #[test]
    fn structures_become_the_words_that_were_run() {
        let spec = training();
        let read =
            |parameters: Json| command(&spec, "comp-evaluate", &parameters, &["model"]).unwrap();
        let metadata = "{{$.inputs.artifacts['model'].metadata['rows']}}";
        let with_all = read(json!({ "shard": 1 }));
        let expected = [
            "evaluate",
            "--model",
            "{in:model}",
            "--shard={param:shard}",
            "--all",
            "--rows",
            metadata,
            "{out:report}",
        ];
        assert_eq!(with_all.words, expected);
        assert_eq!(with_all.untranslated, [metadata.to_owned()].into());
        let with_threshold = read(json!({ "shard": 1, "threshold": 0.5 }));
        assert_eq!(
            with_threshold.words[4..6],
            ["--threshold", "{param:threshold}"]
        );
    }

    #[test]
    fn an_executor_reads_where_the_files_of_its_command_are() {
        let spec = training();
        let parameters = json!({ "epochs": 3, "note": "it's \"{x}\"" });
        let read = command(&spec, "comp-train", &parameters, &["images"]).unwrap();
        assert!(read.untranslated.is_empty());
        let input: Json = serde_json::from_str(&read.words[8]).unwrap();
        assert_eq!(input["inputs"]["parameterValues"], parameters);
        let artifact =
            |side: &str, role: &str| input[side]["artifacts"][role]["artifacts"][0].clone();
        assert_eq!(artifact("inputs", "images")["uri"], "{in:images}");
        assert_eq!(artifact("outputs", "model")["uri"], "{out:model}");
        assert_eq!(
            artifact("outputs", "model")["type"]["schemaTitle"],
            "system.Model"
        );
        let file = &input["outputs"]["parameters"]["Output"]["outputFile"];
        assert_eq!(file, "/tmp/kfp/outputs/Output");
        // A rerun puts paths in.
        let filled = expand(&read.words[8], |_| Some("/again/file".to_owned())).unwrap();
        serde_json::from_str::<Json>(&filled).unwrap();
    }

    #[test]
    fn each_placeholder_has_its_word_or_stays() {
        let mut spec = training();
        let words = [
            ("{{$.inputs.artifacts['images'].uri}}", "{in:images}"),
            (
                "a={{$.outputs.artifacts['model'].uri}}/b",
                "a={out:model}/b",
            ),
            (
                "{{$.outputs.parameters['Output'].output_file}}",
                "/tmp/kfp/outputs/Output",
            ),
            ("{{$.outputs.output_file}}", OUTPUT_FILE),
            (
                "{{$.inputs.parameters['rate']}}",
                "{{$.inputs.parameters['rate']}}",
            ),
            ("{{$.pipeline_job_uuid}}", "{{$.pipeline_job_uuid}}"),
            ("{{$", "{{$"),
            ("{x} ${y} {{z}}", "{x} ${y} {{z}}"),
        ];
        let executor = spec
            .deployment_spec
            .executors
            .get_mut("exec-train")
            .unwrap();
        let container = executor.container.as_mut().unwrap();
        container.command = words.map(|(word, _)| word.to_owned()).to_vec();
        container.args = vec!["{{$.json_escape[1]}}".to_owned()];
        let read = command(&spec, "comp-train", &json!({}), &["images"]).unwrap();
        let (last, first) = read.words.split_last().unwrap();
        assert_eq!(first, words.map(|(_, word)| word));
        assert_eq!(read.untranslated.len(), 2);
        let unescaped: String = serde_json::from_str(&format!("\"{last}\"")).unwrap();
        serde_json::from_str::<Json>(&unescaped).unwrap();
    }

    #[test]
    fn lists_of_artifacts_have_no_words() {
        let mut spec = training();
        for name in ["comp-train", "comp-publish"] {
            let component = spec.components.get_mut(name).unwrap();
            let inputs = component.input_definitions.artifacts.values_mut();
            inputs.for_each(|input| input.is_artifact_list = true);
        }
        let refused = command(&spec, "comp-train", &json!({}), &["images"]).unwrap_err();
        assert!(refused.starts_with("images is a list"), "{refused}");
        let read = command(&spec, "comp-publish", &json!({}), &["model"]).unwrap();
        assert_eq!(read.untranslated.len(), 1);
    }

    #[test]
    fn what_would_be_read_as_a_placeholder_is_refused() {
        let mut spec = training();
        let note = json!({ "note": "{in:x}" });
        let refused = command(&spec, "comp-train", &note, &["images"]).unwrap_err();
        assert!(refused.starts_with("{in:x}"), "{refused}");
        let executor = spec
            .deployment_spec
            .executors
            .get_mut("exec-train")
            .unwrap();
        let container = executor.container.as_mut().unwrap();
        container.command = vec!["print(f'{out:.3f}')".to_owned()];
        let refused = command(&spec, "comp-train", &json!({}), &["images"]).unwrap_err();
        assert!(refused.starts_with("{out:.3f}"), "{refused}");
    }
}
