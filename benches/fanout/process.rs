//! What processes cost, read from outside.

use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::Result;

/// A process and everything it started: servers with workers are measured as a whole.
pub fn tree(root: Pid) -> Result<Vec<Pid>> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
        // A process may end between listing and reading.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name, in parentheses, may hold anything; state and parent follow it.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(parent) = after_name.split_whitespace().nth(1).and_then(|text| text.parse::<i32>().ok()) {
            parents.push((pid, parent));
        }
    }
    let mut tree = vec![root.as_raw()];
    let mut checked = 0;
    while let Some(&parent) = tree.get(checked) {
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        checked += 1;
    }
    Ok(tree.into_iter().map(Pid::from_raw).collect())
}

/// Processor time of all threads, living or ended, to the nanosecond.
pub fn cpu(pids: &[Pid]) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in pids {
        let clock = clock_getcpuclockid(*pid).map_err(|error| format!("process {pid} is gone: {error}"))?;
        sum += Duration::from(clock_gettime(clock)?);
    }
    Ok(sum)
}

/// Processor time of everything on the machine. The kernel samples it at its ticks, so it only tells whether others
/// were busy too.
pub fn machine_cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .map_while(|text| text.parse().ok())
        .collect();
    // user, nice, system, then idle and waiting, which do not count, then irq, softirq and steal; in hundredths.
    let busy: u64 = fields
        .iter()
        .enumerate()
        .filter(|(index, _)| ![3, 4].contains(index) && *index < 8)
        .map(|(_, n)| n)
        .sum();
    Ok(Duration::from_millis(busy * 10))
}

/// Resident memory in KiB, shared pages counted in part by each sharer. Socket buffers are the kernel's and not in it.
pub fn resident_kib(pids: &[Pid]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line =
            rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("smaps_rollup without Pss")?;
        let kib = line.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
        sum += kib.ok_or("smaps_rollup without a number")?;
    }
    Ok(sum)
}
