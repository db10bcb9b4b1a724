use super::*;

const REST: &str = "\norigin a: GET /a -> 200 \"x\"\nviewer 1: GET /a <- 200\n";

fn parsed(text: &str) -> Result<Case, ParseError> {
    Case::parse("dir/a.case", text)
}

/// `text` is refused at `line` with a message that holds `words`.
fn refused(text: &str, line: usize, words: &str) {
    match parsed(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => {
            assert_eq!(error.line, line, "{text}\n{error}");
            assert!(error.problem.contains(words), "{text}\n{error}");
        }
    }
}

fn accepted(text: &str) -> Case {
    parsed(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_distribution_is_a_file_beside_the_case_or_a_block() {
    let case = accepted(&format!("distribution: ../d/x.yml{REST}"));
    assert_eq!(case.source, Some(Source::File("dir/../d/x.yml".into())));
    let case = accepted(&format!("distribution:\n  A: {{}}\n  B: 1{REST}"));
    assert_eq!(case.source, Some(Source::Inline { text: "A: {}\nB: 1\n".into(), line: 2 }));
    let case = accepted(&format!("distribution: <<\n  A: 1{REST}"));
    assert_eq!(case.source, Some(Source::Inline { text: "A: 1\n".into(), line: 2 }));
    refused(&format!("distribution:{REST}"), 1, "block");
    refused(&format!("distribution: a\ndistribution: b{REST}"), 2, "one distribution");
}

#[test]
fn options_are_kept_word_by_word() {
    let case = accepted(&format!("option --parameter Min=1\noption --geo DE{REST}"));
    assert_eq!(case.options, ["--parameter", "Min=1", "--geo", "DE"]);
    let case = accepted(&format!("option --origin site=../files --parameter a=b{REST}"));
    assert_eq!(case.options, ["--origin", "site=dir/../files", "--parameter", "a=b"]);
}

#[test]
fn every_form_of_an_origins_answer_is_read() {
    for answer in [
        "200",
        "200 \"body\"",
        "200 \"a\\x00\\n\" etag: \"v1\"; cache-control: max-age=60, public",
        "200 bytes 1MiB; chunked; x: {date+5s}",
        "206 bytes 10-19; content-range: bytes 10-19/100",
        "200 bytes 100; abort after 50 bytes",
        "200 bytes 100; reset after 50 bytes",
        "200 \"x\" no-length",
        "200 \"x\" close",
        "200 \"x\" truncate",
        "200 \"x\" date: absent",
        "abort",
        "reset",
        "delay 5s; 200",
        "raw \"HTTP/1.1 200 OK\\r\\n\\r\\n\" close",
        "raw <<\n    HTTP/1.1 200 OK\n    Content-Length: 0\n\n",
        "200 \"x\" times 3",
        "200 \"x\" always",
        "200 \"x\" fitting",
    ] {
        accepted(&format!("origin a: GET /a -> {answer}\nviewer 1: GET /a <- 200"));
    }
}

#[test]
fn every_form_of_a_request_and_its_reply_is_read() {
    for line in [
        "viewer 1: GET /a?b=c;d <- 200",
        "viewer 1: GET https://h.example/a HTTP/2 accept: x; te: trailers <- 200",
        "viewer 1: POST /a \"body\" <- 200 \"x\"",
        "viewer 1: PUT /a bytes 2KiB; chunked <- 200 size 5",
        "viewer 1: GET /a HTTP/1.0 <- 3xx location: ~/^https:\\/\\/a/",
        "viewer 1: GET /a\n    cookie: \"a=1; b=2\"\n    # why\n    x: y\n  <- 200 \"x\"\n    age: absent",
        "viewer 1: GET /a <- broken",
        "viewer 1: GET /a <- 200 \"beg\" broken",
        "viewer 1: GET /a <- 200 ~/a.*b/",
        "viewers 1..3: GET /{x*9000} <- 414",
        "viewer 7: GET /a\nviewer 7: has 10 bytes\nviewer 7: leaves\nviewer 7: GET /b <- 200",
    ] {
        accepted(line);
    }
}

#[test]
fn a_slip_gets_its_line_and_the_nearest_word() {
    refused("orgin a: GET /a -> 200", 1, "Did you mean \"origin\"?");
    refused("# c\n\nveiwer 1: GET / <- 200", 3, "Did you mean \"viewer\"?");
    refused("origin a: GET /a -> 200 trunkate", 1, "Did you mean \"truncate\"?");
    refused("viewer 1: GET / chunkd <- 200", 1, "Did you mean \"chunked\"?");
    refused("viewer 1: GET / <- 200 brokn", 1, "Did you mean \"broken\"?");
    refused("viewer 1: GET /\n   x: y\n   <- 200\n   brokn", 4, "broken");
    refused("  indented", 1, "continues");
    refused("origin a: GET /a", 1, "->");
    refused("origin a: get /a -> 200", 1, "method");
    refused("origin a: GET a -> 200", 1, "path");
    refused("origin a: GET /a hold g -> 200", 1, "must carry");
    refused("origin a: GET /a -> \"x\"", 1, "status");
    refused("origin a: GET /a -> 200 201", 1, "status");
    refused("origin a: GET /a -> 200 bytes 999MiB", 1, "64 MiB");
    refused("origin a: GET /a -> 200 \"open", 1, "not closed");
    refused("origin a: GET /a -> 200 \"\\q\"", 1, "escape");
    refused("origin a: GET ~/(/ -> 200", 1, "~/(/");
    refused("viewer 1: GET nowhere <- 200", 1, "/path");
    refused("viewer 1: GET /a <- x: y", 1, "status");
    refused("viewer 1: GET /a <- 200 x:", 1, "what must x be");
    refused("viewer one: GET /a <- 200", 1, "viewer 1:");
    refused("viewers 5..2: GET /a <- 200", 1, "upwards");
    refused("advance 60", 1, "time");
    refused("await origin a\nviewer 1: GET / <- 200", 1, "holds");
    refused("release g1; more", 1, "\"more\"");
    refused("purge", 1, "purge /a");
    refused("purge a", 1, "\"a\"");
    refused("purge --hard /a", 1, "--hard");
    refused("purge /a <- two objects", 1, "\"two\"");
}

#[test]
fn a_case_must_assert_and_must_not_wait_for_ever() {
    refused("", 1, "asserts nothing");
    refused("origin a: GET /a -> 200\nadvance 1s", 2, "asserts nothing");
    let looked = "viewer 1: GET /a <- 200\n";
    refused(&format!("{looked}viewer 2: GET /a"), 2, "viewer 2");
    refused(&format!("{looked}viewer 2: <- 200"), 2, "nothing that is unanswered");
    refused(&format!("{looked}viewer 2: GET /a\nviewer 2: GET /b <- 200"), 3, "line 2");
    refused(&format!("{looked}release g1"), 2, "no origin above holds");
    refused(&format!("origin a: GET /a -> hold gate; 200\n{looked}release gat"), 3, "\"gate\"?");
    refused(&format!("origin a: GET /a -> hold g; 200\n{looked}"), 1, "never released");
    let scripted = format!("origin site: GET /a -> 200\n{looked}");
    refused(&format!("{scripted}expect origin sit count 1"), 3, "\"site\"?");
    accepted(&format!("{looked}expect origin site count 0"));
}

#[test]
fn a_case_is_never_a_panic() {
    let whole = "distribution: <<\n  A: 1\norigin a: GET /a x: ~/b/; y: \"c\" -> hold g after 3 bytes; \
                 200 bytes 5-9 k: {date-1s} raw <<\n  HTTP\nviewers 1..2: GET https://é/{a*3} <- 2xx";
    for (end, _) in whole.char_indices() {
        let _ = parsed(&whole[..end]);
        let _ = parsed(&whole[end..]);
        for odd in ["\"", "~/", ";", "\n ", "->", "\\", "\u{0}", "{", "9999999999999999999999"] {
            let _ = parsed(&format!("{}{odd}{}", &whole[..end], &whole[end..]));
        }
    }
}
