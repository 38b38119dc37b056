//! How a recipe fetches what is elsewhere.

use url::Url;

use super::quote::{in_root, quote};
use crate::cli::Failure;

/// A line that brings the content of a URI to a place.
///
/// # Errors
///
/// For a URI of which it is not known how to fetch it.
pub(super) fn fetch(uri: &str, place: &str, is_folder: bool) -> Result<String, Failure> {
    let to = in_root(place);
    let unknown = || Failure(format!("it is not known how to fetch {uri}"));
    let url = Url::parse(uri).map_err(|_| unknown())?;
    let from = quote(uri);
    Ok(match (url.scheme(), is_folder) {
        ("file", _) => {
            let path = url.to_file_path().map_err(|()| unknown())?;
            let path = path.to_str().ok_or_else(unknown)?.to_owned();
            format!("cp -RL -- {} {to}", quote(&path))
        }
        ("http" | "https", false) => {
            format!("curl -fsSL --globoff --proto =http,https -o {to} {from}")
        }
        // Without a host it is a file of the server.
        ("mlflow-artifacts", false) if url.host_str().unwrap_or_default().is_empty() => {
            format!("served {to} {}", quote(url.path().trim_start_matches('/')))
        }
        ("s3", false) => format!("aws s3 cp --only-show-errors {from} {to}"),
        ("s3", true) => format!("aws s3 cp --only-show-errors --recursive {from} {to}"),
        ("gs", false) => format!("gcloud storage cp {from} {to}"),
        ("gs", true) => format!("gcloud storage cp -r {from} {to}"),
        _ => return Err(unknown()),
    })
}
