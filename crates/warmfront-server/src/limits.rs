//! How many connections the process may have open.
//!
//! The kernel's limit of open files is raised as far as it lets us. A viewer may need a connection to
//! an origin beside its own, so half of what is left after a reserve (the admin port, logs, function
//! workers, listeners) goes to viewers, and at most [`CONNECTIONS`]. Beyond, connections wait in the
//! kernel's queue: accepting pauses instead of failing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections of viewers at a time, if the system allows so many.
pub(crate) const CONNECTIONS: u64 = 10_000;
const RESERVE: u64 = 64;

/// Raises the limit of open files; the number of viewer connections that fit under it.
pub(crate) fn viewer_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    share(files)
}

fn share(files: Option<u64>) -> usize {
    let share = files.map_or(CONNECTIONS, |files| files.saturating_sub(RESERVE) / 2);
    share.clamp(8, CONNECTIONS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_get_half_of_what_is_left() {
        let rows = [
            (None, 10_000),
            (Some(1_000_000), 10_000),
            (Some(1024), 480),
            (Some(256), 96),
            (Some(32), 8),
        ];
        for (files, connections) in rows {
            assert_eq!(share(files), connections, "{files:?}");
        }
    }
}
