//! Slips in `serverless.yml`: each is said once, where it stands, and nothing follows from it.

use warmfront_config::Options;

use crate::services::{SERVICE, service};

#[test]
fn one_slip_in_a_service_gives_one_message_where_it_stands() {
    let clean = SERVICE.replace("WEB", "web.example");
    let only = |from: &str, to: &str| -> Vec<String> {
        let text = clean.replacen(from, to, 1);
        assert!(from == to || text != clean, "{from} is not there");
        let files = [("serverless.yml", text.as_str()), ("src/handler.js", "")];
        let found = service(&files, &Options::default()).diagnostics.into_iter();
        found
            .map(|it| format!("{}:{} {} {}", it.line, it.column, it.severity.as_str(), it.message))
            .collect()
    };
    assert_eq!(only("", ""), [""; 0]);
    // The API of one event only, so that nothing else brings it.
    let one = "      - httpApi: 'GET /hello'\n";
    let events = format!(
        "{one}      - httpApi: {{method: post, path: '/pets/{{id}}'}}\n      - httpApi: '*'\n"
    );
    let wrong = "14:9 error there is no event \"httpapi\". Did you mean \"httpApi\"?";
    let methods = "(methods: *, ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT)";
    for (from, to, expected) in [
        ("custom:", "foo: bar\ncustom:", "6:1 warning \"foo\" is not read."),
        (
            "custom:",
            "plugin: [a]\ncustom:",
            "6:1 warning \"plugin\" is not read. Did you mean \"plugins\"?",
        ),
        ("custom:", "frameworkVersion: '3'\nlayers: {}\npackage: {}\ncustom:", ""),
        (
            "  name: aws",
            "  name: aws\n  memroySize: 128",
            "4:3 warning \"memroySize\" is not read. Did you mean \"memorySize\"?",
        ),
        ("  name: aws", "  name: aws\n  warmup: 1", "4:3 warning \"warmup\" is not read."),
        ("  name: aws", "  name: aws\n  iam: {}\n  logs: {}\n  deploymentMethod: direct", ""),
        (
            "    environment: {OWN",
            "    memroySize: 128\n    environment: {OWN",
            "12:5 warning \"memroySize\" is not read. Did you mean \"memorySize\"?",
        ),
        (
            "    environment: {OWN",
            "    warmup: 1\n    environment: {OWN",
            "12:5 warning \"warmup\" is not read.",
        ),
        ("    environment: {OWN", "    maximumRetryAttempts: 1\n    environment: {OWN", ""),
        (&events, "      - httpapi: GET /hello\n", wrong),
        (
            &events,
            "      - httpApi: GTE /hello\n",
            &format!(
                "14:18 error \"GTE /hello\" is no route: there is no method \"GTE\". Did you mean \"GET\"? {methods}"
            ),
        ),
        (
            &events,
            "      - httpApi: {path: /hello, method: FETCH}\n",
            &format!("14:41 error a map is no route: there is no method \"FETCH\". {methods}"),
        ),
        (
            &events,
            "      - httpApi: {path: /hello, method: [get]}\n",
            "14:41 error method is one of *, ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, not a list",
        ),
        (
            &events,
            "      - httpApi: hello\n",
            "14:18 error \"hello\" is no route; write 'GET /hello', '* /hello' or '*'",
        ),
        (
            &events,
            &format!("{one}      - shedule: rate(1 hour)\n"),
            "15:9 warning there is no event \"shedule\". Did you mean \"schedule\"?",
        ),
        (&events, &format!("{one}      - websocket: $connect\n      - kinesis: x\n"), ""),
    ] {
        let expected: Vec<&str> = [expected].into_iter().filter(|it| !it.is_empty()).collect();
        assert_eq!(only(from, to), expected, "{to}");
    }
}
