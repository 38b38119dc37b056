//! Rules that need no validator of another tool.

use proptest::prelude::*;
use url::Url;

use super::*;

/// The key of RFC 8410, section 10.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";

#[test]
fn public_uris_have_no_password_and_only_what_a_uri_may_have() {
    for (uri, public) in [
        ("https://a:b@host/x?y=1#z", Some("https://host/x?y=1#z")),
        (
            "s3://bucket/my data[1].csv",
            Some("s3://bucket/my%20data%5B1%5D.csv"),
        ),
        ("/tmp/a b|c", Some("file:///tmp/a%20b%7Cc")),
        ("file:///tmp/a%20b", Some("file:///tmp/a%20b")),
        ("https://host/a#b#c", Some("https://host/a#b%23c")),
        ("data.csv", None),
        ("", None),
    ] {
        assert_eq!(public_uri(uri).as_deref(), public, "{uri}");
    }
}

proptest! {
    #[test]
    fn a_public_uri_stays_as_it_is(uri in "[a-z]{1,3}:/{0,2}\\PC{0,12}") {
        if let Some(public) = public_uri(&uri) {
            prop_assert!(Url::parse(&public).is_ok());
            let has_other = public.contains([' ', '<', '>', '"', '{', '}', '|', '\\', '^', '`']);
            prop_assert!(!has_other);
            prop_assert_eq!(public_uri(&public), Some(public));
        }
    }
}

#[test]
fn lists_of_packages_have_names_and_versions() {
    let text = "# not from a registry: mine==0.1\nnumpy==2.1.0\n\nZlib_ng==0.5+local\nodd line\n";
    let packages = Package::list(text);
    let texts = packages
        .iter()
        .map(|it| (it.name.as_str(), it.version.as_str()));
    let texts: Vec<_> = texts.collect();
    assert_eq!(texts, [("numpy", "2.1.0"), ("Zlib_ng", "0.5+local")]);
}

#[test]
fn keys_of_other_kinds_are_refused_without_their_content() {
    SigningKey::from_pem(KEY.as_bytes()).unwrap();
    let other = KEY.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vx");
    assert_eq!(
        SigningKey::from_pem(other.as_bytes()).unwrap_err(),
        "it is no key of Ed25519"
    );
    assert_eq!(
        SigningKey::from_pem(b"secret").unwrap_err(),
        "it is no private key in PEM (PKCS#8)"
    );
}

#[test]
fn a_word_with_spaces_is_quoted_in_a_command_line() {
    let words = ["python", "a b", "it's", "{in:x}", ""].map(str::to_owned);
    assert_eq!(command_line(&words), "python 'a b' 'it'\\''s' {in:x} ''");
}
