//! Broken templates: each refused at the right place, with what would have worked, and quickly.

use std::fs;
use std::time::{Duration, Instant};

use warmfront_config::{LoadError, Options, Severity, load};

use crate::{fixture, loaded_as};

/// File, line:column, a piece of the message, a piece of the help.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "unknown-origin-id.yml",
        "17:27",
        "no origin has the id \"api-orgin\". Did you mean \"api-origin\"? (origins: api-origin, site)",
        "",
    ),
    (
        "misspelt-ref.yml",
        "19:26",
        "nothing here is called \"SitePolcy\". Did you mean \"SitePolicy\"?",
        "",
    ),
    ("cyclic-ref.yml", "27:52", "circle: Logs → Uploads → Logs", "take one reference out"),
    ("circle-behind-an-origin.yml", "27:41", "circle: Logs → Uploads → Logs", ""),
    ("unclosed-bracket.yml", "10:13", "indentation in flow", "the bracket at 9:"),
    ("misspelt-output.yml", "22:12", "nothing here is called \"Sit\". Did you mean \"Site\"?", ""),
    ("misspelt-dependency.yml", "22:17", "nothing here is called \"Sites\"", ""),
    ("missing-type.yml", "20:3", "needs a Type", ""),
    ("condition-circle.yml", "3:12", "circle: A → B → A", "none of the conditions can come first"),
    ("ttl-order.yml", "26:21", "0 ≤ 6000 ≤ 3600", ""),
    (
        "wrong-enum.yml",
        "18:33",
        "Did you mean \"https-only\"? (values: allow-all, redirect-to-https, https-only)",
        "",
    ),
    ("wrong-types.yml", "6:18", "expected true or false, found \"maybe\"", ""),
    ("wrong-types.yml", "12:34", "expected a whole number, found \"soon\"", ""),
    ("list-expected.yml", "7:18", "expected a list, found \"api.example.com\"", ""),
    ("tabs.yml", "16:1", "indented with a tab", ""),
    ("truncated.yml", "18:1", "expected ',' or ']'", "begins at 17:27; was it cut off?"),
    ("truncated.json", "6:1", "the file ends where a key or '}' should be", "was it cut off?"),
    ("unclosed-quote.yml", "17:27", "quoted scalar", "quotation mark"),
    ("space-after-colon.yml", "10:13", "expect ':'", "space after its colon"),
    ("indentation.yml", "12:12", "expected '-' indicator", "indented as its neighbors"),
    ("unquoted-star.yml", "16:40", "unknown anchor", "as \"*.jpg\" does"),
    ("misspelt-property.yml", "17:11", "Did you mean \"TargetOriginId\"?", ""),
    (
        "misspelt-type-of-a-policy.yml",
        "3:11",
        "\"AWS::CloudFront::CachePolcy\". Did you mean AWS::CloudFront::CachePolicy?",
        "",
    ),
    ("misspelt-type.yml", "3:11", "Did you mean AWS::CloudFront::Distribution?", ""),
    (
        "unknown-function.yml",
        "9:25",
        "there is no intrinsic function !GetAt. Did you mean !GetAtt?",
        "",
    ),
    (
        "unknown-policy.yml",
        "19:26",
        "Did you mean \"CachingOptimized\"?",
        "a policy of your account",
    ),
    ("policy-and-forwarded-values.yml", "20:11", "exclude each other", ""),
    ("path-pattern.yml", "17:26", "'['", ""),
    ("url-as-domain-name.yml", "9:25", "is not a domain name", "without http://"),
    ("bucket-without-target.yml", "9:25", "is not here", "--origin api-origin=DIRECTORY"),
    (
        "only-aws-knows.yml",
        "9:25",
        "only AWS knows Balancer.DNSName",
        "--attribute Balancer.DNSName=VALUE, or where it is: --origin Balancer=http",
    ),
    ("import-value.yml", "9:25", "shared-api", "--attribute 'ImportValue.shared-api=VALUE'"),
    (
        "unprotected.yml",
        "20:11",
        "every viewer would be let in",
        "--allow-unprotected Site.TrustedSigners",
    ),
    ("billion-laughs.yml", "5:28", "more than 50000 values", "aliases of aliases multiply"),
];

#[test]
fn every_broken_file_has_its_line_in_the_table() {
    for file in fs::read_dir(fixture("broken")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(BROKEN.iter().any(|(file, ..)| *file == name), "{name} is not in the table");
    }
}

#[test]
fn a_broken_template_is_refused_at_the_right_place() {
    for (file, place, message, help) in BROKEN {
        let loaded = load(&fixture("broken").join(file), &Options::default()).unwrap();
        let text = warmfront_config::render_human(&loaded);
        assert_eq!(loaded.exit_code(), 1, "{file}\n{text}");
        assert!(loaded.stack.is_none(), "{file}");
        let found = loaded.diagnostics.iter().any(|it| {
            format!("{}:{}", it.line, it.column) == *place
                && it.severity == Severity::Error
                && it.message.contains(message)
                && it.help.as_deref().unwrap_or_default().contains(help)
        });
        assert!(found, "{file}: expected {place} {message}\n{text}");
        // One mistake, one message: nothing follows from what was reported already.
        let expected = BROKEN.iter().filter(|(other, ..)| other == file).count();
        assert_eq!(loaded.diagnostics.len(), expected, "{file}\n{text}");
    }
}

#[test]
fn the_template_that_the_broken_ones_were_made_from_is_clean() {
    let loaded = load(&fixture("config/two-origins.yml"), &Options::default()).unwrap();
    assert_eq!(loaded.exit_code(), 0, "{}", warmfront_config::render_human(&loaded));
    assert!(loaded.diagnostics.is_empty());
}

#[test]
fn files_made_to_be_expensive_are_refused_at_once() {
    let deep = |open: &str, times: usize| open.repeat(times);
    let laughs = |reference: &str| {
        let variables: String = (1..40)
            .map(|i| {
                format!(" a{i}: \"{}\"\n", reference.replace('#', &(i - 1).to_string()).repeat(9))
            })
            .collect();
        format!(
            "service: a\nprovider: {{name: aws}}\ncustom:\n a0: lol\n{variables}resources: {{Resources: {{A: {{Type: \"AWS::CloudFront::Distribution\", Properties: \"${{self:custom.a39}}\"}}}}}}\n"
        )
    };
    let nested_sub = format!(
        "Resources:\n A:\n  Type: AWS::CloudFront::Distribution\n  Properties:\n   DistributionConfig:\n    Comment: {}aaaaaaaa{}\n",
        "{Fn::Sub: [\"${a}${a}${a}${a}${a}${a}${a}${a}\", {a: ".repeat(12),
        "}]}".repeat(12)
    );
    for (name, text, message) in [
        ("template.yml", deep("[", 100_000), "recursion limit"),
        ("template.yml", deep("- ", 100_000), "nested more than 64 levels deep"),
        ("template.yml", deep("{a: ", 100_000), "recursion limit"),
        ("template.json", deep("[", 100_000), "nested more than 64 levels deep"),
        ("template.json", deep("{\"a\":", 100_000), "nested more than 64 levels deep"),
        ("template.yml", nested_sub, "more than 256 KiB"),
        ("serverless.yml", laughs("${self:custom.a#}"), "multiply beyond all use"),
    ] {
        let start = Instant::now();
        let loaded = loaded_as(name, &text, &Options::default());
        // A hundred milliseconds is what an optimized program has; this one is not, on a busy machine.
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{name} {message}: {:?}",
            start.elapsed()
        );
        assert_eq!(loaded.exit_code(), 1);
        crate::problem(&loaded, message);
    }
}

#[test]
fn what_is_no_text_is_refused() {
    for (name, bytes, expected) in [
        ("empty.yml", &b""[..], "the file is empty"),
        ("control.yml", b"Resources:\n  Site: \x01\x02\n", "the control character U+0001"),
        ("list.yml", b"- a\n- b\n", "expected a map of sections, found a list"),
        ("two.yml", b"Resources: {}\n---\nResources: {}\n", "a second document begins here"),
        ("other.yml", b"hello: world\n", "no template that we know"),
    ] {
        let loaded = loaded_as(name, std::str::from_utf8(bytes).unwrap(), &Options::default());
        assert_eq!(loaded.exit_code(), 1, "{name}");
        crate::problem(&loaded, expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let huge = file("huge.yml", b"");
    fs::File::options().write(true).open(&huge).unwrap().set_len(50 * 1024 * 1024).unwrap();
    let check = |path: &std::path::Path, expected: &str| match load(path, &Options::default()) {
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        Ok(_) => panic!("{} was read", path.display()),
    };
    let start = Instant::now();
    check(&huge, "more than 10 MiB");
    assert!(start.elapsed() < Duration::from_secs(1));
    check(&directory.path().join("missing.yml"), "cannot be read");
    let binary = file("binary.yml", b"Resources:\n  \xff\xfe");
    check(&binary, "binary.yml:2:3 is not UTF-8: byte 13 is 0xff");
    // A character of two bytes is one column; a file may end within a character.
    check(
        &file("latin.yml", b"A: b\n# \xc3\xa9\xe9\n"),
        "latin.yml:2:4 is not UTF-8: byte 9 is 0xe9",
    );
    check(&file("cut.yml", b"A: \xc3"), "cut.yml:1:4 is not UTF-8: byte 3 is 0xc3");
    check(&file("utf16.yml", b"\xff\xfeR\0"), "looks like UTF-16");
    check(&file("packed.yml", b"\x1f\x8b\x08\0"), "looks like gzip");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(load(empty.path(), &Options::default()), Err(LoadError::NothingThere { .. })));
}

#[test]
fn formats_that_are_not_read_yet_are_refused_by_name() {
    for (name, text, expected) in [
        ("warmfront.yml", "sites: {}\n", "warmfront.yml, which is not read yet"),
        (
            "part.yml",
            "Edge: {Type: 'AWS::CloudFront::Distribution', Properties: {}}\n",
            "a part of a template",
        ),
        ("plan.json", "{\"format_version\": \"1.2\", \"planned_values\": {}}", "a Terraform plan"),
        ("d.xml", "<?xml version=\"1.0\"?><DistributionConfig/>", "DistributionConfig XML"),
    ] {
        let loaded = loaded_as(name, text, &Options::default());
        assert_eq!(loaded.exit_code(), 1, "{name}");
        crate::problem(&loaded, expected);
    }
}
