//! Warnings about a security file: what is right by the format and has no effect.

use std::fmt;

use super::SecuritySettings;
use crate::identity::certificate::SUBJECT_ORIGINS;
use crate::policy::{Action, GROUP_ORIGIN, SubjectPattern};

/// A warning, with the line that it is about, if it is about one.
#[derive(Debug, PartialEq, Eq)]
pub struct FileWarning {
    pub line: Option<usize>,
    pub text: String,
}

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "warning: {}", self.text)
    }
}

/// The subjects and groups that the sources of a file can make.
struct PossibleSubjects {
    whole: Vec<String>,
    /// What those of a source begin with.
    origins: Vec<String>,
}

impl PossibleSubjects {
    fn of(settings: &SecuritySettings) -> Self {
        let identities = &settings.identities;
        let tokens = identities.tokens.all();
        let mut whole: Vec<_> = tokens.map(|token| token.subject.to_string()).collect();
        if identities.allows_anonymous {
            whole.push("anonymous".to_owned());
        }
        // Client certificates need no entry in the file.
        let mut origins = SUBJECT_ORIGINS.map(str::to_owned).to_vec();
        origins.extend(identities.issuers.origins());
        origins.extend(identities.proxies.origins());
        origins.extend(identities.issuers.group_origins());
        if identities.proxies.has_groups() {
            origins.push(GROUP_ORIGIN.to_owned());
        }
        Self { whole, origins }
    }

    fn has_one_of(&self, pattern: &SubjectPattern) -> bool {
        self.whole.iter().any(|subject| pattern.matches(subject))
            || self
                .origins
                .iter()
                .any(|origin| pattern.may_begin_with(origin))
    }
}

impl SecuritySettings {
    /// What has no effect in this file at a time in milliseconds since epoch, in the order of the
    /// lines.
    #[must_use]
    pub fn warnings(&self, now: i64) -> Vec<FileWarning> {
        let mut warnings = self.token_warnings(now);
        if self.policy.grants.is_empty() {
            warnings.push(FileWarning {
                line: None,
                text: "nobody has a grant: every request is refused".into(),
            });
        }
        for action in self.audited_reads.iter().filter(|action| action.is_write()) {
            warnings.push(FileWarning {
                line: None,
                text: format!(
                    "{} in audit_reads: every write is recorded anyway",
                    action.name()
                ),
            });
        }
        let mut of_lines = self.rule_warnings();
        of_lines.sort_by_key(|warning| warning.line);
        warnings.extend(of_lines);
        warnings
    }

    fn token_warnings(&self, now: i64) -> Vec<FileWarning> {
        let mut warnings = Vec::new();
        for token in self.identities.tokens.all() {
            let (id, subject) = (&token.id, &token.subject);
            let mut warn = |text: String| warnings.push(FileWarning { line: None, text });
            if token.expires <= now {
                warn(format!("the token {id} of {subject} has expired"));
            }
            let is_granted = |pattern: &SubjectPattern| pattern.matches(subject);
            let mut grants = self.policy.grants.iter();
            if !grants.any(|grant| grant.subjects.iter().any(is_granted)) {
                warn(format!(
                    "no grant is for {subject}, which the token {id} has"
                ));
            }
        }
        warnings.sort_by(|one, other| one.text.cmp(&other.text));
        warnings
    }

    fn rule_warnings(&self) -> Vec<FileWarning> {
        let policy = &self.policy;
        let subjects = PossibleSubjects::of(self);
        let mut warnings = Vec::new();
        let mut warn = |line: usize, text: String| {
            let line = Some(line);
            warnings.push(FileWarning { line, text });
        };
        let grants = policy.grants.iter().map(|it| (it.line, &it.subjects));
        let denials = policy.denials.iter().map(|it| (it.line, &it.subjects));
        let exceptions = policy.denials.iter().map(|it| (it.line, &it.except));
        let limits = policy.limits.iter().map(|it| (it.line, &it.subjects));
        let rules = grants.clone().chain(denials).chain(limits.clone());
        for (line, patterns) in rules.clone() {
            if patterns.is_empty() {
                warn(line, "it has no subjects, so that it is for nobody".into());
            }
        }
        for (line, patterns) in rules.chain(exceptions) {
            for pattern in patterns.iter().filter(|it| !subjects.has_one_of(it)) {
                warn(
                    line,
                    format!("no source of this file makes a subject {pattern}"),
                );
            }
        }
        for denial in policy.denials.iter().filter(|it| it.actions.is_empty()) {
            warn(
                denial.line,
                "it has no actions, so that it denies nothing".into(),
            );
        }
        let limits: Vec<_> = limits.collect();
        for (place, (line, patterns)) in limits.iter().enumerate() {
            for pattern in *patterns {
                let covers = |it: &&(usize, &Vec<SubjectPattern>)| {
                    it.1.iter().any(|other| other.covers(pattern))
                };
                if let Some((first, _)) = limits[..place].iter().find(covers) {
                    warn(
                        *line,
                        format!("the limit in line {first} is that of {pattern}"),
                    );
                }
            }
        }
        for grant in &policy.grants {
            for pattern in &grant.subjects {
                let is_denied = |action: &Action| {
                    policy.denials.iter().any(|denial| {
                        denial.actions.contains(action)
                            && denial.except.is_empty()
                            && denial.subjects.iter().any(|it| it.covers(pattern))
                    })
                };
                let mut actions = Action::ALL.into_iter().filter(|it| grant.role.allows(*it));
                if actions.all(|action| is_denied(&action)) {
                    warn(grant.line, format!("all of it is denied to {pattern}"));
                }
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use crate::security::format::parse;

    const TOKEN: &str = "[[token]]\nid = \"0123456789ab\"\nsubject = \"token:ci\"\n\
                         expires = 2030-01-31T00:00:00Z\n";

    /// Warnings on the first of January 2027.
    fn warnings(text: &str) -> Vec<String> {
        let settings = parse(text).unwrap();
        let warnings = settings.warnings(1_798_761_600_000);
        warnings.iter().map(ToString::to_string).collect()
    }

    fn token() -> String {
        format!("{TOKEN}sha256 = \"{}\"\n", "0".repeat(64))
    }

    fn grant(subjects: &str) -> String {
        format!("[[grant]]\nsubjects = [{subjects}]\nrole = \"reader\"\n")
    }

    #[test]
    fn what_has_an_effect_is_not_warned_of() {
        let sources = [
            "allow_anonymous = true\n",
            &token(),
            "[[issuer]]\nname = \"a\"\nurl = \"https://a.org\"\naudiences = [\"p\"]\n\
             groups_claim = \"groups\"\n",
            "[[issuer]]\nname = \"k\"\nurl = \"https://k.org\"\naudiences = [\"p\"]\n\
             kubernetes = true\n",
            "[[proxy]]\nname = \"ui\"\npeers = [\"cert:CN=ui\"]\nheader = \"x-user\"\n",
        ];
        for subject in [
            "*",
            "anon*",
            "anonymous",
            "token:ci",
            "token:*",
            "tok*",
            "jwt:a:ada",
            "jwt:a:*",
            "jwt:*",
            "k8s:ml:*",
            "k8s:ml:trainer",
            "proxy:ui:ada",
            "spiffe://example.org/*",
            "cert:CN=trainer",
            "group:ml",
            "group:system:serviceaccounts:ml",
        ] {
            let grants = grant(&format!("\"{subject}\", \"token:ci\""));
            let text = [&sources.concat(), &*grants].concat();
            assert!(
                warnings(&text).is_empty(),
                "{subject}: {:?}",
                warnings(&text)
            );
        }
    }

    #[test]
    fn subjects_that_nobody_has_are_warned_of() {
        for subject in [
            "anonymous",
            "token:cd",
            "token:cid",
            "jwt:b:ada",
            "jwt:a",
            "k8s:ml:trainer",
            "proxy:ui:ada",
            "group:ml",
            "ci",
            "cert:CN=",
        ] {
            let text = [token(), grant(&format!("\"token:ci\", \"{subject}\""))].concat();
            let expected =
                format!("line 6: warning: no source of this file makes a subject {subject}");
            assert_eq!(warnings(&text), [expected]);
        }
    }

    #[test]
    fn rules_without_effect_are_warned_of() {
        let expired = token().replace("2030", "2020");
        let of = |lines: &str| warnings(&[&token(), &*grant("\"token:ci\""), lines].concat());
        assert_eq!(
            warnings("#"),
            ["warning: nobody has a grant: every request is refused"]
        );
        assert_eq!(
            warnings(&[expired, grant("\"cert:CN=a\"")].concat()),
            [
                "warning: no grant is for token:ci, which the token 0123456789ab has",
                "warning: the token 0123456789ab of token:ci has expired",
            ]
        );
        assert_eq!(
            of(&grant("")),
            ["line 9: warning: it has no subjects, so that it is for nobody"]
        );
        assert_eq!(
            of("[[deny]]\nsubjects = [\"*\"]\nactions = []\n"),
            ["line 9: warning: it has no actions, so that it denies nothing"]
        );
        let all = "actions = [\"type.read\", \"node.read\", \"lineage.walk\", \"watch\"]\n";
        assert_eq!(
            of(&format!("[[deny]]\nsubjects = [\"token:*\"]\n{all}")),
            ["line 6: warning: all of it is denied to token:ci"]
        );
        let exception = format!("[[deny]]\nsubjects = [\"*\"]\nexcept = [\"token:x\"]\n{all}");
        assert_eq!(
            of(&exception),
            ["line 9: warning: no source of this file makes a subject token:x"]
        );
        let limit = |subject| format!("[[limit]]\nsubjects = [\"{subject}\"]\nrequests = 1\n");
        assert_eq!(
            of(&[limit("token:*"), limit("token:ci")].concat()),
            ["line 12: warning: the limit in line 9 is that of token:ci"]
        );
        let audited = format!("audit_reads = [\"node.write\"]\n{}", grant("\"cert:CN=a\""));
        assert_eq!(
            warnings(&audited),
            ["warning: node.write in audit_reads: every write is recorded anyway"]
        );
    }
}
