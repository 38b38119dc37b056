//! The keys of an issuer, kept, and fetched again when they may have changed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::fetch::{KeyLocation, KeySource};
use super::keys::KeySet;
use crate::identity::CredentialError;
use crate::web_client::WebError;

/// Time between two fetches on average, however many tokens have unknown keys. One may be as much
/// too early, so that a new key is known at once in quiet times.
const FETCH_INTERVAL: Duration = Duration::from_secs(15);

/// Age at which keys are fetched again, so that one that the issuer takes back is not used on.
const REFRESH_AGE: Duration = Duration::from_mins(5);

/// Age up to which keys are used while their issuer is away.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The keys of an issuer.
#[derive(Debug)]
pub struct KeyCache {
    pub(super) location: KeyLocation,
    source: KeySource,
    kept: RwLock<Option<Kept>>,
    /// When the next fetch is due. It is locked while one is under way.
    next_fetch: Mutex<Instant>,
    tasks: TaskTracker,
}

/// Keys, and when they were fetched.
#[derive(Clone, Debug)]
struct Kept {
    keys: Arc<KeySet>,
    since: Instant,
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has no such key.
    Unknown,
    /// The issuer could not be asked.
    Unavailable,
}

impl NoKey {
    pub(super) fn of(self, issuer: &str) -> CredentialError {
        let issuer = issuer.to_owned();
        match self {
            Self::Unknown => CredentialError::Token {
                issuer,
                problem: "has an unknown key",
            },
            Self::Unavailable => CredentialError::NoKeys(issuer),
        }
    }
}

impl KeyCache {
    /// The keys at a location. Those in a file are read at once, the others when they are needed.
    ///
    /// # Errors
    ///
    /// If a file cannot be used.
    pub fn open(location: KeyLocation) -> Result<Arc<Self>, WebError> {
        let source = KeySource::open(&location)?;
        let kept = match &location {
            KeyLocation::File(path) => Some(Kept::now(KeySource::read(path)?)),
            _ => None,
        };
        Ok(Arc::new(Self {
            location,
            source,
            kept: RwLock::new(kept),
            next_fetch: Mutex::new(Instant::now()),
            tasks: TaskTracker::new(),
        }))
    }

    /// The key with an id for an algorithm.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, NoKey> {
        if let Some(kept) = self.kept()
            && let Some(key) = kept.keys.find(id, algorithm)
        {
            if kept.since.elapsed() >= REFRESH_AGE {
                self.begin_refresh();
            }
            return Ok(key.clone());
        }
        // A task: a client that goes away does not stop what others wait for.
        let _ = self.begin_refresh().await;
        let kept = self.kept().ok_or(NoKey::Unavailable)?;
        kept.keys.find(id, algorithm).cloned().ok_or(NoKey::Unknown)
    }

    /// What is known, and not too old.
    fn kept(&self) -> Option<Kept> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = kept.as_ref().filter(|kept| kept.since.elapsed() < MAX_AGE);
        fresh.cloned()
    }

    fn begin_refresh(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let cache = self.clone();
        self.tasks.spawn(async move { cache.refresh().await })
    }

    async fn refresh(&self) {
        let mut next_fetch = self.next_fetch.lock().await;
        let now = Instant::now();
        if now + FETCH_INTERVAL < *next_fetch {
            return;
        }
        *next_fetch = now.max(*next_fetch) + FETCH_INTERVAL;
        match self.source.fetch(&self.location).await {
            Ok(keys) => {
                let kept = Some(Kept::now(keys));
                *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
            }
            Err(error) => tracing::warn!(
                location = %self.location,
                %error,
                "cannot fetch the keys of an issuer; known keys are used on"
            ),
        }
    }
}

impl Kept {
    fn now(keys: KeySet) -> Self {
        Self {
            keys: Arc::new(keys),
            since: Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn cache(age: Duration) -> Arc<KeyCache> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, KEY).unwrap();
        // The file is gone when it is needed again.
        let cache = KeyCache::open(KeyLocation::File(path)).unwrap();
        let kept = cache.kept().unwrap();
        let since = kept.since.checked_sub(age).unwrap();
        *cache.kept.write().unwrap() = Some(Kept { since, ..kept });
        cache
    }

    #[tokio::test]
    async fn keys_are_used_on_while_their_issuer_is_away_but_not_for_ever() {
        for age in [Duration::ZERO, REFRESH_AGE, Duration::from_hours(23)] {
            cache(age).find(Some("a"), Algorithm::EdDSA).await.unwrap();
        }
        let outdated = cache(MAX_AGE).find(Some("a"), Algorithm::EdDSA).await;
        assert_eq!(outdated.unwrap_err(), NoKey::Unavailable);
        for (id, algorithm) in [("b", Algorithm::EdDSA), ("a", Algorithm::ES256)] {
            let unknown = cache(Duration::ZERO).find(Some(id), algorithm).await;
            assert_eq!(unknown.unwrap_err(), NoKey::Unknown);
        }
    }
}
