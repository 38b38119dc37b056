//! Files that are read again when they change.

use std::time::Duration;

use tokio::time::sleep;

use crate::error::{Result, StartError};

/// Interval at which the files are read.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// What is logged about files.
pub(super) struct ReloadMessages {
    /// When they have changed.
    pub(super) changed: &'static str,
    /// When they cannot be used, and what they were before stays.
    pub(super) kept: &'static str,
}

/// Reads files again for ever, by a function that returns whether they have changed. An error is
/// logged once, until it is mended.
pub(super) async fn reload_forever(
    messages: ReloadMessages,
    reload: impl Fn() -> Result<bool, StartError>,
) -> Result<()> {
    let mut logged = None;
    loop {
        sleep(RELOAD_INTERVAL).await;
        match reload() {
            Ok(true) => tracing::info!("{}", messages.changed),
            Ok(false) => logged = None,
            Err(error) => {
                let error = error.to_string();
                if logged.as_ref() != Some(&error) {
                    tracing::error!(error, "{}", messages.kept);
                    logged = Some(error);
                }
            }
        }
    }
}
