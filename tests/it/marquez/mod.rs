//! The read part of Marquez's API, over events that producers sent.

mod catalog;
mod client;
mod lineage;

use serde_json::Value;

use crate::openlineage::{PATH, post, recorded};
use crate::serving::http;
use crate::support::Store;

/// Sends the events of a scenario, in order.
async fn send(store: &Store, scenario: &str) {
    for event in recorded(scenario) {
        let answer = post(store.port(), PATH, event.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?} {event}");
    }
}

/// The status and the JSON of the answer at a path below `/api/v1`.
async fn ask(store: &Store, path: &str) -> (u16, Value) {
    let answer = http(store.port(), &format!("GET /api/v1{path} HTTP/1.1"), b"").await;
    let json = serde_json::from_slice(&answer.body);
    let json = json.unwrap_or_else(|error| panic!("{path}: {error}: {answer:?}"));
    (answer.status, json)
}

/// [`ask`], which must be answered.
async fn get(store: &Store, path: &str) -> Value {
    let (status, json) = ask(store, path).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

/// The texts of a member of the elements of a list.
fn texts<'v>(list: &'v Value, member: &str) -> Vec<&'v str> {
    let list = list.as_array().unwrap().iter();
    list.map(|it| it[member].as_str().unwrap()).collect()
}

/// Everything but letters and digits in percent encoding, as clients write a name in a path.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The names of the members of an object.
fn members(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
