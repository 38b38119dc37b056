//! Programs that produce events, and what `pedigree trace` prints of them.

use std::process::Command;

/// Runs a program to its end, which must be a good one, and gives what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out.into_owned()
}

/// A tree with the kinds and names of its nodes alone.
pub fn without_ids(tree: &str) -> String {
    let line = |line: &str| {
        let (branch, node) = line.split_at(line.find(['a', 'e']).unwrap());
        let words: Vec<&str> = node.split(' ').collect();
        let name = words[3]
            .rsplit_once('/')
            .filter(|_| words[0] == "execution");
        let name = name.map_or(words[3], |(job, _)| job);
        format!("{branch}{} {name}\n", words[0])
    };
    tree.lines().map(line).collect()
}
