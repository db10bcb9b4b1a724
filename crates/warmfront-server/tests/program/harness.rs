//! Starts `warmfront run` and talks to it. Every wait is for an event and has a limit.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test, without the variables that would change what it does.
pub(crate) fn warmfront() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warmfront"));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("WARMFRONT_") || name_text.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    // The key of AWS's documentation, as `warmfront test` signs with.
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    command.env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    command.stdin(Stdio::null());
    command
}

/// A running program; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) state: PathBuf,
    pub(crate) stdout: Arc<Lines>,
    pub(crate) stderr: Arc<Lines>,
    _directory: Option<tempfile::TempDir>,
}

impl Program {
    /// Serves `source` on ports of the kernel's choice, and waits until it says so.
    pub(crate) fn start(source: &Path, arguments: &[&str]) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut program = Self::start_in(&state, source, arguments)?;
        program._directory = Some(directory);
        Ok(program)
    }

    /// The same, with a state directory that stays.
    pub(crate) fn start_in(
        state: &Path,
        source: &Path,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let mut child = warmfront()
            .arg("run")
            .arg(source)
            .args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .arg("--state-dir")
            .arg(state)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        // The line after all addresses.
        if !stderr.wait_for("Cache: ") {
            let _ = child.kill();
            let status = child.wait().unwrap();
            return Err(format!("ended with {status} and said\n{}", stderr.text()));
        }
        let banner = stderr.text();
        let port = |start: &str, end: &str| {
            let url = banner
                .split_whitespace()
                .find(|word| word.starts_with(start) && word.ends_with(end));
            let rest =
                &url.unwrap_or_else(|| panic!("no {start}…{end} in\n{banner}"))[start.len()..];
            let port = rest.trim_end_matches(end).rsplit(':').next().unwrap().parse().unwrap();
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let (http, https, admin) =
            (port("http://", "/"), port("https://", "/"), port("http://", "/healthz"));
        let state = state.to_owned();
        Ok(Self { child, http, https, admin, state, stdout, stderr, _directory: None })
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running:\n{}", self.stderr.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends `request` to the http port and reads to the end of the connection.
    pub(crate) fn talk(&self, request: &str) -> String {
        talk(self.http, request.as_bytes())
    }

    /// One request to the admin port.
    pub(crate) fn admin(&self, method: &str, target: &str) -> String {
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        talk(self.admin, request.as_bytes())
    }

    /// curl with the development CA, as a user would call it.
    pub(crate) fn curl(&self, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert"])
            .arg(self.state.join("ca.pem"))
            .args(arguments)
            .output()
            .expect("curl is installed");
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        format!("{said}{wrong}")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends and reads to the end; a connection that is reset ends, too.
pub(crate) fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A peer that has refused already may not read the rest.
    let _ = stream.write_all(request);
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            reply.extend_from_slice(b"[the connection stays open]");
        }
        _ => {}
    }
    String::from_utf8_lossy(&reply).into_owned()
}

/// What a pipe said so far, read by a thread that ends with the pipe.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Lines {
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let writer = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut state = writer.state.lock().unwrap();
                state.0.push_str(&line);
                state.0.push('\n');
                writer.changed.notify_all();
            }
            writer.state.lock().unwrap().1 = true;
            writer.changed.notify_all();
        });
        lines
    }

    pub(crate) fn text(&self) -> String {
        self.state.lock().unwrap().0.clone()
    }

    /// Waits until `part` was said; false when the pipe ended, or time did, without it.
    pub(crate) fn wait_for(&self, part: &str) -> bool {
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |(text, ended)| !text.contains(part) && !*ended)
            .unwrap();
        state.0.contains(part)
    }
}

/// A distribution that passes everything through to the origin `site`.
pub(crate) const PASS_THROUGH: &str = r#"
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2
        Aliases: [shop.example.com]
        Origins:
          - Id: site
            DomainName: site.example.com
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
          OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3
"#;

/// Writes a source into a directory of its own.
pub(crate) fn source(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}
