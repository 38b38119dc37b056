//! nginx as a proxy before a server.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Debian keeps proxies where only administrators look for programs.
pub const PROXY_PATH: &str = "/usr/local/sbin:/usr/sbin:/usr/bin";

/// The command that runs nginx in a folder of its own, with a block `server`.
pub fn nginx(dir: &Path, server: &str) -> Command {
    let folder = dir.display();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
        .concat();
    // In one process, so that its end leaves no worker behind.
    let config = format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}
         http {{ access_log off; {paths} server {{ {server} }} }}"
    );
    fs::write(dir.join("nginx.conf"), config).unwrap();
    let mut command = Command::new("nginx");
    command.env("PATH", PROXY_PATH).current_dir(dir);
    command.args(["-e", "stderr", "-p", ".", "-c", "nginx.conf"]);
    command
}
