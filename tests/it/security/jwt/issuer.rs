//! An issuer of tokens: keys, tokens signed with them, and a server with the public keys.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::serving::Authority;

pub const DISCOVERY: &str = "/.well-known/openid-configuration";
pub const KEYS: &str = "/keys";

/// The audience of tokens.
pub const AUDIENCE: &str = "pedigree";

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A pair of keys.
pub enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl SigningKey {
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self::Ec(Box::new(pair.unwrap()))
    }

    pub fn ed() -> Self {
        Self::Ed(Box::new(Ed25519KeyPair::generate().unwrap()))
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public key as a JWK with an id.
    pub fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                let n = base64(key.modulus().big_endian_without_leading_zero());
                let e = base64(key.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": n, "e": e})
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": base64(x), "y": base64(y)})
            }
            Self::Ed(pair) => {
                let x = base64(pair.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
            }
        }
    }

    /// The signature of a message by the algorithm that a token names.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding = match algorithm {
                    "PS256" => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// A token as texts of JSON, before it is signed.
#[derive(Clone)]
pub struct Unsigned {
    pub header: Value,
    pub claims: Value,
}

impl Unsigned {
    /// With another header, or without it.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// With another claim, or without it.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// What is signed.
    pub fn message(&self) -> String {
        let part = |value: &Value| base64(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    pub fn sign(&self, key: &SigningKey) -> String {
        signed(&self.message(), key, self.header["alg"].as_str().unwrap())
    }
}

pub fn signed(message: &str, key: &SigningKey, algorithm: &str) -> String {
    let signature = key.sign(algorithm, message.as_bytes());
    format!("{message}.{}", base64(signature))
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

/// Seconds since epoch.
pub fn now() -> i64 {
    pedigree::graph::Clock::default().now() / 1000
}

#[derive(Default)]
struct Site {
    /// Status and text by path.
    documents: Mutex<HashMap<String, (u16, String)>>,
    /// The heads of requests.
    requests: Mutex<Vec<String>>,
}

/// The server of an issuer.
pub struct TestIssuer {
    pub url: String,
    port: u16,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
    serving: Option<JoinHandle<()>>,
}

impl TestIssuer {
    /// Over HTTP, with these public keys.
    pub async fn start(keys: &[Value]) -> Self {
        Self::serve("http", None, keys).await
    }

    /// Over HTTPS, with a certificate of an authority.
    pub async fn start_tls(authority: &Authority, keys: &[Value]) -> Self {
        let (certificate, key) = authority.sign();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::serve("https", Some(tls), keys).await
    }

    async fn serve(scheme: &str, tls: Option<TlsAcceptor>, keys: &[Value]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("{scheme}://localhost:{port}");
        let mut issuer = Self {
            url: url.clone(),
            port,
            tls,
            site: Arc::default(),
            serving: None,
        };
        let configuration = json!({"issuer": url, "jwks_uri": format!("{url}{KEYS}")});
        issuer.publish(DISCOVERY, 200, &configuration.to_string());
        issuer.publish_keys(keys);
        issuer.accept(listener);
        issuer
    }

    fn accept(&mut self, listener: TcpListener) {
        let (site, tls) = (self.site.clone(), self.tls.clone());
        self.serving = Some(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(stream, tls.clone(), site.clone()));
            }
        }));
    }

    /// Answers requests for a path from now on.
    pub fn publish(&self, path: &str, status: u16, text: &str) {
        let mut documents = self.site.documents.lock().unwrap();
        documents.insert(path.to_owned(), (status, text.to_owned()));
    }

    pub fn publish_keys(&self, keys: &[Value]) {
        self.publish(KEYS, 200, &json!({ "keys": keys }).to_string());
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let requests = self.site.requests.lock().unwrap();
        let line = format!("GET {path} ");
        requests
            .iter()
            .filter(|head| head.starts_with(&line))
            .count()
    }

    /// The heads of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.site.requests.lock().unwrap().clone()
    }

    pub async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        serving.await.unwrap_err();
    }

    pub async fn restart(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        self.accept(listener.unwrap());
    }

    /// A good token for a subject, before it is signed.
    pub fn token(&self, key: &SigningKey, id: &str, subject: &str) -> Unsigned {
        Unsigned {
            header: json!({"alg": key.algorithm(), "typ": "JWT", "kid": id}),
            claims: json!({
                "iss": self.url, "aud": AUDIENCE, "sub": subject, "exp": now() + 600,
            }),
        }
    }

    /// Its entry in a security file.
    pub fn entry(&self, more: &str) -> String {
        format!(
            "[[issuer]]\nname = \"test\"\nurl = \"{}\"\naudiences = [\"{AUDIENCE}\"]\n{more}\n",
            self.url
        )
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, site: Arc<Site>) {
    match tls {
        None => answer(stream, &site).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                answer(stream, &site).await;
            }
        }
    }
}

/// Answers one request.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, site: &Site) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    site.requests.lock().unwrap().push(head);
    let found = site.documents.lock().unwrap().get(&path).cloned();
    let (status, text) = found.unwrap_or((404, String::new()));
    let length = text.len();
    // The text of a redirection is where it leads.
    let response = format!(
        "HTTP/1.1 {status} X\r\nLocation: {}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}",
        if status == 302 { &text } else { "" }
    );
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}
