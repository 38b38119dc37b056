//! The pages for users and developers: their links, paths and metrics are those of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pedigree::api::grpc::status;
use pedigree::api::http::problem;
use pedigree::error::Error;
use pedigree::proto::{code_name, pool};
use prost_reflect::DynamicMessage;

blocking_once! {
    every_link_leads_somewhere,
    prose_fits_into_100_columns,
    every_path_in_the_architecture_exists,
    every_metric_has_a_row,
    the_table_of_errors_is_that_of_the_code,
    every_example_of_a_message_can_be_read,
}

/// The pages whose links, examples and width are checked.
const PAGES: [&str; 25] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/configuration.md",
    "docs/filter-language.md",
    "docs/imports.md",
    "docs/lineage-api.md",
    "docs/ml-metadata.md",
    "docs/openlineage.md",
    "docs/operations.md",
    "docs/reproduction.md",
    "docs/security.md",
    "benches/README.md",
    "examples/README.md",
    "examples/go/README.md",
    "examples/java/README.md",
    "examples/mlflow/README.md",
    "examples/python/README.md",
    "examples/typescript/README.md",
    "helm/pedigree/README.md",
    "migrations/README.md",
    "tests/README.md",
    "tests/clients/README.md",
    "tests/wheel/README.md",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without code blocks.
fn prose(text: &str) -> String {
    let mut in_block = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The texts between two marks.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let parts = text.split(open).skip(1);
    parts
        .filter_map(|part| part.split_once(close))
        .map(|(inside, _)| inside)
        .collect()
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let text = prose(text);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                _ if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}

/// Text in paragraphs and lists. Tables and code blocks may be wider.
fn prose_fits_into_100_columns() {
    let mut wrong = Vec::new();
    for page in PAGES {
        let text = prose(&read(page));
        let is_wide = |line: &&str| line.chars().count() > 100 && line.contains(' ');
        let wide = text.lines().filter(is_wide);
        let wide = wide.filter(|line| !line.trim_start().starts_with('|'));
        wrong.extend(wide.map(|line| format!("{page}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in PAGES {
        let text = prose(&read(page));
        for link in between(&text, "](", ")") {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(page).parent().unwrap();
            let target = match path {
                "" => PathBuf::from(page),
                path => folder.join(path),
            };
            let exists = root().join(&target).exists();
            if !exists || (!anchor.is_empty() && !anchors(&read(&target)).contains(anchor)) {
                wrong.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path in backticks is from the root of the repository, from `src/`, or from a folder there.
fn every_path_in_the_architecture_exists() {
    let mut wrong = Vec::new();
    let text = prose(&read("docs/architecture.md"));
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let is_path = |text: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        text.contains('/') && text.chars().all(is_plain) && !text.starts_with(['/', '-'])
    };
    let paths: Vec<&str> = quoted.into_iter().filter(is_path).collect();
    assert!(!paths.is_empty(), "no paths");
    for path in paths {
        let places = ["", "src", "src/graph", "src/storage", "src/config"];
        let mut places = places
            .map(|folder| root().join(folder).join(path))
            .into_iter();
        if !places.any(|place| place.exists()) {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let quoted = text.split(|c| !is_name(c));
    let names = quoted.filter(|word| word.starts_with("pedigree_"));
    names.map(str::to_owned).collect()
}

fn every_metric_has_a_row() {
    let operations = read("docs/operations.md");
    for metric in metrics(&read("src/telemetry/mod.rs")) {
        let row = format!("| `{metric}` |");
        assert!(operations.contains(&row), "docs/operations.md lacks {row}");
    }
}

fn every_example_of_a_message_can_be_read() {
    let request = "pedigree.lineage.v1.RecordRequest";
    let request = pool().get_message_by_name(request).unwrap();
    let page = read("docs/lineage-api.md");
    let blocks = between(&page, "```json\n", "```");
    let lines = page.lines().filter(|line| line.starts_with("{\"id\""));
    let examples: Vec<&str> = blocks.into_iter().chain(lines).collect();
    assert!(examples.len() > 1, "no examples");
    for example in examples {
        let mut json = serde_json::Deserializer::from_str(example);
        let message = DynamicMessage::deserialize(request.clone(), &mut json);
        message.unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

/// One error of each kind.
fn errors() -> Vec<Error> {
    let text = || "text".to_owned();
    vec![
        Error::InvalidArgument(text()),
        Error::OutOfRange(text()),
        Error::NotFound(text()),
        Error::AlreadyExists(text()),
        Error::FailedPrecondition(text()),
        Error::Unauthenticated,
        Error::CredentialsEnded,
        Error::IssuerUnavailable,
        Error::PermissionDenied(text()),
        Error::Misdirected(text()),
        Error::Unimplemented(text()),
        Error::Contention(text()),
        Error::Raced(Box::new(Error::Contention(text()))),
        Error::DeadlineExceeded(text()),
        Error::Exhausted(text()),
        Error::TooLarge(text()),
        Error::DataLoss(text()),
        Error::NotReady,
        Error::Unavailable(text().into()),
        Error::Uncertain(text().into()),
        Error::internal(text()),
    ]
}

/// Each error has a row with its codes, and each row belongs to an error.
fn the_table_of_errors_is_that_of_the_code() {
    let operations = read("docs/operations.md");
    let (_, table) = operations.split_once("| situation | gRPC code |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().skip(2).map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let status: u16 = cells[3].parse().unwrap();
        // Clients retry these without asking.
        let is_retried = ["`ABORTED`", "`RESOURCE_EXHAUSTED`", "`UNAVAILABLE`"].contains(&cells[2]);
        let stays = ["never retry", "do not retry", "operator"].map(|text| cells[4].contains(text));
        assert!(!is_retried || !stays.contains(&true), "{row}");
        (cells[2].trim_matches('`').to_owned(), status)
    });
    let documented: BTreeSet<_> = rows.collect();
    let codes = errors().into_iter().map(|error| {
        let code = code_name(status::code(&error)).to_owned();
        (code, problem::status(&error).as_u16())
    });
    assert_eq!(documented, codes.collect());
}
