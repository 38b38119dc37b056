//! Doubles: one rule on every database.

use pb::value;

use crate::support::prelude::*;

on_every_database! {
    doubles_compare_alike_in_filters,
    a_zero_has_no_sign,
    doubles_that_are_not_finite_are_no_literals,
}

async fn doubles_compare_alike_in_filters(store: Store) {
    let type_id = store
        .put_type::<Artifact>("T", &[("d", PropertyType::Double)])
        .await;
    let numbers = [f64::MIN, -1.5, -0.0, 0.0, 5e-324, f64::MAX];
    for number in numbers {
        let node = Artifact::default().with_type(type_id);
        store.put(node.with("d", double(number))).await;
    }
    let filters: &[(&str, &[i64])] = &[
        ("properties.d.double_value = 0.0", &[3, 4]),
        ("properties.d.double_value = -0.0", &[3, 4]),
        ("properties.d.double_value < 0", &[1, 2]),
        ("properties.d.double_value >= -0.0", &[3, 4, 5, 6]),
        ("properties.d.double_value > 1e300", &[6]),
        ("properties.d.double_value IN (0.0, -1.5)", &[2, 3, 4]),
    ];
    for (filter, expected) in filters {
        assert_eq!(store.find::<Artifact>(filter).await, *expected, "{filter}");
    }
}

async fn a_zero_has_no_sign(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let node = Artifact::new(type_id, "n").with_custom("d", double(-0.0));
    let id = store.put(node.clone()).await;
    let bits = async || {
        let stored: Artifact = store.get(id).await;
        match stored.custom_properties["d"].value {
            Some(value::Value::DoubleValue(number)) => number.to_bits(),
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(bits().await, 0);
    let node = node.with_id(id);
    store.put(node.clone().with_custom("d", double(1.0))).await;
    store.put(node).await;
    assert_eq!(bits().await, 0);
}

async fn doubles_that_are_not_finite_are_no_literals(store: Store) {
    for literal in ["1e309", "-1e309", "NaN", "Infinity", "inf"] {
        let filter = format!("custom_properties.d.double_value = {literal}");
        let list = Artifact::list(Some(matching(&filter)));
        store.refuses(list, Code::InvalidArgument, "").await;
    }
}
