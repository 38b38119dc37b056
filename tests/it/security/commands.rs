//! `pedigree token` and `pedigree policy`.

use tempfile::TempDir;

use super::{FILE, MadeToken, write_file, write_policy};
use crate::binary::{pedigree, run};

blocking_once! {
    tokens_differ_and_their_file_has_no_secret,
    unusable_subjects_are_refused,
    a_file_is_checked,
    tenants_are_checked_and_explained,
    groups_are_explained,
    methods_are_found_by_their_names,
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

/// What the command says of a subject and a method.
fn explain(folder: &TempDir, subject: &str, more: &[&str]) -> String {
    let arguments = ["policy", "explain", FILE, "--as", subject];
    let explained = run(pedigree(folder.path(), &[&arguments, more].concat()));
    assert!(explained.status.success(), "{explained:?}");
    explained.stdout
}

fn tenants_are_checked_and_explained() {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "ci");
    let grants = "[[grant]]\nsubjects = [\"token:ci\"]\nrole = \"reader\"\ntenant = \"one\"\n\
                  [[grant]]\nsubjects = [\"cert:CN=*\"]\nrole = \"writer\"\ntenant = \"*\"\n\
                  [[deny]]\nsubjects = [\"*\"]\nactions = [\"watch\"]\ntenant = \"two\"\n";
    let tenants = "[tenant.one]\ndatabase_url = \"sqlite:one.db\"\n\
                   [tenant.two]\ndatabase_url_file = \"/none\"\n\
                   [tenant.three]\ndatabase_url = \"postgres://:hunter2@\"\n";
    write_policy(folder.path(), &[grants, &token.entry, tenants]);
    let check = || run(pedigree(folder.path(), &["policy", "check", FILE]));
    let checked = check();
    assert!(checked.status.success(), "{checked:?}");
    let mut warned: Vec<_> = checked.stderr.lines().collect();
    warned.sort_unstable();
    let line = |tenant: &str, what: &str| format!("warning: tenant {tenant}: {what}");
    assert_eq!(warned.len(), 2, "{checked:?}");
    assert!(
        warned[0].contains(&line("two", "cannot read /none")),
        "{checked:?}"
    );
    assert!(
        warned[1].ends_with(&line("three", "its URL cannot be used")),
        "{checked:?}"
    );
    assert!(!checked.stderr.contains("hunter2"), "{checked:?}");

    let refused = "refused: no grant in this tenant, or no such tenant\n";
    let ci = |more: &[&str]| explain(&folder, "token:ci", more);
    let granted = "tenant: one\nallowed by the grant in line 1\n";
    assert_eq!(ci(&["GetArtifacts"]), granted);
    assert_eq!(ci(&["GetArtifacts", "--tenant", "one"]), granted);
    for tenant in ["two", "default", "gone"] {
        assert_eq!(ci(&["GetArtifacts", "--tenant", tenant]), refused);
    }
    let missing = "tenant: one\nrefused: no grant has node.write\n";
    assert_eq!(ci(&["PutArtifacts"]), missing);
    let everywhere = |more: &[&str]| explain(&folder, "cert:CN=a", more);
    assert_eq!(
        everywhere(&["Watch"]),
        "tenant: default\nallowed by the grant in line 5\n"
    );
    assert_eq!(
        everywhere(&["Watch", "--tenant", "two"]),
        "tenant: two\nrefused: watch is denied in line 9\n"
    );
    write_policy(folder.path(), &[grants, &token.entry]);
    let refused = check();
    assert_eq!(refused.status.code(), Some(1));
    let lead = "pedigree: security.toml, line 1: there is no tenant one";
    assert!(refused.stderr.starts_with(lead), "{refused:?}");
}

fn groups_are_explained() {
    let folder = TempDir::new().unwrap();
    let grants = "[[grant]]\nsubjects = [\"group:ml\"]\nrole = \"writer\"\n\
                  [[grant]]\nsubjects = [\"group:system:serviceaccounts:ml\"]\nrole = \"reader\"\n";
    write_policy(folder.path(), &[grants]);
    let missing = "refused: no grant has node.write\n";
    assert_eq!(explain(&folder, "jwt:a:ada", &["PutArtifacts"]), missing);
    assert_eq!(
        explain(
            &folder,
            "jwt:a:ada",
            &["PutArtifacts", "--group", "x", "--group", "ml"]
        ),
        "groups: group:x, group:ml\nallowed by the grant in line 1\n"
    );
    let of_account = "groups: group:system:serviceaccounts, group:system:serviceaccounts:ml\n";
    assert_eq!(
        explain(&folder, "k8s:ml:trainer", &["GetArtifacts"]),
        format!("{of_account}allowed by the grant in line 4\n")
    );
    // No source of this file has groups.
    let checked = run(pedigree(folder.path(), &["policy", "check", FILE]));
    assert!(
        checked
            .stderr
            .contains("no source of this file makes a subject group:ml")
    );
}

fn methods_are_found_by_their_names() {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "ci");
    let grant = "[[grant]]\nsubjects = [\"token:*\"]\nrole = \"reader\"\n";
    write_policy(folder.path(), &[grant, &token.entry]);
    for name in [
        "GetArtifacts",
        "getartifacts",
        "MetadataStoreService.GetArtifacts",
        "MetadataStoreService/GetArtifacts",
        "ml_metadata.MetadataStoreService.GetArtifacts",
        "ml_metadata.MetadataStoreService/GetArtifacts",
        "/ml_metadata.MetadataStoreService/GetArtifacts",
        "AuditService/List",
    ] {
        let explained = explain(&folder, "token:ci", &[name]);
        let is_refused = explained == "refused: no grant has audit.read\n";
        let is_allowed = explained == "allowed by the grant in line 1\n";
        assert!(is_allowed != is_refused, "{name}: {explained}");
        assert_eq!(is_refused, name.starts_with("Audit"), "{name}: {explained}");
    }
    let refusal = |name: &str| {
        let arguments = ["policy", "explain", FILE, "--as", "token:ci", name];
        let refused = run(pedigree(folder.path(), &arguments));
        assert!(!refused.status.success(), "{refused:?}");
        refused.stderr
    };
    for name in ["tArtifacts", "", "GetArtifacts/", "Other.GetArtifacts"] {
        let refused = refusal(name);
        assert!(refused.contains("is not a method"), "{name}: {refused}");
    }
    let refused = refusal("search");
    assert!(
        refused.contains("several methods are named search: "),
        "{refused}"
    );
    let (before, time) = token.entry.split_once("expires = ").unwrap();
    let expired = format!("{before}expires = 2020{}", &time[4..]);
    write_policy(folder.path(), &[grant, &expired]);
    assert_eq!(
        explain(&folder, "token:ci", &["GetArtifacts"]),
        "every token of the subject has expired\nallowed by the grant in line 1\n"
    );
}
