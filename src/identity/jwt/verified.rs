//! A cache of verified tokens: to check a signature takes longer than a request.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::identity::Principal;
use crate::identity::token::{Sha256, sha256};

/// Number of tokens.
const MAX_TOKENS: usize = 10_000;

/// Time until a token is verified again, in milliseconds.
const REMEMBERED_MS: i64 = 5 * 60 * 1000;

/// The principals of verified tokens, by the digests of the tokens.
#[derive(Debug, Default)]
pub(super) struct VerifiedTokens(RwLock<HashMap<Sha256, Verified>>);

#[derive(Debug)]
struct Verified {
    principal: Principal,
    /// When it is forgotten, in milliseconds since epoch.
    until: i64,
}

impl VerifiedTokens {
    pub(super) fn find(&self, token: &str, now: i64) -> Option<Principal> {
        let verified = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = verified.get(&sha256(token))?;
        (now < found.until).then(|| found.principal.clone())
    }

    pub(super) fn remember(&self, token: &str, principal: &Principal, now: i64) {
        let mut verified = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MAX_TOKENS {
            verified.retain(|_, token| now < token.until);
        }
        if verified.len() >= MAX_TOKENS {
            verified.clear();
        }
        let until = now.saturating_add(REMEMBERED_MS);
        let principal = principal.clone();
        verified.insert(sha256(token), Verified { principal, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::CredentialSource;
    use crate::identity::groups::Groups;

    #[test]
    fn tokens_are_forgotten_with_time_and_when_there_are_too_many() {
        let verified = VerifiedTokens::default();
        let principal = Principal {
            subject: "jwt:a:b".into(),
            groups: Groups::default(),
            expires: None,
            source: CredentialSource::Anonymous,
            tenant: None,
        };
        verified.remember("token", &principal, 0);
        assert_eq!(
            verified.find("token", REMEMBERED_MS - 1),
            Some(principal.clone())
        );
        assert_eq!(verified.find("token", REMEMBERED_MS), None);
        assert_eq!(verified.find("other", 0), None);
        for number in 0..=MAX_TOKENS {
            verified.remember(&number.to_string(), &principal, 0);
        }
        let count = verified.0.read().unwrap().len();
        assert!(count <= MAX_TOKENS, "{count}");
    }
}
