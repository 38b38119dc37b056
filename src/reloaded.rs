//! A value that is made of files, and made again when they change.

use std::sync::{Arc, PoisonError, RwLock};

/// A value and what it was made of.
pub struct Reloaded<S, T>(RwLock<(S, Arc<T>)>);

impl<S: PartialEq, T> Reloaded<S, T> {
    #[must_use]
    pub fn new(source: S, value: T) -> Self {
        Self(RwLock::new((source, Arc::new(value))))
    }

    #[must_use]
    pub fn current(&self) -> Arc<T> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.1.clone()
    }

    /// Makes the value again if its source has changed, and returns whether it has. `make` takes
    /// the source and the value from before.
    ///
    /// # Errors
    ///
    /// Those of `make`. The value stays as it is.
    pub fn replace<E>(
        &self,
        source: S,
        make: impl FnOnce(&S, &T) -> Result<T, E>,
    ) -> Result<bool, E> {
        let before = {
            let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if current.0 == source {
                return Ok(false);
            }
            current.1.clone()
        };
        let value = Arc::new(make(&source, &before)?);
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = (source, value);
        Ok(true)
    }
}
