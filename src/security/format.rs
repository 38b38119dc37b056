//! The format of a security file: TOML, without unknown keys.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::SecuritySettings;
use super::issuers::IssuerEntry;
use super::limits::LimitEntry;
use super::proxies::ProxyEntry;
use super::tenants::{TenantEntry, TenantList};
use super::tokens::TokenEntry;
use crate::error::StartError;
use crate::identity::IdentitySources;
use crate::identity::jwt::Issuers;
use crate::identity::proxy::TrustedProxies;
use crate::identity::token::ApiTokens;
use crate::policy::{
    Action, Denial, Grant, LimitRule, Policy, PolicyMode, Role, SubjectPattern, TenantScope,
};

/// The maximum length of the name of an issuer or a proxy in bytes.
const MAX_SOURCE_NAME_BYTES: usize = 64;

/// What is wrong with a file.
#[derive(Debug)]
pub(super) struct FileProblem {
    pub(super) line: usize,
    pub(super) text: String,
}

impl FileProblem {
    pub(super) fn at(self, path: &Path) -> StartError {
        let (path, Self { line, text }) = (path.display(), self);
        StartError::Security(format!("{path}, line {line}: {text}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    allow_anonymous: bool,
    #[serde(default)]
    allow_plaintext_credentials: bool,
    #[serde(default)]
    audit_reads: Vec<Action>,
    #[serde(default)]
    mode: PolicyMode,
    #[serde(default, rename = "token")]
    tokens: Vec<Spanned<TokenEntry>>,
    #[serde(default, rename = "issuer")]
    issuers: Vec<Spanned<IssuerEntry>>,
    #[serde(default, rename = "proxy")]
    proxies: Vec<Spanned<ProxyEntry>>,
    #[serde(default, rename = "grant")]
    grants: Vec<Spanned<GrantEntry>>,
    #[serde(default, rename = "deny")]
    denials: Vec<Spanned<DenialEntry>>,
    #[serde(default, rename = "limit")]
    limits: Vec<Spanned<LimitEntry>>,
    #[serde(default, rename = "tenant")]
    tenants: BTreeMap<String, Spanned<TenantEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantEntry {
    subjects: Vec<SubjectPattern>,
    role: Role,
    #[serde(default)]
    tenant: TenantScope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DenialEntry {
    subjects: Vec<SubjectPattern>,
    actions: Vec<Action>,
    #[serde(default)]
    except: Vec<SubjectPattern>,
    /// Without one, it holds in all tenants.
    tenant: Option<TenantScope>,
}

/// The name of an issuer or a proxy, as subjects have it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct SourceName(pub(super) String);

impl TryFrom<String> for SourceName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let lengths = 1..=MAX_SOURCE_NAME_BYTES;
        let is_name = lengths.contains(&text.len()) && text.bytes().all(is_allowed);
        let rule = "the name of an issuer or a proxy has letters, digits and -._";
        is_name.then_some(Self(text)).ok_or(rule)
    }
}

impl Document {
    fn parse(text: &str) -> Result<Self, FileProblem> {
        // A file that is written in place is empty for a moment.
        if text.trim().is_empty() {
            return Err(FileProblem {
                line: 1,
                text: "the file is empty".into(),
            });
        }
        toml::from_str(text).map_err(|error| FileProblem {
            line: error.span().map_or(1, |span| line_at(text, span.start)),
            text: without_quotes(error.message()),
        })
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Reads the tenants of a file only.
pub(super) fn parse_tenants(text: &str) -> Result<TenantList, FileProblem> {
    let document = Document::parse(text)?;
    TenantList::read(document.tenants, |offset| line_at(text, offset))
}

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<SecuritySettings, FileProblem> {
    let line_at = |offset: usize| line_at(text, offset);
    let document = Document::parse(text)?;
    let tenants = TenantList::read(document.tenants, line_at)?;
    let grants = document.grants.into_iter().map(|entry| {
        let line = line_at(entry.span().start);
        let GrantEntry {
            subjects,
            role,
            tenant,
        } = entry.into_inner();
        Grant {
            line,
            subjects,
            role,
            tenants: tenant,
        }
    });
    let denials = document.denials.into_iter().map(|entry| {
        let line = line_at(entry.span().start);
        let DenialEntry {
            subjects,
            actions,
            except,
            tenant,
        } = entry.into_inner();
        Denial {
            line,
            subjects,
            except,
            actions,
            tenants: tenant.unwrap_or(TenantScope::All),
        }
    });
    let limits = document.limits.into_iter().map(|entry| {
        let line = line_at(entry.span().start);
        let entry = entry.into_inner();
        LimitRule {
            line,
            limits: entry.limits(),
            subjects: entry.subjects,
        }
    });
    let policy = Policy {
        mode: document.mode,
        grants: grants.collect(),
        denials: denials.collect(),
        limits: limits.collect(),
    };
    let scopes = policy.grants.iter().map(|it| (it.line, &it.tenants));
    let scopes = scopes.chain(policy.denials.iter().map(|it| (it.line, &it.tenants)));
    for (line, scope) in scopes {
        tenants.check(line, scope)?;
    }
    let tokens = tokens(document.tokens, &tenants, line_at)?;
    Ok(SecuritySettings {
        identities: IdentitySources {
            tokens,
            issuers: issuers(document.issuers, line_at)?,
            proxies: proxies(document.proxies, line_at)?,
            allows_anonymous: document.allow_anonymous,
            allows_plaintext_credentials: document.allow_plaintext_credentials,
        },
        policy,
        audited_reads: document.audit_reads,
        tenants,
    })
}

fn tokens(
    entries: Vec<Spanned<TokenEntry>>,
    tenants: &TenantList,
    line_at: impl Fn(usize) -> usize,
) -> Result<ApiTokens, FileProblem> {
    let mut ids = HashSet::new();
    let mut tokens = Vec::new();
    for entry in entries {
        let line = line_at(entry.span().start);
        let token = entry.into_inner().token();
        if let Some(name) = &token.tenant {
            tenants.check(line, &TenantScope::One(name.clone()))?;
        }
        if !ids.insert(token.id.clone()) {
            let text = format!("another token has the id {}", token.id);
            return Err(FileProblem { line, text });
        }
        tokens.push(token);
    }
    Ok(ApiTokens::new(tokens))
}

fn issuers(
    entries: Vec<Spanned<IssuerEntry>>,
    line_at: impl Fn(usize) -> usize,
) -> Result<Issuers, FileProblem> {
    let (mut names, mut urls) = (HashSet::new(), HashSet::new());
    let mut clusters = 0;
    let mut issuers = Vec::new();
    for entry in entries {
        let line = line_at(entry.span().start);
        let problem = |text: String| FileProblem { line, text };
        let entry = entry.into_inner();
        clusters += usize::from(entry.is_kubernetes());
        if clusters > 1 {
            let text = "accounts of two clusters would have the same subjects k8s:…";
            return Err(problem(text.into()));
        }
        let issuer = entry.check().map_err(problem)?;
        if !names.insert(issuer.rules.name.clone()) || !urls.insert(issuer.rules.url.clone()) {
            return Err(problem("another issuer has this name or URL".into()));
        }
        issuers.push(issuer);
    }
    Ok(Issuers::new(issuers))
}

fn proxies(
    entries: Vec<Spanned<ProxyEntry>>,
    line_at: impl Fn(usize) -> usize,
) -> Result<TrustedProxies, FileProblem> {
    let mut proxies = Vec::new();
    for entry in entries {
        let line = line_at(entry.span().start);
        let checked = entry.into_inner().check(&proxies);
        proxies.push(checked.map_err(|text| FileProblem {
            line,
            text: text.into(),
        })?);
    }
    Ok(TrustedProxies::new(proxies))
}

/// A message without the values that it quotes: one may be a secret in a wrong place.
fn without_quotes(message: &str) -> String {
    let parts: Vec<&str> = message.split('"').step_by(2).collect();
    parts.join("…")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "[[token]]\nid = \"0123456789ab\"\nsubject = \"token:ci\"\n\
                         expires = 2030-01-31T00:00:00Z\n";

    const ISSUER: &str = "[[issuer]]\nname = \"a\"\nurl = \"https://id.example.org\"\n\
                          audiences = [\"p\"]\n";

    const PROXY: &str = "[[proxy]]\nname = \"ui\"\npeers = [\"cert:CN=ui\"]\n\
                         header = \"x-forwarded-user\"\n";

    fn digest() -> String {
        format!("sha256 = \"{}\"\n", "0".repeat(64))
    }

    /// A text is refused with a problem that begins so, and that quotes nothing.
    #[track_caller]
    fn check_refusal(text: &str, lead: &str) {
        let FileProblem {
            line,
            text: problem,
        } = parse(text).unwrap_err();
        let refusal = format!("{line}: {problem}");
        assert!(refusal.starts_with(lead), "{lead} for {text}: {refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn a_file_without_keys_lets_nobody_in_by_a_secret() {
        assert_eq!(parse(" \n").unwrap_err().text, "the file is empty");
        let settings = parse("# none").unwrap();
        assert!(!settings.identities.allows_anonymous);
        assert!(!settings.identities.allows_plaintext_credentials);
        parse(&[TOKEN, &digest()].concat()).unwrap();
        parse(ISSUER).unwrap();
        parse(PROXY).unwrap();
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line_and_without_values() {
        let secret = "ped_0123456789ab_hunter2";
        let quoted = format!("\"{secret}\"");
        for (text, lead) in [
            ("allow_anonymos = true\n".to_owned(), "1: unknown field"),
            ("\nallow_anonymous = 1\n".to_owned(), "2: invalid type"),
            (format!("\n\n{secret}\n"), "3: "),
            (format!("allow_anonymous = {quoted}\n"), "1: invalid type"),
            (TOKEN.to_owned(), "1: missing field"),
            (
                "[[grant]]\nsubjects = [\"*a\"]\nrole = \"reader\"\n".into(),
                "2: a subject is",
            ),
            (
                format!("[[grant]]\nsubjects = []\nrole = {quoted}\n"),
                "3: a role is one of reader",
            ),
            (
                format!("[[grant]]\nsubjects = []\nroles = {quoted}\n"),
                "3: unknown field",
            ),
            (
                format!("[[deny]]\nsubjects = []\nactions = [{quoted}]\n"),
                "3: an action is one",
            ),
            (format!("mode = {quoted}\n"), "1: the mode is"),
            (format!("{TOKEN}sha256 = {quoted}\n"), "5: the SHA-256 of"),
            (format!("{TOKEN}{}x = 1\n", digest()), "6: unknown field"),
            (format!("[[token]]\nid = {quoted}\n"), "2: an id is"),
            (format!("[[token]]\nsubject = {quoted}\n"), "2: the subject"),
            (
                "[[token]]\nsubject = \"token: \"\n".into(),
                "2: the subject",
            ),
            (format!("[[token]]\nexpires = {quoted}\n"), "2: "),
            ("[[token]]\nexpires = 2030-01-31\n".into(), "2: a time is"),
            (
                "[[token]]\nexpires = 2030-01-31T00:00:00+01:00\n".into(),
                "2: a time is",
            ),
            (format!("{ISSUER}jwks_url = {quoted}\n"), "1: jwks_url is"),
            (
                format!("{ISSUER}algorithms = [\"HS256\"]\n"),
                "5: an algorithm",
            ),
            (
                format!("{ISSUER}algorithms = [\"none\"]\n"),
                "5: an algorithm",
            ),
            (
                format!("{ISSUER}token_file = \"a\"\n"),
                "1: token_file needs",
            ),
            (
                format!("{ISSUER}jwks_file = \"/none\"\n"),
                "1: cannot read /none",
            ),
            (
                format!("{ISSUER}ca_file = \"/none\"\n"),
                "1: cannot read /none",
            ),
            (
                format!("{ISSUER}kubernetes = true\nsubject_claim = \"a\"\n"),
                "1: subject_claim and",
            ),
            (
                format!("{ISSUER}kubernetes = true\ngroups_claim = \"a\"\n"),
                "1: groups_claim and",
            ),
            (ISSUER.replace("https", "http"), "1: the url of an issuer"),
            (ISSUER.replace("https://", "https://a:b@"), "1: the url of"),
            (
                ISSUER.replace("\"a\"", "\"a b\""),
                "2: the name of an issuer",
            ),
            (
                ISSUER.replace("[\"p\"]", "[]"),
                "1: an issuer needs audiences",
            ),
            ([ISSUER, ISSUER].concat(), "5: another issuer"),
            (
                {
                    let cluster = format!("{ISSUER}kubernetes = true\n");
                    let other = cluster.replace("\"a\"", "\"b\"").replace(".org", ".com");
                    [cluster, other].concat()
                },
                "6: accounts of two clusters",
            ),
            (
                [TOKEN, &digest(), TOKEN, &digest()].concat(),
                "6: another token",
            ),
        ] {
            check_refusal(&text, lead);
        }
    }

    #[test]
    fn wrong_proxies_and_limits_are_refused() {
        let quoted = "\"ped_0123456789ab_hunter2\"";
        for (text, lead) in [
            (PROXY.replace("CN=ui", "CN=*"), "1: the peers of a proxy"),
            (PROXY.replace("cert:CN=", "token:"), "1: the peers of"),
            (PROXY.replace("\"cert:CN=ui\"", ""), "1: the peers of"),
            (PROXY.replace("x-forwarded-user", "a b"), "1: the header"),
            (
                PROXY.replace("x-forwarded-user", "Authorization"),
                "1: the header of a proxy has another",
            ),
            (PROXY.replace("\"ui\"", "\"a:b\""), "2: the name of"),
            ([PROXY, PROXY].concat(), "5: another proxy has this name"),
            (
                [PROXY, &PROXY.replace("\"ui\"", "\"b\"")].concat(),
                "5: another proxy has this header",
            ),
            (format!("{PROXY}password = {quoted}\n"), "5: unknown field"),
            (format!("{PROXY}format = {quoted}\n"), "5: the format of"),
            (
                format!("{PROXY}format = \"xfcc\"\nprefix = \"a\"\n"),
                "1: prefix and the format xfcc",
            ),
            (
                format!("{PROXY}groups_header = \"X-Forwarded-User\"\n"),
                "1: a header names",
            ),
            (
                {
                    let other = PROXY.replace("\"ui\"", "\"b\"").replace("-user", "-name");
                    [PROXY, &other, "groups_header = \"x-forwarded-user\"\n"].concat()
                },
                "5: another proxy names groups",
            ),
            (
                "[[limit]]\nsubjects = []\nrequests = 0\n".into(),
                "3: a limit",
            ),
            ("[[limit]]\nrequests = 1\n".into(), "1: missing field"),
            (
                format!("[[limit]]\nsubjects = []\nwritten_bytes_per_hour = {quoted}\n"),
                "3: a size is",
            ),
            (
                "[[limit]]\nsubjects = []\nrequests_per_minute = 1\n".into(),
                "3: unknown field",
            ),
        ] {
            check_refusal(&text, lead);
        }
    }
}
