//! The pages in Debian's Chromium, which is driven as people use it: by clicks and keys.
//!
//! A case that fails leaves what the screen showed in `target/ui/`.

mod fits;
mod live;
mod picture;
mod printed;
mod report;
mod screens;
mod scripts;
mod tour;
mod wcag;

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::binary::{Process, wait_for};
use crate::support::Store;

/// Keys as `WebDriver` names them.
pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';
pub const ESCAPE: char = '\u{e00c}';
pub const RIGHT: char = '\u{e014}';
pub const DOWN: char = '\u{e015}';

/// What an element is called in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a condition may take to become true. Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(40);

/// Pixels.
const WINDOW_SIZE: &str = "1440,900";

/// A window of a browser at the pages of a store. Clones share the window.
#[derive(Clone)]
pub struct Browser {
    driver: u16,
    session: String,
    /// The port of the pages.
    pub port: u16,
}

/// Runs a case in a new browser, at the pages of a store. Returns what the case does.
pub async fn browse<T>(name: &str, store: &Store, case: impl FnOnce(Browser) -> T) -> T::Output
where
    T: Future<Output: Send> + Send + 'static,
{
    let mut command = Command::new("chromedriver");
    command.arg("--port=0");
    let driver = Process::start(command);
    let port = wait_for("the port of chromedriver", || {
        let output = driver.output();
        let (_, rest) = output.split_once("started successfully on port ")?;
        rest.split_once('.')?.0.parse().ok()
    });
    let mut browser = Browser {
        driver: port,
        session: String::new(),
        port: store.port(),
    };
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        &format!("--window-size={WINDOW_SIZE}"),
    ];
    let options = json!({"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}});
    let options = json!({"capabilities": options});
    let begun = browser.ask("POST", "", &options).await.unwrap();
    browser.session = format!("/{}", begun["sessionId"].as_str().unwrap());
    let result = tokio::spawn(case(browser.clone())).await;
    if result.is_err() {
        let file = browser.keep_screen(name).await;
        eprintln!("the screen is in {}", file.display());
    }
    browser.ask("DELETE", "", &Json::Null).await.unwrap();
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Whether the driver has done what a request asks for, and its answer. It closes no connection.
async fn exchange(port: u16, head: &str, body: &[u8]) -> (bool, Vec<u8>) {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let mut stream = BufReader::new(stream.unwrap());
    let length = body.len();
    let head = format!("{head}\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    let mut status = String::new();
    stream.read_line(&mut status).await.unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.unwrap();
    (status.contains(" 200 "), answer)
}

impl Browser {
    /// The answer to a command of `WebDriver`, or the message of its refusal.
    async fn ask(&self, method: &str, command: &str, body: &Json) -> Result<Json, String> {
        let head = format!("{method} /session{}{command} HTTP/1.1", self.session);
        let body = match body {
            Json::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let (is_done, answer) = exchange(self.driver, &head, &body).await;
        let mut value: Json = serde_json::from_slice(&answer).unwrap();
        let value = value["value"].take();
        if is_done {
            Ok(value)
        } else {
            Err(format!("{command}: {}", value["message"]))
        }
    }

    async fn get(&self, command: &str) -> Json {
        self.ask("GET", command, &Json::Null).await.unwrap()
    }

    async fn post(&self, command: &str, body: Json) -> Json {
        self.ask("POST", command, &body).await.unwrap()
    }

    pub async fn open(&self, path: &str) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        self.post("/url", json!({"url": url})).await;
    }

    /// Opens the page of a picture, and waits for its script.
    pub async fn open_picture(&self, path: &str) {
        self.open(path).await;
        self.until("document.querySelector('.frame.moves') !== null")
            .await;
    }

    /// The address after that of the server.
    pub async fn path(&self) -> String {
        let url = self.get("/url").await;
        let (_, path) = url
            .as_str()
            .unwrap()
            .split_once(&self.port.to_string())
            .unwrap();
        path.to_owned()
    }

    pub async fn back(&self) {
        self.post("/back", json!({})).await;
    }

    /// Goes to a new tab. Returns what [`Self::switch_to`] needs to come back.
    pub async fn new_tab(&self) -> Json {
        let here = self.get("/window").await;
        let new = self.post("/window/new", json!({"type": "tab"})).await;
        self.switch_to(new["handle"].clone()).await;
        here
    }

    pub async fn switch_to(&self, window: Json) {
        self.post("/window", json!({"handle": window})).await;
    }

    /// The value of an expression in the page.
    pub async fn js(&self, expression: &str) -> Json {
        let script = format!("return ({expression});");
        let command = json!({"script": script, "args": []});
        self.post("/execute/sync", command).await
    }

    /// Runs a script, whose last argument is a function that takes its result.
    pub async fn run(&self, script: &str) -> Json {
        let command = json!({"script": script, "args": []});
        self.post("/execute/async", command).await
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let is_true = async {
            while self.js(expression).await != Json::Bool(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, is_true).await;
        assert!(found.is_ok(), "waited in vain for {expression}");
    }

    /// Clicks on the middle of what a selector finds first.
    pub async fn click(&self, css: &str) {
        self.click_on("css selector", css).await;
    }

    /// Clicks on the link with a text.
    pub async fn click_link(&self, text: &str) {
        self.click_on("link text", text).await;
    }

    async fn click_on(&self, using: &str, value: &str) {
        let found = self.post("/element", json!({"using": using, "value": value}));
        let found = found.await;
        let element = found[ELEMENT].as_str().unwrap();
        self.post(&format!("/element/{element}/click"), json!({}))
            .await;
    }

    /// Presses keys, one after the other.
    pub async fn press(&self, keys: impl IntoIterator<Item = char>) {
        let strokes = keys.into_iter().flat_map(|key| {
            ["keyDown", "keyUp"].map(|stroke| json!({"type": stroke, "value": key}))
        });
        let strokes: Vec<Json> = strokes.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.post("/actions", json!({"actions": [keyboard]})).await;
    }

    async fn dev_tools(&self, command: &str, parameters: Json) {
        let command = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", command).await;
    }

    /// Whether scripts of pages run.
    pub async fn set_scripts(&self, are_on: bool) {
        let parameters = json!({"value": !are_on});
        let command = "Emulation.setScriptExecutionDisabled";
        self.dev_tools(command, parameters).await;
    }

    /// What the system of the viewer prefers: `light` or `dark`, and whether nothing should move.
    pub async fn prefer(&self, theme: &str, is_still: bool) {
        let motion = if is_still { "reduce" } else { "no-preference" };
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]});
        self.dev_tools("Emulation.setEmulatedMedia", features).await;
    }

    /// Shows the page as on a `screen` or in `print`.
    pub async fn show_as(&self, medium: &str) {
        let medium = json!({"media": medium});
        self.dev_tools("Emulation.setEmulatedMedia", medium).await;
    }

    /// The width of the screen, in pixels.
    pub async fn set_width(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        let command = "Emulation.setDeviceMetricsOverride";
        self.dev_tools(command, size).await;
    }

    /// Writes what the screen shows into a file of `target/ui/`.
    pub async fn keep_screen(&self, name: &str) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ui");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name).with_extension("png");
        let picture = self.get("/screenshot").await;
        let picture = STANDARD.decode(picture.as_str().unwrap()).unwrap();
        fs::write(&file, picture).unwrap();
        file
    }
}
