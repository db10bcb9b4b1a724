//! When requests are signed, and at what moment.

use warmfront_core::origin::{OriginAccessControl, SigningBehavior};

use super::*;
use crate::origin::{OriginSigner, Signable};

/// Signs with the moment.
#[derive(Debug)]
struct Stamp;

impl OriginSigner for Stamp {
    fn sign(&self, control: &OriginAccessControl, request: Signable<'_>, now: SystemTime) {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let text = format!("{} {seconds}", control.service);
        request.headers.insert(http::header::AUTHORIZATION, text.parse().unwrap());
    }
}

#[tokio::test]
async fn each_attempt_is_signed_at_its_own_moment() {
    for (signing, expected) in [
        (SigningBehavior::NoOverride, ["s3 1700000000", "s3 1700000030"].map(Some)),
        (SigningBehavior::Never, [None, None]),
    ] {
        let clock = clock();
        let script = Script::new().await;
        let mut options = OriginsOptions::new(Arc::new(clock.clone()));
        options.signer = Some(Arc::new(Stamp));
        let origins = Origins::new(options);
        let mut site = origin(Target::Nodes(vec![script.node()]));
        let (service, region) = ("s3".to_owned(), "us-east-1".to_owned());
        site.access_control = Some(OriginAccessControl { signing, service, region });
        let play = async {
            let mut silent = script.accept().await;
            let first = silent.head().await;
            clock.advance(Duration::from_secs(30));
            let mut peer = script.accept().await;
            let second = peer.head().await;
            peer.send(ok("x")).await;
            ([first, second], silent, peer)
        };
        let ((heads, ..), body) = tokio::join!(play, get(&origins, &site));
        assert_eq!(body, "x");
        let signed = heads
            .each_ref()
            .map(|head| head.lines().find_map(|line| line.strip_prefix("authorization: ")));
        assert_eq!(signed, expected, "{signing:?}");
    }
}
