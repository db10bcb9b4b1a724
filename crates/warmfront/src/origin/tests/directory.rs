//! A directory as an S3 bucket.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A bucket with a page, a long file, and a secret beside it.
fn bucket() -> (TempDir, Origin) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("bucket");
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::write(root.join("page.html"), "0123456789").unwrap();
    fs::write(root.join("dir/a b+ü.txt"), "named").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(place.path().join("secret"), "secret").unwrap();
    let origin = origin(Target::Directory(root));
    (place, origin)
}

async fn ask(
    origin: &Origin,
    method: &str,
    path: &str,
    headers: &[(&'static str, &str)],
) -> OriginResponse {
    let mut request = request(method, path, Body::empty());
    for (name, value) in headers {
        request.head.headers.insert(*name, value.parse().unwrap());
    }
    origins(&clock()).send(origin, Scheme::Http, request).await.unwrap()
}

fn header<'a>(response: &'a OriginResponse, name: &str) -> &'a str {
    response.head.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn objects_come_with_what_s3_says_about_them() {
    let (_place, origin) = bucket();
    let whole = ask(&origin, "GET", "/page.html?query=ignored", &[]).await;
    assert_eq!(whole.head.status, 200);
    assert_eq!(header(&whole, "content-type"), "text/html");
    assert_eq!(header(&whole, "content-length"), "10");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert_eq!(header(&whole, "server"), "AmazonS3");
    assert_eq!(header(&whole, "date"), "Tue, 14 Nov 2023 22:13:20 GMT");
    assert!(header(&whole, "last-modified").ends_with(" GMT"));
    let etag = header(&whole, "etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag} is strong");

    let head = ask(&origin, "HEAD", "/page.html", &[]).await;
    assert_eq!((header(&head, "content-length"), header(&head, "etag")), ("10", etag.as_str()));
    assert_eq!(body_of(head).await.unwrap(), "");
    assert_eq!(body_of(whole).await.unwrap(), "0123456789");

    let named = ask(&origin, "GET", "/dir/a%20b+%C3%BC.txt", &[]).await;
    assert_eq!(body_of(named).await.unwrap(), "named");
    let empty = ask(&origin, "GET", "/empty", &[]).await;
    assert_eq!((header(&empty, "content-length"), empty.head.status.as_u16()), ("0", 200));
    assert_eq!(body_of(empty).await.unwrap(), "");
}

#[tokio::test]
async fn nothing_outside_the_directory_is_ever_served() {
    let (place, origin) = bucket();
    let root = place.path().join("bucket");
    link(&place.path().join("secret"), &root.join("leak"));
    link(place.path(), &root.join("up"));
    link(&root.join("page.html"), &root.join("inside"));
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/dir/../../secret",
        "/dir/..%2f..%2fsecret",
        "/..%5csecret",
        "//secret",
        "/./page.html",
        "/dir/../page.html",
        "/dir//a",
        "/leak",
        "/up/secret",
        "/page.html/",
        "/page.html%00",
        "/page%2",
        "/%ff",
        "/",
        "/dir",
        "/dir/",
        "/missing",
    ] {
        let response = ask(&origin, "GET", path, &[]).await;
        assert_eq!(response.head.status, 404, "{path}");
        assert_eq!(header(&response, "content-type"), "application/xml", "{path}");
        let xml = body_of(response).await.unwrap();
        assert!(xml.contains("<Code>NoSuchKey</Code>"), "{path}: {xml}");
    }
    let inside = ask(&origin, "GET", "/inside", &[]).await;
    assert_eq!(body_of(inside).await.unwrap(), "0123456789");
    let xml = body_of(ask(&origin, "GET", "/%3Cb%3E%26", &[]).await).await.unwrap();
    assert!(xml.contains("<Key>&lt;b&gt;&amp;</Key>"), "{xml}");
}

#[tokio::test]
async fn a_bucket_that_nobody_may_list_says_403_of_what_it_has_not() {
    let (_place, mut origin) = bucket();
    origin.hides_missing = true;
    for path in ["/missing", "/dir", "/../secret"] {
        let response = ask(&origin, "GET", path, &[]).await;
        assert_eq!(response.head.status, 403, "{path}");
        let xml = body_of(response).await.unwrap();
        assert!(xml.contains("<Code>AccessDenied</Code>") && !xml.contains("Key"), "{path}: {xml}");
    }
    assert_eq!(ask(&origin, "GET", "/page.html", &[]).await.head.status, 200);
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[cfg(not(unix))]
fn link(_to: &Path, _at: &Path) {}

#[tokio::test]
async fn other_methods_are_refused_as_s3_does() {
    let (_place, origin) = bucket();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let response = ask(&origin, method, "/page.html", &[]).await;
        assert_eq!(response.head.status, 405, "{method}");
        assert_eq!(header(&response, "allow"), "GET, HEAD");
        let xml = body_of(response).await.unwrap();
        assert!(xml.contains("<Code>MethodNotAllowed</Code>"), "{method}: {xml}");
    }
}

#[tokio::test]
async fn one_range_is_a_part_and_several_are_the_whole() {
    let (_place, origin) = bucket();
    let check = async |range: &str, status: u16, content_range: &str, body: &str| {
        let response = ask(&origin, "GET", "/page.html", &[("range", range)]).await;
        assert_eq!(response.head.status, status, "{range}");
        assert_eq!(header(&response, "content-range"), content_range, "{range}");
        let got = body_of(response).await.unwrap();
        assert!(got == body || (status == 416 && got.contains(body)), "{range}: {got}");
    };
    check("bytes=2-4", 206, "bytes 2-4/10", "234").await;
    check("bytes=8-", 206, "bytes 8-9/10", "89").await;
    check("bytes=-3", 206, "bytes 7-9/10", "789").await;
    check("bytes=0-999", 206, "bytes 0-9/10", "0123456789").await;
    check("bytes=10-", 416, "bytes */10", "<ActualObjectSize>10</ActualObjectSize>").await;
    check("bytes=0-1,4-5", 200, "", "0123456789").await;
    check("bytes=5-2", 200, "", "0123456789").await;
    check("pages=1", 200, "", "0123456789").await;
    let head = ask(&origin, "HEAD", "/page.html", &[("range", "bytes=2-4")]).await;
    assert_eq!((head.head.status.as_u16(), header(&head, "content-length")), (200, "10"));
}

#[tokio::test]
async fn conditions_are_answered_from_length_and_modification_time() {
    let (place, origin) = bucket();
    let first = ask(&origin, "GET", "/page.html", &[]).await;
    let etag = header(&first, "etag").to_owned();
    let date = header(&first, "last-modified").to_owned();
    let check = async |name: &'static str, value: &str, status: u16| {
        let response = ask(&origin, "GET", "/page.html", &[(name, value)]).await;
        assert_eq!(response.head.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!(header(&response, "etag"), etag);
            assert_eq!(body_of(response).await.unwrap(), "");
        }
    };
    check("if-none-match", &etag, 304).await;
    check("if-none-match", "\"other\"", 200).await;
    check("if-modified-since", &date, 304).await;
    check("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 200).await;
    check("if-match", "\"other\"", 412).await;
    check("if-match", &etag, 200).await;

    fs::write(place.path().join("bucket/page.html"), "0123456789!").unwrap();
    let changed = ask(&origin, "GET", "/page.html", &[("if-none-match", &etag)]).await;
    assert_eq!(changed.head.status, 200);
    let stale_range = [("range", "bytes=0-1"), ("if-range", etag.as_str())];
    assert_eq!(ask(&origin, "GET", "/page.html", &stale_range).await.head.status, 200);
}

#[tokio::test]
async fn a_large_file_comes_in_pieces_and_a_shrinking_one_breaks() {
    let (place, origin) = bucket();
    let path = place.path().join("bucket/large.bin");
    let content: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    fs::write(&path, &content).unwrap();
    let whole = ask(&origin, "GET", "/large.bin", &[]).await;
    assert_eq!(body_of(whole).await.unwrap(), content);
    let part = ask(&origin, "GET", "/large.bin", &[("range", "bytes=100000-299999")]).await;
    assert_eq!(body_of(part).await.unwrap(), content[100_000..]);

    let mut body = ask(&origin, "GET", "/large.bin", &[]).await.body;
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.len(), 64 * 1024);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100_000).unwrap();
    let error = body.collect().await.expect_err("a cut file never looks whole").to_string();
    assert!(error.contains("shorter"), "{error}");
}

#[tokio::test]
async fn a_directory_that_is_gone_says_which_and_what_to_check() {
    let origin = origin(Target::Directory("/no/such/bucket".into()));
    let error = send(&origins(&clock()), &origin, "GET").await.unwrap_err();
    assert_eq!(error.status(), 503);
    let message = error.to_string();
    assert!(message.contains("/no/such/bucket") && message.contains("--origin"), "{message}");
}
