//! The fields that searches of runs compare and order by.

use super::search::{
    FieldJoin, FieldValue, INT_PROPERTY, SearchField, SearchSql, SqlValueKind, TEXT_PROPERTY,
    ValuePlace, key_of,
};
use crate::model::{EventType, FieldCondition, FieldTest, NumberOp, RunField, TextOp};
use crate::storage::SqlFragment;
use crate::storage::tables::joins::push_property_key;

/// The characters of texts in SQLite's index of properties of executions.
const MAX_INDEXED_CHARACTERS: usize = 255;

/// Whether an index decides a condition.
pub(super) fn is_indexed(condition: &FieldCondition<RunField>) -> bool {
    let is_short = |text: &String| text.chars().count() <= MAX_INDEXED_CHARACTERS;
    match (&condition.field, &condition.test) {
        (RunField::Metric(_), FieldTest::Int(op, _) | FieldTest::Double(op, _)) => {
            *op != NumberOp::NotEqual
        }
        (RunField::Text(_), FieldTest::Text(TextOp::Equal, text)) => is_short(text),
        (RunField::Text(_), FieldTest::OneOf(texts)) => texts.iter().all(is_short),
        _ => false,
    }
}

impl SearchField for RunField {
    fn join(&self, sql: &mut SearchSql, join: FieldJoin) -> Option<FieldValue> {
        Some(match self {
            Self::Id => FieldValue::column("r.run_id", SqlValueKind::Text),
            Self::StartTime => FieldValue::column("r.start_time", SqlValueKind::Int),
            Self::State(names) => FieldValue {
                place: ValuePlace::State("n.last_known_state", names),
                kind: SqlValueKind::Text,
                is_optional: true,
            },
            Self::Text(property) => sql.join_property(property, join, TEXT_PROPERTY),
            Self::Int(property) => sql.join_property(property, join, INT_PROPERTY),
            Self::Metric(key) => {
                let (number, node) = (sql.next_number(), sql.node());
                let joins = sql.joins().push(join.before());
                joins.push_numbered(
                    " JOIN PedigreeMetricSeries s# ON s#.execution_id = ",
                    number,
                );
                joins
                    .push(node)
                    .push_numbered(" AND s#.metric_key = ?", number);
                joins.bind(key.as_str());
                FieldValue::numbered("s", number, ".value_rank", SqlValueKind::Rank)
            }
            Self::InputText(_) | Self::InputTag(_) => return None,
        })
    }

    fn begin_exists(&self, sql: &mut SearchSql) -> Option<FieldValue> {
        let (number, node) = (sql.next_number(), sql.node());
        let conditions = sql.conditions();
        let of_node = |conditions: &mut SqlFragment, text| {
            conditions.push_numbered(text, number);
            conditions.push(node);
        };
        match self {
            Self::Id | Self::StartTime | Self::State(_) => None,
            Self::Text(property) | Self::Int(property) => {
                of_node(
                    conditions,
                    " AND EXISTS (SELECT 1 FROM ExecutionProperty p# WHERE p#.execution_id = ",
                );
                push_property_key(conditions.push(" AND "), key_of(property), number);
                let (column, kind) = match self {
                    Self::Int(_) => INT_PROPERTY,
                    _ => TEXT_PROPERTY,
                };
                Some(FieldValue::numbered("p", number, column, kind))
            }
            Self::Metric(key) => {
                of_node(
                    conditions,
                    " AND EXISTS (SELECT 1 FROM PedigreeMetricSeries s# WHERE s#.execution_id = ",
                );
                conditions.push_numbered(" AND s#.metric_key = ?", number);
                conditions.bind(key.as_str());
                Some(FieldValue::numbered(
                    "s",
                    number,
                    ".value_rank",
                    SqlValueKind::Rank,
                ))
            }
            Self::InputText(property) => {
                of_node(
                    conditions,
                    " AND EXISTS (SELECT 1 FROM Event v# JOIN ArtifactProperty a# \
                     ON a#.artifact_id = v#.artifact_id WHERE v#.execution_id = ",
                );
                conditions.push_numbered(" AND v#.type = ", number);
                conditions.push_int(EventType::Input.number());
                conditions.push_numbered(" AND a#.name = ?", number);
                conditions.bind(property.name.as_str());
                conditions.push_numbered(" AND a#.is_custom_property = ?", number);
                conditions.bind(property.is_custom);
                let (column, kind) = TEXT_PROPERTY;
                Some(FieldValue::numbered("a", number, column, kind))
            }
            Self::InputTag(key) => {
                of_node(
                    conditions,
                    " AND EXISTS (SELECT 1 FROM PedigreeInputTag g# WHERE g#.execution_id = ",
                );
                conditions.push_numbered(" AND g#.tag_key = ?", number);
                conditions.bind(key.as_str());
                let kind = SqlValueKind::Text;
                Some(FieldValue::numbered("g", number, ".tag_value", kind))
            }
        }
    }
}
