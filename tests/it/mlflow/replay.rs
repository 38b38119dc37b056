//! What a client of `MLflow` sent to `MLflow`'s own server is answered alike.
//!
//! A line of the file has a request and the answer, with `${NAME}` for what an earlier answer has
//! given, and `<hex32>`, `<ms>` and `<name>` for ids, times and names that are made up.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::get;
use crate::serving::{Http, http};
use crate::support::Store;

on_every_database!(recorded_requests_are_answered_alike);

/// Lines that are answered in another way on purpose, with the status and, for an error, the code.
const DIFFERENT: [(&str, u16, &str); 13] = [
    // It says what the server can do.
    ("server-info", 200, ""),
    ("update-deleted", 400, "INVALID_PARAMETER_VALUE"),
    ("create-no-experiment", 200, ""),
    ("create-float-time", 400, "INVALID_PARAMETER_VALUE"),
    ("workspace-header", 400, "FEATURE_DISABLED"),
    ("s-bad", 400, "INVALID_PARAMETER_VALUE"),
    ("create-257", 400, "INVALID_PARAMETER_VALUE"),
    ("get-dir", 400, "INVALID_PARAMETER_VALUE"),
    ("stage-none-archive", 400, "INVALID_PARAMETER_VALUE"),
    // The layers before the routes refuse pages of hosts and origins that are not listed.
    ("foreign-host", 421, ""),
    ("foreign-origin", 403, ""),
    ("local-origin", 403, ""),
    // The layer for cross-origin requests answers it.
    ("options", 200, ""),
];

struct Replay<'s> {
    store: &'s Store,
    saved: BTreeMap<String, String>,
}

async fn recorded_requests_are_answered_alike(store: Store) {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/mlflow/examples.jsonl"
    );
    let lines = std::fs::read_to_string(path).unwrap();
    let mut replay = Replay {
        store: &store,
        saved: BTreeMap::new(),
    };
    // The first request stores the experiment `Default`, which is older than all others.
    get(&store, "/experiments/get?experiment_id=0").await;
    let mut wrong = Vec::new();
    let mut replayed = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (area, id) = (line["area"].as_str().unwrap(), line["id"].as_str().unwrap());
        replayed += 1;
        if let Err(difference) = replay.line(&line, id).await {
            wrong.push(format!("{area} {id}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(replayed, 547);
}

impl Replay<'_> {
    /// Sends the request of a line and compares the answer.
    async fn line(&mut self, line: &Value, id: &str) -> Result<(), String> {
        self.store.tick();
        let answer = self.send(line).await;
        let body = serde_json::from_slice(&answer.body);
        let body = body.unwrap_or_else(|_| Value::String(answer.text()));
        for (name, path) in line["save"].as_object().into_iter().flatten() {
            let value = path.as_str().unwrap().split('.');
            let value = value.fold(&body, |value, member| &value[member]);
            let value = value.as_str().unwrap_or_default().to_owned();
            self.saved.insert(name.clone(), value);
        }
        if let Some((_, status, code)) = DIFFERENT.iter().find(|(of, ..)| *of == id) {
            let given = body["error_code"].as_str().unwrap_or_default();
            let is_as_listed = answer.status == *status && given == *code;
            return is_as_listed
                .then_some(())
                .ok_or(format!("{} {body}", answer.status));
        }
        if line["status"] != answer.status {
            return Err(format!("{} {body}", answer.status));
        }
        if line["any_body"] == true {
            return Ok(());
        }
        let content_type = answer.header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default();
        if line["type"] != essence {
            return Err(content_type.to_owned());
        }
        let expected = self.filled(&line["response"]);
        let difference = match &line["names"] {
            Value::Null => differ(line, expected, body),
            names if id == "t-quote-doubled" => {
                assert_eq!(*names, json!([]));
                names_differ(&json!(["e"]), &body)
            }
            names => names_differ(&self.filled(names), &body),
        };
        difference.map_or(Ok(()), Err)
    }

    async fn send(&self, line: &Value) -> Http {
        let query = self.filled(&line["query"]);
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in query.as_object().into_iter().flatten() {
            match value {
                Value::Array(values) => {
                    for value in values {
                        pairs.append_pair(name, &text(value));
                    }
                }
                value => _ = pairs.append_pair(name, &text(value)),
            }
        }
        let (query, method) = (pairs.finish(), line["method"].as_str().unwrap());
        let path = text(&self.filled(&line["path"]));
        let mark = if query.is_empty() { "" } else { "?" };
        let mut head = format!("{method} {path}{mark}{query} HTTP/1.1");
        let mut headers = Map::new();
        let body = match (&line["json"], &line["raw"], &line["body"]) {
            (Value::Null, Value::Null, Value::Null) => String::new(),
            _ if line["generate"] == true => self.long_batch(),
            (Value::Null, Value::Null, body) => text(&self.filled(body)),
            (Value::Null, raw, _) => text(&self.filled(raw)),
            (json, ..) => self.filled(json).to_string(),
        };
        if method != "GET" {
            headers.insert("Content-Type".to_owned(), json!("application/json"));
        }
        headers.extend(line["headers"].as_object().cloned().unwrap_or_default());
        for (name, value) in headers {
            head = [&head, "\r\n", &name, ": ", &text(&value)].concat();
        }
        http(self.store.port(), &head, body.as_bytes()).await
    }

    /// The batch of more than a megabyte that a line describes.
    fn long_batch(&self) -> String {
        let tag = |index: usize| json!({"key": format!("t{index}"), "value": "v".repeat(7990)});
        let tags: Vec<Value> = (0..100).map(tag).collect();
        let batch = json!({"run_id": self.saved["r2"], "tags": tags}).to_string();
        batch + &" ".repeat(300_000)
    }

    /// A value with what has been saved, and with what stands for long texts and lists.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                for (name, value) in &self.saved {
                    text = text.replace(&format!("${{{name}}}"), value);
                }
                Value::String(text)
            }
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Value::Object(members) => match (&members.get("$repeat"), &members.get("$many")) {
                (Some(of), _) => {
                    let times = usize::try_from(of[1].as_u64().unwrap()).unwrap();
                    Value::String(of[0].as_str().unwrap().repeat(times))
                }
                (_, Some(of)) => many(of[0].as_u64().unwrap(), &of[1]),
                _ => {
                    let members = members.iter();
                    let filled = members.map(|(name, value)| (name.clone(), self.filled(value)));
                    Value::Object(filled.collect())
                }
            },
            other => other.clone(),
        }
    }
}

/// What is different between an expected and a given answer.
fn differ(line: &Value, mut expected: Value, mut given: Value) -> Option<String> {
    if expected.get("error_code").is_some() {
        let (wanted, message) = (text(&expected["message"]), text(&given["message"]));
        let is_alike = match line["message"].as_str() {
            Some("any") => true,
            Some("prefix") => message.starts_with(&wanted),
            _ => is_match(&json!(wanted), &json!(message)),
        };
        let is_alike = is_alike && expected["error_code"] == given["error_code"];
        return (!is_alike).then(|| format!("{given} is not {expected}"));
    }
    with_exact_numbers(&mut expected);
    for path in line["unordered"].as_array().into_iter().flatten() {
        let path: Vec<&str> = path.as_str().unwrap().split('.').collect();
        sort_at(&mut expected, &path);
        sort_at(&mut given, &path);
    }
    // Parameters and tags are properties, which have no order.
    for list in ["params", "tags"] {
        sort_at(&mut expected, &["run", "data", list]);
        sort_at(&mut given, &["run", "data", list]);
    }
    (!is_match(&expected, &given)).then(|| format!("{given} is not {expected}"))
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A list of so many entries, whose keys or times count up from those of the first.
fn many(count: u64, first: &Value) -> Value {
    let entry = |index: u64| {
        let mut entry = first.clone();
        if entry.get("timestamp").is_some() {
            entry["timestamp"] = json!(index);
        } else {
            let key = entry["key"].as_str().unwrap().trim_end_matches('0');
            entry["key"] = json!(format!("{key}{index}"));
        }
        entry
    };
    (0..count).map(entry).collect()
}

/// `MLflow` stores infinities as the greatest number, and a NaN that is no text as 0; here they are
/// stored as they are.
fn with_exact_numbers(expected: &mut Value) {
    let lists = ["/metrics", "/run/data/metrics"];
    for list in lists {
        let Some(Value::Array(metrics)) = expected.pointer_mut(list) else {
            continue;
        };
        for metric in metrics {
            match metric["key"].as_str() {
                Some("inf") => metric["value"] = json!("Infinity"),
                Some("ninf") => metric["value"] = json!("-Infinity"),
                Some("bare") => {
                    metric["value"] = json!("NaN");
                    metric["timestamp"] = json!(1);
                }
                _ => {}
            }
        }
    }
}

/// Sorts the list at a path, where `*` stands for each element.
fn sort_at(value: &mut Value, path: &[&str]) {
    match (path, value) {
        // Versions have times, which are masks where they are expected.
        ([], Value::Array(list)) => {
            list.sort_by_key(|entry| (text(&entry["version"]), entry.to_string()));
        }
        (["*", rest @ ..], Value::Array(list)) => {
            for entry in list {
                sort_at(entry, rest);
            }
        }
        ([member, rest @ ..], value) => {
            let pointer = format!("/{member}");
            if let Some(inner) = value.pointer_mut(&pointer) {
                sort_at(inner, rest);
            }
        }
        _ => {}
    }
}

/// Whether a value is as expected.
fn is_match(expected: &Value, given: &Value) -> bool {
    match (expected, given) {
        (Value::String(mask), given) if mask == "<ms>" => given.is_i64(),
        (Value::String(mask), Value::String(_)) if mask == "<name>" => true,
        (Value::String(expected), Value::String(given)) => match expected.split_once("<hex32>") {
            None => expected == given,
            Some((before, after)) => {
                let inside = given
                    .strip_prefix(before)
                    .and_then(|it| it.strip_suffix(after));
                let is_hex = |it: &str| it.bytes().all(|byte| byte.is_ascii_hexdigit());
                inside.is_some_and(|it| it.len() == 32 && is_hex(it))
            }
        },
        (Value::Array(expected), Value::Array(given)) => {
            let mut pairs = expected.iter().zip(given);
            expected.len() == given.len() && pairs.all(|(one, other)| is_match(one, other))
        }
        (Value::Object(expected), Value::Object(given)) => {
            let is_same = |(name, value): (&String, &Value)| {
                given.get(name).is_some_and(|given| is_match(value, given))
            };
            expected.len() == given.len() && expected.iter().all(is_same)
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (expected, given) => expected == given,
    }
}

/// What is different between the names of what was to be found and those of what was.
fn names_differ(expected: &Value, given: &Value) -> Option<String> {
    let lists = [
        ("runs", "/info/run_name"),
        ("models", "/info/name"),
        ("registered_models", "/name"),
        ("model_versions", "/name"),
    ];
    let names = lists.iter().flat_map(|(list, name)| {
        let found = given[*list].as_array().into_iter().flatten();
        found.map(
            move |entry| match (entry.pointer(name), entry["version"].as_str()) {
                (Some(name), Some(version)) => json!(format!("{}/{version}", text(name))),
                (name, _) => name.cloned().unwrap_or_default(),
            },
        )
    });
    // A name that is made up here may match a pattern that the recorded one did not.
    let has_made_up = text(expected).contains("<name>");
    let is_made_up = |name: &Value| {
        let name = text(name);
        let number = name.rsplit_once('-').map(|(_, number)| number.to_owned());
        name.matches('-').count() == 2 && number.is_some_and(|it| it.parse::<u32>().is_ok())
    };
    let names: Value = names
        .filter(|name| has_made_up || !is_made_up(name))
        .collect();
    // A name of 257 characters is refused.
    let mut expected = expected.clone();
    if let Value::Array(list) = &mut expected {
        list.retain(|name| *name != "n*257");
    }
    let expected = &expected;
    (!is_match(expected, &names)).then(|| format!("{names} is not {expected}"))
}
