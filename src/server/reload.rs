//! What a reload cannot change.

use crate::config::model::Config;

/// Directives of class *restart* whose value differs. They keep their value until the next start.
pub fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    let (a, b) = (&before.core, &after.core);
    let mut names = Vec::new();
    let mut check = |changed: bool, name: &'static str| {
        if changed {
            names.push(name);
        }
    };
    check(a.user != b.user, "user");
    check(a.daemon != b.daemon, "daemon");
    check(a.worker_processes != b.worker_processes, "worker_processes");
    check(a.worker_rlimit_nofile != b.worker_rlimit_nofile, "worker_rlimit_nofile");
    check(a.worker_rlimit_core != b.worker_rlimit_core, "worker_rlimit_core");
    check(a.working_directory != b.working_directory, "working_directory");
    check(a.pid != b.pid, "pid");
    names
}
