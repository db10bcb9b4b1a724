//! What the connector tells of the time that an origin took.

use super::super::Timing;
use super::*;

fn timing(response: &OriginResponse) -> Timing {
    response.head.extensions.get::<Timing>().expect("a response says how long it took").clone()
}

#[tokio::test]
async fn the_first_byte_and_the_last_one_are_counted_from_the_request() {
    let (clock, script) = (clock(), Script::new().await);
    let origins = origins(&clock);
    let site = origin(Target::Nodes(vec![script.node()]));
    let answering = async {
        let mut peer = script.accept().await;
        peer.head().await;
        clock.advance(Duration::from_secs(2));
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none").await;
        peer
    };
    let (mut peer, response) = tokio::join!(answering, send(&origins, &site, "GET"));
    let response = response.unwrap();
    let told = timing(&response);
    assert_eq!((told.first_byte, told.last_byte.get()), (Duration::from_secs(2), None));
    clock.advance(Duration::from_secs(3));
    peer.send("two").await;
    assert_eq!(body_of(response).await.unwrap(), "onetwo");
    assert_eq!(told.last_byte.get(), Some(Duration::from_secs(5)));

    // The next request has a clock of its own; a response without a body ends with its head.
    let again = async {
        peer.head().await;
        clock.advance(Duration::from_secs(1));
        peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    };
    let ((), response) = tokio::join!(again, send(&origins, &site, "GET"));
    let told = timing(&response.unwrap());
    let second = Duration::from_secs(1);
    assert_eq!((told.first_byte, told.last_byte.get()), (second, Some(second)));
}

#[tokio::test]
async fn a_body_that_breaks_off_has_no_last_byte() {
    let (clock, script) = (clock(), Script::new().await);
    let origins = origins(&clock);
    let site = origin(Target::Nodes(vec![script.node()]));
    let answering = async {
        drop(script.serve("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none").await);
    };
    let ((), response) = tokio::join!(answering, send(&origins, &site, "GET"));
    let response = response.unwrap();
    let told = timing(&response);
    assert!(body_of(response).await.is_err());
    assert_eq!(told.last_byte.get(), None);
}
