//! The AWS access key that requests to origins are signed with: from the environment, or from the shared
//! credentials file, where every AWS tool looks for it.
//!
//! The file is looked at again when it has changed, so that a key can be replaced while the program runs.
//! Nothing here is ever written to a log.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use warmfront::origin::sigv4::{AccessKey, Keys};

/// How long the file is believed not to have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A credentials file may have so many bytes; a longer one is read to there.
const MAX_FILE: u64 = 1 << 20;

/// Where the key comes from.
#[derive(Debug)]
pub(crate) struct Credentials {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Fixed(Arc<AccessKey>),
    File { path: PathBuf, profile: String, seen: Mutex<Seen> },
    Nowhere,
}

/// What the file held when it was last read.
#[derive(Debug, Default)]
struct Seen {
    looked: Option<Instant>,
    changed: Option<SystemTime>,
    key: Option<Arc<AccessKey>>,
}

impl Credentials {
    /// As the environment says: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` with `AWS_SESSION_TOKEN`,
    /// else the profile `AWS_PROFILE` of `AWS_SHARED_CREDENTIALS_FILE` or `~/.aws/credentials`.
    pub(crate) fn of(environment: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        if let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
            let session_token = set("AWS_SESSION_TOKEN");
            return Self::fixed(AccessKey { id, secret, session_token });
        }
        let home = || Some(PathBuf::from(set("HOME")?).join(".aws/credentials"));
        let source = match set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(home) {
            Some(path) => {
                let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
                Source::File { path, profile, seen: Mutex::default() }
            }
            None => Source::Nowhere,
        };
        Self { source }
    }

    /// Always this key.
    pub(crate) fn fixed(key: AccessKey) -> Self {
        Self { source: Source::Fixed(Arc::new(key)) }
    }

    /// The key of AWS's documentation, which opens nothing: what cases sign with.
    pub(crate) fn example() -> Self {
        Self::fixed(AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        })
    }
}

impl Keys for Credentials {
    fn current(&self) -> Option<Arc<AccessKey>> {
        let (path, profile, seen) = match &self.source {
            Source::Fixed(key) => return Some(key.clone()),
            Source::Nowhere => return None,
            Source::File { path, profile, seen } => (path, profile, seen),
        };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
            return seen.key.clone();
        }
        seen.looked = Some(Instant::now());
        let changed = std::fs::metadata(path).and_then(|found| found.modified()).ok();
        if changed.is_none() || changed != seen.changed {
            seen.changed = changed;
            seen.key = read(path).and_then(|text| key_of(&text, profile)).map(Arc::new);
        }
        seen.key.clone()
    }
}

fn read(path: &Path) -> Option<String> {
    // A pipe or a device could keep us waiting.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The key of a profile: `[name]`, then lines `aws_access_key_id = …`.
fn key_of(text: &str, profile: &str) -> Option<AccessKey> {
    let (mut id, mut secret, mut session_token) = (None, None, None);
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default().trim();
            is_inside = name == profile;
        } else if is_inside
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
        {
            let field = match name.trim() {
                "aws_access_key_id" => &mut id,
                "aws_secret_access_key" => &mut secret,
                "aws_session_token" => &mut session_token,
                _ => continue,
            };
            *field = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    Some(AccessKey { id: id?, secret: secret?, session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# keys
[default]
aws_access_key_id = AKID
aws_secret_access_key=a=b/c
region = us-east-1

[ other ]
aws_access_key_id = OTHER
; aws_session_token = old
aws_secret_access_key = secret
aws_session_token = token
[half]
aws_access_key_id = HALF
";

    #[test]
    fn a_profile_is_read_from_the_shared_file() {
        for (profile, expected) in [
            ("default", Some(("AKID", "a=b/c", None))),
            ("other", Some(("OTHER", "secret", Some("token")))),
            ("half", None),
            ("none", None),
        ] {
            let key = key_of(FILE, profile);
            let found = key
                .as_ref()
                .map(|key| (key.id.as_str(), key.secret.as_str(), key.session_token.as_deref()));
            assert_eq!(found, expected, "{profile}");
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_environment_goes_before_the_file_and_the_named_file_before_home() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().display().to_string();
        std::fs::create_dir(directory.path().join(".aws")).unwrap();
        std::fs::write(directory.path().join(".aws/credentials"), FILE).unwrap();
        let named = directory.path().join("named");
        std::fs::write(&named, "[default]\naws_access_key_id=N\naws_secret_access_key=n\n")
            .unwrap();
        let named = named.display().to_string();
        let missing = directory.path().join("missing").display().to_string();
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "e"));
        let home = ("HOME", home.as_str());
        for (pairs, expected) in [
            (&[id, secret, home][..], Some("E")),
            (&[id, home], Some("AKID")),
            (&[id, ("AWS_SECRET_ACCESS_KEY", ""), home], Some("AKID")),
            (&[home, ("AWS_PROFILE", "other")], Some("OTHER")),
            (&[home, ("AWS_SHARED_CREDENTIALS_FILE", &named)], Some("N")),
            (&[home, ("AWS_SHARED_CREDENTIALS_FILE", &missing)], None),
            (&[home, ("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero")], None),
            (&[], None),
        ] {
            let key = Credentials::of(&environment(pairs)).current();
            assert_eq!(key.as_ref().map(|key| key.id.as_str()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_file_that_changes_or_goes_away_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let named = path.display().to_string();
        let keys = Credentials::of(&environment(&[("AWS_SHARED_CREDENTIALS_FILE", &named)]));
        let id = || {
            let Source::File { seen, .. } = &keys.source else { panic!("it is a file") };
            // As if the time to look again had come.
            seen.lock().unwrap().looked = None;
            keys.current().map(|key| key.id.clone())
        };
        assert_eq!(id(), None);
        std::fs::write(&path, FILE).unwrap();
        assert_eq!(id().as_deref(), Some("AKID"));
        std::fs::write(&path, FILE.replace("AKID", "NEW")).unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        assert_eq!(id().as_deref(), Some("NEW"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(id(), None);
    }
}
