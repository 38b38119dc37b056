//! What searches may compare.

use super::Parsed;
use crate::api::mlflow::model_views::MODEL_STATE_NAMES;
use crate::api::mlflow::refusal::MlflowRefusal;
use crate::api::mlflow::views::STATE_NAMES;
use crate::graph::registered::names as registry_names;
use crate::graph::tracking::names;
use crate::model::{ExperimentField, MetricDataset, ModelField, RegistryField, RunField};

/// The language of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api::mlflow) enum Language {
    Runs,
    Experiments,
    Models,
    Registered,
    Versions,
}

impl Language {
    /// The attribute that may be compared with a list, where that is not any text.
    pub(super) const fn listed_attribute(self) -> &'static str {
        match self {
            Self::Runs | Self::Registered | Self::Versions => "run_id",
            Self::Experiments => "experiment_id",
            Self::Models => "model_id",
        }
    }

    /// Whether some of what is searched are prompts.
    pub(super) const fn has_prompts(self) -> bool {
        matches!(self, Self::Registered | Self::Versions)
    }

    /// A refusal of an operator.
    pub(super) fn refuse_operator(self, operator: &str, valid: &[&str]) -> MlflowRefusal {
        if self.has_prompts() {
            let text = format!("Invalid comparator for attribute: {operator}");
            return MlflowRefusal::invalid(text);
        }
        let valid: Vec<String> = valid.iter().map(|it| format!("'{it}'")).collect();
        MlflowRefusal::invalid(format!(
            "Invalid comparator '{operator}' not one of '[{}]'",
            valid.join(", ")
        ))
    }

    /// A refusal of a filter with clauses that are no comparisons.
    pub(super) fn refuse_clauses(self, filter: &str, clauses: &[&str]) -> MlflowRefusal {
        let listed = match self {
            Self::Models => {
                return MlflowRefusal::invalid(format!(
                    "Invalid filter string: {}. Expected a list of comparisons separated by 'AND' \
                     (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').",
                    quoted(filter)
                ));
            }
            Self::Runs => {
                let quoted: Vec<String> = clauses.iter().map(|it| format!("'{it}'")).collect();
                quoted.join(", ")
            }
            Self::Experiments | Self::Registered | Self::Versions => clauses.join(", "),
        };
        MlflowRefusal::invalid(format!("Invalid clause(s) in filter string: {listed}"))
    }
}

/// A text in quotes, as Python shows it.
fn quoted(text: &str) -> String {
    if text.contains('\'') && !text.contains('"') {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "\\'"))
    }
}

/// What a field is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ComparedKind {
    Number,
    /// A number, which may stand in quotes.
    QuotedNumber,
    Metric,
    Text,
    /// A text, or one of a list.
    ListedText,
    Param,
    Tag,
}

impl ComparedKind {
    pub(super) const fn may_be_null(self) -> bool {
        matches!(self, Self::Param | Self::Tag)
    }
}

/// A field that a filter names.
pub(super) struct FoundField<F> {
    pub field: F,
    pub kind: ComparedKind,
    /// What it is a field of.
    pub entity: &'static str,
    pub key: String,
    /// A text of the filter as it is stored.
    pub stored: fn(&str) -> String,
    /// Whether an order may name it.
    is_orderable: bool,
}

impl<F> FoundField<F> {
    fn new(entity: &'static str, key: &str, (field, kind): (F, ComparedKind)) -> Self {
        Self {
            field,
            kind,
            entity,
            key: key.to_owned(),
            stored: str::to_owned,
            is_orderable: true,
        }
    }

    fn not_orderable(self) -> Self {
        Self {
            is_orderable: false,
            ..self
        }
    }
}

/// The field, if an order may name it.
pub(super) fn check_orderable<F>(found: FoundField<F>) -> Parsed<F> {
    if found.is_orderable {
        return Ok(found.field);
    }
    let entity = found.entity;
    Err(MlflowRefusal::invalid(format!(
        "Invalid order_by entity: {entity}"
    )))
}

const ATTRIBUTE: &str = "attribute";

/// The names of kinds of fields, each with the names that a filter may use.
const RUN_ENTITIES: [(&str, &[&str]); 5] = [
    ("metric", &["metric", "metrics"]),
    ("parameter", &["parameter", "parameters", "param", "params"]),
    ("tag", &["tag", "tags"]),
    (ATTRIBUTE, &["attribute", "attributes", "attr", "run"]),
    ("dataset", &["dataset", "datasets"]),
];

const EXPERIMENT_ENTITIES: [(&str, &[&str]); 2] = [
    (ATTRIBUTE, &["attribute", "attributes", "attr"]),
    ("tag", &["tag", "tags"]),
];

/// The kind of field and the key that a name stands for. A name without a kind is an attribute.
fn split<'n>(
    name: &'n str,
    entities: &[(&'static str, &[&str])],
) -> Parsed<(&'static str, &'n str)> {
    let Some((prefix, key)) = name.split_once('.').filter(|_| !name.starts_with('`')) else {
        return Ok((ATTRIBUTE, unquoted(name)));
    };
    let named = entities.iter().find(|(_, names)| names.contains(&prefix));
    let Some((entity, _)) = named else {
        let valid: Vec<String> = entities.iter().map(|(it, _)| format!("'{it}'")).collect();
        return Err(MlflowRefusal::invalid(format!(
            "Invalid entity type '{prefix}'. Valid values are [{}]",
            valid.join(", ")
        )));
    };
    Ok((*entity, unquoted(key)))
}

/// A key without the quotes around it.
fn unquoted(key: &str) -> &str {
    let inside = |quote: char| key.strip_prefix(quote)?.strip_suffix(quote);
    inside('`').or_else(|| inside('"')).unwrap_or(key)
}

fn unknown_attribute(key: &str, valid: &[&str]) -> MlflowRefusal {
    let valid: Vec<String> = valid.iter().map(|it| format!("'{it}'")).collect();
    MlflowRefusal::invalid(format!(
        "Invalid attribute key '{key}' specified. Valid keys are '[{}]'",
        valid.join(", ")
    ))
}

/// The field of runs with a name.
pub(super) fn run_field(name: &str) -> Parsed<FoundField<RunField>> {
    let (entity, key) = split(name, &RUN_ENTITIES)?;
    let field = match entity {
        "metric" => (RunField::Metric(key.to_owned()), ComparedKind::Metric),
        "parameter" => (
            RunField::Text(names::param_property(key)),
            ComparedKind::Param,
        ),
        "tag" => (RunField::Text(names::tag_property(key)), ComparedKind::Tag),
        "dataset" => return dataset_field(key),
        _ => run_attribute(key)?,
    };
    Ok(FoundField::new(entity, key, field))
}

fn run_attribute(key: &str) -> Parsed<(RunField, ComparedKind)> {
    const VALID: [&str; 7] = [
        "run_id",
        "run_name",
        "status",
        "user_id",
        "artifact_uri",
        "start_time",
        "end_time",
    ];
    Ok(match key {
        "run_id" => (RunField::Id, ComparedKind::ListedText),
        "run_name" | "run name" | "Run name" | "Run Name" => (
            RunField::Text(names::run_name_property()),
            ComparedKind::Text,
        ),
        "status" => (RunField::State(&STATE_NAMES), ComparedKind::Text),
        "user_id" => (RunField::Text(names::owner_property()), ComparedKind::Text),
        "artifact_uri" => {
            let property = names::artifact_uri_property();
            (RunField::Text(property), ComparedKind::Text)
        }
        "start_time" | "created" | "Created" => (RunField::StartTime, ComparedKind::Number),
        "end_time" => (RunField::Int(names::end_property()), ComparedKind::Number),
        _ => return Err(unknown_attribute(key, &VALID)),
    })
}

fn dataset_field(key: &str) -> Parsed<FoundField<RunField>> {
    let field = match key {
        "name" => RunField::InputText(names::input_name_property()),
        "digest" => RunField::InputText(names::input_digest_property()),
        "context" => RunField::InputTag(names::INPUT_CONTEXT_TAG.to_owned()),
        _ => {
            let valid = ["name", "digest", "context"];
            return Err(unknown_attribute(key, &valid));
        }
    };
    let found = FoundField::new("dataset", key, (field, ComparedKind::ListedText));
    Ok(found.not_orderable())
}

/// The field of experiments with a name.
pub(super) fn experiment_field(name: &str) -> Parsed<FoundField<ExperimentField>> {
    const VALID: [&str; 4] = ["name", "experiment_id", "creation_time", "last_update_time"];
    let (entity, key) = split(name, &EXPERIMENT_ENTITIES)?;
    if entity == "tag" {
        let field = ExperimentField::Text(names::tag_property(key));
        return Ok(FoundField::new(entity, key, (field, ComparedKind::Tag)).not_orderable());
    }
    let field = match key {
        "name" => (ExperimentField::Name, ComparedKind::Text),
        "experiment_id" => {
            let field = (ExperimentField::ExternalId, ComparedKind::ListedText);
            return Ok(FoundField {
                stored: names::experiment_external_id,
                ..FoundField::new(entity, key, field)
            });
        }
        "creation_time" => (ExperimentField::CreateTime, ComparedKind::Number),
        "last_update_time" => (ExperimentField::UpdateTime, ComparedKind::Number),
        _ => return Err(unknown_attribute(key, &VALID)),
    };
    Ok(FoundField::new(entity, key, field))
}

const MODEL_ENTITIES: [(&str, &[&str]); 4] = [
    ("metric", &["metric", "metrics"]),
    ("parameter", &["parameter", "parameters", "param", "params"]),
    ("tag", &["tag", "tags"]),
    (ATTRIBUTE, &["attribute", "attributes", "attr"]),
];

/// The field of logged models with a name. Metrics are those on these datasets, if there are any.
pub(super) fn model_field(
    name: &str,
    datasets: &[MetricDataset],
) -> Parsed<FoundField<ModelField>> {
    const VALID: [&str; 7] = [
        "name",
        "model_id",
        "model_type",
        "status",
        "source_run_id",
        "creation_timestamp",
        "last_updated_timestamp",
    ];
    let (entity, key) = split(name, &MODEL_ENTITIES)?;
    let text = |property| (ModelField::Text(property), ComparedKind::ListedText);
    let field = match (entity, key) {
        ("metric", key) => {
            let field = ModelField::Metric(key.to_owned(), datasets.to_vec());
            (field, ComparedKind::Metric)
        }
        ("parameter", key) => {
            let field = ModelField::Text(names::param_property(key));
            (field, ComparedKind::Param)
        }
        ("tag", key) => (
            ModelField::Text(names::tag_property(key)),
            ComparedKind::Tag,
        ),
        (_, "name") => text(names::model_name_property()),
        (_, "model_type") => text(names::model_type_property()),
        (_, "source_run_id") => text(names::source_run_property()),
        (_, "model_id") => (ModelField::Id, ComparedKind::ListedText),
        (_, "status") => (
            ModelField::State(&MODEL_STATE_NAMES),
            ComparedKind::ListedText,
        ),
        (_, "creation_timestamp" | "creation_time") => {
            (ModelField::CreateTime, ComparedKind::Number)
        }
        (_, "last_updated_timestamp") => (ModelField::UpdateTime, ComparedKind::Number),
        _ => return Err(unknown_attribute(key, &VALID)),
    };
    let found = FoundField::new(entity, key, field);
    Ok(match entity {
        "parameter" | "tag" => found.not_orderable(),
        _ => found,
    })
}

const REGISTRY_ENTITIES: [(&str, &[&str]); 2] = [
    (ATTRIBUTE, &["attribute", "attributes", "attr"]),
    ("tag", &["tag", "tags"]),
];

/// A tag of a registered model or a version, which a search compares and does not order by.
fn registry_tag(key: &str) -> FoundField<RegistryField> {
    let field = RegistryField::Text(names::tag_property(key));
    FoundField::new("tag", key, (field, ComparedKind::Tag)).not_orderable()
}

/// The field of registered models with a name.
pub(super) fn registered_field(name: &str) -> Parsed<FoundField<RegistryField>> {
    let (entity, key) = split(name, &REGISTRY_ENTITIES)?;
    match (entity, key) {
        ("tag", key) => Ok(registry_tag(key)),
        (_, "name") => {
            let field = (RegistryField::Name, ComparedKind::Text);
            Ok(FoundField::new(entity, key, field))
        }
        _ => Err(unknown_attribute(key, &["name"])),
    }
}

/// The field of versions with a name.
pub(super) fn version_field(name: &str) -> Parsed<FoundField<RegistryField>> {
    const VALID: [&str; 4] = ["name", "version_number", "run_id", "source_path"];
    let (entity, key) = split(name, &REGISTRY_ENTITIES)?;
    let field = match (entity, key) {
        ("tag", key) => return Ok(registry_tag(key)),
        (_, "name") => (RegistryField::ParentName, ComparedKind::Text),
        (_, "version_number") => {
            let number = registry_names::version_number_property();
            (RegistryField::Int(number), ComparedKind::QuotedNumber)
        }
        (_, "run_id") => {
            let run = registry_names::version_run_property();
            (RegistryField::Text(run), ComparedKind::ListedText)
        }
        (_, "source_path") => {
            let source = registry_names::version_source_property();
            (RegistryField::Text(source), ComparedKind::Text)
        }
        _ => return Err(unknown_attribute(key, &VALID)),
    };
    Ok(FoundField::new(entity, key, field))
}

/// The field with a name by which registered models are ordered; `of` is that of their name.
pub(super) fn registry_order(
    name: &str,
    valid: &[&str],
    of: RegistryField,
) -> Parsed<RegistryField> {
    let listed = valid.contains(&name).then_some(name);
    Ok(match listed {
        Some("name") => of,
        Some("version_number") => RegistryField::Int(registry_names::version_number_property()),
        Some("timestamp" | "creation_timestamp") => RegistryField::CreateTime,
        Some("last_updated_timestamp") => {
            RegistryField::Int(registry_names::update_time_property())
        }
        _ => {
            let valid: Vec<String> = valid.iter().map(|it| format!("'{it}'")).collect();
            return Err(MlflowRefusal::invalid(format!(
                "Invalid order by key '{name}' specified. Valid keys are '[{}]'",
                valid.join(", ")
            )));
        }
    })
}
