use proptest::prelude::any;
use proptest::prelude::*;

use super::*;
use crate::fixture;

fn request(line: &str, version: Version, fields: &[&str]) -> ::http::request::Parts {
    let (method, uri) = line.split_once(' ').unwrap();
    let (mut head, ()) = ::http::Request::new(()).into_parts();
    head.method = Method::from_bytes(method.as_bytes()).unwrap();
    head.uri = uri.parse().unwrap();
    head.version = version;
    head.headers = fixture::headers(fields);
    head
}

/// A plain GET over HTTP/1.1 with these fields beside Host.
#[track_caller]
fn check(fields: &[&str], expected: Result<(), Malformed>) {
    let fields: Vec<_> = [&["host: a.example"], fields].concat();
    let head = request("POST /", Version::HTTP_11, &fields);
    let found = check_request(&head).map(|_| ());
    assert_eq!(found, expected.map_err(Refusal::Malformed), "{fields:?}");
}

#[test]
fn transfer_encoding_is_one_chunked_and_nothing_else() {
    let no = Err(Malformed::TransferEncoding);
    check(&["transfer-encoding: chunked"], Ok(()));
    check(&["transfer-encoding: Chunked"], Ok(()));
    for value in ["", "gzip, chunked", "chunked, chunked", "identity", "chunked;x", "xchunked"] {
        check(&[&format!("transfer-encoding: {value}")], no);
    }
    check(&["transfer-encoding: chunked", "transfer-encoding: chunked"], no);
    check(&["transfer-encoding: chunked", "content-length: 3"], no);
    let head = request("POST /", Version::HTTP_10, &["transfer-encoding: chunked"]);
    assert_eq!(check_request(&head), Err(Refusal::Malformed(Malformed::TransferEncoding)));
    let head = request("POST http://a/", Version::HTTP_2, &["transfer-encoding: chunked"]);
    assert_eq!(check_request(&head), Err(Refusal::Malformed(Malformed::TransferEncoding)));
}

#[test]
fn content_length_is_one_number() {
    let no = Err(Malformed::ContentLength);
    check(&["content-length: 0"], Ok(()));
    check(&["content-length: 123456789012345678"], Ok(()));
    for value in ["", "+1", "-1", "1 ", "0x1", "1,1", "1, 1", "1234567890123456789", "１"] {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let mut head = request("POST /", Version::HTTP_11, &["host: a"]);
        head.headers.insert(header::CONTENT_LENGTH, value.clone());
        let found = check_request(&head).map(|_| ()).map_err(|_| ());
        assert_eq!(found, no.map_err(|_: Malformed| ()), "{value:?}");
    }
    check(&["content-length: 1", "content-length: 1"], no);
}

#[test]
fn names_that_cgi_reads_as_framing_are_refused() {
    let no = Err(Malformed::UnderscoreTwin);
    for name in [
        "content_length",
        "transfer_encoding",
        "host_",
        "_host",
        "content_length_",
        "-content_length",
    ] {
        check(&[&format!("{name}: 1")], no);
    }
    for name in
        ["x_forwarded_for", "content_type", "x_content_length", "hosts_", "_", "content-lengt_h"]
    {
        check(&[&format!("{name}: 1")], Ok(()));
    }
}

#[test]
fn only_100_continue_may_be_expected() {
    check(&["expect: 100-Continue"], Ok(()));
    let head = request("POST /", Version::HTTP_11, &["host: a", "expect: 200-maybe"]);
    assert_eq!(check_request(&head), Err(Refusal::Expectation));
}

#[test]
fn there_is_exactly_one_host() {
    let host = |line, version, fields: &[&str]| {
        check_request(&request(line, version, fields)).map(|target| target.host.to_owned())
    };
    let is = |name: &str| Ok(name.to_owned());
    let no = Err(Refusal::Malformed(Malformed::Host));
    let v11 = Version::HTTP_11;
    assert_eq!(host("GET /", v11, &["host: A.example:80"]), is("A.example:80"));
    assert_eq!(host("GET /", v11, &[]), no);
    assert_eq!(host("GET /", v11, &["host: "]), no);
    assert_eq!(host("GET /", v11, &["host: a", "host: a"]), no);
    assert_eq!(host("GET /", v11, &["host: a, b"]), no);
    assert_eq!(host("GET /", v11, &["host: u@a"]), no);
    assert_eq!(host("GET /", v11, &["host: é"]), no);
    assert_eq!(host("GET /", Version::HTTP_10, &[]), is(""));
    assert_eq!(host("GET /", Version::HTTP_10, &["host: a"]), is("a"));
    // An absolute URL overrules Host, which must be valid all the same.
    assert_eq!(host("GET http://b:1/", v11, &["host: a"]), is("b:1"));
    assert_eq!(host("GET http://b/", v11, &[]), is("b"));
    assert_eq!(host("GET http://b/", v11, &["host: a b"]), no);
    assert_eq!(host("GET https://b/", Version::HTTP_2, &["host: B"]), is("b"));
    assert_eq!(host("GET https://b/", Version::HTTP_2, &["host: a"]), no);
    assert_eq!(host("GET /", Version::HTTP_2, &["host: a"]), is("a"));
    assert_eq!(host("GET /", Version::HTTP_2, &[]), no);
}

#[test]
fn the_target_is_a_path_or_a_url_without_userinfo() {
    let target = |line: &str| {
        let head = request(line, Version::HTTP_11, &["host: a"]);
        check_request(&head).map(|target| format!("{} {:?}", target.path, target.query))
    };
    let no = Err(Refusal::Malformed(Malformed::Target));
    assert_eq!(target("GET //x/../y%2f?"), Ok("//x/../y%2f Some(\"\")".to_owned()));
    assert_eq!(target("GET /x?a=1?b"), Ok("/x Some(\"a=1?b\")".to_owned()));
    assert_eq!(target("GET http://b"), Ok("/ None".to_owned()));
    assert_eq!(target("OPTIONS *"), no);
    assert_eq!(target("GET ftp://b/"), no);
    assert_eq!(target("GET http://u:p@b/"), no);
    assert_eq!(target("GET b:80"), no);
    assert_eq!(target("CONNECT b:80"), Err(Refusal::MethodNotAllowed));
}

#[test]
fn connection_fields_are_refused_where_there_are_streams() {
    for field in
        ["connection: close", "keep-alive: 5", "proxy-connection: x", "upgrade: h2c", "te: gzip"]
    {
        let head = request("GET https://a/", Version::HTTP_2, &[field]);
        let no = Err(Refusal::Malformed(Malformed::ConnectionField));
        assert_eq!(check_request(&head), no, "{field}");
        check(&[field], Ok(()));
    }
    assert!(check_request(&request("GET https://a/", Version::HTTP_3, &["te: trailers"])).is_ok());
}

#[test]
fn limits_hold_to_the_octet() {
    let refusal = |path: usize, field: usize, fields: usize| {
        let long = format!("x: {}", "v".repeat(field));
        let mut lines = vec!["host: a", long.as_str()];
        lines.resize(fields, "y: 1");
        let line = format!("GET /{}", "p".repeat(path - 1));
        check_request(&request(&line, Version::HTTP_11, &lines)).map(|_| ()).err()
    };
    assert_eq!(refusal(8192, 1, 2), None);
    assert_eq!(refusal(8193, 1, 2), Some(Refusal::UrlTooLong));
    assert_eq!(refusal(1, 1, 128), None);
    assert_eq!(refusal(1, 1, 129), Some(Refusal::TooManyFields));
    // GET, `/`, `host: a` CRLF, `x: ` and CRLF
    let rest = 3 + 1 + 9 + 5;
    assert_eq!(refusal(1, MAX_HEAD - rest, 2), None);
    assert_eq!(refusal(1, MAX_HEAD - rest + 1, 2), Some(Refusal::HeadTooLarge));
}

#[test]
fn control_characters_are_found() {
    for byte in 0..=255u8 {
        let is_control = (byte < 32 && byte != 9) || byte == 127;
        assert_eq!(has_control(&[b'a', byte, b'b']), is_control, "{byte}");
    }
}

#[track_caller]
fn check_reply(status: u16, version: Version, fields: &[&str], ok: bool) {
    let (mut head, ()) = ::http::Response::new(()).into_parts();
    head.status = StatusCode::from_u16(status).unwrap();
    head.version = version;
    head.headers = fixture::headers(fields);
    assert_eq!(check_response(&head).is_ok(), ok, "{status} {fields:?}");
}

#[test]
fn responses_are_under_the_same_rules() {
    let v11 = Version::HTTP_11;
    check_reply(200, v11, &["transfer-encoding: chunked", "content_length: 1"], true);
    check_reply(200, v11, &["content-length: 5"], true);
    check_reply(200, Version::HTTP_10, &[], true);
    check_reply(200, v11, &["transfer-encoding: chunked", "content-length: 5"], false);
    // A coding that nobody knows ends with the connection; one that could be undone, or that another reader
    // takes for chunked, is refused.
    for unknown in ["identity", "made-up", "a.b_1"] {
        check_reply(200, v11, &[&format!("transfer-encoding: {unknown}")], true);
        check_reply(
            200,
            v11,
            &[&format!("transfer-encoding: {unknown}"), "content-length: 5"],
            false,
        );
        check_reply(200, Version::HTTP_10, &[&format!("transfer-encoding: {unknown}")], false);
        check_reply(200, Version::HTTP_2, &[&format!("transfer-encoding: {unknown}")], false);
    }
    for ambiguous in ["", "gzip", "X-Gzip", "gzip, chunked", "made up", "a;b", "xchunked", "a, b"] {
        check_reply(200, v11, &[&format!("transfer-encoding: {ambiguous}")], false);
    }
    check_reply(200, v11, &["transfer-encoding: made-up", "transfer-encoding: made-up"], false);
    check_reply(200, Version::HTTP_10, &["transfer-encoding: chunked"], false);
    check_reply(200, v11, &["content-length: 5", "content-length: 5"], false);
    check_reply(200, v11, &["content-length: five"], false);
    check_reply(101, v11, &["upgrade: websocket"], false);
    check_reply(200, v11, &vec!["x: 1"; 256], true);
    check_reply(200, v11, &vec!["x: 1"; 257], false);
    check_reply(200, v11, &[&format!("x: {}", "v".repeat(MAX_HEAD - 5))], true);
    check_reply(200, v11, &[&format!("x: {}", "v".repeat(MAX_HEAD - 4))], false);
}

proptest! {
    #[test]
    fn any_head_is_taken(
        uri in "(/|http://|\\*)?[a-z:@/?%\\[\\].]{0,12}",
        fields in prop::collection::vec(
            ("(host|content-length|te|[a-z_-]{1,6})", prop::collection::vec(any::<u8>(), 0..12)),
            0..6,
        ),
        method in "[A-Z]{1,7}",
        version in prop::sample::select(vec![Version::HTTP_09, Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]),
    ) {
        let (mut head, ()) = ::http::Request::new(()).into_parts();
        head.method = Method::from_bytes(method.as_bytes()).unwrap();
        head.version = version;
        if let Ok(uri) = uri.parse() {
            head.uri = uri;
        }
        for (name, value) in fields {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value))
            {
                head.headers.append(name, value);
            }
        }
        if let Ok(target) = check_request(&head) {
            prop_assert!(target.path.starts_with('/'));
            prop_assert!(target.host.is_empty() == (version == Version::HTTP_10 && !head.headers.contains_key(header::HOST) && head.uri.authority().is_none()));
        }
    }
}
