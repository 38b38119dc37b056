//! `dvc repro` as it is, with the recipe for it: `tests/setup producers` installs DVC, which takes
//! minutes, so that this case is of the long form of the suite only.

use super::rerun::quoted_project;

blocking_once!(dvc_makes_a_model_again);

/// Where `tests/setup producers` installs it.
const DVC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/producers/dvc/bin/dvc");

fn dvc_makes_a_model_again() {
    let project = quoted_project("${x} %");
    let recipe = project.succeed(&["reproduce", "out/c", "--recipe", "dvc"]);
    project.write("out/dvc/dvc.yaml", &recipe);
    let dvc = |words: &str| {
        let quiet = "export DVC_NO_ANALYTICS=1; cd out/dvc";
        project.shell(&format!("{quiet} && {DVC} {words}"))
    };
    dvc("init -q --no-scm");
    // DVC prints its commands too.
    let identical = |told: &str| {
        let lines = told.lines();
        let lines = lines.filter(|it| it.starts_with("artifact ") && it.ends_with(": identical"));
        lines.count()
    };
    let told = dvc("repro");
    assert_eq!(identical(&told), 2, "{told}");
    assert_eq!(
        project.read("out/dvc/steps/2/tree/out/c/raw.txt"),
        "raw$(line)\n'two' # \\${x} %"
    );
    // It has done everything.
    let again = dvc("repro");
    assert!(again.contains("up to date"), "{again}");
    assert_eq!(identical(&again), 0, "{again}");
    // Another source is found before a step runs.
    project.write("data/it's $HOME/raw.txt", "other");
    let fresh = "mkdir out/fresh && cp out/dvc/dvc.yaml out/fresh && cd out/fresh";
    project.shell(&format!(
        "{fresh} && {DVC} init -q --no-scm && ! {DVC} repro 2> errors && \
         grep -q 'its digest is not sha256:' errors && ! test -e steps"
    ));
}
