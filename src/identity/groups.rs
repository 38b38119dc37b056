//! The groups of a principal.

use std::sync::Arc;

use super::subject_of;
use crate::policy::GROUP_ORIGIN;

/// The groups of a principal, each `group:NAME`. Cheap to clone.
pub type Groups = Arc<[Arc<str>]>;

/// What the names of Kubernetes' own groups begin with. No other source makes them.
pub(super) const SYSTEM: &str = "system:";

/// The subjects of service accounts begin with it.
pub(super) const SERVICE_ACCOUNT_ORIGIN: &str = "k8s:";

/// The groups with these names, if all of them can stand in a security file. Those of Kubernetes
/// are left out.
pub(super) fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Groups> {
    let names = names.into_iter().filter(|name| !name.starts_with(SYSTEM));
    names.map(|name| subject_of(GROUP_ORIGIN, name)).collect()
}

/// The groups that a subject has by itself: those of service accounts of Kubernetes,
/// `group:system:serviceaccounts` and `group:system:serviceaccounts:NAMESPACE`.
#[must_use]
pub fn of_subject(subject: &str) -> Groups {
    let account = subject.strip_prefix(SERVICE_ACCOUNT_ORIGIN);
    let Some((namespace, _)) = account.and_then(|account| account.split_once(':')) else {
        return Groups::default();
    };
    let all = format!("{GROUP_ORIGIN}{SYSTEM}serviceaccounts");
    let of_namespace = format!("{all}:{namespace}");
    [all, of_namespace].map(Into::into).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubernetes_makes_its_groups() {
        let groups = named(["a", "system:serviceaccounts:ml", "b c"]).unwrap();
        assert_eq!(*groups, ["group:a".into(), "group:b c".into()]);
        for wrong in ["", " ", "a ", "a\nb"] {
            assert_eq!(named(["a", wrong]), None, "{wrong}");
        }
        let groups = of_subject("k8s:ml:trainer");
        let expected = [
            "group:system:serviceaccounts",
            "group:system:serviceaccounts:ml",
        ];
        assert!(groups.iter().map(|it| &**it).eq(expected));
        for other in [
            "jwt:k8s:ml:trainer",
            "k8s:ml",
            "spiffe://k8s:a:b",
            "token:k8s",
        ] {
            assert!(of_subject(other).is_empty(), "{other}");
        }
    }
}
