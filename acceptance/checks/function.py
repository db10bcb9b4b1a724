"""A serverless.yml with its own Node.js functions: the example, and the same with everything changed."""

import json
import re
import signal
import time

from program import Failure, curl, expect
from templates import serverless


def example(context):
    """The example as it lies in the repository: miss, hit, refusals, and the function again after its TTL."""
    source = context.repository / "examples" / "serverless-cache" / "serverless.yml"
    expect(source.exists(), f"{source} is missing")
    path = example_path(source.read_text())
    with context.program(source) as program:
        url = program.https + path
        first = curl(program, url)
        stored = time.monotonic()
        expect(first.status == 200 and first.cache == "Miss from cloudfront", f"first: {first}")
        expect(first.seconds >= 1.5, f"first took only {first.seconds:.2f} s; the function waits 1.5 s")
        second = curl(program, url)
        expect(second.cache == "Hit from cloudfront" and second.body == first.body, f"second: {second}")
        expect("age" in second.headers, "the hit has no Age")
        expect(second.seconds < 0.5, f"the hit took {second.seconds:.2f} s")
        head = curl(program, url, "--head")
        expect(head.status == 200 and head.cache == "Hit from cloudfront", f"HEAD: {head}")
        plain = curl(program, program.http + path)
        expect(plain.status == 403, f"plain http: {plain}")
        post = curl(program, url, "--data", "x=1")
        expect(post.status == 403, f"POST: {post}")
        seen = f"miss {first.seconds * 1000:.0f} ms, hit {second.seconds * 1000:.0f} ms, http 403, POST 403"
        if context.quick:
            return seen
        context.sleep_until(stored + 15)
        expect(curl(program, url).body == first.body, "the function ran again before its 20 s were over")
        context.sleep_until(stored + 21.5)
        again = curl(program, url)
        expect(again.seconds >= 1.5 and again.body != first.body, f"after 20 s: {again}")
        return seen + f", after 20 s again {again.seconds * 1000:.0f} ms"


def example_path(text):
    """The path of the example's function, from `path: /x` or `httpApi: GET /x`."""
    found = re.search(r"^\s*path:\s*['\"]?(/\S*?)['\"]?\s*$", text, re.M) or re.search(
        r"httpApi:\s*['\"]?[A-Z*]+\s+(/\S*?)['\"]?\s*$", text, re.M)
    if not found:
        raise Failure("the example names no path of an httpApi event")
    return found.group(1)


# What a user would change in the example: what is there, and what takes its place.
CHANGES = [("waitMs: 1500", "waitMs: 400"), ("default: 20", "default: 2"), ("GET /hello", "GET /other/place"),
           ("src/handler.hello", "lib/code.answer")]


def changed(context):
    """The example with another wait, TTL, path and handler: the behavior changes accordingly."""
    home = context.directory("changed")
    original = context.repository / "examples" / "serverless-cache"
    template = (original / "serverless.yml").read_text()
    for old, new in CHANGES:
        expect(template.count(old) == 1, f"the example says {old!r} {template.count(old)} times")
        template = template.replace(old, new)
    (home / "serverless.yml").write_text(template)
    (home / "lib").mkdir()
    code = (original / "src" / "handler.js").read_text()
    expect(code.count("exports.hello") == 1, "the example's code exports no `hello`")
    (home / "lib" / "code.js").write_text(code.replace("exports.hello", "exports.answer"))
    with context.program(home / "serverless.yml") as program:
        url = program.https + "/other/place"
        first = curl(program, url)
        stored = time.monotonic()
        expect(first.status == 200 and first.cache.startswith("Miss"), f"first: {first}")
        expect(0.4 <= first.seconds < 1.4, f"first took {first.seconds:.2f} s; the function waits 0.4 s")
        hit = curl(program, url)
        expect(hit.cache.startswith("Hit") and hit.body == first.body, f"second: {hit}")
        context.sleep_until(stored + 3.2)
        again = curl(program, url)
        expect(json.loads(again.body)["runs"] == 2, f"after the TTL of 2 s: {again} {again.body!r}")
        unknown = curl(program, program.https + "/hello")
        expect(unknown.status == 404, f"a path without a route: {unknown}")
        return f"miss {first.seconds * 1000:.0f} ms, hit {hit.seconds * 1000:.0f} ms, again after 2 s, no route 404"


FAILING = """
exports.fine = async () => ({ statusCode: 200, body: "fine" });
exports.throws = async () => { throw new Error("on purpose"); };
exports.exits = async () => { process.exit(3); };
exports.hangs = () => new Promise(() => {});
exports.callback = (event, context, callback) => callback(null, { statusCode: 201, body: "called back" });
exports.bytes = async () => ({ statusCode: 200, body: Buffer.from([0, 255, 1]).toString("base64"), isBase64Encoded: true });
"""


def failing(context):
    """A throw, an exit and a time-out are the function's own fault: 502 or 504, and the next request is fine."""
    home = context.directory("failing")
    (home / "index.js").write_text(FAILING)
    (home / "module.mjs").write_text("export const handler = async () => 'from a module';\n")
    names = ["fine", "throws", "exits", "hangs", "callback", "bytes"]
    rows = [(name, f"index.{name}", "GET", f"/{name}", 1) for name in names]
    rows.append(("module", "module.handler", "GET", "/module", 1))
    (home / "serverless.yml").write_text(serverless("failing", rows, "/cached/*"))
    with context.program(home / "serverless.yml") as program:
        seen = []
        for path, statuses, body in [
            ("/fine", {200}, b"fine"), ("/callback", {201}, b"called back"), ("/bytes", {200}, b"\x00\xff\x01"),
            ("/module", {200}, b"from a module"), ("/throws", {500, 502}, None), ("/throws", {500, 502}, None),
            ("/exits", {500, 502}, None), ("/exits", {500, 502}, None), ("/hangs", {502, 503, 504}, None),
            ("/hangs", {502, 503, 504}, None), ("/fine", {200}, b"fine"), ("/module", {200}, b"from a module"),
        ]:
            answer = curl(program, program.https + path)
            expect(answer.status in statuses, f"{path}: {answer}, expected one of {sorted(statuses)}")
            expect(body is None or answer.body == body, f"{path}: body {answer.body!r}")
            expect(answer.seconds < 5, f"{path} took {answer.seconds:.1f} s with a time-out of 1 s")
            seen.append(f"{path} {answer.status}")
        return ", ".join(dict.fromkeys(seen))


def without_node(context):
    """Without Node.js the program says so at start, and a request for a function fails instead of hanging."""
    source = context.repository / "examples" / "serverless-cache" / "serverless.yml"
    with context.program(source, environment={"PATH": str(context.directory("empty"))}) as program:
        answer = curl(program, program.https + "/hello", limit=10)
        expect(answer.status in (502, 503) and answer.cache == "Error from cloudfront", f"{answer}")
        expect("Node.js" in program.said(), f"nothing said about Node.js:\n{program.said()}")
        return f"said at start, {answer.status} in {answer.seconds * 1000:.0f} ms"


def reload(context):
    """SIGHUP reads source and code again without a dropped request; a broken source leaves the old one serving."""
    home = context.directory("reload")
    (home / "index.js").write_text("exports.fine = async () => ({ statusCode: 200, body: 'fine' });")
    (home / "serverless.yml").write_text(
        serverless("reload", [("fine", "index.fine", "GET", "/fine", 1)], "/cached/*"))
    with context.program(home / "serverless.yml") as program:
        expect(curl(program, program.https + "/fine").body == b"fine", "the function does not answer")
        expect(curl(program, program.https + "/new").status == 404, "/new answers before it exists")
        rows = [("fine", "index.fine", "GET", "/new", 1)]
        (home / "serverless.yml").write_text(serverless("reload", rows, "/cached/*"))
        program.signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while curl(program, program.https + "/new").status != 200:
            expect(time.monotonic() < end, f"10 s after SIGHUP /new is not served:\n{program.said()}")
        (home / "index.js").write_text("exports.fine = async () => ({ statusCode: 200, body: 'changed' });")
        program.signal(signal.SIGHUP)
        while (answer := curl(program, program.https + "/new")).body != b"changed":
            expect(answer.status == 200, f"a reload dropped a request: {answer}")
            expect(time.monotonic() < end + 10, f"the function's old code still runs:\n{program.said()}")
        (home / "index.js").write_text("exports.fine = async ( => broken")
        program.signal(signal.SIGHUP)
        while "goes on answering" not in program.said():
            expect(time.monotonic() < end + 20, f"nothing said about the broken code:\n{program.said()}")
            time.sleep(0.05)
        for _ in range(3):
            answer = curl(program, program.https + "/new")
            expect(answer.body == b"changed", f"broken code took the version before down: {answer}")
        (home / "serverless.yml").write_text("service: reload\nresources: [broken\n")
        lines = program.said().count("serverless.yml:")
        program.signal(signal.SIGHUP)
        while program.said().count("serverless.yml:") == lines:
            expect(time.monotonic() < end + 30, f"nothing said about the broken source:\n{program.said()}")
            time.sleep(0.05)
        expect(curl(program, program.https + "/new").status == 200, "a broken source took the old one down")
    return "new route and new code after SIGHUP, broken code and broken source leave the old ones answering"


CHECKS = [("example", example), ("changed", changed), ("failing functions", failing),
          ("without Node.js", without_node), ("reload", reload)]
