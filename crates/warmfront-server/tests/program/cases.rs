//! Every case of the project against the started program, over sockets: what holds in the engine holds
//! behind the listeners, too.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::net::TcpStream;
use warmfront_case::socket::{Connect, Io, SocketTarget};
use warmfront_case::{BoxFuture, Case, OpenError, Opener, Scheme, Source, Target, Via, corpus};

use super::harness::Program;

/// Programs at a time.
const AT_ONCE: usize = 4;

#[test]
fn every_case_passes_over_sockets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases");
    let files = corpus::files(&root).unwrap();
    assert!(files.len() > 50, "the cases are at {}", root.display());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(file) =
                    files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let text = std::fs::read_to_string(file).unwrap();
                    let case = Case::parse(&file.display().to_string(), &text).unwrap();
                    let outcome = runtime.block_on(warmfront_case::run(&case, &Started));
                    if !outcome.passed() {
                        failures.lock().unwrap().push(outcome.to_string());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), files.len(), failures.join("\n"));
}

/// Opens sources by starting the program.
struct Started;

impl Opener for Started {
    fn open<'a>(
        &'a self,
        source: &'a Source,
        options: &'a [String],
        origins: &'a [(String, SocketAddr)],
    ) -> BoxFuture<'a, Result<Arc<dyn Target>, OpenError>> {
        Box::pin(async move {
            let directory = tempfile::tempdir().unwrap();
            let path: PathBuf = match source {
                Source::File(path) => path.clone(),
                Source::Inline { text, .. } => {
                    let path = directory.path().join("distribution.yml");
                    std::fs::write(&path, text).unwrap();
                    path
                }
            };
            let flags =
                origins.iter().map(|(name, address)| format!("--origin={name}=http://{address}"));
            // The Location of a redirect has the https port unless it is 443, as it is in cases.
            let fixed = ["--virtual-clock", "--workers=1"].map(str::to_owned);
            let all: Vec<String> =
                fixed.into_iter().chain(options.iter().cloned()).chain(flags).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let program = Program::start(&path, &all).map_err(OpenError)?;
            let admin = program.admin;
            let connect = connect(&program);
            let target = SocketTarget::new(connect, admin, (program, directory))
                .await
                .map_err(|error| OpenError(error.to_string()))?;
            Ok(Arc::new(target) as Arc<dyn Target>)
        })
    }
}

fn connect(program: &Program) -> Connect {
    let (http, https) = (program.http, program.https);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(program.state.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(move |via: Via, name: String| {
        let mut config = config.clone();
        Box::pin(async move {
            if via.scheme == Scheme::Http {
                return Ok(Box::new(TcpStream::connect(http).await?) as Box<dyn Io>);
            }
            let is_http2 = via.version == http::Version::HTTP_2;
            config.alpn_protocols =
                vec![if is_http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
            let name = ServerName::try_from(name).map_err(std::io::Error::other)?;
            let stream = TcpStream::connect(https).await?;
            let stream =
                tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    })
}
