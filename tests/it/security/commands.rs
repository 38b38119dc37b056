//! `pedigree token` and `pedigree policy`.

use tempfile::TempDir;

use super::{FILE, MadeToken, write_file};
use crate::binary::{pedigree, run};

blocking_once! {
    tokens_differ_and_their_file_has_no_secret,
    unusable_subjects_are_refused,
    a_file_is_checked,
}

fn tokens_differ_and_their_file_has_no_secret() {
    let folder = TempDir::new().unwrap();
    let [one, other] = ["ci", "token:ci"].map(|subject| MadeToken::new(folder.path(), subject));
    for MadeToken { text, entry } in [&one, &other] {
        let (_, secret) = text.rsplit_once('_').unwrap();
        assert!(!entry.contains(secret), "{entry}");
        assert!(entry.contains("subject = \"token:ci\""), "{entry}");
    }
    assert_ne!(one.text, other.text);
    write_file(folder.path(), &[&one.entry, &other.entry]);
    let checked = run(pedigree(folder.path(), &["policy", "check", FILE]));
    assert!(checked.status.success(), "{checked:?}");
}

fn unusable_subjects_are_refused() {
    let folder = TempDir::new().unwrap();
    let long = "a".repeat(257);
    for subject in ["", "token:", "a b", "a\"", "spiffe://a", &long] {
        let command = pedigree(folder.path(), &["token", "new", "--subject", subject]);
        let made = run(command);
        assert!(!made.status.success(), "{subject}");
        assert_eq!(made.stdout, "");
    }
}

fn a_file_is_checked() {
    let folder = TempDir::new().unwrap();
    let check = || run(pedigree(folder.path(), &["policy", "check", FILE]));
    assert!(check().stderr.contains("cannot read security.toml"));
    write_file(folder.path(), &["allow_anonymous = true\n"]);
    assert_eq!(check().stdout, "security.toml: valid\n");
    assert_eq!(check().stderr, "");
    let limit = "[[limit]]\nsubjects = [\"token:cd\"]\nrequests = 1\n";
    write_file(folder.path(), &[limit]);
    let warned = check();
    assert!(warned.status.success(), "{warned:?}");
    assert_eq!(
        warned.stderr,
        "security.toml, line 1: warning: no source of this file makes a subject token:cd\n"
    );
    write_file(folder.path(), &["allow_anonymos = true\n"]);
    let refused = check();
    assert_eq!(refused.status.code(), Some(1));
    let lead = "pedigree: security.toml, line 1: unknown field `allow_anonymos`";
    assert!(refused.stderr.starts_with(lead), "{refused:?}");
}
