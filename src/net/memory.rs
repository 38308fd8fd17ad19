//! Memory available to the process.

use std::fs;
use std::path::Path;

/// Mount point of Linux control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Memory of the machine in bytes, or the limit of the process's control groups. `None` if unknown.
pub fn usable() -> Option<u64> {
    let machine = machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let unified =
        group(&groups).map(|group| Path::new(group).ancestors().collect::<Vec<_>>()).unwrap_or_default();
    let unified = unified.into_iter().map(|group| format!("{GROUPS}{}/memory.max", group.display()));
    let files = unified.chain([format!("{GROUPS}/memory/memory.limit_in_bytes")]);
    let limits = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    Some(limits.fold(machine, u64::min))
}

/// `MemTotal` in `/proc/meminfo`.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Control group (version 2) in `/proc/self/cgroup`.
fn group(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        assert_eq!(machine("MemTotal:        8000000 kB\nMemFree: 1 kB\n"), Some(8_192_000_000));
        assert_eq!(machine("MemFree: 1 kB\n"), None);
        assert_eq!(
            group("1:name=systemd:/\n0::/system.slice/pingosd.service\n"),
            Some("/system.slice/pingosd.service")
        );
        assert!(usable().is_some_and(|bytes| bytes > 16 << 20));
    }
}
