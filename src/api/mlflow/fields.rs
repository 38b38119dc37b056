//! The fields of requests, read as `MLflow` reads them: names in snake or camel case, integers as
//! numbers or texts, enums by name or number, and what is not known ignored.

use serde_json::{Map, Value as Json};
use url::form_urlencoded;

use super::refusal::MlflowRefusal;
use crate::loose_json::quote_numbers;

/// What refusals of fields end with.
const HINT: &str = "See the API docs for more information about request parameters.";

/// The fields of a request, or of an object in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// By names in snake case.
    members: Map<String, Json>,
    /// What stands before the names of fields in refusals, such as `metrics[0].`.
    path: String,
}

type Read<T> = Result<T, MlflowRefusal>;

impl Fields {
    /// The fields of a body of JSON. An empty body has none.
    ///
    /// # Errors
    ///
    /// A refusal of what is no JSON object.
    pub(super) fn of_body(body: &[u8]) -> Read<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let parsed = serde_json::from_slice(body).or_else(|error| {
            let quoted = quote_numbers(body);
            serde_json::from_slice(&quoted).map_err(|_| error)
        });
        match parsed {
            Ok(Json::Object(members)) => Ok(Self::of_object(members, String::new())),
            Ok(_) => Err(MlflowRefusal::bad_request("the body is no JSON object")),
            Err(error) => Err(MlflowRefusal::bad_request(format!("the body: {error}"))),
        }
    }

    /// The fields of the query of a URL. A name that comes several times has a list.
    pub(super) fn of_query(query: &str) -> Self {
        let mut members: Map<String, Json> = Map::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let text = Json::String(text.into_owned());
            match members.get_mut(name.as_ref()) {
                Some(Json::Array(list)) => list.push(text),
                Some(first) => *first = Json::Array(vec![first.take(), text]),
                None => _ = members.insert(name.into_owned(), text),
            }
        }
        Self::of_object(members, String::new())
    }

    fn of_object(members: Map<String, Json>, path: String) -> Self {
        let members = members.into_iter();
        let members = members.map(|(name, value)| (in_snake_case(name), value));
        Self {
            members: members.collect(),
            path,
        }
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is set.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The name of a field in refusals.
    pub(super) fn name(&self, name: &str) -> String {
        [&self.path, name].concat()
    }

    /// A refusal of the value of a field.
    fn invalid(&self, name: &str, value: &Json) -> MlflowRefusal {
        let (name, of) = (self.name(name), python_type(value));
        MlflowRefusal::invalid(format!(
            "Invalid value {value} for parameter '{name}' supplied:  Hint: Value was of type \
             '{of}'. {HINT}"
        ))
    }

    /// A refusal of the value that a field has.
    pub(super) fn refuse(&self, name: &str) -> MlflowRefusal {
        self.invalid(name, self.get(name).unwrap_or(&Json::Null))
    }

    /// A refusal of a request without a field.
    pub(super) fn missing(&self, name: &str) -> MlflowRefusal {
        let name = self.name(name);
        MlflowRefusal::invalid(format!(
            "Missing value for required parameter '{name}'. {HINT}"
        ))
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Read<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// A text that is not empty.
    pub(super) fn required_text(&self, name: &str) -> Read<&str> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.missing(name))
    }

    /// The key of a metric, a parameter or a tag in a list. One that is no text is an empty one,
    /// which is refused as a name.
    pub(super) fn key(&self) -> String {
        let key = self.get("key").and_then(Json::as_str);
        key.unwrap_or_default().to_owned()
    }

    /// An integer: a number, or a decimal text.
    pub(super) fn int(&self, name: &str) -> Read<Option<i64>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let int = match value {
            Json::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        int.map(Some).ok_or_else(|| self.invalid(name, value))
    }

    pub(super) fn required_int(&self, name: &str) -> Read<i64> {
        self.int(name)?.ok_or_else(|| self.missing(name))
    }

    /// A number, or a text that is one.
    pub(super) fn required_number(&self, name: &str) -> Read<f64> {
        let value = self.get(name).ok_or_else(|| self.missing(name))?;
        let number = match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => number_of(text),
            _ => None,
        };
        number.ok_or_else(|| self.invalid(name, value))
    }

    /// One of several values, by its number or its name. Others count as none.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(i64, &str, T)]) -> Option<T> {
        let given = self.get(name)?;
        let number = given.as_i64();
        let is_given =
            |(of, name, _): &&(i64, &str, T)| number == Some(*of) || given.as_str() == Some(*name);
        choices.iter().find(is_given).map(|(_, _, choice)| *choice)
    }

    /// Whether a field is true. Unset, it is `default`.
    pub(super) fn flag(&self, name: &str, default: bool) -> Read<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(Json::String(text)) if text == "true" => Ok(true),
            Some(Json::String(text)) if text == "false" => Ok(false),
            Some(other) => Err(self.invalid(name, other)),
        }
    }

    /// A list of texts. A single one is a list of one.
    pub(super) fn texts(&self, name: &str) -> Read<Vec<String>> {
        let single;
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Json::Array(list)) => list.as_slice(),
            Some(other) => {
                single = [other.clone()];
                &single
            }
        };
        let text = |value: &Json| match value {
            Json::String(text) => Ok(text.clone()),
            other => Err(self.invalid(name, other)),
        };
        list.iter().map(text).collect()
    }

    /// An object. `None` also for what is none.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        let members = self.get(name)?.as_object()?.clone();
        Some(Self::of_object(members, [&self.path, name, "."].concat()))
    }

    /// A list of objects.
    pub(super) fn objects(&self, name: &str) -> Read<Vec<Self>> {
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Json::Array(list)) => list,
            Some(other) => return Err(self.invalid(name, other)),
        };
        let object = |(index, value): (usize, &Json)| match value {
            Json::Object(members) => {
                let path = format!("{}{name}[{index}].", self.path);
                Ok(Self::of_object(members.clone(), path))
            }
            other => Err(self.invalid(name, other)),
        };
        list.iter().enumerate().map(object).collect()
    }
}

/// A number without a fraction.
fn whole(number: f64) -> Option<i64> {
    // From 2^63 on, a double is no i64.
    const INT_END: f64 = 9_223_372_036_854_775_808.0;
    let is_whole = number.fract() == 0.0 && (-INT_END..INT_END).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it has no fraction and fits"
    )]
    let whole = number as i64;
    is_whole.then_some(whole)
}

/// The number that a text is, as protocol buffers have numbers in JSON.
fn number_of(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text => text
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
    }
}

/// What Python calls the type of a value.
fn python_type(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

fn in_snake_case(name: String) -> String {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name;
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        Fields::of_body(body.as_bytes()).unwrap()
    }

    #[test]
    fn integers_are_numbers_or_texts() {
        let given = fields(r#"{"a": 9.0, "b": "17", "c": 1.5, "d": 1e19, "runId": -3}"#);
        assert_eq!(given.int("a").unwrap(), Some(9));
        assert_eq!(given.int("b").unwrap(), Some(17));
        assert_eq!(given.int("run_id").unwrap(), Some(-3));
        assert_eq!(given.int("none").unwrap(), None);
        assert!(given.int("c").is_err() && given.int("d").is_err());
    }

    #[test]
    fn numbers_may_be_none() {
        let given = fields(r#"{"a": NaN, "b": "x NaN \" NaN", "c": -Infinity, "d": "Infinity"}"#);
        let bits = |name| given.required_number(name).unwrap().to_bits();
        assert_eq!(bits("a"), f64::NAN.to_bits());
        assert_eq!(given.text("b").unwrap(), Some("x NaN \" NaN"));
        assert_eq!(bits("c"), f64::NEG_INFINITY.to_bits());
        assert_eq!(bits("d"), f64::INFINITY.to_bits());
        assert!(given.required_number("b").is_err() && given.required_number("e").is_err());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["{bad", "[1]", "1", "{\"a\": NaNa}"] {
            assert!(Fields::of_body(body.as_bytes()).is_err(), "{body}");
        }
        assert!(fields("").text("a").unwrap().is_none());
    }

    #[test]
    fn a_name_that_comes_twice_is_a_list() {
        let given = Fields::of_query("a=1&b=x+y&a=2");
        assert_eq!(given.texts("a").unwrap(), ["1", "2"]);
        assert_eq!(given.texts("b").unwrap(), ["x y"]);
        assert!(given.text("a").is_err());
    }
}
