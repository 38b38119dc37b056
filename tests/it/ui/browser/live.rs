//! Changes as they happen.

use super::browse;
use super::tour::put_churn;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    pages_tell_of_changes_over_one_stream,
}

async fn pages_tell_of_changes_over_one_stream() {
    // A second stream would be refused.
    let store =
        Store::open_with(Backend::SqliteFile, |config| config.serving.max_streams = 1).await;
    let model = put_churn(&store).await;
    let writer = store.clone();
    browse("live", &store, async move |browser| {
        let is_live = "document.querySelector('.live')?.textContent.includes('● live')";
        browser.open("/activity").await;
        browser.until(is_live).await;
        let activity = browser.new_tab().await;
        browser
            .open(&format!("/lineage/artifacts/{model}?hops=1"))
            .await;
        browser.until(is_live).await;
        let count = browser
            .js("document.querySelectorAll('.scene .figure').length")
            .await;

        let type_id = writer.put_type::<Execution>("Review", &[]).await;
        let review = writer
            .put_named::<Execution>(type_id, &["review-218"])
            .await[0];
        let used = event(model, review, pb::event::Type::Input);
        writer.ask(put_events(vec![used])).await;
        let told = "document.querySelector('.live')?.textContent.includes('1 change here')";
        browser.until(told).await;
        // Nothing moves until it is asked for.
        assert_eq!(
            browser
                .js("document.querySelectorAll('.scene .figure').length")
                .await,
            count
        );
        browser.press(['r']).await;
        browser
            .until("document.querySelector('.scene').textContent.includes('review-218')")
            .await;

        browser.switch_to(activity).await;
        let row = "document.querySelector('.changes tbody').textContent.includes('review-218')";
        browser.until(row).await;
    })
    .await;
}
