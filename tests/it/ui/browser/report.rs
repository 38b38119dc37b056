//! `pedigree report` in a browser: on a screen, and printed.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use super::browse;
use super::tour::put_churn;
use crate::cli;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    a_report_is_read_on_a_screen_and_on_paper,
}

/// The size of A4 without the margins of the page, in pixels of CSS: 178 mm and 265 mm.
const PAPER_WIDTH: u32 = 672;
const PAPER_HEIGHT: u32 = 1001;

/// The width of the screen, in pixels.
const SCREEN_WIDTH: u32 = 1200;

/// The size of A4, in centimetres.
const PAPER: [f64; 2] = [21.0, 29.7];

/// Things that stand out beyond the page, and colours and weights of a missing fact.
const LOOKS: &str = "[
    Math.max(...[...document.querySelectorAll('body *')].map((it) =>
        Math.ceil(it.getBoundingClientRect().right))),
    getComputedStyle(document.querySelector('tr.missing')).backgroundColor,
    getComputedStyle(document.querySelector('tr.missing')).printColorAdjust,
    getComputedStyle(document.querySelector('h2')).breakAfter,
    getComputedStyle(document.body).maxWidth]";

async fn a_report_is_read_on_a_screen_and_on_paper() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    let mut long = store.get::<Artifact>(model).await;
    long.uri = Some(format!("s3://bucket/{}", "long".repeat(100)));
    store.ask(Artifact::put(vec![long])).await;
    let told = cli::ask(store.port(), &["report", &model.to_string()], "").await;
    assert!(told.status.success(), "{told:?}");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("report.html");
    fs::write(&file, &told.stdout).unwrap();
    let sections = told.stdout.matches("<h2 ").count();
    browse("report", &store, async move |browser| {
        let url = format!("file://{}", file.display());
        browser.post("/url", json!({ "url": url })).await;
        assert_eq!(
            browser.js("document.querySelectorAll('h2').length").await,
            sections
        );
        for (medium, width, most) in [
            ("screen", SCREEN_WIDTH, "1100px"),
            ("print", PAPER_WIDTH, "none"),
        ] {
            browser.show_as(medium).await;
            browser.set_width(width).await;
            let looks = browser.js(LOOKS).await;
            assert!(looks[0].as_u64() <= Some(width.into()), "{medium}: {looks}");
            assert_eq!(looks[1], "rgb(251, 230, 228)", "{medium}");
            assert_eq!(looks[4], most, "{medium}");
            if medium == "print" {
                assert_eq!(looks[2], "exact");
                assert_eq!(looks[3], "avoid");
            }
        }
        let height = browser.js("document.documentElement.scrollHeight").await;
        let paper = json!({
            "page": { "width": PAPER[0], "height": PAPER[1] }, "shrinkToFit": false,
        });
        let printed = browser.post("/print", paper).await;
        let printed = STANDARD.decode(printed.as_str().unwrap()).unwrap();
        assert!(printed.starts_with(b"%PDF-"));
        // Not much of the paper stays empty, and nothing is left out.
        let text = String::from_utf8_lossy(&printed);
        let pages = u64::try_from(text.matches("/Type /Page\n").count()).unwrap();
        let least = height.as_u64().unwrap() / u64::from(PAPER_HEIGHT);
        assert!(
            (least..=2 * least + 1).contains(&pages),
            "{pages} pages for {height} pixels"
        );
    })
    .await;
}
