//! The page of a lineage: without scripts, by clicks, and by keys.

use super::tour::put_churn;
use super::{Browser, DOWN, ENTER, ESCAPE, RIGHT, TAB, browse};
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    pages_answer_without_scripts,
    expanding_keeps_what_is_on_the_screen,
    the_zoom_is_in_the_address,
    everything_can_be_done_with_keys,
}

/// Key, place and text of every figure, and every edge.
const PICTURE: &str = "JSON.stringify([...document.querySelectorAll('.scene .figure')].map(
    (it) => [it.dataset.key, it.getAttribute('transform'), it.textContent]).concat(
    [...document.querySelectorAll('.scene .edge')].map((it) => it.getAttribute('d'))))";

/// How wide the first figure is on the screen.
const WIDTH: &str = "document.querySelector('.scene .figure .body').getBoundingClientRect().width";

const FIGURES: &str = "document.querySelectorAll('.scene .figure').length";

/// The keys of each column of figures, from the top.
const COLUMNS: &str = "(() => {
    const columns = {};
    for (const it of document.querySelectorAll('.scene .figure')) {
        const box = it.querySelector('.body').getBoundingClientRect();
        const middle = Math.round(box.left + box.width / 2);
        (columns[middle] ??= []).push([box.top, it.dataset.key]);
    }
    return Object.values(columns).map(
        (column) => column.sort((one, other) => one[0] - other[0]).map((it) => it[1]));
})()";

/// Where the figure with a label is, as an expression.
fn corner_of(label: &str) -> String {
    format!(
        "(() => {{ const box = [...document.querySelectorAll('.scene .figure')].find(
            (it) => it.querySelector('.label').textContent === '{label}')
            .querySelector('.body').getBoundingClientRect(); return [box.left, box.top]; }})()"
    )
}

/// A link to draw what came from a figure, or what it came from.
fn more_of(label: &str) -> String {
    format!(".scene a.more[aria-label$='{label}']")
}

async fn numbers(browser: &Browser, expression: &str) -> Vec<f64> {
    serde_json::from_value(browser.js(expression).await).unwrap()
}

async fn pages_answer_without_scripts() {
    let store = Store::open(Backend::SqliteFile).await;
    put_churn(&store).await;
    browse("without-scripts", &store, async |browser| {
        browser.set_scripts(false).await;
        browser.open("/").await;
        browser.click_link("Artifacts").await;
        browser.click_link("churn-classifier-218").await;
        browser.click_link("Lineage").await;
        let folded = browser.js(FIGURES).await.as_i64().unwrap();
        browser.click(".scene .figure.fold a").await;
        browser.click(".side a.primary").await;
        let opened = browser.js(FIGURES).await.as_i64().unwrap();
        assert!(opened > folded + 3, "{folded} figures, then {opened}");
        browser.click_link("List").await;
        let rows = browser
            .js("document.querySelectorAll('tbody tr').length")
            .await;
        assert!(rows.as_i64().unwrap() >= opened, "{rows}");
        let export = "document.querySelector('a[download]').getAttribute('href')";
        let export = browser.js(export).await;
        let drawing = crate::serving::get(browser.port, export.as_str().unwrap()).await;
        assert_eq!(drawing.status, 200);
    })
    .await;
}

async fn expanding_keeps_what_is_on_the_screen() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    let path = format!("/lineage/artifacts/{model}?hops=2");
    let shown = browse("expanding", &store, async move |browser| {
        browser.open_picture(&path).await;
        browser.press(['f']).await;
        let (first, count) = (browser.js(PICTURE).await, browser.js(FIGURES).await);
        let columns = browser.js(COLUMNS).await;

        // A selection moves nothing.
        browser.click(".scene .figure.execution.fold a").await;
        browser
            .until("document.querySelector('.side h2').textContent.includes('×12')")
            .await;
        assert_eq!(browser.js(PICTURE).await, first);
        assert!(browser.path().await.contains("selected=e"));

        let place = numbers(&browser, &corner_of("features-218")).await;
        browser.click(&more_of("features-218")).await;
        browser.until(&format!("{FIGURES} > {count}")).await;
        assert!(
            browser.path().await.contains("open="),
            "{}",
            browser.path().await
        );
        browser.until("document.getAnimations().length === 0").await;
        let now = numbers(&browser, &corner_of("features-218")).await;
        let moved = place.iter().zip(&now).map(|(was, is)| (was - is).abs());
        assert!(moved.fold(0.0, f64::max) <= 2.0, "{place:?}, then {now:?}");
        // What was in a column before is there in the same order.
        let expanded: Vec<Vec<String>> = serde_json::from_value(browser.js(COLUMNS).await).unwrap();
        let columns: Vec<Vec<String>> = serde_json::from_value(columns).unwrap();
        for column in columns {
            let kept = expanded.iter().find(|it| it.contains(&column[0])).unwrap();
            let kept: Vec<_> = kept.iter().filter(|it| column.contains(it)).collect();
            assert_eq!(kept, column.iter().collect::<Vec<_>>());
        }

        // The address alone is the picture, and Back is the one before.
        let expanded = browser.js(PICTURE).await;
        let address = browser.path().await;
        browser.back().await;
        browser.until(&format!("{FIGURES} === {count}")).await;
        assert_eq!(browser.js(PICTURE).await, first);
        browser.open_picture(&address).await;
        assert_eq!(browser.js(PICTURE).await, expanded);

        // Nothing moves for those who asked for that.
        browser.prefer("light", true).await;
        browser.click_link("Fold again").await;
        let script = "const done = arguments[0]; let moving = 0;
            const look = () => {
                moving += document.getAnimations().length;
                if (document.querySelectorAll('.scene .figure').length === COUNT) done(moving);
                else requestAnimationFrame(look);
            };
            look();";
        let moving = browser
            .run(&script.replace("COUNT", &count.to_string()))
            .await;
        assert_eq!(moving, 0);
        (address, expanded)
    })
    .await;
    let (address, expanded) = shown;
    // A browser that has never been here shows the same.
    browse("new-browser", &store, async move |browser| {
        browser.open_picture(&address).await;
        assert_eq!(browser.js(PICTURE).await, expanded);
    })
    .await;
}

async fn the_zoom_is_in_the_address() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    let path = format!("/lineage/artifacts/{model}?hops=2");
    let zoomed = browse("zoom", &store, async move |browser| {
        browser.open_picture(&path).await;
        browser.press(['+', '+']).await;
        browser.until("location.search.includes('zoom=')").await;
        // It survives another view.
        browser.click_link("Provenance").await;
        browser
            .until("location.search.includes('direction=provenance')")
            .await;
        let address = browser.path().await;
        assert!(address.contains("zoom="), "{address}");
        (address, browser.js(WIDTH).await.as_f64().unwrap())
    })
    .await;
    let (address, shown) = zoomed;
    browse("zoom-again", &store, async move |browser| {
        browser.open_picture(&address).await;
        let again = browser.js(WIDTH).await.as_f64().unwrap();
        // The address has whole percents.
        assert!(
            (again - shown).abs() <= shown / 50.0,
            "{shown}, then {again}"
        );
    })
    .await;
}

/// Whether what has the focus is there to be seen.
async fn has_focus(browser: &Browser, css: &str) {
    let focus = "const it = document.activeElement; const box = it.getBoundingClientRect();
        return [it.matches(CSS), it.matches(':focus-visible'), it.outerHTML.slice(0, 200),
            box.width > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0
                && box.top < innerHeight];";
    let focus = focus.replace("CSS", &format!("\"{css}\""));
    let found = browser.js(&format!("(() => {{ {focus} }})()")).await;
    assert_eq!(
        (&found[0], &found[1], &found[3]),
        (&true.into(), &true.into(), &true.into()),
        "{css}: {found}"
    );
}

async fn everything_can_be_done_with_keys() {
    let store = Store::open(Backend::SqliteFile).await;
    let model = put_churn(&store).await;
    browse("keys", &store, async move |browser| {
        browser.prefer("light", true).await;
        browser.open("/types").await;
        browser.press(['/']).await;
        has_focus(&browser, ".find input").await;
        browser
            .press("churn-classifier-218".chars().chain([ENTER]))
            .await;
        let found = format!("location.pathname === '/artifacts/{model}'");
        browser.until(&found).await;
        browser.press(['?']).await;
        browser
            .until("document.querySelector('dialog')?.open === true")
            .await;
        browser.press([ESCAPE]).await;
        browser
            .until("document.querySelector('dialog') === null")
            .await;
        browser.press(['g', 'e']).await;
        browser.until("location.pathname === '/executions'").await;

        browser
            .open_picture(&format!("/lineage/artifacts/{model}?hops=2"))
            .await;
        let in_picture = "document.activeElement.closest('.scene') !== null";
        for _ in 0..40 {
            browser.press([TAB]).await;
            if browser.js(in_picture).await == true {
                break;
            }
        }
        has_focus(&browser, ".figure.focus a").await;
        // The picture is one stop.
        browser.press([TAB]).await;
        assert_eq!(browser.js(in_picture).await, false);
        browser
            .js("document.querySelector('.figure.focus a').focus()")
            .await;
        browser.press([RIGHT]).await;
        for _ in 0..8 {
            has_focus(&browser, ".figure a").await;
            let is_fold = "document.activeElement.closest('.fold') !== null";
            if browser.js(is_fold).await == true {
                break;
            }
            browser.press([DOWN]).await;
        }
        has_focus(&browser, ".figure.fold a").await;
        let count = browser.js(FIGURES).await;
        browser.press([ENTER]).await;
        browser
            .until("document.querySelector('.side h2').textContent.includes('×12')")
            .await;
        browser.press(['x']).await;
        browser.until(&format!("{FIGURES} > {count}")).await;
        has_focus(&browser, ".figure.execution a").await;
        let words = "document.querySelector('.status').textContent.includes('more figures')";
        browser.until(words).await;
        browser.press(['x']).await;
        browser.until(&format!("{FIGURES} === {count}")).await;
        let width = browser.js(WIDTH).await;
        browser.press(['+']).await;
        browser.until(&format!("{WIDTH} > {width}")).await;
        browser.press(['f']).await;
        browser.until(&format!("{WIDTH} <= {width}")).await;
        browser.press(['l']).await;
        browser
            .until("document.querySelector('.tree') !== null")
            .await;
        has_focus(&browser, "main h1, main a").await;
        browser.press(['l']).await;
        browser
            .until("document.querySelector('.scene') !== null")
            .await;
        browser
            .js("document.querySelector('.figure a').focus()")
            .await;
        browser.press([ESCAPE]).await;
        has_focus(&browser, ".frame").await;
    })
    .await;
}
