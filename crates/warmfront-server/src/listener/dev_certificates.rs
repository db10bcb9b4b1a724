//! Chooses the leaf certificate for each viewer, and has the development CA make it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rcgen::KeyPair;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::dev_ca::{DAY, DevCa, DevCaError};

/// A leaf that a long-running process made this long ago is made anew.
const LEAF_RENEW_DAYS: u32 = 300;
/// Leaves for names that viewers ask for: at the limit the one made first is dropped.
const LEAVES: usize = 256;

/// Chooses, and makes, the leaf for each viewer.
#[derive(Debug)]
pub(crate) struct DevCertificates {
    ca: DevCa,
    pair: KeyPair,
    provider: Arc<CryptoProvider>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    default: Option<(SystemTime, Arc<CertifiedKey>)>,
    by_name: HashMap<String, (SystemTime, Arc<CertifiedKey>)>,
}

impl DevCertificates {
    /// The default leaf stands for localhost, the loopback addresses, `names` and `addresses`; it is
    /// made now, so that what is wrong shows at start.
    pub(crate) fn new(
        ca: DevCa,
        provider: Arc<CryptoProvider>,
        names: impl IntoIterator<Item = String>,
        addresses: impl IntoIterator<Item = IpAddr>,
        now: SystemTime,
    ) -> Result<Self, DevCaError> {
        let mut all = vec!["localhost".to_owned(), "*.localhost".to_owned()];
        for name in names.into_iter().map(|name| name.to_ascii_lowercase()) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let mut ips = loopback.to_vec();
        ips.extend(
            addresses.into_iter().filter(|ip| !ip.is_unspecified() && !loopback.contains(ip)),
        );
        let pair = KeyPair::generate()?;
        let made = Mutex::new(Made::default());
        let certificates = Self { ca, pair, provider, names: all, addresses: ips, made };
        certificates.for_name(None, now)?;
        Ok(certificates)
    }

    /// What viewers must trust.
    pub(crate) fn ca(&self) -> &DevCa {
        &self.ca
    }

    fn for_name(
        &self,
        name: Option<&str>,
        now: SystemTime,
    ) -> Result<Arc<CertifiedKey>, DevCaError> {
        let is_young = |made: &SystemTime| {
            now.duration_since(*made).is_ok_and(|age| age < DAY * LEAF_RENEW_DAYS)
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Names that only a wildcard of the default leaf covers get a leaf of their own: browsers take
        // no wildcard directly under a top-level name such as localhost.
        let own = name.filter(|name| !self.names.iter().any(|known| known == name));
        let Some(name) = own else {
            if let Some((_, leaf)) = made.default.as_ref().filter(|(at, _)| is_young(at)) {
                return Ok(leaf.clone());
            }
            let leaf =
                self.ca.leaf(&self.names, &self.addresses, &self.pair, &self.provider, now)?;
            made.default = Some((now, leaf.clone()));
            return Ok(leaf);
        };
        if let Some((_, leaf)) = made.by_name.get(name).filter(|(at, _)| is_young(at)) {
            return Ok(leaf.clone());
        }
        let leaf = self.ca.leaf(&[name.to_owned()], &[], &self.pair, &self.provider, now)?;
        if made.by_name.len() >= LEAVES {
            let oldest =
                made.by_name.iter().min_by_key(|(_, (at, _))| *at).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                made.by_name.remove(&oldest);
            }
        }
        made.by_name.insert(name.to_owned(), (now, leaf.clone()));
        Ok(leaf)
    }
}

impl ResolvesServerCert for DevCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls has checked that the name is one.
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.for_name(name.as_deref(), SystemTime::now()).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};

    use super::*;

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn certificates(directory: &Path, now: SystemTime) -> DevCertificates {
        let ca = DevCa::open(directory, now).unwrap();
        let names = ["shop.example.com", "*.wild.example.com", "d111111abcdef8.cloudfront.net"];
        DevCertificates::new(
            ca,
            provider(),
            names.map(str::to_owned),
            ["192.0.2.7".parse().unwrap()],
            now,
        )
        .unwrap()
    }

    fn verifies(directory: &Path, leaf: &CertifiedKey, name: &str, at: SystemTime) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(directory.join("ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
        verifier.verify_server_cert(&leaf.cert[0], &[], &name, &[], at).is_ok()
    }

    #[test]
    fn a_viewer_that_trusts_the_ca_accepts_every_name_we_serve() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let certificates = certificates(directory.path(), now);
        let rows = [
            (None, "127.0.0.1"),
            (None, "::1"),
            (None, "192.0.2.7"),
            (Some("localhost"), "localhost"),
            (Some("shop.example.com"), "shop.example.com"),
            (Some("d111111abcdef8.cloudfront.net"), "d111111abcdef8.cloudfront.net"),
            (Some("a.wild.example.com"), "a.wild.example.com"),
            (Some("edge.localhost"), "edge.localhost"),
            (Some("never.heard.of.example"), "never.heard.of.example"),
        ];
        for (sni, name) in rows {
            let leaf = certificates.for_name(sni, now).unwrap();
            assert!(verifies(directory.path(), &leaf, name, now), "{name}");
            assert!(!verifies(directory.path(), &leaf, "other.example.org", now), "{name}");
            assert!(!verifies(directory.path(), &leaf, name, now + DAY * 398), "{name} is too old");
        }
    }

    #[test]
    fn a_reopened_ca_makes_leaves_of_the_same_chain() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        certificates(directory.path(), now);
        let leaf = certificates(directory.path(), now).for_name(None, now).unwrap();
        assert!(verifies(directory.path(), &leaf, "localhost", now));
    }

    #[test]
    fn leaves_made_on_demand_are_bounded_and_renewed() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let certificates = certificates(directory.path(), now);
        for index in 0..LEAVES + 10 {
            certificates
                .for_name(Some(&format!("n{index}.example")), now + DAY / 86400 * index as u32)
                .unwrap();
        }
        assert_eq!(certificates.made.lock().unwrap().by_name.len(), LEAVES);
        let old = certificates.for_name(Some("localhost"), now).unwrap();
        let same = certificates.for_name(Some("localhost"), now + DAY * 299).unwrap();
        let new = certificates.for_name(Some("localhost"), now + DAY * 300).unwrap();
        assert!(Arc::ptr_eq(&old, &same) && !Arc::ptr_eq(&old, &new));
    }
}
