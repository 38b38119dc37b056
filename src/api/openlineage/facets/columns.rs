//! Columns: the facet `columnLineage` of a dataset, and the fields in the facet `lineage`, say from
//! which columns others were made.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lineage::{Lineage, dataset_of};
use super::read;
use crate::graph::{ColumnSource, MAX_NAME_CHARACTERS, short_name};
use crate::model::Transformation;

/// The key of the facet.
pub(super) const COLUMN_LINEAGE: &str = "columnLineage";

/// The most bytes of a description of a transformation. A longer one is cut.
const MAX_DESCRIPTION_BYTES: usize = 1024;

/// Adds what a facet `columnLineage` says of an output.
pub(super) fn add_columns(lineage: &mut Lineage, output: &str, text: &RawValue) {
    #[derive(Deserialize)]
    struct ColumnFacetFields<'e> {
        #[serde(borrow, default)]
        fields: Option<BTreeMap<String, &'e RawValue>>,
    }
    #[derive(Deserialize)]
    struct ColumnFacetDataset<'e> {
        #[serde(borrow, default)]
        dataset: Option<Vec<&'e RawValue>>,
    }
    #[derive(Deserialize)]
    struct OutputField<'e> {
        #[serde(rename = "inputFields", borrow, default)]
        inputs: Option<Vec<&'e RawValue>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct OldTransformation {
        transformation_type: Option<String>,
        transformation_description: Option<String>,
    }
    let fields = read::<ColumnFacetFields<'_>>(text).and_then(|it| it.fields);
    for (field, text) in fields.into_iter().flatten() {
        // Older producers describe all inputs of a field together.
        let old = read::<OldTransformation>(text).unwrap_or_default();
        let old = transformation(
            old.transformation_type,
            None,
            old.transformation_description,
            false,
        );
        let inputs = read::<OutputField<'_>>(text).and_then(|it| it.inputs);
        for input in inputs.into_iter().flatten() {
            add_input(lineage, (output, &field), input, &old);
        }
    }
    let dataset = read::<ColumnFacetDataset<'_>>(text).and_then(|it| it.dataset);
    for input in dataset.into_iter().flatten() {
        add_input(lineage, (output, ""), input, &Transformation::default());
    }
}

/// Adds an input of a column, or of all columns if the name is empty.
pub(super) fn add_input(
    lineage: &mut Lineage,
    (output, output_column): (&str, &str),
    input: &RawValue,
    unless_known: &Transformation,
) {
    #[derive(Deserialize)]
    struct InputField {
        #[serde(default)]
        field: Option<String>,
    }
    let Some(dataset) = dataset_of(input) else {
        return;
    };
    let field = read::<InputField>(input).and_then(|it| it.field);
    let field = field.unwrap_or_default();
    if field.contains('\0') || output_column.contains('\0') {
        return;
    }
    if lineage.has_all_columns() {
        return;
    }
    let mut transformations = transformations(input);
    if transformations.is_empty() {
        transformations.push(unless_known.clone());
    }
    for transformation in transformations {
        let (output, input) = (lineage.dataset(output), lineage.dataset(&dataset));
        lineage.add_column(ColumnSource {
            output,
            output_column: short_name(Cow::Borrowed(output_column)).into_owned(),
            input,
            input_column: short_name(Cow::Borrowed(&field)).into_owned(),
            transformation,
        });
    }
}

/// How a column was made from this input.
fn transformations(input: &RawValue) -> Vec<Transformation> {
    #[derive(Deserialize)]
    struct Transformations<'e> {
        #[serde(borrow, default)]
        transformations: Option<Vec<&'e RawValue>>,
    }
    #[derive(Deserialize)]
    struct SentTransformation {
        #[serde(rename = "type", default)]
        kind: Option<String>,
        #[serde(default)]
        subtype: Option<String>,
        #[serde(default)]
        description: Option<String>,
        #[serde(default)]
        masking: Option<bool>,
    }
    let sent = read::<Transformations<'_>>(input).and_then(|it| it.transformations);
    let sent = sent.into_iter().flatten();
    let sent = sent.filter_map(read::<SentTransformation>);
    let sent = sent.map(|it| {
        let is_masking = it.masking.unwrap_or(false);
        transformation(it.kind, it.subtype, it.description, is_masking)
    });
    sent.collect()
}

/// A transformation whose texts a database can hold.
fn transformation(
    kind: Option<String>,
    subtype: Option<String>,
    description: Option<String>,
    is_masking: bool,
) -> Transformation {
    let clean = |text: Option<String>| text.unwrap_or_default().replace('\0', "");
    let word = |text: Option<String>| clean(text).chars().take(MAX_NAME_CHARACTERS).collect();
    let mut description = clean(description);
    description.truncate(description.floor_char_boundary(MAX_DESCRIPTION_BYTES));
    Transformation {
        kind: word(kind),
        subtype: word(subtype),
        description,
        is_masking,
    }
}
