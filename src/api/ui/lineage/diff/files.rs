//! The differences of two lineages as files: all of them, without the limits of the page.

use serde_json::{Value as Json, json};

use super::facts::{ValueDifference, causes, differing, metrics};
use super::{LineageDiff, NodeDifference};
use crate::api::ui::lineage::LineageSubject;
use crate::api::ui::lineage::query::LineageView;
use crate::api::ui::text::csv_cell;
use crate::api::ui::views::{label, mark};
use crate::picture::Mark;

/// The values in which the nodes of a difference differ: parameters, code and environment, and
/// metrics.
fn values(difference: &NodeDifference<'_>) -> Vec<ValueDifference> {
    let Some((new, old)) = difference.pair else {
        return Vec::new();
    };
    let kind = difference.traced.key.kind;
    let mut found = differing(&causes(new), &causes(old));
    found.extend(differing(&metrics(kind, new), &metrics(kind, old)));
    found
}

pub(super) fn json_text(diff: &LineageDiff<'_>) -> String {
    let subject = |it: &LineageSubject| {
        json!({
            "kind": it.kind.noun().to_lowercase(),
            "id": it.node.id,
            "label": label(&it.node),
        })
    };
    let view = LineageView {
        direction: diff.direction,
        ..LineageView::default()
    };
    let links = diff.union.links.iter().map(|(mark, edge)| {
        json!({
            "mark": mark.word(),
            "from": edge.from.to_string(),
            "to": edge.to.to_string(),
            "role": edge.role,
        })
    });
    let differences = diff.differences();
    let text = json!({
        "new": subject(diff.new),
        "old": subject(&diff.old),
        "direction": view.direction_name(),
        "hops": diff.hops,
        "isCut": diff.union.lineage.is_cut,
        "differences": differences.iter().map(json_of).collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
    });
    text.to_string()
}

fn json_of(difference: &NodeDifference<'_>) -> Json {
    let traced = difference.traced;
    let value =
        |value: ValueDifference| json!({"name": value.name, "old": value.old, "new": value.new});
    let old = difference.pair.map(|(_, old)| {
        json!({
            "id": old.id,
            "label": label(old),
            "state": mark(old).map(Mark::word),
        })
    });
    json!({
        "mark": difference.mark.word(),
        "kind": traced.key.kind.noun().to_lowercase(),
        "id": traced.key.id,
        "label": traced.label,
        "type": traced.type_name,
        "state": traced.mark.map(Mark::word),
        "hop": traced.hop,
        "old": old,
        "values": values(difference).into_iter().map(value).collect::<Vec<_>>(),
    })
}

/// A row for each difference, and below it one for each of its values.
pub(super) fn csv_text(diff: &LineageDiff<'_>) -> String {
    let mut text = String::from("mark,kind,id,old_id,name,type,property,old,new\r\n");
    let mut add = |cells: [&str; 9]| {
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    for difference in diff.differences() {
        let traced = difference.traced;
        let old = difference.pair.map(|(_, old)| old);
        let kind = traced.key.kind.noun().to_lowercase();
        let id = traced.key.id.to_string();
        let old_id = old.map(|old| old.id.to_string()).unwrap_or_default();
        let (name, type_name) = (csv_cell(&traced.label), csv_cell(&traced.type_name));
        let word = difference.mark.word();
        let head = [word, &kind, &id, &old_id, &name, &type_name];
        let [mark, kind, id, old_id, name, type_name] = head;
        let old_name = old.map(|old| csv_cell(&label(old))).unwrap_or_default();
        let new_name = old.map(|_| name).unwrap_or_default();
        add([
            mark, kind, id, old_id, name, type_name, "", &old_name, new_name,
        ]);
        for value in values(&difference) {
            let shown = |text: Option<String>| text.map(|it| csv_cell(&it)).unwrap_or_default();
            let property = csv_cell(&value.name);
            let (old, new) = (shown(value.old), shown(value.new));
            add([
                mark, kind, id, old_id, name, type_name, &property, &old, &new,
            ]);
        }
    }
    let labels = diff.labels();
    for (mark, edge) in &diff.union.links {
        let [from, to] = [edge.from, edge.to].map(|end| labels.get(&end).copied());
        let name = [from.unwrap_or_default(), to.unwrap_or_default()].join(" → ");
        let (name, role) = (csv_cell(&name), csv_cell(&edge.role));
        add([mark.word(), "link", "", "", &name, "", &role, "", ""]);
    }
    text
}
