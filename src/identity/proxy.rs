//! Trusted proxies: they authenticate users, and name them in a header. The header counts only on a
//! connection with the client certificate of such a proxy.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use serde::Deserialize;

use super::groups::{self, Groups};
use super::{CredentialError, CredentialSource, Principal, subject_of, xfcc};

/// What every subject of a proxy begins with.
const ORIGIN: &str = "proxy:";

/// A proxy as the security file has it.
#[derive(Debug, PartialEq, Eq)]
pub struct ProxyRules {
    /// The name in subjects.
    pub name: String,
    /// The subjects of its client certificates.
    pub peers: Vec<String>,
    /// The header that names the user.
    pub header: HeaderName,
    pub format: HeaderFormat,
    /// The header that names the groups of the user.
    pub groups_header: Option<HeaderName>,
    /// What the header begins with. It is no part of the user's name.
    pub prefix: String,
    /// Whether requests that have the header are refused from others. Otherwise it is ignored.
    pub is_strict: bool,
}

/// The form of the header that names the user.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum HeaderFormat {
    /// The name alone.
    #[default]
    Name,
    /// What Envoy says of a client certificate, as in `x-forwarded-client-cert`.
    Xfcc,
}

impl TryFrom<String> for HeaderFormat {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "name" => Ok(Self::Name),
            "xfcc" => Ok(Self::Xfcc),
            _ => Err("the format of a header is name or xfcc"),
        }
    }
}

/// All proxies of a security file. No two have a peer and a header in common.
#[derive(Debug, Default)]
pub struct TrustedProxies(Vec<Arc<ProxyRules>>);

impl TrustedProxies {
    /// These proxies, of which no two have a peer and a header in common.
    pub fn new(proxies: impl IntoIterator<Item = ProxyRules>) -> Self {
        Self(proxies.into_iter().map(Arc::new).collect())
    }

    /// What the subjects of each begin with.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|proxy| proxy.origin())
    }

    /// Whether any names groups.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        self.0.iter().any(|proxy| proxy.groups_header.is_some())
    }

    /// The user whom a trusted proxy names, on a connection with this certificate.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        certificate: Option<&Principal>,
    ) -> Result<Option<Principal>, CredentialError> {
        let named = |proxy: &&Arc<ProxyRules>| proxy.headers().any(|it| headers.contains_key(it));
        let Some(certificate) = certificate else {
            refuse_strictly(self.0.iter().filter(named), &[], headers)?;
            return Ok(None);
        };
        let (mut trusted, others): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .filter(named)
            .partition(|proxy| proxy.trusts(certificate));
        refuse_strictly(others.into_iter(), &trusted, headers)?;
        trusted.retain(|proxy| headers.contains_key(&proxy.header));
        match trusted.as_slice() {
            [] => Ok(None),
            [proxy] => proxy.user(headers, certificate).map(Some),
            [_, other, ..] => Err(other.error("is not the only one with a header")),
        }
    }

    /// Takes the headers of all proxies away. They mean nothing to what handles the request.
    pub fn remove_headers(&self, headers: &mut HeaderMap) {
        for header in self.0.iter().flat_map(|proxy| proxy.headers()) {
            headers.remove(header);
        }
    }

    /// Whether this proxy is still one of them.
    pub(super) fn has(&self, rules: &ProxyRules) -> bool {
        self.0.iter().any(|proxy| **proxy == *rules)
    }
}

/// Refuses the headers of strict proxies, unless they are also those of a trusted one.
fn refuse_strictly<'a>(
    mut others: impl Iterator<Item = &'a Arc<ProxyRules>>,
    trusted: &[&Arc<ProxyRules>],
    headers: &HeaderMap,
) -> Result<(), CredentialError> {
    let is_trusted = |header: &HeaderName| {
        trusted
            .iter()
            .any(|own| own.headers().any(|it| it == header))
    };
    let is_refused = |proxy: &&Arc<ProxyRules>| {
        let mut given = proxy.headers().filter(|it| headers.contains_key(*it));
        proxy.is_strict && given.any(|header| !is_trusted(header))
    };
    match others.find(is_refused) {
        None => Ok(()),
        Some(proxy) => Err(proxy.error("did not send its header: another peer did")),
    }
}

impl ProxyRules {
    fn origin(&self) -> String {
        format!("{ORIGIN}{}:", self.name)
    }

    /// Those that name the user and the groups.
    fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.header].into_iter().chain(&self.groups_header)
    }

    fn trusts(&self, certificate: &Principal) -> bool {
        self.peers.iter().any(|peer| **peer == *certificate.subject)
    }

    /// The user whom the header names. Valid as long as the proxy's certificate.
    fn user(
        self: &Arc<Self>,
        headers: &HeaderMap,
        certificate: &Principal,
    ) -> Result<Principal, CredentialError> {
        let value = self.only(headers, &self.header)?.unwrap_or_default();
        let of_certificate;
        let name = match self.format {
            // Two headers, of which a client sent one, may have been joined on their way.
            HeaderFormat::Name if value.contains(',') => {
                return Err(self.error("sent a header with a comma"));
            }
            HeaderFormat::Name => value
                .strip_prefix(&*self.prefix)
                .ok_or_else(|| self.error("sent a header without its prefix"))?,
            HeaderFormat::Xfcc => {
                of_certificate = xfcc::name(value).map_err(|problem| self.error(problem))?;
                &of_certificate
            }
        };
        let subject = subject_of(&self.origin(), name);
        Ok(Principal {
            groups: self.groups(headers)?,
            subject: subject.ok_or_else(|| self.error("sent a name that is no subject"))?,
            expires: certificate.expires,
            source: CredentialSource::Proxy(self.clone()),
            tenant: None,
        })
    }

    /// The groups that the proxy names. With some of them, a denial might not be found.
    fn groups(&self, headers: &HeaderMap) -> Result<Groups, CredentialError> {
        let value = match &self.groups_header {
            Some(header) => self.only(headers, header)?,
            None => None,
        };
        let names = value.unwrap_or_default().split(',').map(str::trim);
        let groups = groups::named(names.filter(|name| !name.is_empty()));
        groups.ok_or_else(|| self.error("sent an unusable group"))
    }

    /// The only value of a header, if there is one.
    fn only<'h>(
        &self,
        headers: &'h HeaderMap,
        header: &HeaderName,
    ) -> Result<Option<&'h str>, CredentialError> {
        let mut values = headers.get_all(header).into_iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(self.error("sent a header twice"));
        }
        let text = text(value).ok_or_else(|| self.error("sent a header that is not in UTF-8"))?;
        Ok(Some(text))
    }

    fn error(&self, problem: &'static str) -> CredentialError {
        CredentialError::Proxy {
            proxy: self.name.clone(),
            problem,
        }
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "kubeflow-userid";

    fn proxy(name: &str, peer: &str, header: &'static str, is_strict: bool) -> ProxyRules {
        ProxyRules {
            name: name.into(),
            peers: vec![peer.into()],
            header: HeaderName::from_static(header),
            format: HeaderFormat::Name,
            groups_header: None,
            prefix: String::new(),
            is_strict,
        }
    }

    fn certificate(subject: &str) -> Principal {
        Principal {
            subject: subject.into(),
            groups: Groups::default(),
            expires: Some(1000),
            source: CredentialSource::Certificate,
            tenant: None,
        }
    }

    fn identify(
        proxies: &TrustedProxies,
        peer: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> Result<Option<String>, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let peer = peer.map(certificate);
        let found = proxies.identify(&map, peer.as_ref());
        let found = found.map_err(|error| error.to_string())?;
        assert!(found.iter().all(|found| found.expires == Some(1000)));
        Ok(found.map(|principal| principal.subject.to_string()))
    }

    #[test]
    fn the_header_counts_from_its_proxy_only() {
        let proxies = TrustedProxies::new([proxy("ui", "cert:CN=ui", HEADER, false)]);
        let ask = |peer, headers: &[_]| identify(&proxies, peer, headers);
        let header = [(HEADER, "ada@example.org")];
        let user = ask(Some("cert:CN=ui"), &header).unwrap();
        assert_eq!(user.unwrap(), "proxy:ui:ada@example.org");
        for peer in [
            None,
            Some("cert:CN=ui2"),
            Some("cert:CN=u"),
            Some("cert:DNS=ui"),
        ] {
            assert_eq!(ask(peer, &header), Ok(None), "{peer:?}");
        }
        assert_eq!(ask(Some("cert:CN=ui"), &[]), Ok(None));
        for wrong in ["", " ", "a\tb", "ada, eve", "ada,eve", "a\u{85}b"] {
            ask(Some("cert:CN=ui"), &[(HEADER, wrong)]).unwrap_err();
        }
        ask(Some("cert:CN=ui"), &[header[0], header[0]]).unwrap_err();
        ask(Some("cert:CN=ui"), &[header[0], (HEADER, "")]).unwrap_err();
    }

    #[test]
    fn a_certificate_that_the_proxy_has_verified_names_the_user() {
        const XFCC: &str = "x-forwarded-client-cert";
        let rules = ProxyRules {
            format: HeaderFormat::Xfcc,
            ..proxy("mesh", "cert:CN=envoy", XFCC, false)
        };
        let proxies = TrustedProxies::new([rules]);
        let ask = |headers: &[_]| identify(&proxies, Some("cert:CN=envoy"), headers);
        let user = ask(&[(XFCC, "By=x;URI=spiffe://a/b")]).unwrap();
        assert_eq!(user.unwrap(), "proxy:mesh:spiffe://a/b");
        let user = ask(&[(XFCC, "Subject=\"CN=spiffe://a/b\"")]).unwrap();
        assert_eq!(user.unwrap(), "proxy:mesh:CN=spiffe://a/b");
        ask(&[(XFCC, "URI=spiffe://a/b,URI=spiffe://a/b")]).unwrap_err();
        let one = (XFCC, "URI=spiffe://a/b");
        ask(&[one, one]).unwrap_err();
    }

    #[test]
    fn groups_count_with_their_user_only() {
        const GROUPS: &str = "x-groups";
        let rules = ProxyRules {
            groups_header: Some(HeaderName::from_static(GROUPS)),
            ..proxy("ui", "cert:CN=ui", HEADER, true)
        };
        let proxies = TrustedProxies::new([rules]);
        let ask = |peer, headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            let peer = certificate(peer);
            let found = proxies.identify(&map, Some(&peer));
            found.map(|found| found.map(|found| found.groups.join(" ")))
        };
        let (user, groups) = ((HEADER, "ada"), (GROUPS, "a, b,,system:masters"));
        let found = ask("cert:CN=ui", &[user, groups]).unwrap();
        assert_eq!(found.unwrap(), "group:a group:b");
        assert_eq!(ask("cert:CN=ui", &[user]).unwrap().unwrap(), "");
        assert_eq!(ask("cert:CN=ui", &[groups]), Ok(None));
        ask("cert:CN=ui", &[user, groups, groups]).unwrap_err();
        ask("cert:CN=ui", &[user, (GROUPS, "a,b\tc")]).unwrap_err();
        ask("cert:CN=other", &[groups]).unwrap_err();
    }

    #[test]
    fn a_prefix_is_demanded_and_removed() {
        let rules = ProxyRules {
            prefix: "accounts.google.com:".into(),
            ..proxy("kfp", "cert:CN=kfp", HEADER, false)
        };
        let proxies = TrustedProxies::new([rules]);
        let ask = |value| identify(&proxies, Some("cert:CN=kfp"), &[(HEADER, value)]);
        let user = ask("accounts.google.com:ada").unwrap();
        assert_eq!(user.unwrap(), "proxy:kfp:ada");
        for wrong in ["ada", "accounts.google.com:", "Accounts.google.com:ada"] {
            ask(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_strict_proxy_refuses_its_header_from_others() {
        let proxies = TrustedProxies::new([
            proxy("a", "cert:CN=a", HEADER, true),
            proxy("b", "cert:CN=b", HEADER, false),
            proxy("c", "cert:CN=a", "x-user", false),
        ]);
        let ask = |peer, headers: &[_]| identify(&proxies, peer, headers);
        let header = [(HEADER, "ada")];
        assert_eq!(
            ask(Some("cert:CN=b"), &header).unwrap().unwrap(),
            "proxy:b:ada"
        );
        assert_eq!(
            ask(Some("cert:CN=a"), &header).unwrap().unwrap(),
            "proxy:a:ada"
        );
        ask(Some("cert:CN=c"), &header).unwrap_err();
        ask(None, &header).unwrap_err();
        assert_eq!(ask(None, &[("x-user", "ada")]), Ok(None));
        // A request has one user.
        ask(Some("cert:CN=a"), &[header[0], ("x-user", "ada")]).unwrap_err();
    }
}
