//! The language of searches: comparisons that `AND` joins, and orders.
//!
//! * `tokens`: a text as tokens; `clauses`: tokens as comparisons.
//! * `fields`: what searches may compare.
//!
//! The language of `filter_query` is another one: here, a key may have dots and quotes of three
//! kinds, and a missing field passes no comparison.

mod clauses;
mod fields;
mod order;
#[cfg(test)]
mod tests;
mod tokens;

use super::refusal::MlflowRefusal;
use crate::graph::registered::names::PROMPT_TAG;
use crate::model::{
    ExperimentField, FieldCondition, FieldOrder, FieldTest, MetricDataset, ModelField, NumberOp,
    RegistryField, RunField, TextOp,
};
use clauses::{Comparison, clauses};
use fields::{ComparedKind, FoundField};
use tokens::{FilterToken, FilterTokenKind};

pub(super) use fields::Language;

/// The most comparisons of a filter, and the most orders: a database joins so many tables.
const MAX_TERMS: usize = 16;

/// The most bytes of a filter.
const MAX_FILTER_BYTES: usize = 64 << 10;

type Parsed<T> = Result<T, MlflowRefusal>;

/// The conditions of a filter on runs.
///
/// # Errors
///
/// A refusal of what is no filter.
pub(super) fn run_conditions(filter: &str) -> Parsed<Vec<FieldCondition<RunField>>> {
    conditions(filter, Language::Runs, fields::run_field)
}

/// The conditions of a filter on experiments.
///
/// # Errors
///
/// A refusal of what is no filter.
pub(super) fn experiment_conditions(filter: &str) -> Parsed<Vec<FieldCondition<ExperimentField>>> {
    conditions(filter, Language::Experiments, fields::experiment_field)
}

/// The orders of runs.
///
/// # Errors
///
/// A refusal of what is no order.
pub(super) fn run_orders(texts: &[String]) -> Parsed<Vec<FieldOrder<RunField>>> {
    order::orders(texts, |key| {
        let found = fields::run_field(key)?;
        fields::check_orderable(found)
    })
}

/// The orders of experiments.
///
/// # Errors
///
/// A refusal of what is no order.
pub(super) fn experiment_orders(texts: &[String]) -> Parsed<Vec<FieldOrder<ExperimentField>>> {
    order::orders(texts, |key| {
        let found = fields::experiment_field(key)?;
        Ok(match fields::check_orderable(found)? {
            // By number, not by text.
            ExperimentField::ExternalId => ExperimentField::Id,
            other => other,
        })
    })
}

/// The conditions of a filter on logged models. Metrics are compared on these datasets, if there
/// are any; without a comparison of a metric, models are found that have any metric on them.
///
/// # Errors
///
/// A refusal of what is no filter.
pub(super) fn model_conditions(
    filter: &str,
    datasets: &[MetricDataset],
) -> Parsed<Vec<FieldCondition<ModelField>>> {
    let field = |name: &str| fields::model_field(name, datasets);
    let mut conditions = conditions(filter, Language::Models, field)?;
    let is_of_metric = |it: &FieldCondition<ModelField>| matches!(it.field, ModelField::Metric(..));
    if !datasets.is_empty() && !conditions.iter().any(is_of_metric) {
        conditions.push(FieldCondition {
            field: ModelField::AnyMetric(datasets.to_vec()),
            test: FieldTest::IsSet,
        });
    }
    Ok(conditions)
}

/// The orders of logged models: each a name, whether it is descending, and the dataset on which a
/// metric was measured.
///
/// # Errors
///
/// A refusal of what is no order.
pub(super) fn model_orders(
    given: Vec<(&str, bool, Option<MetricDataset>)>,
) -> Parsed<Vec<FieldOrder<ModelField>>> {
    check_terms(given.len())?;
    let order = |(name, is_descending, dataset): (&str, bool, Option<MetricDataset>)| {
        if dataset.as_ref().is_some_and(|it| it.digest.is_none()) {
            return Err(MlflowRefusal::invalid(
                "an order by a metric on a dataset needs dataset_digest too",
            ));
        }
        let datasets: Vec<MetricDataset> = dataset.into_iter().collect();
        let found = fields::model_field(name, &datasets);
        let field = found.and_then(fields::check_orderable);
        let field = field
            .map_err(|_| MlflowRefusal::invalid(format!("Invalid order by field name: {name}")))?;
        Ok(FieldOrder {
            field,
            is_descending,
        })
    };
    given.into_iter().map(order).collect()
}

/// The conditions of a filter on registered models.
///
/// # Errors
///
/// A refusal of what is no filter.
pub(super) fn registered_conditions(filter: &str) -> Parsed<Vec<FieldCondition<RegistryField>>> {
    conditions(filter, Language::Registered, fields::registered_field)
}

/// The conditions of a filter on versions of registered models.
///
/// # Errors
///
/// A refusal of what is no filter.
pub(super) fn version_conditions(filter: &str) -> Parsed<Vec<FieldCondition<RegistryField>>> {
    conditions(filter, Language::Versions, fields::version_field)
}

/// The orders of registered models, of which the name is the last.
///
/// # Errors
///
/// A refusal of what is no order.
pub(super) fn registered_orders(texts: &[String]) -> Parsed<Vec<FieldOrder<RegistryField>>> {
    const VALID: [&str; 3] = ["name", "timestamp", "last_updated_timestamp"];
    let mut orders = order::orders(texts, |name| {
        fields::registry_order(name, &VALID, RegistryField::Name)
    })?;
    orders.push(ascending(RegistryField::Name));
    Ok(orders)
}

/// The orders of versions: without any, that of their last changes. The name of the model and the
/// number are the last.
///
/// # Errors
///
/// A refusal of what is no order.
pub(super) fn version_orders(texts: &[String]) -> Parsed<Vec<FieldOrder<RegistryField>>> {
    const VALID: [&str; 4] = [
        "name",
        "version_number",
        "creation_timestamp",
        "last_updated_timestamp",
    ];
    let field = |name: &str| fields::registry_order(name, &VALID, RegistryField::ParentName);
    let mut orders = order::orders(texts, field)?;
    if orders.is_empty() {
        orders.push(descending(field("last_updated_timestamp")?));
    }
    orders.push(ascending(RegistryField::ParentName));
    orders.push(descending(field("version_number")?));
    Ok(orders)
}

const fn ascending<F>(field: F) -> FieldOrder<F> {
    FieldOrder {
        field,
        is_descending: false,
    }
}

const fn descending<F>(field: F) -> FieldOrder<F> {
    FieldOrder {
        field,
        is_descending: true,
    }
}

fn conditions<F>(
    filter: &str,
    language: Language,
    field: impl Fn(&str) -> Parsed<FoundField<F>>,
) -> Parsed<Vec<FieldCondition<F>>> {
    if filter.len() > MAX_FILTER_BYTES {
        return Err(MlflowRefusal::invalid("the filter is too long"));
    }
    let comparisons = clauses(filter, language)?;
    check_terms(comparisons.len())?;
    let condition = |comparison: &Comparison<'_>| -> Parsed<FieldCondition<F>> {
        let found = field(comparison.field.text)?;
        let test = test(comparison, &found, language)?;
        Ok(FieldCondition {
            field: found.field,
            test,
        })
    };
    comparisons.iter().map(condition).collect()
}

fn check_terms(terms: usize) -> Parsed<()> {
    if terms > MAX_TERMS {
        return Err(MlflowRefusal::invalid(format!(
            "a search has at most {MAX_TERMS} comparisons and {MAX_TERMS} orders"
        )));
    }
    Ok(())
}

/// The test of a comparison with a field.
fn test<F>(
    comparison: &Comparison<'_>,
    found: &FoundField<F>,
    language: Language,
) -> Parsed<FieldTest> {
    let operator = comparison.operator.to_ascii_uppercase();
    if let "IS NULL" | "IS NOT NULL" = operator.as_str() {
        if !found.kind.may_be_null() {
            let (entity, key) = (found.entity, &found.key);
            return Err(MlflowRefusal::invalid(format!(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for '{entity}' \
                 '{key}'"
            )));
        }
        return Ok(match operator.as_str() {
            "IS NULL" => FieldTest::IsUnset,
            _ => FieldTest::IsSet,
        });
    }
    match found.kind {
        ComparedKind::Number | ComparedKind::QuotedNumber | ComparedKind::Metric => {
            number_test(comparison, found, &operator, language)
        }
        ComparedKind::Text | ComparedKind::Param | ComparedKind::Tag | ComparedKind::ListedText => {
            text_test(comparison, found, &operator, language)
        }
    }
}

const NUMBER_OPERATORS: [(&str, NumberOp); 6] = [
    ("=", NumberOp::Equal),
    ("!=", NumberOp::NotEqual),
    ("<", NumberOp::Less),
    ("<=", NumberOp::LessOrEqual),
    (">", NumberOp::Greater),
    (">=", NumberOp::GreaterOrEqual),
];

const TEXT_OPERATORS: [(&str, TextOp); 4] = [
    ("=", TextOp::Equal),
    ("!=", TextOp::NotEqual),
    ("LIKE", TextOp::Like),
    ("ILIKE", TextOp::CaselessLike),
];

fn number_test<F>(
    comparison: &Comparison<'_>,
    found: &FoundField<F>,
    operator: &str,
    language: Language,
) -> Parsed<FieldTest> {
    let named = NUMBER_OPERATORS.iter().find(|(name, _)| *name == operator);
    let Some((_, op)) = named else {
        let valid = NUMBER_OPERATORS.map(|(name, _)| name);
        return Err(language.refuse_operator(&comparison.operator, &valid));
    };
    let value = &comparison.value;
    let (given, is_number) = match (found.kind, value.kind) {
        (ComparedKind::QuotedNumber, FilterTokenKind::Text) => (value.content(), true),
        (_, kind) => (value.text.into(), kind == FilterTokenKind::Number),
    };
    let number = is_number.then(|| {
        let int = given.parse().map(|int| FieldTest::Int(*op, int));
        int.or_else(|_| given.parse().map(|double| FieldTest::Double(*op, double)))
    });
    if let Some(Ok(test)) = number {
        return Ok(test);
    }
    let what = match found.kind {
        ComparedKind::Metric => "metric".to_owned(),
        _ => format!("numeric attribute: {}", found.key),
    };
    Err(MlflowRefusal::invalid(format!(
        "Expected numeric value type for {what}. Found {given}"
    )))
}

fn text_test<F>(
    comparison: &Comparison<'_>,
    found: &FoundField<F>,
    operator: &str,
    language: Language,
) -> Parsed<FieldTest> {
    let value = &comparison.value;
    if let "IN" | "NOT IN" = operator {
        return list_test(value, found, operator, language);
    }
    let named = TEXT_OPERATORS.iter().find(|(name, _)| *name == operator);
    let Some((_, op)) = named else {
        let valid = TEXT_OPERATORS.map(|(name, _)| name);
        return Err(language.refuse_operator(&comparison.operator, &valid));
    };
    match value.kind {
        FilterTokenKind::Text => {
            let text = (found.stored)(&value.content());
            Ok(match op {
                TextOp::NotEqual if language.has_prompts() && found.key == PROMPT_TAG => {
                    FieldTest::UnsetOrNot(text)
                }
                _ => FieldTest::Text(*op, text),
            })
        }
        FilterTokenKind::Word => Err(MlflowRefusal::invalid(format!(
            "Parameter value is either not quoted or unidentified quote types used for string \
             value {}. Use either single or double quotes.",
            value.text
        ))),
        _ => Err(no_text(found, value.text)),
    }
}

/// A refusal of a value that is no text.
fn no_text<F>(found: &FoundField<F>, value: &str) -> MlflowRefusal {
    let entity = found.entity;
    MlflowRefusal::invalid(format!(
        "Expected a quoted string value for {entity} (e.g. 'my-value'). Got value {value}"
    ))
}

fn list_test<F>(
    value: &FilterToken<'_>,
    found: &FoundField<F>,
    operator: &str,
    language: Language,
) -> Parsed<FieldTest> {
    match found.kind {
        ComparedKind::ListedText => {}
        ComparedKind::Text => {
            return Err(MlflowRefusal::invalid(format!(
                "Only ['{}'] attributes support comparison with a list of quoted string values.",
                language.listed_attribute()
            )));
        }
        _ => return Err(no_text(found, value.text)),
    }
    let texts = value.list();
    let texts = texts.filter(|texts| !texts.is_empty()).ok_or_else(|| {
        MlflowRefusal::invalid(format!(
            "Invalid comparison with a list: expected quoted string values in parentheses. Got {}",
            value.text
        ))
    })?;
    let texts = texts.iter().map(|text| (found.stored)(text)).collect();
    Ok(if operator == "IN" {
        FieldTest::OneOf(texts)
    } else {
        FieldTest::NoneOf(texts)
    })
}
