//! Authorization: what a caller may do, by the roles that the security file grants.

mod limits;
mod methods;
mod role;
mod tenant;
mod who;

use std::fmt;

use serde::Deserialize;

pub use limits::{CallerLimits, LimitRule};
pub use methods::{METHODS, MethodActions};
pub use role::{Action, Role};
pub use tenant::{TENANT_HEADER, TenantName, TenantScope, WORKSPACE_HEADER};
pub use who::{GROUP_ORIGIN, Who};

/// Subjects or groups: one, or all that begin with a text.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct SubjectPattern {
    text: String,
    is_prefix: bool,
}

impl TryFrom<String> for SubjectPattern {
    type Error = &'static str;

    /// A subject, or with `*` at the end all that begin with what is before it.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (start, is_prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (&*text, false),
        };
        if text.is_empty() || start.contains('*') {
            return Err("a subject is a name, or the start of names with * at its end");
        }
        let text = start.to_owned();
        Ok(Self { text, is_prefix })
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.is_prefix { "*" } else { "" })
    }
}

impl SubjectPattern {
    /// Whether it stands for all that another one stands for.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.is_prefix {
            other.text.starts_with(&self.text)
        } else {
            self == other
        }
    }

    /// Whether it stands for a subject that begins with a text and has something after it.
    #[must_use]
    pub fn may_begin_with(&self, origin: &str) -> bool {
        if self.is_prefix && origin.starts_with(&self.text) {
            return true;
        }
        let name = self.text.strip_prefix(origin);
        name.is_some_and(|name| self.is_prefix || !name.is_empty())
    }

    /// Whether it stands for a subject or a group.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        if self.is_prefix {
            subject.starts_with(&self.text)
        } else {
            subject == self.text
        }
    }
}

/// A role for subjects.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its line in the security file.
    pub line: usize,
    pub subjects: Vec<SubjectPattern>,
    pub role: Role,
    pub tenants: TenantScope,
}

/// Actions that subjects may not do, whatever is granted.
#[derive(Clone, Debug)]
pub struct Denial {
    /// Its line in the security file.
    pub line: usize,
    pub subjects: Vec<SubjectPattern>,
    /// Subjects that it does not concern.
    pub except: Vec<SubjectPattern>,
    pub actions: Vec<Action>,
    pub tenants: TenantScope,
}

/// Whether refusals are enforced.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum PolicyMode {
    #[default]
    Enforce,
    /// Everything is served, and what would be refused is counted.
    Observe,
}

impl TryFrom<String> for PolicyMode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "enforce" => Ok(Self::Enforce),
            "observe" => Ok(Self::Observe),
            _ => Err("the mode is enforce or observe"),
        }
    }
}

/// Who may do what.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub mode: PolicyMode,
    pub grants: Vec<Grant>,
    pub denials: Vec<Denial>,
    pub limits: Vec<LimitRule>,
}

/// Why something is allowed or not. The text is for logs and operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Decision {
    /// By the grant in a line.
    #[error("allowed by the grant in line {line}")]
    Granted { line: usize },
    /// By the denial in a line.
    #[error("refused: {} is denied in line {line}", action.name())]
    Denied { line: usize, action: Action },
    /// No grant has the action.
    #[error("refused: no grant has {}", action.name())]
    NotGranted { action: Action },
    /// The path is that of no method.
    #[error("refused: no method has this path")]
    UnknownMethod,
    /// The subject has nothing in the tenant, or there is none of this name.
    #[error("refused: no grant in this tenant, or no such tenant")]
    NoTenant,
}

impl Decision {
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Granted { .. })
    }

    /// The reason of a refusal, as a label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Granted { .. } => "granted",
            Self::Denied { .. } => "denied",
            Self::NotGranted { .. } => "not_granted",
            Self::UnknownMethod => "unknown_method",
            Self::NoTenant => "no_tenant",
        }
    }
}

impl Policy {
    /// The limits of a subject, beside those of the server.
    #[must_use]
    pub fn limits_of(&self, who: Who<'_>) -> CallerLimits {
        LimitRule::find(&self.limits, who)
    }

    /// Whether a subject has any grant in a tenant.
    #[must_use]
    pub fn has_grant<'a>(&self, who: impl Into<Who<'a>>, tenant: &TenantName) -> bool {
        let (mut grants, who) = (self.grants.iter(), who.into());
        grants.any(|grant| grant.tenants.covers(tenant) && who.is_one_of(&grant.subjects))
    }

    /// The tenant in which all grants of a subject are, if it is one.
    #[must_use]
    pub fn only_tenant<'a>(&self, who: impl Into<Who<'a>>) -> Option<&TenantName> {
        let who = who.into();
        let mut only = None;
        for grant in &self.grants {
            if !who.is_one_of(&grant.subjects) {
                continue;
            }
            match &grant.tenants {
                TenantScope::One(name) if only.is_none_or(|it| it == name) => only = Some(name),
                _ => return None,
            }
        }
        only
    }

    /// Whether a subject may call a method in a tenant.
    #[must_use]
    pub fn decide<'a>(
        &self,
        who: impl Into<Who<'a>>,
        tenant: &TenantName,
        method: Option<&MethodActions>,
    ) -> Decision {
        method.map_or(Decision::UnknownMethod, |method| {
            self.decide_actions(who.into(), tenant, method.actions)
        })
    }

    /// Whether a subject that may call a method may also change types by it, if the method does.
    #[must_use]
    pub fn decide_changes<'a>(
        &self,
        who: impl Into<Who<'a>>,
        tenant: &TenantName,
        method: &MethodActions,
    ) -> Decision {
        match method.changes {
            [] => self.decide_actions(who.into(), tenant, method.actions),
            changes => self.decide_actions(who.into(), tenant, changes),
        }
    }

    /// All of the actions are needed.
    fn decide_actions(&self, who: Who<'_>, tenant: &TenantName, actions: &[Action]) -> Decision {
        let mut decision = Decision::UnknownMethod;
        for action in actions {
            decision = self.decide_action(who, tenant, *action);
            if !decision.is_allowed() {
                break;
            }
        }
        decision
    }

    /// A denial takes precedence over every grant.
    fn decide_action(&self, who: Who<'_>, tenant: &TenantName, action: Action) -> Decision {
        let denial = self.denials.iter().find(|denial| {
            denial.actions.contains(&action)
                && denial.tenants.covers(tenant)
                && who.is_one_of(&denial.subjects)
                && !who.is_one_of(&denial.except)
        });
        if let Some(Denial { line, .. }) = denial {
            let line = *line;
            return Decision::Denied { line, action };
        }
        let grant = self.grants.iter().find(|grant| {
            grant.role.allows(action)
                && grant.tenants.covers(tenant)
                && who.is_one_of(&grant.subjects)
        });
        match grant {
            Some(Grant { line, .. }) => Decision::Granted { line: *line },
            None => Decision::NotGranted { action },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<SubjectPattern> {
        let parsed = texts.iter().map(|text| (*text).to_owned().try_into());
        parsed.collect::<Result<_, _>>().unwrap()
    }

    fn policy() -> Policy {
        let grant = |line, subject, role| Grant {
            line,
            subjects: patterns(&[subject]),
            role,
            tenants: TenantScope::default(),
        };
        Policy {
            grants: vec![
                grant(1, "token:*", Role::Reader),
                grant(2, "token:ci", Role::Writer),
            ],
            denials: vec![Denial {
                line: 3,
                subjects: patterns(&["*"]),
                except: patterns(&["token:ci", "token:release"]),
                actions: vec![Action::Watch],
                tenants: TenantScope::All,
            }],
            ..Policy::default()
        }
    }

    fn decide(subject: &str, method: &str) -> Decision {
        let path = METHODS.iter().find(|row| row.path.ends_with(method));
        policy().decide(subject, &TenantName::default(), path)
    }

    #[test]
    fn the_first_grant_with_the_action_counts_and_without_one_nothing_is_allowed() {
        assert_eq!(decide("token:ci", "/GetTypes"), Decision::UnknownMethod);
        let read = "/GetArtifacts";
        assert_eq!(decide("token:x", read), Decision::Granted { line: 1 });
        let write = "/PutArtifacts";
        assert_eq!(decide("token:ci", write), Decision::Granted { line: 2 });
        let action = Action::NodeWrite;
        assert_eq!(decide("token:cd", write), Decision::NotGranted { action });
        // All actions of a method are needed.
        assert_eq!(
            decide("token:x", "/Record"),
            Decision::NotGranted { action }
        );
        let action = Action::NodeRead;
        for stranger in ["", "anonymous", "cert:CN=token:ci", "Token:ci"] {
            let decision = decide(stranger, read);
            assert_eq!(decision, Decision::NotGranted { action }, "{stranger}");
        }
    }

    #[test]
    fn a_denial_takes_precedence_over_grants() {
        let (line, action) = (3, Action::Watch);
        let denied = Decision::Denied { line, action };
        for subject in ["token:x", "anonymous", "token:release2"] {
            assert_eq!(decide(subject, "/Watch"), denied, "{subject}");
        }
        assert!(decide("token:release", "/Watch").is_allowed());
        assert!(decide("token:x", "/Trace").is_allowed());
    }

    #[test]
    fn a_group_has_what_its_grants_have_and_may_be_excepted() {
        let mut policy = policy();
        policy.grants[1].subjects = patterns(&["group:ml-*"]);
        policy.denials[0].except = patterns(&["group:release"]);
        let (tenant, groups) = (TenantName::default(), ["group:ml-a", "group:release"]);
        let groups = groups.map(Into::into);
        let find = |end: &str| METHODS.iter().find(|row| row.path.ends_with(end));
        let decide = |groups, method| {
            let subject = "jwt:a:ada";
            policy.decide(Who { subject, groups }, &tenant, find(method))
        };
        let granted = Decision::Granted { line: 2 };
        assert_eq!(decide(&groups[..1], "/PutArtifacts"), granted);
        assert_eq!(decide(&groups, "/Watch"), granted);
        for (groups, method) in [(&groups[..1], "/Watch"), (&groups[1..], "/PutArtifacts")] {
            assert!(!decide(groups, method).is_allowed());
        }
        assert!(!decide(&[], "/PutArtifacts").is_allowed());
    }

    #[test]
    fn a_grant_holds_in_its_tenant_and_a_denial_in_all() {
        let team = TenantName::parse("team").unwrap();
        let mut policy = policy();
        let read = MethodActions::find(
            &http::Method::POST,
            "/ml_metadata.MetadataStoreService/GetArtifacts",
        );
        let decide = |policy: &Policy, tenant| policy.decide("token:ci", tenant, read);
        assert!(!decide(&policy, &team).is_allowed());
        assert!(!policy.has_grant("token:ci", &team));
        let only = policy.only_tenant("token:ci").cloned();
        assert_eq!(only, Some(TenantName::default()));
        policy.grants[1].tenants = TenantScope::One(team.clone());
        assert_eq!(decide(&policy, &team), Decision::Granted { line: 2 });
        assert_eq!(policy.only_tenant("token:ci"), None);
        assert_eq!(policy.only_tenant("cert:CN=a"), None);
        policy.grants[0].tenants = TenantScope::One(team.clone());
        assert_eq!(policy.only_tenant("token:ci"), Some(&team));
        policy.grants[0].tenants = TenantScope::All;
        assert_eq!(policy.only_tenant("token:ci"), None);
        let watch = MethodActions::find(
            &http::Method::POST,
            "/pedigree.lineage.v1.LineageService/Watch",
        );
        policy.grants[1].subjects = patterns(&["*"]);
        let denied = policy.decide("token:x", &team, watch);
        let (line, action) = (3, Action::Watch);
        assert_eq!(denied, Decision::Denied { line, action });
    }

    #[test]
    fn a_star_stands_at_the_end_only() {
        for wrong in ["", "**", "*a", "a*b"] {
            SubjectPattern::try_from(wrong.to_owned()).unwrap_err();
        }
        assert!(patterns(&["*"])[0].matches("anonymous"));
    }
}
