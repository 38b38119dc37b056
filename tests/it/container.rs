//! The program as it is in its image: by both its names, with the variables of the image, as a user
//! who owns nothing.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The user of the image.
const USER: u32 = 1000;
const GROUP: u32 = 0;

/// The program's names.
const NAMES: [&str; 2] = ["pedigree", "metadata_store_server"];

/// The image, in a folder that everyone can read.
pub struct Image(TempDir);

impl Image {
    pub fn new() -> Self {
        let dir = open_folder();
        for name in NAMES {
            let (program, link) = (env!("CARGO_BIN_EXE_pedigree"), dir.path().join(name));
            // A symbolic link may lead where the user below cannot go. A process of its own copies:
            // a file that this one has open for writing, and with it each child that is forked
            // meanwhile, could not be run.
            if fs::hard_link(program, &link).is_err() {
                let copied = Command::new("cp").arg(program).arg(&link).status();
                assert!(copied.unwrap().success());
            }
        }
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command line as in a container: the directory cannot be written, and where this test is
    /// root, the user is not. But it is reached from this machine only.
    pub fn command(&self, name: &str, arguments: &[String]) -> Command {
        let mut command = Command::new(self.path().join(name));
        command
            .env_clear()
            .envs([
                ("GRPC_PORT", "8080"),
                ("METADATA_STORE_SERVER_CONFIG_FILE", ""),
            ])
            .env("PEDIGREE_GRPC_HOST", "127.0.0.1")
            .current_dir("/")
            .args(arguments)
            .stdin(Stdio::null());
        if is_root() {
            command.uid(USER).gid(GROUP);
        }
        command
    }
}

/// A folder that everyone can read.
pub fn open_folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Gives a folder to the user of the image, as a volume is.
pub fn give(folder: &Path) {
    if is_root() {
        chown(folder, Some(USER), Some(GROUP)).unwrap();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A port that nobody has, for what cannot ask for one.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
