//! The types of the scripts, which their comments declare.

use crate::clients::Clients;

blocking_once! {
    scripts_keep_their_types,
}

fn scripts_keep_their_types() {
    Clients::of("tests/ui").run("node", &["node_modules/typescript/bin/tsc"]);
}
