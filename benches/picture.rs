//! The CPU time of pictures: of a lineage of 5,000 nodes of which 500 are drawn, as a page makes
//! it, and of layouts alone.
//!
//! ```sh
//! cargo bench --bench picture
//! cargo bench --bench picture --profile dev     # the same in a debug build
//! ```

use std::collections::BTreeSet;
use std::fs;

use pedigree::picture::layout::PictureLayout;
use pedigree::picture::{
    FigureKey, FoldRules, Grouping, LineageFolder, Mark, Scene, TracedEdge, TracedLineage,
    TracedNode, fold, svg,
};

/// The nodes of the lineage, half of them artifacts.
const TRACED_NODES: i64 = 5000;

/// How many of them the page draws.
const DRAWN_FIGURES: usize = 500;

/// What a reader has opened, one after the other.
const OPENINGS: i64 = 100;

/// How often each is measured. The mean is printed.
const ROUNDS: u32 = 20;

/// Numbers that are the same in every run (a linear congruential generator).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).cast_signed() % limit.max(1)
    }
}

/// What depends on a raw dataset: each step reads one to three artifacts, most of them recent ones,
/// and writes one. So there are long chains, shared inputs, and edges over many layers.
fn lineage() -> TracedLineage {
    let mut random = Seeded(1);
    let names = ["ingest", "clean", "train", "evaluate", "score", "audit"];
    let mut found = TracedLineage::default();
    let mut hops = vec![0];
    let node = |key: FigureKey, label: String, type_name: &str, hop: i64| TracedNode {
        key,
        label,
        type_name: type_name.to_owned(),
        mark: Mark::of_execution(3),
        hop,
        time: key.id,
    };
    let raw = FigureKey::artifact(0);
    found.nodes.push(node(raw, "raw".to_owned(), "Dataset", 0));
    for step in 1..TRACED_NODES / 2 {
        let name = names[usize::try_from(random.below(6)).unwrap_or_default()];
        let run = FigureKey::execution(step);
        let output = FigureKey::artifact(step);
        let mut nearest = i64::MAX;
        for role in 0..=random.below(3) {
            let reach = if random.below(8) == 0 { step } else { 40 };
            let input = step - 1 - random.below(reach.min(step));
            let hop = usize::try_from(input).ok().and_then(|it| hops.get(it));
            nearest = nearest.min(*hop.unwrap_or(&0));
            found.edges.push(TracedEdge {
                from: FigureKey::artifact(input),
                to: run,
                role: format!("input {role}"),
            });
        }
        found.edges.push(TracedEdge {
            from: run,
            to: output,
            role: "output".to_owned(),
        });
        let label = |what: &str| format!("{name}{what} of the nightly pipeline, part {step}");
        found.nodes.push(node(run, label(""), name, nearest + 1));
        let made = node(output, label(" result"), "Dataset", nearest + 2);
        found.nodes.push(made);
        hops.push(nearest + 2);
    }
    found.normalize();
    found
}

/// All nodes one by one, the nearest ones up to a number of figures.
fn rules(max_figures: usize) -> FoldRules {
    FoldRules {
        grouping: Grouping::Nothing,
        hops: u32::MAX,
        focus: BTreeSet::from([FigureKey::artifact(0)]),
        max_figures,
        ..FoldRules::default()
    }
}

/// The time that this process has had a processor, in milliseconds.
fn cpu_milliseconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let of = |thread: &fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    let nanoseconds: f64 = threads.flatten().filter_map(|it| of(&it)).sum();
    nanoseconds / 1e6
}

/// Prints the mean CPU time of a work.
fn measure(name: &str, bar: f64, work: impl Fn() -> usize) {
    let size = work();
    let begin = cpu_milliseconds();
    for _ in 0..ROUNDS {
        std::hint::black_box(work());
    }
    let each = (cpu_milliseconds() - begin) / f64::from(ROUNDS);
    println!("{name}: {each:.1} ms CPU, at most {bar} ms wanted ({size})");
}

fn main() {
    let traced = lineage();
    let scene: Scene = fold(&traced, &rules(DRAWN_FIGURES));
    let whole = fold(&traced, &rules(usize::MAX));
    for scene in [&scene, &whole] {
        let layout = scene.layout(None);
        println!(
            "{} figures, {} edges, {} layers, {} crossings",
            scene.figures.len(),
            scene.edges.len(),
            layout.places.iter().map(|it| it.layer).max().unwrap_or(0) + 1,
            layout.crossings
        );
    }
    let page = || {
        let scene = fold(&traced, &rules(DRAWN_FIGURES));
        svg::document(&scene, &scene.layout(None), "Lineage", "").len()
    };
    measure("500 of 5,000 folded, placed, as SVG; bytes", 150.0, page);
    let repeated = || {
        fold(
            &traced,
            &FoldRules {
                hops: 50,
                ..FoldRules::default()
            },
        )
        .figures
        .len()
    };
    measure("repeated steps of 5,000 folded; figures", 150.0, repeated);
    let openings = || {
        let folder = LineageFolder::new(&traced);
        let mut opened = BTreeSet::new();
        let mut shown: Option<(Scene, PictureLayout)> = None;
        for id in 1..=OPENINGS {
            opened.insert(FigureKey::artifact(id));
            let rules = FoldRules {
                hops: 5,
                opened_after: opened.clone(),
                ..FoldRules::default()
            };
            let scene = folder.fold(&rules);
            let before = shown.as_ref().map(|(scene, layout)| (scene, layout));
            let layout = scene.layout(before);
            shown = Some((scene, layout));
        }
        shown.map_or(0, |(scene, _)| scene.figures.len())
    };
    measure(
        "100 openings, one after the other; figures",
        1000.0,
        openings,
    );
    measure("layout of 500; crossings", 40.0, || {
        scene.layout(None).crossings
    });
    measure("layout of 5,000; crossings", 600.0, || {
        whole.layout(None).crossings
    });
}
