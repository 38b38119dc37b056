//! The claims of a token.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Claims by their names. A repeated name is refused: readers differ in which of its values counts.
#[derive(Debug)]
pub(super) struct Claims(HashMap<String, Value>);

impl Claims {
    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim that is a list of texts, or one text. None without the claim.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, ()> {
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(values)) => {
                let texts: Option<_> = values.iter().map(Value::as_str).collect();
                texts.ok_or(())
            }
            Some(_) => Err(()),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A claim that is a time (`NumericDate`, seconds since epoch), in milliseconds since epoch.
    pub(super) fn time(&self, name: &str) -> Option<i64> {
        let seconds = self.0.get(name)?.as_f64()?;
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        i64::try_from(time.as_millis()).ok()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;

        impl<'de> Visitor<'de> for Unique {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims = HashMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim stands there twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_claim_stands_there_once() {
        assert_eq!(claims(r#"{"a":"x"}"#).text("a"), Some("x"));
        for wrong in [r#"{"a":"x","a":"x"}"#, "[]", "1", "\"a\"", "null"] {
            serde_json::from_str::<Claims>(wrong).unwrap_err();
        }
    }

    #[test]
    fn lists_have_texts_only() {
        let of = |json: &str| claims(json).texts("g").map(|it| it.join(" "));
        assert_eq!(of(r#"{"g":["a","b"]}"#), Ok("a b".into()));
        assert_eq!(of(r#"{"g":"a"}"#), Ok("a".into()));
        assert_eq!(of("{}"), Ok(String::new()));
        for wrong in ["null", "1", "{}", r#"["a",1]"#, r#"[["a"]]"#] {
            assert_eq!(of(&format!("{{\"g\":{wrong}}}")), Err(()), "{wrong}");
        }
    }

    #[test]
    fn times_are_numbers_of_seconds() {
        for (value, milliseconds) in [
            ("0", Some(0)),
            ("1.5", Some(1500)),
            ("1e9", Some(1_000_000_000_000)),
            ("-1", None),
            ("1e300", None),
            ("1e17", None),
            ("\"1\"", None),
            ("null", None),
            ("[1]", None),
        ] {
            let claims = claims(&format!("{{\"exp\":{value}}}"));
            assert_eq!(claims.time("exp"), milliseconds, "{value}");
        }
    }
}
