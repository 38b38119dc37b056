//! Analysis of a condition: hints for the query planner that it does not derive by itself.

use super::ast::ComparisonOp;
use super::expr::{ColumnRef, Expr, ExprKind, TableAlias};

/// Columns with few distinct values. Equality with one of them selects many nodes.
const LOW_CARDINALITY_COLUMNS: [&str; 5] =
    ["type", "type_id", "state", "last_known_state", "bool_value"];

/// Facts that hold for every node that matches a condition. They come from its conjuncts.
#[derive(Clone, Debug, Default)]
pub(super) struct PlannerHints {
    /// The type of the node has one of these names.
    pub(super) type_names: Option<Vec<String>>,
    /// Whether a column outside [`LOW_CARDINALITY_COLUMNS`] equals one of the given values.
    pub(super) is_selective: bool,
    /// The nodes and neighbours whose name equals one of the given texts.
    pub(super) named: Vec<TableAlias>,
}

impl PlannerHints {
    pub(super) fn of(condition: &Expr) -> Self {
        let mut hints = Self::default();
        hints.add(condition);
        hints
    }

    fn add(&mut self, condition: &Expr) {
        match &condition.kind {
            ExprKind::And(exprs) => exprs.iter().for_each(|expr| self.add(expr)),
            ExprKind::Compare(ComparisonOp::Equal, operands) => {
                let [left, right] = operands.as_ref();
                self.add_values(left, std::slice::from_ref(right));
                self.add_values(right, std::slice::from_ref(left));
            }
            ExprKind::In(operand, list) => self.add_values(operand, list),
            _ => {}
        }
    }

    fn add_values(&mut self, operand: &Expr, values: &[Expr]) {
        let ExprKind::Column(ColumnRef { table, name, .. }) = operand.kind else {
            return;
        };
        if !values.iter().all(Expr::is_plain) {
            return;
        }
        match table {
            TableAlias::NodeType => {
                let texts = values
                    .iter()
                    .map(|value| value.as_text().map(str::to_owned));
                self.type_names = texts.collect();
            }
            TableAlias::NeighbourType(_) => {}
            _ if LOW_CARDINALITY_COLUMNS.contains(&name) => {}
            TableAlias::Node | TableAlias::Neighbour(_) | TableAlias::Property(_) => {
                self.is_selective = true;
                if name == "name" {
                    self.named.push(table);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::parse;
    use crate::filter::tests::artifact_sql;
    use crate::model::Kind;

    #[test]
    fn conjuncts_count() {
        let hints = |text| parse(Kind::Artifact, text).unwrap().hints;
        let types = |text| hints(text).type_names.unwrap_or_default();
        assert_eq!(types("type = 'A' AND state = LIVE"), ["A"]);
        assert_eq!(types("uri = 'u' AND (id > 1 AND 'A' = type)"), ["A"]);
        assert_eq!(types("type IN ('A', 'B')"), ["A", "B"]);
        for query in [
            "type = 'A' OR id = 1",
            "NOT type = 'A'",
            "type = name",
            "contexts_a.type = 'A'",
        ] {
            assert_eq!(hints(query).type_names, None, "{query}");
        }
        for query in [
            "properties.a.int_value = 1 AND type = 'A'",
            "uri IN ('a', 'b')",
            "contexts_a.id = 7",
            "events_a.execution_id = 7",
        ] {
            assert!(hints(query).is_selective, "{query}");
        }
        for query in [
            "state = LIVE",
            "type = 'A' AND contexts_a.type = 'B'",
            "properties.a.bool_value = TRUE",
            "properties.a.int_value > 1",
            "uri = 'u' OR state = LIVE",
            "uri = name",
        ] {
            assert!(!hints(query).is_selective, "{query}");
        }
    }

    #[test]
    fn a_given_name_is_looked_up_in_the_types_of_its_kind() {
        let types = |of: &str, kind| {
            format!(" AND {of}.type_id IN (SELECT id FROM Type WHERE type_kind = {kind})")
        };
        assert_eq!(
            artifact_sql("name = 'x'"),
            format!("WHERE (n.name = ?){}", types("n", 1))
        );
        let sql = artifact_sql("id > 1 AND contexts_a.name IN ('x', 'y')");
        assert!(sql.ends_with(&types("m0", 2)), "{sql}");
        for query in ["name != 'x'", "name = 'x' OR id = 1", "NOT name = 'x'"] {
            assert!(!artifact_sql(query).contains("SELECT"), "{query}");
        }
    }
}
