//! Each layer knows only those below it; the map is in `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

blocking_once! {
    nothing_points_back_up,
    nothing_below_api_names_a_protocol,
    only_storage_names_the_database_driver,
    no_statement_is_put_together_from_values,
    no_file_is_too_long,
    dialects_are_not_compared,
    rooms_of_the_graph_do_not_import_its_page,
    rooms_of_the_graph_form_no_circle,
    the_graph_exports_nothing_of_storage,
    no_id_has_a_default,
    no_path_climbs_two_modules,
    comments_fit_into_100_columns,
    no_type_name_is_used_twice,
    names_of_limits_have_a_noun_and_durations_end_with_it,
}

/// The maximum length of a source file, in lines.
const MAX_FILE_LINES: usize = 500;

/// The maximum width of a comment, in characters.
const MAX_COMMENT_COLUMNS: usize = 100;

/// The last words of the names of durations.
const DURATION_NOUNS: [&str; 6] = ["AGE", "DELAY", "INTERVAL", "LIMIT", "TIME", "TIMEOUT"];

/// The types of limits that are plain numbers.
const NUMBERS: [&str; 8] = ["u8", "u16", "u32", "u64", "usize", "i32", "i64", "f64"];

/// The folders whose comments are checked.
const COMMENTED_FOLDERS: [&str; 4] = ["src", "tests/it", "benches/load", "proto"];

/// What a command that is a client of a server must not name.
const NOT_FOR_CLIENTS: &[&str] = &[
    "crate::server",
    "crate::graph",
    "crate::storage",
    "crate::model",
];

/// What pure functions of messages must not name.
const PURE_OF_MESSAGES: &[&str] = &[
    "sqlx::",
    "async ",
    "std::fs",
    "crate::api",
    "crate::cli",
    "crate::config",
    "crate::graph",
    "crate::model",
    "crate::server",
    "crate::storage",
];

/// A part of `src/`, and what its files must not name.
const FORBIDDEN: [(&str, &[&str]); 31] = [
    (
        "graph",
        &[
            "prost",
            "sqlx::",
            "crate::api",
            "crate::server",
            "crate::proto",
            "crate::config",
        ],
    ),
    (
        "filter",
        &[
            "sqlx::",
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::proto",
        ],
    ),
    (
        "storage",
        &[
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::filter",
            "crate::proto",
        ],
    ),
    ("model", &["crate::", "sqlx::"]),
    (
        "blobs",
        &[
            "sqlx::",
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::storage",
            "crate::config",
            "crate::proto",
        ],
    ),
    (
        "api",
        &["sqlx::", "crate::storage", "crate::server", "crate::config"],
    ),
    ("config", &["sqlx::", "crate::cli", "crate::server"]),
    ("server", &["crate::cli"]),
    (
        "security",
        &[
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::storage",
            "crate::config",
        ],
    ),
    ("policy", &["crate::"]),
    (
        "picture",
        &[
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::storage",
            "crate::model",
            "crate::proto",
            "crate::config",
        ],
    ),
    (
        "proof",
        &[
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::storage",
            "crate::error",
            "crate::proto",
            "crate::config",
        ],
    ),
    (
        "identity",
        &[
            "crate::api",
            "crate::server",
            "crate::graph",
            "crate::storage",
            "crate::config",
            "crate::security",
        ],
    ),
    ("cli", &["sqlx::", "crate::api", "crate::filter"]),
    ("cli/record.rs", NOT_FOR_CLIENTS),
    ("cli/watch.rs", NOT_FOR_CLIENTS),
    ("cli/trace.rs", NOT_FOR_CLIENTS),
    ("cli/facets.rs", NOT_FOR_CLIENTS),
    ("cli/report.rs", NOT_FOR_CLIENTS),
    ("cli/export_provenance.rs", NOT_FOR_CLIENTS),
    ("cli/client.rs", NOT_FOR_CLIENTS),
    ("cli/run", NOT_FOR_CLIENTS),
    ("cli/collect", NOT_FOR_CLIENTS),
    ("cli/reproduce", NOT_FOR_CLIENTS),
    ("cli/recorder.rs", NOT_FOR_CLIENTS),
    ("cli/digests.rs", NOT_FOR_CLIENTS),
    ("cli/blob_store.rs", NOT_FOR_CLIENTS),
    (
        "reproduce",
        &[
            "sqlx::",
            "prost",
            "async ",
            "std::fs",
            "crate::api",
            "crate::cli",
            "crate::config",
            "crate::graph",
            "crate::proto",
            "crate::server",
            "crate::storage",
        ],
    ),
    ("report", PURE_OF_MESSAGES),
    ("provenance", PURE_OF_MESSAGES),
    ("", &["todo!", "dbg!"]),
];

/// The parts of `src/` below `api`.
const BELOW_API: [&str; 6] = [
    "graph",
    "filter",
    "storage",
    "model",
    "reproduce",
    "error.rs",
];

/// Crates that implement a protocol.
const PROTOCOLS: [&str; 6] = ["tonic", "axum", "hyper", "http::", "http_body", "tower"];

/// All Rust files of a folder or a file of `src/`, with their texts.
fn files(part: &str) -> Vec<(PathBuf, String)> {
    files_ending(&Path::new("src").join(part), &["rs"])
}

/// All files of a folder or a file of the repository whose names end so, with their texts.
fn files_ending(part: &Path, ends: &[&str]) -> Vec<(PathBuf, String)> {
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(part)];
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap();
            paths.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path
            .extension()
            .is_some_and(|end| ends.iter().any(|known| end == *known))
        {
            files.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
    assert!(!files.is_empty(), "nothing in {}", part.display());
    files
}

/// The lines that name one of `words`, with where they are.
fn naming<'a>(path: &Path, text: &'a str, words: &[&str]) -> Vec<String> {
    let code = |line: &'a str| line.split("//").next().unwrap_or_default();
    let lines = text.lines().map(code).zip(1..);
    lines
        .filter(|(line, _)| words.iter().any(|word| line.contains(word)))
        .map(|(line, number)| format!("{}:{number}: {}", path.display(), line.trim()))
        .collect()
}

fn nothing_points_back_up() {
    let mut wrong = Vec::new();
    for (part, words) in FORBIDDEN {
        for (path, text) in files(part) {
            wrong.extend(naming(&path, &text, words));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn nothing_below_api_names_a_protocol() {
    let mut wrong = Vec::new();
    for (path, text) in BELOW_API.into_iter().flat_map(files) {
        wrong.extend(naming(&path, &text, &PROTOCOLS));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn only_storage_names_the_database_driver() {
    let mut wrong = Vec::new();
    for (path, text) in files("") {
        let inside = path.iter().any(|folder| folder == "storage");
        if !inside {
            wrong.extend(naming(&path, &text, &["sqlx::", "rusqlite::"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn no_statement_is_put_together_from_values() {
    let mut wrong = Vec::new();
    for (path, text) in files("storage/tables") {
        let lines = naming(&path, &text, &["format!", "AssertSqlSafe"]);
        // The text of an error is no statement.
        wrong.extend(lines.into_iter().filter(|line| !line.contains("Error::")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn no_file_is_too_long() {
    for (path, text) in files("") {
        let lines = text.lines().count();
        assert!(lines <= MAX_FILE_LINES, "{}: {lines} lines", path.display());
    }
}

/// How a line tells one dialect from the others without a `match`.
const DIALECT_COMPARISONS: [&str; 8] = [
    "== Dialect::",
    "!= Dialect::",
    "Dialect::Sqlite ==",
    "Dialect::Sqlite !=",
    "Dialect::Postgres ==",
    "Dialect::Postgres !=",
    "Dialect::MySql ==",
    "Dialect::MySql !=",
];

/// Code asks a dialect what it can do, by a method that matches all variants, so that the compiler
/// finds what a new database has to answer.
fn dialects_are_not_compared() {
    let mut wrong = Vec::new();
    for (path, text) in files("") {
        if !path.iter().any(|folder| folder == "tests") {
            wrong.extend(naming(&path, &text, &DIALECT_COMPARISONS));
        }
    }
    for (path, text) in files("storage/dialect.rs") {
        let not_exhaustive = ["matches!", "== Self::", "!= Self::", "_ =>"];
        wrong.extend(naming(&path, &text, &not_exhaustive));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files of `graph` that still import the page of all operations, `graph/mod.rs`.
const IMPORTS_OF_THE_PAGE: [&str; 2] = ["parts.rs", "registry.rs"];

/// `graph/mod.rs` calls the rooms; a room imports the rooms below it by their own paths.
fn rooms_of_the_graph_do_not_import_its_page() {
    let is_of_page = |line: &str| {
        let mut paths = line.split("crate::graph::").skip(1);
        paths.any(|path| path.starts_with(|first: char| first == '{' || first.is_uppercase()))
    };
    let mut wrong = Vec::new();
    for (path, text) in files("graph") {
        let is_listed = IMPORTS_OF_THE_PAGE
            .iter()
            .any(|known| path.ends_with(known));
        if !is_listed && !path.ends_with("graph/mod.rs") {
            let lines = naming(&path, &text, &["crate::graph::"]);
            wrong.extend(lines.into_iter().filter(|line| is_of_page(line)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A room of the graph imports rooms that do not need it in turn, so that each can be read, and
/// changed, with those below it alone.
fn rooms_of_the_graph_form_no_circle() {
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graph");
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files("graph") {
        let inside = path.strip_prefix(&graph).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if room == "mod" || IMPORTS_OF_THE_PAGE.contains(&first) {
            continue;
        }
        for line in text.lines() {
            for path in line.split("crate::graph::").skip(1) {
                let end = path.find(|c: char| !c.is_lowercase() && c != '_');
                let used = &path[..end.unwrap_or(path.len())];
                if used != room && !used.is_empty() {
                    let used = used.to_owned();
                    imports.entry(room.to_owned()).or_default().insert(used);
                }
            }
        }
    }
    assert!(imports.len() > 5, "found only {} rooms", imports.len());
    // A room that imports none of those that are left is taken away until there are no more.
    while let Some(room) = imports
        .iter()
        .find(|(_, used)| !used.iter().any(|used| imports.contains_key(used)))
        .map(|(room, _)| room.clone())
    {
        imports.remove(&room);
    }
    assert!(
        imports.is_empty(),
        "in a circle, or above one: {imports:#?}"
    );
}

fn the_graph_exports_nothing_of_storage() {
    let mut wrong = Vec::new();
    for (path, text) in files("graph") {
        wrong.extend(naming(&path, &text, &["pub use crate::storage"]));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is stored has an id by its type. A default would turn a fault into the id 0.
fn no_id_has_a_default() {
    let mut wrong = Vec::new();
    for (path, text) in files("") {
        let defaults = [".id.unwrap_or_default()", "_id.unwrap_or_default()"];
        wrong.extend(naming(&path, &text, &defaults));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn no_path_climbs_two_modules() {
    let mut wrong = Vec::new();
    for (path, text) in files("") {
        wrong.extend(naming(&path, &text, &["super::super"]));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn comments_fit_into_100_columns() {
    let mut wrong = Vec::new();
    for folder in COMMENTED_FOLDERS {
        for (path, text) in files_ending(Path::new(folder), &["rs", "proto"]) {
            let wide = text.lines().zip(1..).filter(|(line, _)| {
                line.trim_start().starts_with("//") && line.chars().count() > MAX_COMMENT_COLUMNS
            });
            wrong.extend(wide.map(|(_, number)| format!("{}:{number}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The text of a source file before its tests, or nothing if all of it is for tests.
fn without_tests<'a>(path: &Path, text: &'a str) -> &'a str {
    let is_test = path.components().any(|part| part.as_os_str() == "tests")
        || path.file_name().is_some_and(|name| name == "tests.rs");
    let end = text.find("#[cfg(test)]\nmod").unwrap_or(text.len());
    if is_test { "" } else { &text[..end] }
}

/// The declaration on a line, without its visibility.
fn declaration(line: &str) -> &str {
    let line = line.trim_start();
    match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with(' ') => rest.trim_start(),
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or("", |(_, rest)| rest),
        _ => line,
    }
}

/// A search for a name leads to one type.
fn no_type_name_is_used_twice() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in files("") {
        for (line, number) in without_tests(&path, &text).lines().zip(1..) {
            let Some((keyword, rest)) = declaration(line).split_once(' ') else {
                continue;
            };
            if ["struct", "enum", "trait", "union"].contains(&keyword) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &rest[..end.unwrap_or(rest.len())];
                let place = format!("{}:{number}: {name}", path.display());
                places.entry(name.to_owned()).or_default().push(place);
            }
        }
    }
    assert!(places.len() > 200, "found only {} types", places.len());
    let twice = places.into_values().filter(|places| places.len() > 1);
    let twice: Vec<String> = twice.flatten().collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

/// `MAX_GROUP_WRITES` and `POLL_INTERVAL` say what they limit, where `MOST` and `FRESH` do not.
fn names_of_limits_have_a_noun_and_durations_end_with_it() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (path, text) in files("") {
        for (line, number) in without_tests(&path, &text).lines().zip(1..) {
            let Some(constant) = declaration(line).strip_prefix("const ") else {
                continue;
            };
            let Some((name, rest)) = constant.split_once(": ") else {
                continue;
            };
            let of = rest.split([' ', ';']).next().unwrap_or_default();
            let last = name.rsplit('_').next().unwrap_or_default();
            let is_named = match of {
                "Duration" => DURATION_NOUNS.contains(&last) && last.len() < name.len(),
                _ if NUMBERS.contains(&of) => name.contains('_'),
                _ => continue,
            };
            seen += 1;
            if !is_named {
                wrong.push(format!("{}:{number}: {name}", path.display()));
            }
        }
    }
    assert!(seen > 50, "found only {seen} constants");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
