//! Tokens that are refused, among them those that RFC 8725 warns of. None makes the server ask a
//! URL that the token names.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::issuer::{DISCOVERY, KEYS, base64, signed};
use super::{SigningKey, TestIssuer, Unsigned, code, now, open};
use crate::serving::http;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    bad_tokens_are_refused_without_a_fetch,
}

/// How often each token is tried, of which the fastest counts.
const TRIES: usize = 5;

struct Forge {
    issuer: TestIssuer,
    /// A server that only a token names.
    stranger: TestIssuer,
    rsa: SigningKey,
    ec: SigningKey,
    /// A key that the issuer does not have.
    other: SigningKey,
}

impl Forge {
    fn good(&self) -> Unsigned {
        self.issuer.token(&self.rsa, "rsa", "ada")
    }

    /// With a header that is not right, and a right signature.
    fn header(&self, name: &str, value: Value) -> String {
        self.good().header(name, value).sign(&self.rsa)
    }

    /// With a claim that is not right, and a right signature.
    fn claim(&self, name: &str, value: Value) -> String {
        self.good().claim(name, value).sign(&self.rsa)
    }

    /// With a right signature of these texts.
    fn raw(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64(header), base64(claims));
        signed(&message, &self.rsa, "RS256")
    }

    /// Signed with a public key of the issuer as a secret.
    fn by_public_key(&self) -> String {
        let jwk = self.rsa.jwk("rsa").to_string();
        let message = self.good().header("alg", json!("HS256")).message();
        let key = hmac::Key::new(hmac::HMAC_SHA256, jwk.as_bytes());
        let signature = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", base64(signature))
    }

    /// With a wrong algorithm, key or header.
    fn wrong_headers(&self) -> Vec<(&'static str, String)> {
        let keys = format!("{}{KEYS}", self.stranger.url);
        let by_other = |name: &str, value: Value| self.good().header(name, value).sign(&self.other);
        let unsigned = |algorithm: &str| {
            let token = self.good().header("alg", json!(algorithm));
            format!("{}.", token.message())
        };
        let plain = self.good();
        let claims_text = plain.claims.to_string();
        let header_text = plain.header.to_string();
        let doubled_header = header_text.replacen('{', "{\"alg\":\"none\",", 1);
        vec![
            ("alg none", unsigned("none")),
            ("alg None", unsigned("None")),
            ("alg HS256, no signature", unsigned("HS256")),
            ("alg RS256, no signature", unsigned("RS256")),
            ("alg HS256 by the public key", self.by_public_key()),
            ("alg of another key", self.header("alg", json!("ES256"))),
            (
                "alg that the issuer does not have",
                self.header("alg", json!("RS512")),
            ),
            ("no alg", self.raw("{}", &claims_text)),
            (
                "alg is a number",
                self.raw(r#"{"alg":1,"kid":"rsa"}"#, &claims_text),
            ),
            ("two algs", self.raw(&doubled_header, &claims_text)),
            ("kid unknown", self.header("kid", json!("x"))),
            ("kid of another key", self.header("kid", json!("ec"))),
            (
                "kid is a path",
                self.header("kid", json!("../../../../dev/null")),
            ),
            (
                "kid is SQL",
                self.header("kid", json!("x' UNION SELECT 'key")),
            ),
            ("kid is a number", self.header("kid", json!(1))),
            (
                "kid is long",
                self.header("kid", json!("x".repeat(8 << 10))),
            ),
            ("kid missing, and another key", by_other("kid", json!(null))),
            (
                "another key with the same kid",
                self.good().sign(&self.other),
            ),
            ("jku", by_other("jku", json!(keys))),
            ("jku of a right token", self.header("jku", json!(keys))),
            ("x5u", by_other("x5u", json!(keys))),
            ("x5c", by_other("x5c", json!(["MIIB"]))),
            ("embedded jwk", by_other("jwk", self.other.jwk("rsa"))),
            (
                "embedded jwk of the issuer",
                self.header("jwk", self.rsa.jwk("rsa")),
            ),
            ("crit", self.header("crit", json!(["exp"]))),
            ("crit unknown", self.header("crit", json!(["x"]))),
            ("payload not encoded", self.header("b64", json!(false))),
            ("cty JWT", self.header("cty", json!("JWT"))),
            ("zip", self.header("zip", json!("DEF"))),
            (
                "typ of a logout token",
                self.header("typ", json!("logout+jwt")),
            ),
            ("typ of a DPoP proof", self.header("typ", json!("dpop+jwt"))),
        ]
    }

    /// With wrong claims.
    fn wrong_claims(&self) -> Vec<(&'static str, String)> {
        let plain = self.good();
        let header_text = plain.header.to_string();
        let with = |more: &str| plain.claims.to_string().replacen('{', more, 1);
        let doubled = with("{\"sub\":\"eve\",");
        let doubled_aud = with("{\"aud\":\"x\",");
        let doubled_other = with("{\"x\":1,\"x\":2,");
        let nested = self.good().claim("iss", json!(null));
        let nested = nested.claim("x", json!(plain.sign(&self.rsa)));
        vec![
            (
                "iss of another",
                self.claim("iss", json!(self.stranger.url)),
            ),
            ("iss missing", self.claim("iss", json!(null))),
            ("iss is a list", self.claim("iss", json!([self.issuer.url]))),
            (
                "iss with a slash",
                self.claim("iss", json!(format!("{}/", self.issuer.url))),
            ),
            ("aud of another", self.claim("aud", json!("other"))),
            ("aud missing", self.claim("aud", json!(null))),
            ("aud empty", self.claim("aud", json!([]))),
            (
                "two others as aud",
                self.claim("aud", json!(["other", "pedigree2"])),
            ),
            (
                "aud is an object",
                self.claim("aud", json!({"pedigree": true})),
            ),
            ("two auds", self.raw(&header_text, &doubled_aud)),
            ("sub missing", self.claim("sub", json!(null))),
            ("sub empty", self.claim("sub", json!(""))),
            ("sub is a number", self.claim("sub", json!(7))),
            (
                "sub with a line break",
                self.claim("sub", json!("ada\nroot")),
            ),
            ("two subs", self.raw(&header_text, &doubled)),
            ("a claim twice", self.raw(&header_text, &doubled_other)),
            ("exp past", self.claim("exp", json!(now() - 61))),
            ("exp missing", self.claim("exp", json!(null))),
            ("exp is a text", self.claim("exp", json!("2999999999"))),
            ("exp negative", self.claim("exp", json!(-1))),
            ("exp beyond all times", self.claim("exp", json!(1e300))),
            ("nbf to come", self.claim("nbf", json!(now() + 120))),
            ("nbf is a text", self.claim("nbf", json!("0"))),
            ("nested", nested.sign(&self.rsa)),
        ]
    }

    /// Of another form than a signed token.
    fn wrong_forms(&self) -> Vec<(&'static str, String)> {
        let plain = self.good();
        let good = plain.sign(&self.rsa);
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let claims_text = plain.claims.to_string();
        let header_text = plain.header.to_string();
        let doubled = claims_text.replacen('{', "{\"sub\":\"eve\",", 1);
        let ec = self.issuer.token(&self.ec, "ec", "ada");
        vec![
            ("claims are a list", self.raw(&header_text, "[]")),
            ("claims are no JSON", self.raw(&header_text, "{\"sub\"")),
            ("header is no JSON", self.raw("alg", &claims_text)),
            (
                "claims changed",
                format!("{header}.{}.{signature}", base64(doubled)),
            ),
            (
                "signature cut",
                format!("{message}.{}", &signature[..signature.len() - 4]),
            ),
            (
                "signature of zeros",
                format!("{message}.{}", base64([0; 256])),
            ),
            ("signature of another token", {
                let other = self.claim("sub", json!("eve"));
                format!("{message}.{}", other.rsplit_once('.').unwrap().1)
            }),
            (
                "ECDSA of zeros",
                format!("{}.{}", ec.message(), base64([0; 64])),
            ),
            (
                "ECDSA in DER",
                format!("{}.{}", ec.message(), base64([0x30; 70])),
            ),
            ("padded", format!("{good}==")),
            (
                "standard base64",
                format!("{message}.+/{}", &signature[2..]),
            ),
            ("line break", format!("{header}\t.{claims}.{signature}")),
            ("trailing dot", format!("{good}.")),
            ("two parts", message.to_owned()),
            ("no header", format!(".{claims}.{signature}")),
            ("dots", "..".into()),
            ("five parts", format!("{good}.a.b")),
            (
                "long",
                format!("{header}.{}.{signature}", base64(vec![b'a'; 10 << 10])),
            ),
        ]
    }
}

async fn bad_tokens_are_refused_without_a_fetch() {
    let [rsa, ec, other] = [SigningKey::rsa(), SigningKey::ec(), SigningKey::rsa()];
    let forge = Forge {
        issuer: TestIssuer::start(&[rsa.jwk("rsa"), ec.jwk("ec")]).await,
        stranger: TestIssuer::start(&[other.jwk("rsa")]).await,
        rsa,
        ec,
        other,
    };
    // An anonymous call would be served: a wrong token is not the same as none.
    let lines = ["allow_anonymous = true\n", &forge.issuer.entry("")];
    let (store, _folder) = open(Backend::SqliteMemory, &lines).await;
    let good = forge.good().sign(&forge.rsa);
    assert_eq!(code(&store, &good).await, Code::Ok);
    let tokens = [
        forge.wrong_headers(),
        forge.wrong_claims(),
        forge.wrong_forms(),
    ]
    .concat();
    assert!(tokens.len() >= 40);
    let mut slowest = (Duration::ZERO, "");
    for (name, token) in tokens {
        let mut fastest = Duration::MAX;
        for _ in 0..TRIES {
            let began = Instant::now();
            assert_eq!(code(&store, &token).await, Code::Unauthenticated, "{name}");
            fastest = fastest.min(began.elapsed());
        }
        slowest = slowest.max((fastest, name));
        let head =
            format!("GET /api/pedigree/v1/version HTTP/1.1\r\nAuthorization: Bearer {token}");
        let answer = http(store.port(), &head, b"").await;
        assert_eq!(answer.status, 401, "{name}");
        assert!(answer.text().contains("no valid credentials"), "{name}");
    }
    // For who measures, with --nocapture: the bar is 5 ms.
    println!("the slowest refusal: {slowest:?}");
    // The header is larger than any that is read.
    let huge = format!("{good}{}", "a".repeat(1 << 20));
    assert_ne!(code(&store, &huge).await, Code::Ok);
    assert!(forge.stranger.requests().is_empty());
    for head in forge.issuer.requests() {
        let path = head.split(' ').nth(1).unwrap();
        assert!([DISCOVERY, KEYS].contains(&path), "{head}");
    }
    assert!(forge.issuer.asked(KEYS) <= 6);
}
