//! One Node.js or Python process with its pipes, in a process group of its own.
//!
//! Dropping it ends the whole group. When the edge itself is killed, the kernel ends the worker where
//! `setpriv` could ask for that; elsewhere the worker ends at its next read of descriptor 3, so a handler
//! that never returns outlives a killed edge there.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::environment::environment;
use super::pool::Launch;

/// A running worker process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// Our ends of the four pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) input: pipe::Sender,
    pub(crate) output: pipe::Receiver,
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
}

impl Process {
    /// Starts the function's program on its bootstrap. Must run on the I/O thread: the kernel ends the worker with the thread
    /// that started it.
    pub(crate) fn start(launch: &Launch, root: &Path, stream: &str) -> io::Result<(Self, Pipes)> {
        let (input, ours_in) = io::pipe()?;
        let (ours_out, output) = io::pipe()?;
        let (ours_stdout, stdout) = io::pipe()?;
        let (ours_stderr, stderr) = io::pipe()?;
        let function = &launch.function;
        let program = &launch.program;
        let mut command = match program.guard() {
            Some(guard) => {
                let mut command = Command::new(guard);
                command.args(super::node::GUARD_ARGUMENTS).arg(program.path());
                command
            }
            None => Command::new(program.path()),
        };
        let bootstrap = &launch.files.bootstrap;
        command
            .args(program.arguments(&launch.files, function.memory_mib))
            .current_dir(root)
            .env_clear()
            .envs(environment(
                function,
                root,
                bootstrap.parent().unwrap_or(root),
                &launch.account,
                stream,
                std::env::var_os("PATH"),
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .process_group(0)
            .kill_on_drop(true);
        command
            .fd_mappings(vec![
                FdMapping { parent_fd: OwnedFd::from(input), child_fd: 3 },
                FdMapping { parent_fd: OwnedFd::from(output), child_fd: 4 },
            ])
            .expect("3 and 4 differ");
        let child = command.spawn()?;
        // The command holds the worker's ends; with it they go, and the worker's end becomes visible.
        drop(command);
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let process = Self { child, group };
        let receiver = |fd| pipe::Receiver::from_owned_fd(OwnedFd::from(fd));
        let pipes = Pipes {
            input: pipe::Sender::from_owned_fd(OwnedFd::from(ours_in))?,
            output: receiver(ours_out)?,
            stdout: receiver(ours_stdout)?,
            stderr: receiver(ours_stderr)?,
        };
        Ok((process, pipes))
    }

    /// Ends the group, whatever it is doing, and tells how the worker itself had ended.
    pub(crate) async fn end(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.child.wait().await
    }

    /// The group is killed before the worker is waited for: until then its number cannot be anyone else's.
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.group.is_none() {
            return;
        }
        self.kill();
        // Leaves no zombie where the host ends while its program goes on. A killed process is gone within
        // a millisecond or two.
        for _ in 0..50 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
