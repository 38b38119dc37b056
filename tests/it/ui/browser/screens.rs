//! Pictures of the pages, which the documentation shows: `docs/images/` has copies of those that
//! this case writes to `target/ui/`, with fewer colours.

use std::fs;
use std::path::Path;

use super::browse;
use super::tour::put_churn;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    pages_have_pictures,
}

/// The first bytes of a PNG file.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

async fn pages_have_pictures() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    let raw = store.find::<Artifact>("name = 'events/raw 1'").await[0];
    let endpoint = store.find::<Artifact>("name = 'churn-prod'").await[0];
    let base = format!("/lineage/artifacts/{model}");
    browse("screens", &store, async move |browser| {
        browser.prefer("light", true).await;
        browser.set_width(1440).await;
        let path = format!("{base}?path=a{raw}.a{endpoint}");
        for (name, address) in [("lineage", format!("{base}?hops=4")), ("path", path)] {
            browser.open_picture(&address).await;
            if name == "lineage" {
                browser.click(".scene .figure.execution.fold a").await;
                let panel = "document.querySelector('.side h2').textContent.includes('×')";
                browser.until(panel).await;
            }
            let file = browser.keep_screen(name).await;
            let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
            for file in [file, shown.join(name).with_extension("png")] {
                let picture = fs::read(&file).unwrap();
                assert!(picture.starts_with(PNG_SIGNATURE), "{}", file.display());
            }
        }
    })
    .await;
}
