//! The header `authorization` (RFC 9110, section 11.6.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::CredentialError;

/// The token of a request: a bearer token (RFC 6750), or the password of a login (RFC 7617), whose
/// user may have any name.
pub(super) fn bearer_text(headers: &HeaderMap) -> Result<Option<String>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(CredentialError::Ambiguous);
    }
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    let text = match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.to_owned()),
        Some((scheme, login)) if scheme.eq_ignore_ascii_case("basic") => password(login),
        _ => None,
    };
    text.map(Some).ok_or(CredentialError::MalformedHeader)
}

fn password(login: &str) -> Option<String> {
    let login = String::from_utf8(STANDARD.decode(login).ok()?).ok()?;
    let (_, password) = login.split_once(':')?;
    Some(password.to_owned())
}
