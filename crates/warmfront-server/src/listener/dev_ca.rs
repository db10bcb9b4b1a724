//! A certificate authority of this machine's own, for https while developing.
//!
//! Made on first use in the state directory: `ca.pem` to be trusted by browsers and `curl --cacert`,
//! `ca.key` (mode 0600) to be kept. It signs leaf certificates for whatever name a viewer asks for;
//! they live in memory only. Which leaf a viewer gets is [`dev_certificates`](super::dev_certificates)'
//! choice; certificates that users bring are another room's.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CA_DAYS: u32 = 3650;
/// A CA that ends sooner is made anew.
const CA_RENEW_DAYS: u32 = 30;
/// Browsers take no leaf of more than 398 days.
const LEAF_DAYS: u32 = 397;

/// Why there is no development CA.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevCaError {
    /// A file cannot be read or written.
    #[error("the development CA: {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came of it.
        #[source]
        source: io::Error,
    },
    /// The files are there and of no use.
    #[error(
        "the development CA in {} cannot be used: {reason}. Remove ca.pem and ca.key there to have a new \
         one made (browsers must then trust it anew), or restore both",
        directory.display()
    )]
    Unusable {
        /// Where they are.
        directory: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("the development CA cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// rustls does not take what was made.
    #[error("the development CA's certificate is not usable: {0}")]
    Using(#[from] rustls::Error),
}

/// The authority.
pub(crate) struct DevCa {
    /// What is to be trusted.
    pub(crate) certificate: PathBuf,
    /// Whether it was made by this start.
    pub(crate) is_new: bool,
    issuer: Issuer<'static, KeyPair>,
}

impl DevCa {
    /// The authority of `directory`, made when there is none or it is about to end.
    pub(crate) fn open(directory: &Path, now: SystemTime) -> Result<Self, DevCaError> {
        let certificate = directory.join("ca.pem");
        let key = directory.join("ca.key");
        let unusable =
            |reason: String| DevCaError::Unusable { directory: directory.to_owned(), reason };
        let (pem, key_pem) = match (read(&certificate)?, read(&key)?) {
            (None, None) => return Self::make(certificate, &key, now),
            (Some(pem), Some(key_pem)) => (pem, key_pem),
            (None, Some(_)) => {
                return Err(unusable("ca.key is there, ca.pem is missing".to_owned()));
            }
            (Some(_), None) => {
                return Err(unusable("ca.pem is there, ca.key is missing".to_owned()));
            }
        };
        let pair =
            KeyPair::from_pem(&key_pem).map_err(|error| unusable(format!("ca.key: {error}")))?;
        let facts = facts_of(&pem).map_err(|reason| unusable(format!("ca.pem: {reason}")))?;
        if facts.public_key != pair.public_key_raw() {
            return Err(unusable("ca.key is not the key of ca.pem".to_owned()));
        }
        if facts.not_after < unix(now + DAY * CA_RENEW_DAYS) {
            return Self::make(certificate, &key, now);
        }
        let issuer = Issuer::from_ca_cert_pem(&pem, pair)
            .map_err(|error| unusable(format!("ca.pem: {error}")))?;
        Ok(Self { certificate, is_new: false, issuer })
    }

    fn make(certificate: PathBuf, key: &Path, now: SystemTime) -> Result<Self, DevCaError> {
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let name = format!("Warmfront development CA {}", host_name());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_epoch(now - DAY);
        params.not_after = epoch + since_epoch(now + DAY * CA_DAYS);
        let made = params.self_signed(&pair)?;
        // The key first: a crash in between leaves a state that is refused by name, never an open key.
        write(key, &pair.serialize_pem(), 0o600)?;
        write(&certificate, &made.pem(), 0o644)?;
        Ok(Self { certificate, is_new: true, issuer: Issuer::new(params, pair) })
    }

    /// A leaf for `names` and `addresses`, with the key `pair`.
    pub(super) fn leaf(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        pair: &KeyPair,
        provider: &CryptoProvider,
        now: SystemTime,
    ) -> Result<Arc<CertifiedKey>, DevCaError> {
        let mut params = CertificateParams::new(names.to_vec())?;
        params
            .subject_alt_names
            .extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        params.distinguished_name = DistinguishedName::new();
        // A common name holds at most 64 characters; viewers read the alternative names only.
        let title =
            names.first().filter(|name| name.len() <= 64).map_or("warmfront", String::as_str);
        params.distinguished_name.push(DnType::CommonName, title);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_epoch(now - DAY);
        params.not_after = epoch + since_epoch(now + DAY * (LEAF_DAYS - 1));
        let leaf = params.signed_by(pair, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let signer = provider.key_provider.load_private_key(key)?;
        Ok(Arc::new(CertifiedKey::new(vec![leaf.der().clone()], signer)))
    }
}

impl std::fmt::Debug for DevCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevCa").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

struct CaFacts {
    public_key: Vec<u8>,
    not_after: i64,
}

fn facts_of(pem: &str) -> Result<CaFacts, String> {
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let certificate = pem.parse_x509().map_err(|error| error.to_string())?;
    Ok(CaFacts {
        public_key: certificate.public_key().subject_public_key.data.to_vec(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn unix(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Whole seconds since 1970: X.509 has no finer ones.
fn since_epoch(time: SystemTime) -> Duration {
    Duration::from_secs(unix(time).unsigned_abs())
}

fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().chars().filter(|c| c.is_ascii_graphic()).take(30).collect())
        .filter(|name: &String| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

fn read(path: &Path) -> Result<Option<String>, DevCaError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => {
            Err(DevCaError::File { action: "cannot read", path: path.to_owned(), source })
        }
    }
}

/// Writes beside and renames, so that a crash leaves the old file or the new one.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), DevCaError> {
    let beside = path.with_extension("new");
    let written = (|| {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.map_err(|source| DevCaError::File {
        action: "cannot write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_ca_stays_the_same_and_its_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let first = DevCa::open(directory.path(), now).unwrap();
        let pem = fs::read_to_string(&first.certificate).unwrap();
        let mode = fs::metadata(directory.path().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = DevCa::open(directory.path(), now).unwrap();
        assert_eq!((first.is_new, second.is_new), (true, false));
        assert_eq!(fs::read_to_string(&second.certificate).unwrap(), pem);
    }

    #[test]
    fn an_ending_ca_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        DevCa::open(directory.path(), now - DAY * (CA_DAYS - 10)).unwrap();
        assert!(DevCa::open(directory.path(), now).unwrap().is_new);
        assert!(!DevCa::open(directory.path(), now).unwrap().is_new);
    }

    #[test]
    fn broken_files_are_named_and_left_alone() {
        let now = SystemTime::now();
        let other = tempfile::tempdir().unwrap();
        DevCa::open(other.path(), now).unwrap();
        let foreign = fs::read_to_string(other.path().join("ca.key")).unwrap();
        type Damage<'a> = Box<dyn Fn(&Path) + 'a>;
        let rows: [(Damage<'_>, &str); 4] = [
            (Box::new(|at| fs::remove_file(at.join("ca.key")).unwrap()), "ca.key is missing"),
            (Box::new(|at| fs::remove_file(at.join("ca.pem")).unwrap()), "ca.pem is missing"),
            (Box::new(|at| fs::write(at.join("ca.pem"), "garbage").unwrap()), "ca.pem: "),
            (
                Box::new(|at| fs::write(at.join("ca.key"), &foreign).unwrap()),
                "not the key of ca.pem",
            ),
        ];
        for (damage, part) in rows {
            let directory = tempfile::tempdir().unwrap();
            DevCa::open(directory.path(), now).unwrap();
            damage(directory.path());
            let error = DevCa::open(directory.path(), now).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
