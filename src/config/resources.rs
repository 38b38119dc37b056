//! What the machine or the container gives the process.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory limit where none can be found, in bytes.
const UNKNOWN_MEMORY_BYTES: usize = 1 << 30;

/// Where Linux has the limit of a container, for both versions of control groups.
const CGROUP_FILES: [&str; 2] = [
    "sys/fs/cgroup/memory.max",
    "sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// Where Linux has the control groups, and the file of a group with its limit.
const CGROUPS: &str = "sys/fs/cgroup";
const CGROUP_LIMIT: &str = "memory.max";

/// Where Linux has the limits of the process itself, as `ulimit` sets them.
const PROCESS_LIMITS: &str = "proc/self/limits";

/// The memory that the process may use, in bytes: the limit of its container or its own, or the
/// memory of the machine.
#[must_use]
pub fn memory_bytes() -> usize {
    memory_bytes_below(Path::new("/"))
}

fn memory_bytes_below(root: &Path) -> usize {
    let files = CGROUP_FILES.iter().map(|file| root.join(file));
    let limits = files.chain(own_groups(root)).filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        // Without a limit it is `max`, or a number beyond all memory.
        text.trim().parse::<usize>().ok()
    });
    limits
        .chain(process_limit(root, "Max address space"))
        .chain(machine_bytes(root))
        .min()
        .unwrap_or(UNKNOWN_MEMORY_BYTES)
}

/// The limits of the control group of the process and of the groups around it, where the process
/// sees them all.
fn own_groups(root: &Path) -> Vec<PathBuf> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = Path::new(own.unwrap_or_default());
    let around = own.ancestors().filter(|group| *group != Path::new(""));
    around
        .map(|group| root.join(CGROUPS).join(group).join(CGROUP_LIMIT))
        .collect()
}

fn machine_bytes(root: &Path) -> Option<usize> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The number of files that the process may have open, if it has a limit.
#[must_use]
pub fn open_files() -> Option<usize> {
    process_limit(Path::new("/"), "Max open files")
}

/// The limit of the process that has this name, unless it is unlimited.
fn process_limit(root: &Path, name: &str) -> Option<usize> {
    let text = fs::read_to_string(root.join(PROCESS_LIMITS)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_counts() {
        let root = tempfile::TempDir::new().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(memory_bytes_below(root.path()), UNKNOWN_MEMORY_BYTES);
        write("proc/meminfo", "MemTotal:       4 kB\nMemFree: 1 kB\n");
        assert_eq!(memory_bytes_below(root.path()), 4096);
        write(CGROUP_FILES[0], "max\n");
        write(CGROUP_FILES[1], "9223372036854771712\n");
        assert_eq!(memory_bytes_below(root.path()), 4096);
        write(CGROUP_FILES[0], "1024\n");
        assert_eq!(memory_bytes_below(root.path()), 1024);
        write("proc/self/cgroup", "0::/outer/inner\n");
        write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
        write("sys/fs/cgroup/outer/memory.max", "512\n");
        assert_eq!(memory_bytes_below(root.path()), 512);
        let limits =
            |bytes| format!("Max open files 20 30 files\nMax address space {bytes} 9 bytes");
        write(PROCESS_LIMITS, &limits("unlimited"));
        assert_eq!(memory_bytes_below(root.path()), 512);
        write(PROCESS_LIMITS, &limits("256"));
        assert_eq!(memory_bytes_below(root.path()), 256);
        assert!(memory_bytes() > 1 << 20);
        assert!(open_files().is_none_or(|limit| limit > 3));
    }
}
