//! Handlers in Python: what they answer, see and print, and how they fail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use warmfront_core::function::{Code, Function, Runtime};

use super::*;

impl World {
    fn python(&self, file: &str, handler: &str, text: &str) -> Arc<Function> {
        self.write(file, text);
        Arc::new(Function {
            logical_id: file.into(),
            runtime: Runtime::Python("python3.12".into()),
            ..self.function(handler)
        })
    }
}

#[tokio::test]
async fn python_handlers_answer_wherever_they_lie() {
    let world = World::new();
    for (file, handler, text, expected) in [
        ("a.py", "a.handler", "def handler(e, c): return e['n'] + 1", json!(8)),
        ("src/b/app.py", "src/b/app.run", "def run(e, c): return {'ä': None}", json!({"ä": null})),
        (
            "c/__init__.py",
            "c.handler",
            "def handler(e, c): return c.function_name",
            json!("hello-dev"),
        ),
        (
            "d.py",
            "d.handler",
            "from decimal import Decimal\ndef handler(e, c): return [Decimal('1.5'), c.aws_request_id]",
            json!([1.5, "request-1"]),
        ),
        (
            "e.py",
            "e.handler",
            "def handler(e, c): return 0 < c.get_remaining_time_in_millis() <= 20000",
            json!(true),
        ),
        (
            "f.py",
            "f.handler",
            "import os\ndef handler(e, c): return [os.environ.get(k) for k in ('TABLE', 'HOME', '_HANDLER')]",
            json!(["pets", null, "f.handler"]),
        ),
        (
            "i.py",
            "i.handler",
            "def handler(e, c): return [c.identity.cognito_identity_id, c.client_context]",
            json!([null, null]),
        ),
        (
            "g.py",
            "g.handler",
            "import a\ndef handler(e, c): return a.handler({'n': 1}, c)",
            json!(2),
        ),
    ] {
        let function = world.python(file, handler, text);
        let answer = world.call(&function, json!({ "n": 7 })).await;
        assert_eq!(answer.map_err(|error| error.to_string()), Ok(expected), "{file}");
    }
    let inline = Function {
        runtime: Runtime::Python("python3.9".into()),
        code: Code::Inline("def handler(e, c): return 'inline'".into()),
        ..world.function("index.handler")
    };
    assert_eq!(world.call(&Arc::new(inline), Value::Null).await.unwrap(), "inline");
    assert!(
        !world.directory.path().join("code/__pycache__").exists(),
        "code is read-only on Lambda"
    );
}

#[tokio::test]
async fn python_failures_say_type_and_place() {
    let world = World::new();
    for (file, handler, text, expected) in [
        (
            "src/a.py",
            "src/a.handler",
            "def handler(e, c):\n    return deeper()\ndef deeper():\n    raise KeyError('id')\n",
            "KeyError: 'id' (src/a.py:4)",
        ),
        (
            "b.py",
            "b.handler",
            "def handler(e, c)\n",
            "Runtime.UserCodeSyntaxError: Syntax error in module 'b'",
        ),
        (
            "c.py",
            "c.handler",
            "import no_such_thing",
            "Runtime.ImportModuleError: Unable to import module 'c'",
        ),
        (
            "d.py",
            "d.other",
            "x = 1",
            "Runtime.HandlerNotFound: Handler 'other' missing on module 'd'",
        ),
        (
            "e.py",
            "e.handler",
            "def handler(e, c): return {1, 2}",
            "Runtime.MarshalError: Unable to marshal",
        ),
        (
            "f.py",
            "f.handler",
            "import sys\ndef handler(e, c): sys.exit(3)",
            "Runtime.ExitError: the handler called sys.exit(3)",
        ),
        (
            "g.py",
            "g.handler",
            "import os\ndef handler(e, c): os._exit(3)",
            "Runtime.ExitError: the worker ended",
        ),
        (
            "h.py",
            "h.handler",
            "class Mute(Exception):\n  def __str__(self): raise self\ndef handler(e, c): raise Mute()",
            "Mute: the handler raised what cannot be described",
        ),
    ] {
        let function = world.python(file, handler, text);
        let said = world.failure(&function).await;
        assert!(said.contains(expected), "{file}: {said}");
    }
}

#[tokio::test]
async fn a_python_worker_is_kept_and_ended_when_it_hangs() {
    let world = World::new();
    let text = "import time
n = 0
def handler(e, c):
    global n
    n += 1
    while e.get('hang'): time.sleep(1)
    return n
";
    let function = world.python("a.py", "a.handler", text);
    let function = Arc::new(Function {
        timeout: Duration::from_millis(500),
        concurrency: Some(1),
        ..(*function).clone()
    });
    assert_eq!(world.call(&function, json!({})).await.unwrap(), 1);
    assert_eq!(world.call(&function, json!({})).await.unwrap(), 2);
    let said = world.call(&function, json!({ "hang": true })).await.unwrap_err().to_string();
    assert_eq!(said, "timed out after 0.5 s");
    assert_eq!(world.call(&function, json!({})).await.unwrap(), 1);
}

#[tokio::test]
async fn what_python_prints_belongs_to_its_invocation() {
    let world = World::new();
    let text = "import logging, sys
def handler(e, c):
    print('über')
    print('to stderr', file=sys.stderr)
    logging.getLogger().warning('careful %s', 1)
    logging.getLogger().info('not shown')
";
    let function = world.python("a.py", "a.handler", text);
    world.call_as(&function, json!({}), "id-7").await.unwrap();
    let lines = world.lines(|line| line.request_id.as_deref() == Some("id-7"));
    assert!(lines.contains(&"über".to_owned()), "{lines:?}");
    assert!(lines.contains(&"to stderr".to_owned()), "{lines:?}");
    let warning = lines.iter().find(|line| line.starts_with("[WARNING]\t")).unwrap();
    assert!(warning.ends_with("Z\tid-7\tcareful 1"), "{warning}");
    assert!(!lines.iter().any(|line| line.contains("not shown")));
}

#[tokio::test]
async fn without_python_the_invocation_says_what_to_install() {
    let world = World::with(|options| options.python = Some("/no/such/python3".into()));
    let function = world.python("a.py", "a.handler", "def handler(e, c): return 1");
    let said = world.failure(&function).await;
    assert!(said.contains("no Python to run functions with") && said.contains("3.8"), "{said}");
}
