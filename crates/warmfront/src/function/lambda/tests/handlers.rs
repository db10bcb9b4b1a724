//! What handlers answer, see and print, and how they fail.

use std::sync::Arc;

use serde_json::{Value, json};
use warmfront_core::function::{Code, Function};

use super::*;

#[tokio::test]
async fn every_style_of_handler_answers() {
    let world = World::new();
    world.write("module/package.json", r#"{"type":"module"}"#);
    for (file, handler, text, expected) in [
        ("cjs/a.js", "a.handler", "exports.handler = async (e) => e.n + 1", json!(8)),
        ("cjs/b.js", "b.handler", "exports.handler = (e, c, done) => done(null, e.n)", json!(7)),
        ("cjs/c.js", "c.handler", "exports.handler = (e, c) => c.succeed('s')", json!("s")),
        ("cjs/d.js", "d.handler", "exports.handler = (e, c) => c.done(null, 'd')", json!("d")),
        ("cjs/e.js", "e.handler", "exports.handler = () => 'ignored'", Value::Null),
        (
            "cjs/f.js",
            "f.handler",
            "exports.handler = () => ({ then: (ok) => ok('t') })",
            json!("t"),
        ),
        ("cjs/g.js", "g.a.b", "exports.a = { b: async () => 'nested' }", json!("nested")),
        (
            "cjs/h.js",
            "h.handler",
            "exports.handler = async (e, c, done) => { done(null, 1) }",
            json!(1),
        ),
        // The first answer counts.
        (
            "cjs/i.js",
            "i.handler",
            "exports.handler = (e, c, done) => { c.succeed(1); c.fail('2'); done(null, 3) }",
            json!(1),
        ),
        // A callback's answer waits for the event loop …
        (
            "cjs/j.js",
            "j.handler",
            "exports.handler = (e, c, done) => { let r = { late: false };
               setTimeout(() => { r.late = true }, 30); done(null, r) }",
            json!({ "late": true }),
        ),
        // … unless the handler says otherwise.
        (
            "cjs/k.js",
            "k.handler",
            "exports.handler = (e, c, done) => { c.callbackWaitsForEmptyEventLoop = false;
               setInterval(() => {}, 10); done(null, 'now') }",
            json!("now"),
        ),
        (
            "cjs/src/l.js",
            "src/l.hello",
            "exports.hello = async () => __dirname.slice(-4)",
            json!("/src"),
        ),
        ("cjs/m.cjs", "m.handler", "exports.handler = async () => 'cjs'", json!("cjs")),
        ("cjs/n.mjs", "n.handler", "export const handler = async () => 'mjs'", json!("mjs")),
        (
            "cjs/o",
            "o.handler",
            "exports.handler = async () => 'no extension'",
            json!("no extension"),
        ),
        (
            "cjs/p/index.js",
            "p.handler",
            "exports.handler = async () => 'directory'",
            json!("directory"),
        ),
        (
            "module/a.js",
            "a.handler",
            "const value = await new Promise((ok) => setTimeout(ok, 5, 'awaited'));
             export const handler = async () => value",
            json!("awaited"),
        ),
        (
            "module/b.js",
            "b.handler",
            "export default { handler: async () => 'default' }",
            json!("default"),
        ),
        ("module/c.cjs", "c.handler", "module.exports.handler = async () => 'cjs'", json!("cjs")),
    ] {
        world.write(file, text);
        let root = world.directory.path().join("code").join(file.split('/').next().unwrap());
        let function = Arc::new(Function { logical_id: file.into(), ..function(&root, handler) });
        // Twice: the second time the handler is warm.
        for _ in 0..2 {
            let got = world.call(&function, json!({ "n": 7 })).await;
            assert_eq!(got.expect(file), expected, "{file}: {text}");
        }
        world.host.retire(&function);
    }
}

#[tokio::test]
async fn a_failing_handler_fails_its_request_and_the_next_one_is_fine() {
    let world = World::new();
    for (name, fails, expected) in [
        ("throws", "throw new TypeError('bad input')", "TypeError: bad input (throws.js:1:"),
        ("rejects", "return Promise.reject(new Error('no'))", "Error: no (rejects.js:1:"),
        ("string", "throw 'only text'", "string: only text"),
        ("called_back", "return callback(new RangeError('x'))", "RangeError: x"),
        ("failed", "return context.fail(new Error('y'))", "Error: y"),
        (
            "exits",
            "console.log('x'.repeat(200000) + ' last words'); process.exit(3)",
            "Runtime.ExitError: the worker ended before it answered (exit status: 3)",
        ),
        ("killed", "process.kill(process.pid, 'SIGKILL'); for (;;);", "signal: 9 (SIGKILL)"),
        (
            "floating",
            "Promise.reject(new Error('nobody looks')); return Promise.resolve(1)",
            "Runtime.UnhandledPromiseRejection: Error: nobody looks",
        ),
        (
            "uncaught",
            "setTimeout(() => { throw new Error('in a timer') }, 1); return new Promise((ok) => setTimeout(ok, 5000))",
            "Error: in a timer",
        ),
        ("never", "return new Promise(() => {})", "Runtime.NodeJsExit: "),
        (
            "cyclic",
            "const a = {}; a.a = a; return Promise.resolve(a)",
            "Unable to stringify response body",
        ),
        ("large", "return Promise.resolve('x'.repeat(7e6))", "Function.ResponseSizeTooLarge"),
        (
            "writes",
            "require('fs').writeSync(4, 'rubbish here'); return new Promise((ok) => setTimeout(ok, 5000))",
            "descriptor 4",
        ),
    ] {
        let text = format!(
            "exports.handler = (event, context, callback) => {{ if (event.fail) {{ {fails} }} return Promise.resolve('fine') }}"
        );
        let function = world.script(name, &text);
        assert_eq!(world.call(&function, json!({})).await.unwrap(), "fine", "{name}");
        let failure = world.call(&function, json!({ "fail": true })).await.unwrap_err().to_string();
        assert!(failure.contains(expected), "{name}: {failure}");
        assert_eq!(world.call(&function, json!({})).await.unwrap(), "fine", "{name}, afterwards");
        world.host.retire(&function);
    }
    let printed = world.lines(|line| line.line.ends_with("last words"));
    assert_eq!(printed.len(), 1, "what was printed before process.exit is not lost");
}

#[tokio::test]
async fn a_handler_that_cannot_be_loaded_says_where() {
    let world = World::new();
    for (file, handler, text, expected) in [
        (
            "a.js",
            "a.handler",
            "const a = 1\nconst = 2",
            "Runtime.UserCodeSyntaxError: SyntaxError: Unexpected token '=' (a.js:2)",
        ),
        ("b.mjs", "b.handler", "\nexport const = 2", "Runtime.UserCodeSyntaxError: "),
        (
            "c.js",
            "c.handler",
            "require('not-installed')",
            "Runtime.ImportModuleError: Error: Cannot find module 'not-installed'",
        ),
        ("d.mjs", "d.handler", "import 'not-installed'", "Runtime.ImportModuleError: "),
        (
            "e.js",
            "missing.handler",
            "",
            "Runtime.ImportModuleError: Error: Cannot find module 'missing'",
        ),
        (
            "f.js",
            "f.nope",
            "exports.handler = 1",
            "Runtime.HandlerNotFound: f.nope is undefined or not exported",
        ),
        (
            "g.js",
            "g.handler",
            "exports.handler = 1",
            "Runtime.HandlerNotFound: g.handler is not a function",
        ),
        ("h.js", "../h.handler", "", "Runtime.MalformedHandlerName: "),
        ("i.js", "i", "", "Runtime.MalformedHandlerName: "),
        ("j.js", "j.handler", "\nthrow new Error('at the top')", "Error: at the top (j.js:2:7)"),
        (
            "k.js",
            "k.handler",
            "process.exit(7)",
            "Runtime.ExitError: the worker ended while it loaded the handler (exit status: 7)",
        ),
        ("l.mjs", "l.handler", "await new Promise(() => {})", "Runtime.NodeJsExit: "),
        (
            "n.js",
            "n.handler",
            "require('@aws-sdk/client-s3/deep')",
            "this machine does not: npm install @aws-sdk/client-s3)",
        ),
        (
            "o.mjs",
            "o.handler",
            "import '@aws-sdk/client-s3'",
            "this machine does not: npm install @aws-sdk/client-s3)",
        ),
        ("m.ts", "m.handler", "", "there is m.ts: compile it first"),
    ] {
        world.write(file, text);
        let function = Arc::new(Function { logical_id: file.into(), ..world.function(handler) });
        let failure = world.failure(&function).await;
        assert!(failure.starts_with("does not start: "), "{file}: {failure}");
        assert!(failure.contains(expected), "{file}: {failure}");
    }
}

#[tokio::test]
async fn what_a_handler_prints_belongs_to_its_request_and_a_flood_hurts_nobody() {
    let world = World::with(|options| options.max_workers = 1);
    let text = "console.log('loading');
        exports.handler = async (event) => {
          console.log('out ' + event.n); console.error('err ' + event.n); process.stdout.write('no end');
          if (event.flood) for (let i = 0; i < 40000; i++) console.log('x'.repeat(99));
          return event.n }";
    let function = world.script("prints", text);
    for (n, flood) in [(1, false), (2, true), (3, false)] {
        let id = format!("request-{n}");
        let event = json!({ "n": n, "flood": flood });
        assert_eq!(world.call_as(&function, event, &id).await.unwrap(), n);
    }
    let of = |id: Option<&str>, source| {
        world.lines(|line| line.request_id.as_deref() == id && line.source == source)
    };
    assert_eq!(of(None, LogSource::Stdout), ["loading"]);
    assert_eq!(of(Some("request-1"), LogSource::Stdout), ["out 1", "no end"]);
    assert_eq!(of(Some("request-1"), LogSource::Stderr), ["err 1"]);
    assert_eq!(of(Some("request-3"), LogSource::Stdout), ["out 3", "no end"]);
    let flood = of(Some("request-2"), LogSource::Stdout);
    let bytes: usize = flood.iter().map(|line| line.len() + 1).sum();
    assert!((OUTPUT_LIMIT - LINE_LIMIT..=OUTPUT_LIMIT).contains(&bytes), "{bytes}");
    let told = of(Some("request-2"), LogSource::Edge).join("\n");
    assert!(told.contains("bytes were dropped"), "{told}");
}

#[tokio::test]
async fn large_events_and_answers_pass_and_larger_ones_are_refused() {
    let world = World::new();
    let function = world.script("big", "exports.handler = async (e) => e.text + e.text");
    let text = "ä".repeat(5 * 512 * 1024 / 2);
    let got = world.call(&function, json!({ "text": text })).await.unwrap();
    assert_eq!(got.as_str().unwrap().len(), 5 * 1024 * 1024);
    let text = "x".repeat(6 * 1024 * 1024);
    let failure = world.call(&function, json!({ "text": text })).await.unwrap_err();
    assert!(matches!(failure, InvokeError::TooLarge { .. }), "{failure}");
}

#[tokio::test]
async fn a_handler_sees_lambdas_world_and_not_ours() {
    let world = World::new();
    let text = "exports.handler = async (event, context) => ({ env: process.env, cwd: process.cwd(),
        stdin: require('fs').readFileSync(0).length, argv: process.argv.length, zone: new Date().getTimezoneOffset(),
        context, left: context.getRemainingTimeInMillis() })";
    let function = world.script("looks", text);
    let got = world.call(&function, json!({})).await.unwrap();
    let root = world.directory.path().join("code").canonicalize().unwrap();
    let mut names: Vec<_> = got["env"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AWS_DEFAULT_REGION",
            "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_REGION",
            "LAMBDA_RUNTIME_DIR",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "PATH",
            "TABLE",
            "TZ",
            "_HANDLER",
        ]
    );
    assert_eq!(got["env"]["AWS_EXECUTION_ENV"], "AWS_Lambda_nodejs20.x");
    assert_eq!(got["cwd"], root.to_str().unwrap());
    assert_eq!((&got["stdin"], &got["argv"], &got["zone"]), (&json!(0), &json!(2), &json!(0)));
    let context = &got["context"];
    assert_eq!(context["awsRequestId"], "request-1");
    assert_eq!(context["functionName"], "hello-dev");
    assert_eq!(context["functionVersion"], "$LATEST");
    assert_eq!(context["memoryLimitInMB"], "256");
    assert_eq!(
        context["invokedFunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:hello-dev"
    );
    let left = got["left"].as_u64().unwrap();
    assert!((1..=20_000).contains(&left), "{left}");
}

#[tokio::test]
async fn inline_code_is_index_js_whatever_surrounds_the_state_directory() {
    let world = World::new();
    std::fs::write(world.directory.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
    let text = "exports.handler = async () => require('path').basename(__filename)";
    let inline = Function { code: Code::Inline(text.into()), ..world.function("index.handler") };
    assert_eq!(world.call(&Arc::new(inline), json!({})).await.unwrap(), "index.js");
}
