//! The facts of a step that its specification has, and what of them is new.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::command::{StepInputs, translate};
use super::spec::{ContainerSpec, PipelineComponent};
use crate::reproduce::RECORDED_VARIABLES;

/// The fact that has the image with its digest.
pub(super) const IMAGE: &str = "environment.image";

/// Facts by their names, and sentences about those that are missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StepFacts {
    pub facts: BTreeMap<String, String>,
    pub missing: Vec<String>,
}

/// What becomes of the facts of an execution.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FactChanges {
    /// Facts that the execution does not have.
    pub added: BTreeMap<String, String>,
    /// The names of those that it has.
    pub known: Vec<String>,
    /// The names of those that it has with another value, which stays.
    pub kept: Vec<String>,
}

/// The facts of a step with these inputs in the graph, and roles of artifacts that it read.
pub(super) fn of_step(
    component: &PipelineComponent,
    container: &ContainerSpec,
    inputs: &Map<String, Json>,
    artifacts: &BTreeSet<String>,
) -> StepFacts {
    let defaults = component.input_definitions.parameters.iter();
    let defaults = defaults.filter_map(|(name, it)| Some((name, it.default_value.as_ref()?)));
    let given = inputs.iter().filter(|(_, value)| !value.is_null());
    let values = defaults.chain(given);
    let parameters = values.map(|(name, value)| (name.clone(), whole_numbers(value.clone())));
    let parameters: BTreeMap<String, Json> = parameters.collect();
    let mut found = StepFacts::default();
    let step = StepInputs {
        component,
        parameters: &parameters,
        artifacts,
    };
    match translate(container, &step) {
        Ok(command) if command.words.is_empty() => {
            let text = "command: that of the image is used, which is not known";
            found.missing.push(text.to_owned());
        }
        Ok(command) => {
            let left = command.untranslated.iter();
            let left = left.map(|it| format!("command: {it} has no other word"));
            found.missing.extend(left);
            let words = Json::from(command.words).to_string();
            found.facts.insert("command".to_owned(), words);
        }
        Err(why) => found.missing.push(format!("command: {why}")),
    }
    for (name, value) in &parameters {
        // The plan reads others where the driver wrote them.
        let is_read = inputs
            .get(name)
            .is_some_and(|it| it.is_string() || it.is_number() || it.is_boolean());
        if !is_read {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            found.facts.insert(["param.", name].concat(), text);
        }
    }
    let variables = container.env.iter();
    let variables = variables.filter(|it| RECORDED_VARIABLES.contains(&it.name.as_str()));
    let variables = variables.map(|it| (it.name.clone(), Json::from(it.value.clone())));
    let variables: Map<String, Json> = variables.collect();
    if !variables.is_empty() {
        let variables = Json::from(variables).to_string();
        found
            .facts
            .insert("environment.variables".to_owned(), variables);
    }
    found
}

/// A value whose whole numbers are integers: the graph has them as floating-point numbers, and the
/// launcher gives them to steps as integers.
fn whole_numbers(value: Json) -> Json {
    match value {
        Json::Number(number) => {
            let text = number.to_string();
            let whole = text
                .strip_suffix(".0")
                .and_then(|digits| digits.parse::<i64>().ok());
            whole.map_or(Json::Number(number), Json::from)
        }
        Json::Array(values) => values.into_iter().map(whole_numbers).collect(),
        Json::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (name, whole_numbers(value)));
            members.collect()
        }
        other => other,
    }
}

/// What of these facts is new, where `known` has those of the execution.
pub(super) fn changes<'v>(
    facts: BTreeMap<String, String>,
    known: impl Fn(&str) -> Option<&'v str>,
) -> FactChanges {
    let mut changes = FactChanges::default();
    for (name, value) in facts {
        match known(&name) {
            None => {
                changes.added.insert(name, value);
            }
            Some(other) if other == value => changes.known.push(name),
            Some(_) => changes.kept.push(name),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::collect::spec::training;

    fn facts(component: &str, inputs: &Json, artifacts: &[&str]) -> StepFacts {
        let spec = training();
        let component = &spec.components[component];
        let artifacts = artifacts.iter().map(|it| (*it).to_owned()).collect();
        let container = spec.container(component).unwrap();
        of_step(
            component,
            container,
            inputs.as_object().unwrap(),
            &artifacts,
        )
    }

    #[test]
    fn parameters_are_those_of_the_driver_and_then_the_defaults() {
        let found = facts(
            "comp-train",
            &json!({ "epochs": 3.0, "note": "second" }),
            &["images"],
        );
        assert!(found.missing.is_empty(), "{found:?}");
        let parameters = found.facts.iter();
        let parameters = parameters.filter(|(name, _)| name.starts_with("param."));
        let parameters: Vec<_> = parameters
            .map(|(name, it)| (&name[6..], it.as_str()))
            .collect();
        assert_eq!(parameters, [("layers", "[64,10]"), ("rate", "0.125")]);
        let command = &found.facts["command"];
        assert!(command.contains(r#"\"epochs\":3,\"layers\":[64,10],\"note\":\"second\""#));
        // Other variables can be secrets.
        let variables = r#"{"PYTHONHASHSEED":"0"}"#;
        assert_eq!(found.facts["environment.variables"], variables);
    }

    #[test]
    fn what_a_command_cannot_say_is_named() {
        let found = facts("comp-evaluate", &json!({ "shard": 1 }), &["model"]);
        let metadata = "{{$.inputs.artifacts['model'].metadata['rows']}}";
        assert_eq!(
            found.missing,
            [format!("command: {metadata} has no other word")]
        );
        let spec = training();
        let component = &spec.components["comp-evaluate"];
        let nothing = of_step(
            component,
            &ContainerSpec::default(),
            &Map::new(),
            &BTreeSet::new(),
        );
        assert!(nothing.facts.is_empty());
        assert_eq!(nothing.missing.len(), 1);
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let facts = ["a", "b", "c"].map(|name| (name.to_owned(), name.to_owned()));
        let known = BTreeMap::from([("b", "b"), ("c", "other")]);
        let found = changes(facts.into(), |name| known.get(name).copied());
        let expected = FactChanges {
            added: [("a".to_owned(), "a".to_owned())].into(),
            known: vec!["b".to_owned()],
            kept: vec!["c".to_owned()],
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn whole_numbers_are_integers() {
        let given = json!([3.0, -2.0, 0.5, 1e300, "3.0", { "a": 64.0 }, 7]);
        let expected = json!([3, -2, 0.5, 1e300, "3.0", { "a": 64 }, 7]);
        assert_eq!(whole_numbers(given), expected);
    }
}
