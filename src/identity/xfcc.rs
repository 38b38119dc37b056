//! The header `x-forwarded-client-cert` (XFCC), in which Envoy and Istio name the client whose
//! certificate they have verified.
//!
//! An element is what one proxy says of its client, as `key=value` pairs with semicolons between
//! them; elements of several proxies have commas between them. A value may be in quotes, in which
//! `\"` is a quote and nothing else is escaped.

/// What a name begins with that is the common name of a certificate.
const COMMON_NAME: &str = "CN=";

/// The scheme of SPIFFE ids.
const SPIFFE: &str = "spiffe://";

/// The name of the client: its SPIFFE id, otherwise `CN=` and the common name of its certificate.
///
/// # Errors
///
/// If the header is malformed, has several elements, or has not one usable name.
pub(super) fn name(header: &str) -> Result<String, &'static str> {
    let pairs = pairs(header)?;
    let values = |key: &str| {
        let named = pairs
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(key));
        named.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let ids = values("uri").into_iter();
    let ids: Vec<&str> = ids.filter(|uri| uri.starts_with(SPIFFE)).collect();
    match (ids.as_slice(), values("subject").as_slice()) {
        ([id], _) => Ok((*id).to_owned()),
        ([_, ..], _) => Err("names two SPIFFE ids"),
        ([], [subject]) => {
            let name = common_name(subject).ok_or("names no usable common name")?;
            Ok([COMMON_NAME, name].concat())
        }
        ([], []) => Err("names nobody"),
        ([], _) => Err("names two subjects"),
    }
}

/// The pairs of the only element.
fn pairs(header: &str) -> Result<Vec<(&str, String)>, &'static str> {
    const MALFORMED: &str = "is malformed";
    let mut pairs = Vec::new();
    let mut rest = header;
    loop {
        let (key, value) = rest.split_once('=').ok_or(MALFORMED)?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_key {
            return Err(MALFORMED);
        }
        let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
            unquoted(quoted).ok_or(MALFORMED)?
        } else {
            let end = value.find([';', ',']).unwrap_or(value.len());
            (value[..end].to_owned(), &value[end..])
        };
        pairs.push((key, value));
        match after.split_at_checked(1) {
            None => return Ok(pairs),
            Some((";", next)) => rest = next,
            Some((",", _)) => return Err("is that of several proxies"),
            Some(_) => return Err(MALFORMED),
        }
    }
}

/// A value up to the quote at its end, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' if characters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            other => value.push(other),
        }
    }
    None
}

/// The only common name of a distinguished name (RFC 4514). One with special characters is none.
fn common_name(subject: &str) -> Option<&str> {
    let mut names = Vec::new();
    let mut start = 0;
    let mut is_escaped = false;
    for (place, character) in subject.char_indices().chain([(subject.len(), ',')]) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' => {
                let part = &subject[start..place];
                start = place + 1;
                let (key, value) = part.split_once('=')?;
                if key.trim().eq_ignore_ascii_case("cn") {
                    names.push(value);
                }
            }
            _ => {}
        }
    }
    let [name] = names[..] else { return None };
    let is_plain = !name.is_empty() && !name.contains(['\\', '"', '+', '#', '<', '>', ';', '=']);
    is_plain.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_name_counts() {
        let hash = "a".repeat(64);
        for (header, expected) in [
            (
                format!(
                    "By=spiffe://td/ns/b/sa/b;Hash={hash};Subject=\"\";URI=spiffe://td/ns/a/sa/a"
                ),
                "spiffe://td/ns/a/sa/a",
            ),
            (
                "URI=https://a;uri=\"spiffe://a/b\";Subject=\"CN=x\";DNS=a;DNS=b".into(),
                "spiffe://a/b",
            ),
            (
                "Hash=1;Subject=\"O=a\\, b,OU=\\\"c\\\",CN=trainer\"".into(),
                "CN=trainer",
            ),
            ("Subject=CN=trainer;Cert=\"-%0A\"".into(), "CN=trainer"),
        ] {
            assert_eq!(name(&header).as_deref(), Ok(expected), "{header}");
        }
    }

    #[test]
    fn a_name_cannot_be_forged_or_ambiguous() {
        for wrong in [
            "",
            "URI",
            "=a",
            "URI=",
            "By=spiffe://a/b",
            "URI=spiffe://a/b,URI=spiffe://a/c",
            "URI=spiffe://a/b, By=x",
            "URI=spiffe://a/b;URI=spiffe://a/b",
            "URI=spiffe://a/b;uri=spiffe://a/c",
            "URI=\"spiffe://a/b",
            "URI=\"spiffe://a/b\"x",
            "URI=spiffe://a/b;",
            "Subject=\"CN=a,CN=b\"",
            "Subject=\"CN=a\";Subject=\"CN=b\"",
            "Subject=\"CN=\"",
            "Subject=\"O=a\"",
            "Subject=\"CN=a+O=b\"",
            "Subject=\"CN=a\\,b\"",
            // What another part of the name has in it.
            "Subject=\"O=a\\,CN=root\"",
            "Subject=\"O=a\\\";URI=spiffe://a/b\"",
            "Subject=\"O=a\\\\\";URI=spiffe://a/b\"",
        ] {
            assert!(name(wrong).is_err(), "{wrong}: {:?}", name(wrong));
        }
    }
}
