//! Orders of what a search finds.

use super::{Parsed, check_terms};
use crate::api::mlflow::refusal::MlflowRefusal;
use crate::model::FieldOrder;

/// The orders that texts are: the name of a field, and perhaps a direction.
pub(super) fn orders<F>(
    texts: &[String],
    field: impl Fn(&str) -> Parsed<F>,
) -> Parsed<Vec<FieldOrder<F>>> {
    check_terms(texts.len())?;
    let order = |text: &String| -> Parsed<FieldOrder<F>> {
        let (name, is_descending) = split(text.trim()).ok_or_else(|| {
            MlflowRefusal::invalid(format!("Invalid ordering key in order_by clause '{text}'."))
        })?;
        Ok(FieldOrder {
            field: field(name)?,
            is_descending,
        })
    };
    texts.iter().map(order).collect()
}

/// The name of a field, and whether its order is descending. `None` for another word behind it.
fn split(text: &str) -> Option<(&str, bool)> {
    let is_quoted = |it: &str| it.ends_with(['`', '"']);
    let Some((name, direction)) = text.rsplit_once(char::is_whitespace) else {
        return (!text.is_empty()).then_some((text, false));
    };
    if is_quoted(text) {
        return Some((text, false));
    }
    match direction {
        it if it.eq_ignore_ascii_case("asc") => Some((name.trim_end(), false)),
        it if it.eq_ignore_ascii_case("desc") => Some((name.trim_end(), true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_direction_may_follow_a_name() {
        for (text, expected) in [
            ("metrics.m", Some(("metrics.m", false))),
            ("metrics.m  desc", Some(("metrics.m", true))),
            ("tags.`a b`", Some(("tags.`a b`", false))),
            ("tags.`a b` ASC", Some(("tags.`a b`", false))),
            ("metrics.m UP", None),
            ("", None),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
