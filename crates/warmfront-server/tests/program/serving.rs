//! A running program: TLS, the admin port, logs, reload, drain.

use std::fs;

use super::harness::{PASS_THROUGH, PATIENCE, Program, source, talk, warmfront};
use super::origin::Origin;

fn started(arguments: &[&str]) -> (Program, Origin, tempfile::TempDir) {
    let origin = Origin::start();
    let (directory, template) = source(PASS_THROUGH);
    let flag = origin.flag();
    let all: Vec<&str> = ["--origin", &flag].into_iter().chain(arguments.iter().copied()).collect();
    (Program::start(&template, &all).unwrap(), origin, directory)
}

#[test]
fn curl_trusts_the_development_ca_and_speaks_http_2() {
    let (program, _origin, _directory) = started(&[]);
    let port = program.https.port();
    let write = ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}"];
    for host in ["localhost", "127.0.0.1", "shop.example.com", "anything.example.org"] {
        let (url, resolve) =
            (format!("https://{host}:{port}/a"), format!("{host}:{port}:127.0.0.1"));
        for (version, expected) in [("--http2", "200 2"), ("--http1.1", "200 1.1")] {
            let said =
                program.curl(&[&write[..], &["--resolve", &resolve, version, &url]].concat());
            assert_eq!(said, expected, "{host} {version}");
        }
    }
    // Without our CA it must not.
    let said = program.curl(&["--cacert", "/dev/null", &format!("https://localhost:{port}/")]);
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn http_1_distributions_are_not_offered_http_2() {
    let origin = Origin::start();
    let (_directory, template) = source(&PASS_THROUGH.replace("http2", "http1.1"));
    let program = Program::start(&template, &["--origin", &origin.flag()]).unwrap();
    let url = format!("https://localhost:{}/", program.https.port());
    let write = ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}", "--http2"];
    assert_eq!(program.curl(&[&write[..], &[&url]].concat()), "200 1.1");
}

#[test]
fn the_admin_port_tells_how_things_are() {
    let (program, _origin, _directory) = started(&["--access-log", "off"]);
    program.talk("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    program.talk("BREW /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for target in ["/healthz", "/readyz"] {
        assert!(program.admin("GET", target).starts_with("HTTP/1.1 200 "), "{target}");
    }
    let metrics = program.admin("GET", "/metrics");
    for line in [
        "warmfront_requests_total{result=\"Miss\"} 1",
        "warmfront_requests_total{result=\"Error\"} 1",
        "warmfront_responses_total{class=\"2xx\"} 1",
        "warmfront_responses_total{class=\"4xx\"} 1",
        "warmfront_broken_bodies_total 0",
        "warmfront_cache_lookups_total{found=\"fresh\"} 0",
        "warmfront_cache_fetches_total{came=\"alone-caching-disabled\"} 1",
        "warmfront_cache_limit_bytes 268435456",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let rebound = b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(talk(program.admin, rebound).starts_with("HTTP/1.1 403 "));
    assert!(program.admin("POST", "/clock/advance?ms=1").starts_with("HTTP/1.1 404 "));
}

#[test]
fn every_request_is_one_escaped_line() {
    let (program, _origin, _directory) = started(&[]);
    program.talk(
        "GET /a%0Ab?Signature=geheim&x='| HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    program.talk(
        "POST /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
    );
    program.talk("GET /c HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert!(program.stdout.wait_for("/c"));
    let log = program.stdout.text();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(
        lines[0].contains(" 127.0.0.1 GET http://localhost/a%0Ab?Signature=REDACTED&x=%27%7C "),
        "{log}"
    );
    assert!(lines[0].contains(" 200 Miss 4B "), "{log}");
    assert!(lines[1].contains(" POST http://localhost/b 200 Miss 4B "), "{log}");
    assert!(lines[2].contains(" 400 Error/"), "{log}");
    assert!(!log.contains("geheim") && !log.contains("broken"), "{log}");
}

#[test]
fn json_lines_are_json() {
    let (program, _origin, _directory) = started(&["--access-log", "json"]);
    program.talk(
        "GET /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \"x\\\r\nConnection: close\r\n\r\n",
    );
    assert!(program.stdout.wait_for("\n"));
    let log = program.stdout.text();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(line["status"], 200);
    assert_eq!(line["result"], "Miss");
    assert_eq!(line["target"], "/a");
    assert_eq!(line["user_agent"], "%22x%5C");
    assert_eq!(line["complete"], true);
    assert_eq!(line["request_id"].as_str().unwrap().len(), 56);
}

#[test]
fn a_reload_takes_the_new_source_and_keeps_the_old_one_when_it_is_broken() {
    let (program, origin, directory) = started(&[]);
    let template = directory.path().join("template.yml");
    let ask = || {
        program.talk(
            "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )
    };
    assert!(ask().starts_with("HTTP/1.1 200 "));

    fs::write(&template, PASS_THROUGH.replace("TargetOriginId: site", "TargetOriginId: siet"))
        .unwrap();
    program.signal("HUP");
    assert!(program.stderr.wait_for("was not reloaded"));
    let said = program.stderr.text();
    assert!(said.contains("siet") && said.contains("template.yml:"), "{said}");
    assert!(ask().starts_with("HTTP/1.1 200 "));

    fs::write(
        &template,
        PASS_THROUGH.replace("[GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]", "[GET, HEAD]"),
    )
    .unwrap();
    program.signal("HUP");
    assert!(program.stderr.wait_for("\nreloaded "));
    assert!(ask().starts_with("HTTP/1.1 403 "));
    assert_eq!(origin.seen("/a").len(), 2);
    let metrics = program.admin("GET", "/metrics");
    assert!(
        metrics.contains("\nwarmfront_reloads_total 1\nwarmfront")
            || metrics.contains("reloads_total 1")
    );
    assert!(metrics.contains("warmfront_reload_failures_total 1"), "{metrics}");
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let (program, origin, _directory) = started(&[]);
    let url = format!("https://localhost:{}/held-2", program.https.port());
    let program = std::sync::Arc::new(program);
    let held = {
        let address = program.http;
        std::thread::spawn(move || talk(address, b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    };
    let held_2 = {
        let program = program.clone();
        std::thread::spawn(move || {
            program.curl(&["--http2", "--write-out", " %{http_version}", &url])
        })
    };
    origin.await_request("/held");
    origin.await_request("/held-2");
    program.signal("TERM");
    assert!(program.stderr.wait_for("draining"));
    assert!(program.admin("GET", "/readyz").starts_with("HTTP/1.1 503 "));
    assert!(program.admin("GET", "/healthz").starts_with("HTTP/1.1 200 "));
    origin.release();
    let reply = held.join().unwrap();
    assert!(reply.contains("Connection: close") && reply.ends_with("seen"), "{reply}");
    assert_eq!(held_2.join().unwrap(), "seen 2");
    let program = std::sync::Arc::into_inner(program).unwrap();
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn what_a_second_sigterm_cuts_off_is_logged() {
    let (program, origin, _directory) = started(&["--access-log", "text"]);
    let address = program.http;
    let held =
        std::thread::spawn(move || talk(address, b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    origin.await_request("/held");
    program.signal("TERM");
    assert!(program.stderr.wait_for("draining"));
    program.signal("TERM");
    let log = program.stdout.clone();
    assert_eq!(program.wait().code(), Some(0));
    assert!(log.wait_for("/held ") && log.text().contains("broken: "), "{}", log.text());
    assert_eq!(held.join().unwrap(), "");
}

#[test]
fn a_sighup_while_the_source_is_read_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("template.yml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = warmfront()
        .arg("run")
        .arg(&pipe)
        .args(["--http", "127.0.0.1:0", "--https", "off", "--admin", "off", "--origin"])
        .arg("site=http://127.0.0.1:9")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Opening waits for the reader: from here on the program is reading its source.
    let mut writer = fs::File::options().write(true).open(&pipe).unwrap();
    let pid = child.id().to_string();
    let kill = |name| std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap();
    assert!(kill("HUP").success());
    std::io::Write::write_all(&mut writer, PASS_THROUGH.as_bytes()).unwrap();
    drop(writer);
    // Another source for the reload: a regular file, so that nobody waits for a writer.
    let next = directory.path().join("next.yml");
    fs::write(&next, PASS_THROUGH).unwrap();
    fs::rename(&next, &pipe).unwrap();
    let lines = super::harness::Lines::of(child.stderr.take().unwrap());
    assert!(lines.wait_for("\nreloaded "), "{}", lines.text());
    assert!(kill("INT").success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_reload_tells_what_has_no_effect_now() {
    let price = |text: &str| {
        text.replace("Enabled: true", "Enabled: true\n        PriceClass: PriceClass_100")
    };
    let (_directory, template) = source(&price(PASS_THROUGH));
    let program = Program::start(&template, &["--origin", "site=http://127.0.0.1:9"]).unwrap();
    assert!(program.stderr.wait_for("PriceClass: "));
    let comment =
        price(PASS_THROUGH).replace("HttpVersion", "IPV6Enabled: true\n        HttpVersion");
    fs::write(&template, comment).unwrap();
    program.signal("HUP");
    assert!(program.stderr.wait_for("IPV6Enabled: "), "{}", program.stderr.text());
    let said = program.stderr.text();
    let (_, news) = said.split_once("\nreloaded ").unwrap();
    assert!(news.contains("Accepted without effect:") && !news.contains("PriceClass"), "{said}");
}

#[test]
fn a_long_target_is_cut_in_the_log() {
    let (program, _origin, _directory) = started(&["--access-log", "json"]);
    let long = "a".repeat(10_000);
    let request = format!(
        "GET /{long} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {long}\r\nReferer: {long}\r\nConnection: close\r\n\r\n"
    );
    program.talk(&request);
    assert!(program.stdout.wait_for("\n"));
    let line: serde_json::Value = serde_json::from_str(program.stdout.text().trim()).unwrap();
    for name in ["target", "user_agent", "referer"] {
        let shown = line[name].as_str().unwrap();
        assert_eq!((shown.chars().count(), shown.ends_with("a…")), (8193, true), "{name}: {line}");
    }
}

#[test]
fn sigint_quits_at_once() {
    let (program, origin, _directory) = started(&[]);
    let address = program.http;
    let held =
        std::thread::spawn(move || talk(address, b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    origin.await_request("/held");
    let before = std::time::Instant::now();
    program.signal("INT");
    assert_eq!(program.wait().code(), Some(130));
    // The drain would have waited for the origin.
    assert!(before.elapsed() < PATIENCE / 2);
    assert_eq!(held.join().unwrap(), "");
}

#[test]
fn a_second_copy_is_told_what_is_taken() {
    let (program, _origin, directory) = started(&[]);
    let template = directory.path().join("template.yml");
    let flags = ["--origin", "site=http://127.0.0.1:9"];
    let same_state = Program::start_in(&program.state, &template, &flags).err().unwrap();
    let pid = fs::read_to_string(program.state.join("warmfront.pid")).unwrap();
    assert!(same_state.contains(&format!("process {}", pid.trim())), "{same_state}");
    assert!(same_state.contains("exit status: 3"), "{same_state}");

    let port = program.http.port();
    let output = warmfront()
        .arg("run")
        .arg(&template)
        .args(flags)
        .args(["--https", "off", "--admin", "off", "--http", &port.to_string()])
        .arg("--state-dir")
        .arg(directory.path().join("other"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("port {port} is in use")) && said.contains("--http off"),
        "{said}"
    );
}

#[test]
fn the_banner_of_http_alone_shows_what_to_try_and_where_misses_are_not_collapsed() {
    let optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6";
    let disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
    // AllViewer forwards cookies; without it nothing does.
    let cached = PASS_THROUGH.replace(disabled, optimized);
    let plain = cached.replace("OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3", "");
    for (text, forwards) in [(cached, true), (plain, false)] {
        let (directory, template) = source(&text);
        let mut child = warmfront()
            .arg("run")
            .arg(&template)
            .args(["--http", "127.0.0.1:0", "--https", "off", "--admin", "off"])
            .args(["--origin", "site=http://127.0.0.1:9"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = super::harness::Lines::of(child.stderr.take().unwrap());
        let came = lines.wait_for("Cache: ");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(directory);
        let said = lines.text();
        assert!(came && said.contains("Try:\n  curl http://localhost:"), "{said}");
        let told = said.contains("; cookies are forwarded, so each miss asks the origin; to site");
        assert_eq!(told, forwards, "{said}");
    }
}

#[test]
fn the_banner_says_what_is_served_and_what_has_no_effect() {
    let origin = Origin::start();
    let text =
        PASS_THROUGH.replace("Enabled: true", "Enabled: true\n        PriceClass: PriceClass_100");
    let (_directory, template) = source(&text);
    let program = Program::start(&template, &["--origin", &origin.flag()]).unwrap();
    assert!(program.stderr.wait_for("PriceClass: "));
    let said = program.stderr.text();
    for part in [
        "Distribution Edge (E".to_owned(),
        format!("https://localhost:{}/", program.https.port()),
        format!("https://shop.example.com:{}/", program.https.port()),
        format!("site: site.example.com at http://{}", origin.address),
        "all methods, http and https; not cached".to_owned(),
        "curl --cacert".to_owned(),
        "template.yml:8:9 ".to_owned(),
    ] {
        assert!(said.contains(&part), "{part} in {said}");
    }
}

#[test]
fn the_access_log_tells_why_the_cache_answered_as_it_did() {
    let cached = PASS_THROUGH
        .replace("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6");
    for (format, miss, hit) in [
        (
            "text",
            " cache: nothing stored; fetched alone, because cookies are forwarded\n",
            " cache: fresh\n",
        ),
        (
            "json",
            r#""cache":"nothing-stored","cache_reason":"nothing stored; fetched alone, "#,
            r#""cache":"fresh","cache_reason":"fresh","#,
        ),
    ] {
        let origin = Origin::start();
        let (_directory, template) = source(&cached);
        let options = ["--access-log", format, "--origin", &origin.flag()];
        let program = Program::start(&template, &options).unwrap();
        for expected in [miss, hit] {
            program.talk("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let log = &program.stdout;
            assert!(log.wait_for(expected), "{expected} in {}", log.text());
        }
        let metrics = program.admin("GET", "/metrics");
        for line in [
            "warmfront_cache_lookups_total{found=\"nothing-stored\"} 1",
            "warmfront_cache_lookups_total{found=\"fresh\"} 1",
            "warmfront_cache_fetches_total{came=\"alone-cookies\"} 1",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
        }
    }
}

#[test]
fn a_viewer_is_told_what_was_decided_only_where_that_was_allowed() {
    let cached = PASS_THROUGH
        .replace("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6");
    let origin = Origin::start();
    let (_directory, template) = source(&cached);
    let flag = origin.flag();
    let ask = "GET /a?b=1 HTTP/1.1\r\nHost: localhost\r\nX-Warmfront-Explain: 1\r\nConnection: close\r\n\r\n";
    let told = |program: &Program| {
        let reply = program.talk(ask);
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        let lines = reply.lines().filter_map(|line| line.strip_prefix("X-Warmfront-Explain: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let program = Program::start(&template, &["--explain", "--origin", &flag]).unwrap();
    for outcome in
        ["cache: nothing stored; fetched alone, because cookies are forwarded", "cache: fresh"]
    {
        let lines = told(&program);
        for expected in [
            outcome,
            "ttl: DefaultTTL=86400: fresh for 86400 s",
            "behavior: the default behavior, which takes what no pattern does",
            "key: path /a",
            "key: not in it: the query parameters b",
            "origin-request: GET /a?b=1",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:#?}");
        }
    }
    let seen = origin.seen("/a");
    assert!(seen.len() == 1 && !seen[0].head.contains("x-warmfront-explain"), "{seen:?}");
    drop(program);
    let program = Program::start(&template, &["--origin", &flag]).unwrap();
    assert_eq!(told(&program), Vec::<String>::new());
}
