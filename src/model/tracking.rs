//! Experiments, their runs and models, and how searches ask for them.

use super::OffsetPage;

/// A value of a metric of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    pub key: String,
    /// Any number, NaN and the infinities included.
    pub value: f64,
    /// Milliseconds since epoch.
    pub time: i64,
    pub step: i64,
}

/// A point of a metric, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPoint {
    /// The id of the run.
    pub run: String,
    pub point: MetricPoint,
}

/// What the points of a series of a metric are placed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveAxis {
    Step,
    /// Milliseconds since epoch.
    Time,
}

/// Which experiments or runs count: by whether they are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifecycleView {
    #[default]
    Active,
    Deleted,
    All,
}

impl LifecycleView {
    /// Whether those in the view are deleted; `None` for all.
    #[must_use]
    pub const fn is_deleted(self) -> Option<bool> {
        match self {
            Self::Active => Some(false),
            Self::Deleted => Some(true),
            Self::All => None,
        }
    }
}

/// A search. All conditions hold for what it finds.
#[derive(Clone, Debug)]
pub struct TrackingQuery<F> {
    pub conditions: Vec<FieldCondition<F>>,
    /// The first one decides first.
    pub order: Vec<FieldOrder<F>>,
    pub page: OffsetPage,
}

/// A condition on a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldCondition<F> {
    pub field: F,
    pub test: FieldTest,
}

/// An order by a field. What lacks it comes last, and NaN before that.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldOrder<F> {
    pub field: F,
    pub is_descending: bool,
}

/// The name of a property of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyName {
    pub name: String,
    pub is_custom: bool,
}

/// What a search of runs compares.
#[derive(Clone, Debug, PartialEq)]
pub enum RunField {
    /// The name of the execution.
    Id,
    /// Milliseconds since epoch, or 0.
    StartTime,
    /// The name of the state, as these name each: numbers of states with their names.
    State(&'static [(i64, &'static str)]),
    /// A property that is a text.
    Text(PropertyName),
    /// A property that is an integer.
    Int(PropertyName),
    /// The latest value of the metric with this key.
    Metric(String),
    /// A property of an input, which is a text.
    InputText(PropertyName),
    /// The tag of an input with this key.
    InputTag(String),
}

/// What a search of experiments compares.
#[derive(Clone, Debug, PartialEq)]
pub enum ExperimentField {
    /// The number.
    Id,
    /// The external id of the context.
    ExternalId,
    /// The name of the context.
    Name,
    /// Milliseconds since epoch.
    CreateTime,
    /// Milliseconds since epoch.
    UpdateTime,
    /// A property that is a text.
    Text(PropertyName),
}

/// What a search of logged models compares.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelField {
    /// The name of the artifact.
    Id,
    /// Milliseconds since epoch.
    CreateTime,
    /// Milliseconds since epoch.
    UpdateTime,
    /// The name of the state, as in [`RunField::State`].
    State(&'static [(i64, &'static str)]),
    /// A property that is a text.
    Text(PropertyName),
    /// The metric with this key: its values on these datasets, or its latest value without any. An
    /// order has one dataset at most, with its digest.
    Metric(String, Vec<MetricDataset>),
    /// Any metric on these datasets.
    AnyMetric(Vec<MetricDataset>),
}

/// What a search of registered models, or of their versions, compares.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistryField {
    /// The name of the context.
    Name,
    /// The name of the context above it.
    ParentName,
    /// Milliseconds since epoch.
    CreateTime,
    /// A property that is an integer.
    Int(PropertyName),
    /// A property that is a text.
    Text(PropertyName),
}

/// The dataset on which a metric of a model was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDataset {
    pub name: String,
    /// Any without it.
    pub digest: Option<String>,
}

/// What a field is compared with. A field that is missing passes no test but [`Self::IsUnset`] and
/// [`Self::UnsetOrNot`].
#[derive(Clone, Debug, PartialEq)]
pub enum FieldTest {
    Int(NumberOp, i64),
    /// A number that is no NaN. A NaN of a field only differs from it.
    Double(NumberOp, f64),
    Text(TextOp, String),
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    /// Another text, or none.
    UnsetOrNot(String),
    IsSet,
    IsUnset,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A comparison of texts. In patterns, `%` stands for any text and `_` for a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextOp {
    Equal,
    NotEqual,
    Like,
    /// [`Self::Like`] whatever the case of letters.
    CaselessLike,
}
