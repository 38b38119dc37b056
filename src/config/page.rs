//! The tables of options in `docs/configuration.md`.

use std::fmt::Write;
use std::{env, fs};

use super::options::OPTIONS;
use super::spec::OptionDefault::{Unset, Value};
use super::spec::{flag, variable};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");

/// What stands before and after the tables.
const BEGIN: &str =
    "<!-- The tables of options: written by a test from src/config/options.rs. -->\n";
const END: &str = "<!-- The end of the tables. -->\n";

/// Set to write the tables into the page instead of comparing them.
const UPDATE: &str = "PEDIGREE_UPDATE_DOCS";

/// A table for each group of options, and one of the old names.
fn tables() -> String {
    let mut text = String::new();
    let mut group = "";
    for option in OPTIONS {
        if option.group != group {
            group = option.group;
            let _ = write!(text, "\n### {group}\n\n");
            text.push_str("| flag | variable | file key | default | meaning |\n");
            text.push_str("| --- | --- | --- | --- | --- |\n");
        }
        let (name, value) = (option.name, option.value_name);
        let default = match option.default {
            Value(default) => format!("`{default}`"),
            Unset(default) => default.to_owned(),
        };
        let (flag, variable, help) = (flag(name), variable(name), option.help());
        let _ = writeln!(
            text,
            "| `--{flag} {value}` | `{variable}` | `{name}` | {default} | {help} |"
        );
    }
    text.push_str("\n### Old names\n\n| old flag | flag |\n| --- | --- |\n");
    for option in OPTIONS {
        for old in option.old_names {
            let _ = writeln!(text, "| `--{}` | `--{}` |", flag(old), flag(option.name));
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_page_has_every_option() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = [before, BEGIN, &tables(), END, after].concat();
    if env::var_os(UPDATE).is_some() {
        fs::write(PAGE, expected).unwrap();
    } else {
        let command = "cargo test --lib config::page";
        assert!(page == expected, "out of date: run {UPDATE}=1 {command}");
    }
}
