//! Each word of the language: one case that passes, and one that differs by a detail and fails with a
//! message that says which.

use warmfront_case::{Case, Outcome, run};

use crate::fake::FakeOpener;
use crate::served::ServedOpener;

async fn outcomes(text: &str) -> [Outcome; 2] {
    let text = format!("distribution:\n  Any: thing\n{text}\n");
    let case = Case::parse("a.case", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    [run(&case, &FakeOpener).await, run(&case, &ServedOpener).await]
}

/// Both targets agree that the case passes.
async fn passes(text: &str) {
    for outcome in outcomes(text).await {
        assert!(outcome.passed(), "{outcome}\n{text}");
    }
}

/// Both targets agree that the case fails at `line` (of `text`, from 1), and say `words`.
async fn fails(text: &str, line: usize, words: &str) {
    for outcome in outcomes(text).await {
        assert!(!outcome.passed(), "passed: {text}");
        let shown = outcome.to_string();
        assert_eq!(outcome.failures[0].line, line + 2, "{shown}\n{text}");
        assert!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
}

#[tokio::test]
async fn a_status_is_compared() {
    let origin = "origin app: GET /a -> 404 \"x\"";
    passes(&format!("{origin}\nviewer 1: GET /a <- 404")).await;
    passes(&format!("{origin}\nviewer 1: GET /a <- 4xx")).await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200"), 2, "expected 200\n    + came     404")
        .await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 5xx"), 2, "expected 5xx").await;
}

#[tokio::test]
async fn headers_are_compared() {
    let origin = "origin app: GET /a -> 200 x: one; x: two; y: \"a; b\"; z: ok";
    passes(&format!(
        "{origin}\nviewer 1: GET /a <- 200 x: one, two; y: \"a; b\"; z: ~/^o.$/; w: absent; \
         date: present; x-cache: Miss from cloudfront"
    ))
    .await;
    passes(&format!("{origin}\nviewer 1: GET /a <- 200 x: one; x: two")).await;
    for (expected, words) in [
        ("x: one", "came     \"one, two\""),
        ("x: one; x: three", "x (2)"),
        ("y: absent", "expected absent"),
        ("w: present", "came     absent"),
        ("z: ~/^k/", "expected ~/^k/"),
        ("z: \"present\"", "expected \"present\""),
    ] {
        fails(&format!("{origin}\nviewer 1: GET /a <- 200 {expected}"), 2, words).await;
    }
}

#[tokio::test]
async fn bodies_are_compared() {
    let origin = "origin app: GET /a -> 200 bytes 100KiB";
    passes(&format!("{origin}\nviewer 1: GET /a <- 200 bytes 100KiB")).await;
    passes(&format!("{origin}\nviewer 1: GET /a <- 200 size 102400")).await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200 bytes 100000"), 2, "102400 bytes").await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200 size 5"), 2, "5 bytes").await;
    let origin = "origin app: GET /a -> 200 \"over there\\n\"";
    passes(&format!("{origin}\nviewer 1: GET /a <- 200 \"over there\\n\"")).await;
    passes(&format!("{origin}\nviewer 1: GET /a <- 200 ~/^over/")).await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200 \"\""), 2, "over there").await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200 ~/^there/"), 2, "expected ~/^there/").await;
    let origin = "origin app: GET /a -> 206 bytes 10-19";
    passes(&format!("{origin}\nviewer 1: GET /a <- 206 bytes 10-19")).await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 206 bytes 11-20"), 2, "body").await;
}

#[tokio::test]
async fn what_the_origin_receives_is_compared() {
    let viewer = "viewer 1: POST /a \"hello\" cookie: a=1; x: y <- 200";
    passes(&format!(
        "origin app: POST /a \"hello\" cookie: absent; x: y; host: ~/^app\\./ -> 200\n{viewer}"
    ))
    .await;
    passes(&format!("origin app: ANY * size 5 -> 200\n{viewer}")).await;
    passes(&format!("origin app: POST ~/^\\/a$/ -> 200\n{viewer}")).await;
    for (expected, words) in [
        ("\"other\"", "body"),
        ("cookie: present", "cookie"),
        ("x: z", "expected \"z\"\n    + came     \"y\""),
        ("host: viewer.example.test", "> host: app.example.test"),
    ] {
        fails(&format!("origin app: POST /a {expected} -> 200\n{viewer}"), 1, words).await;
    }
}

#[tokio::test]
async fn an_unasked_request_fails_and_so_does_a_missing_one() {
    fails("viewer 1: GET /a <- 502\nexpect origin app count 0", 1, "which no line").await;
    let origin = "origin app: GET /a -> 200 cache-control: max-age=5";
    let again = "viewer 1: GET /a <- 200";
    passes(&format!("{origin}\n{again}\n{again}")).await;
    fails(&format!("{origin}\n{origin}\n{again}\n{again}"), 2, "never asked").await;
    fails(&format!("{origin}; times 3\n{again}"), 1, "1 of 3 times").await;
    passes(&format!("{origin}; always\norigin app: GET /b -> 200 always\n{again}")).await;
    passes(&format!("origin app: GET /a -> 200 always\n{again}\n{again}\n{again}")).await;
    passes(&format!(
        "origin app: GET /a -> 201; times 2\n{}",
        "viewer 1: GET /a <- 201\n".repeat(2)
    ))
    .await;
    fails("origin app: GET /b -> 200\nviewer 1: GET /a <- 200", 2, "line 3 would still answer")
        .await;
}

#[tokio::test]
async fn a_wait_ends_when_the_origin_gets_something_else() {
    let script = "origin app: GET /a -> hold g; 200\nviewer 1: GET /b\n";
    for wait in ["await origin app holds g", "release g", "await origin app count 2"] {
        let text = format!("{script}{wait}\nrelease g\nviewer 1: <- 200");
        let [outcome, _] = outcomes(&text).await;
        let shown = outcome.to_string();
        assert!(shown.contains("got GET /b, which no line"), "{shown}");
        assert!(shown.contains("waited for in vain"), "{shown}");
    }
}

#[tokio::test]
async fn answers_go_in_order_and_always_comes_last() {
    passes(
        "origin app: GET /a -> 200 \"rest\"; always\norigin app: GET /a -> 200 \"1\"\n\
         origin app: GET /a -> 200 \"2\"\nviewer 1: GET /a <- 200 \"1\"\n\
         viewer 1: GET /a <- 200 \"2\"\nviewer 1: GET /a <- 200 \"rest\"",
    )
    .await;
}

#[tokio::test]
async fn a_fitting_answer_is_for_the_request_that_carries_what_it_names() {
    let origin = |uses: &str| {
        [1, 2]
            .map(|foo| format!("origin app: GET /a  foo: {foo} -> 200 \"{foo}\"{uses}\n"))
            .concat()
    };
    let ask = |foo: u8| format!("viewer 1: GET /a  foo: {foo} <- 200 \"{foo}\"\n");
    passes(&[origin("; fitting"), ask(2), ask(1)].concat()).await;
    fails(&[origin(""), ask(2)].concat(), 1, "not as written").await;
    let script = [origin("; fitting"), ask(1), ask(3)].concat();
    fails(&script, 4, "which no line of the case answers").await;
    fails(&[origin("; fitting"), ask(2)].concat(), 1, "was never asked for this").await;
}

#[tokio::test]
async fn requests_are_counted() {
    let script = "origin app: GET /a -> 200 always\nviewers 1..4: GET /a <- 200";
    passes(&format!("{script}\nexpect origin app count 4\nawait origin app count 3")).await;
    fails(&format!("{script}\nexpect origin app count 1"), 3, "got 4 requests, expected 1").await;
}

#[tokio::test]
async fn a_gate_orders_what_runs_in_parallel() {
    let script = "origin app: GET /a -> hold g1; 200 \"x\" cache-control: max-age=9\n\
                  viewers 1..20: GET /a\nawait origin app holds g1\nexpect origin app count 1\n";
    passes(&format!("{script}release g1\nviewers 1..20: <- 200 \"x\"\nexpect origin app count 1"))
        .await;
    fails(&format!("{script}release g1\nviewers 1..20: <- 200 \"y\""), 6, "viewer 20").await;
}

#[tokio::test]
async fn a_body_can_be_held_in_the_middle() {
    let script = "origin app: GET /a -> 200 bytes 100; hold g after 40 bytes\nviewer 1: GET /a\n";
    passes(&format!("{script}viewer 1: has 40 bytes\nrelease g\nviewer 1: <- 200 bytes 100")).await;
    let broken = "origin app: GET /a -> 200 bytes 100; abort after 40 bytes; hold g after 9 bytes\n\
                  viewer 1: GET /a\nrelease g\n";
    let looked = "viewer 1: <- broken";
    passes(&format!("{broken}viewer 1: has 40 bytes\n{looked}")).await;
    fails(&format!("{broken}viewer 1: has 50 bytes\n{looked}"), 4, "broken after 40 bytes").await;
}

#[tokio::test]
async fn a_viewer_may_leave() {
    passes(
        "origin app: GET /a -> hold g; 200\nviewer 1: GET /a\nawait origin app holds g\n\
         viewer 1: leaves\nrelease g\norigin app: GET /b -> 200\nviewer 1: GET /b <- 200",
    )
    .await;
}

#[tokio::test]
async fn broken_streams_are_seen() {
    for answer in [
        "200 bytes 5000; abort after 700 bytes",
        "200 bytes 5000; reset after 700 bytes",
        "200 bytes 5000; chunked; abort after 700 bytes",
        "200 bytes 5000; truncate",
        "200 bytes 5000; chunked; truncate",
    ] {
        let origin = format!("origin app: GET /a -> {answer}");
        passes(&format!("{origin}\nviewer 1: GET /a <- 200 bytes 5000 broken")).await;
        passes(&format!("{origin}\nviewer 1: GET /a <- broken")).await;
        fails(&format!("{origin}\nviewer 1: GET /a <- 200"), 2, "stream broke").await;
        fails(&format!("{origin}\nviewer 1: GET /a <- 200 \"x\" broken"), 2, "body").await;
    }
    for answer in ["200 bytes 5000", "200 bytes 5000; chunked", "200 bytes 5000; no-length"] {
        let origin = format!("origin app: GET /a -> {answer}");
        passes(&format!("{origin}\nviewer 1: GET /a <- 200 bytes 5000")).await;
        fails(&format!("{origin}\nviewer 1: GET /a <- 200 broken"), 2, "must break").await;
    }
}

#[tokio::test]
async fn an_origin_may_break_every_rule() {
    for answer in
        ["abort", "reset", "raw \"nonsense\\r\\n\\r\\n\"; close", "raw \"HTTP/1.1 2\" close"]
    {
        passes(&format!("origin app: GET /a -> {answer}\nviewer 1: GET /a <- 502")).await;
        fails(&format!("origin app: GET /a -> {answer}\nviewer 1: GET /a <- 200"), 2, "502").await;
    }
    passes(
        "origin app: GET /a -> raw <<\n    HTTP/1.1 200 Fine\n    X: \\x41\n    Content-Length: 4\n\n    \
         ok\nviewer 1: GET /a <- 200 \"ok\\r\\n\" x: A",
    )
    .await;
    passes(
        "origin app: GET /a -> raw <<\n    HTTP/1.1 200 Fine\n    Content-Length: 0\n\n\
         viewer 1: GET /a <- 200 \"\"",
    )
    .await;
    passes("origin app: refuses\nviewer 1: GET /a <- 502").await;
    passes(
        "origin app: GET /a -> 200\nviewer 1: GET /a <- 200\norigin app: refuses\n\
         viewer 1: GET /a <- 502\norigin app: accepts\norigin app: GET /a -> 201\n\
         viewer 1: GET /a <- 201",
    )
    .await;
    passes(
        "origin app: GET /a -> 200 \"x\" content-length: absent; close\n\
         viewer 1: GET /a <- 200 \"x\" content-length: absent",
    )
    .await;
    passes("origin app: HEAD /a -> 200 \"x\"\nviewer 1: HEAD /a <- 200 \"\" content-length: 1")
        .await;
    passes("origin app: GET /a -> 304 etag: x\nviewer 1: GET /a <- 304 content-length: absent")
        .await;
}

#[tokio::test]
async fn the_clock_is_virtual() {
    let script = "origin app: GET /a -> 200 \"1\" cache-control: max-age=60\n\
                  viewer 1: GET /a <- 200\nadvance 59s\nviewer 1: GET /a <- 200 \"1\" age: 59\n";
    passes(&format!(
        "{script}advance 1s\norigin app: GET /a -> 200 \"2\"\nviewer 1: GET /a <- 200 \"2\""
    ))
    .await;
    fails(&format!("{script}viewer 1: GET /a <- 200 age: 60"), 5, "came     \"59\"").await;
    passes(
        "origin app: GET /a -> 200 expires: {date+10s}; last-modified: {date-1d}\nviewer 1: GET /a\n\
         viewer 1: <- 200 date: {date}; expires: {date+10s}; last-modified: {date-1d}",
    )
    .await;
    fails(
        "origin app: GET /a -> 200 x: {date}\nadvance 5s\nviewer 1: GET /a <- 200 x: {date-5s}",
        3,
        "x",
    )
    .await;
}

#[tokio::test]
async fn a_delay_lasts_as_long_as_the_clock_says() {
    let script = "origin app: GET /a -> delay 20s; 200 \"late\"\nviewer 1: GET /a\n";
    passes(&format!("{script}advance 20s\nviewer 1: <- 200 \"late\"")).await;
    let script = "origin app: GET /a -> delay 40s; 200 \"late\"\nviewer 1: GET /a\n";
    passes(&format!("{script}advance 30s\nviewer 1: <- 504")).await;
    fails(&format!("{script}advance 30s\nviewer 1: <- 200"), 4, "504").await;
}

#[tokio::test]
async fn requests_take_every_road() {
    let origin = "origin app: GET /a  cloudfront-forwarded-proto: https -> 200";
    passes(&format!("{origin}\nviewer 1: GET https:///a <- 200")).await;
    passes(&format!("{origin}\nviewer 1: GET https://h.example/a HTTP/2 <- 200")).await;
    fails(&format!("{origin}\nviewer 1: GET /a <- 200"), 1, "http").await;
    passes("origin app: POST /a \"abc\" -> 200\nviewer 1: POST /a \"abc\" chunked <- 200").await;
    passes("origin app: PUT /a bytes 1MiB -> 200\nviewer 1: PUT /a bytes 1MiB <- 200").await;
    passes("origin app: GET //b/../c;d?x={y*3} -> 200\nviewer 1: GET //b/../c;d?x={y*3} <- 200")
        .await;
    passes("viewer 1: DELETE /a <- 403\nexpect origin app count 0").await;
}

#[tokio::test]
async fn a_distribution_that_does_not_open_says_so_at_its_line() {
    let text = "# c\ndistribution:\n  Broken: yes\nviewer 1: GET / <- 200\n";
    let outcome = run(&Case::parse("a.case", text).unwrap(), &FakeOpener).await;
    assert_eq!(outcome.failures[0].line, 2);
    assert!(outcome.to_string().contains("line 3: broken"), "{outcome}");
    let text = "viewer 1: GET / <- 200\n";
    let outcome = run(&Case::parse("a.case", text).unwrap(), &FakeOpener).await;
    assert!(outcome.to_string().contains("names no distribution"), "{outcome}");
    let text = "distribution: a.yml\noption --unknown\nviewer 1: GET / <- 200\n";
    let outcome = run(&Case::parse("a.case", text).unwrap(), &FakeOpener).await;
    assert!(outcome.to_string().contains("--unknown"), "{outcome}");
}

/// The only test that lets time pass, and it is tokio's: paused, it jumps to the time-out at once.
#[tokio::test(start_paused = true)]
async fn a_case_that_hangs_says_what_it_waited_for() {
    let text = "distribution: a.yml\norigin app: GET /a -> hold g; 200\nviewer 1: GET /a\n\
                viewer 1: <- 200\nrelease g\n";
    let outcome = run(&Case::parse("a.case", text).unwrap(), &FakeOpener).await;
    assert_eq!(outcome.failures[0].line, 4);
    let shown = outcome.to_string();
    for words in ["within 30 s", "viewer 1: no reply yet"] {
        assert!(shown.contains(words), "{shown}");
    }
}
