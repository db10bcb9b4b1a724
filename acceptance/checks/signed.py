"""Signed URLs and cookies made by an AWS SDK, and countries from a database, against the started program."""

import json
import subprocess
import time
from pathlib import Path

from origins import Origin, respond
from packages import python_with
from program import Failure, curl, expect, free_port
from templates import distribution

PACKAGES = ["botocore==1.44.8", "cryptography==50.0.2"]
ACCEPTED = ["canned", "custom", "rsa sha256", "ecdsa sha1", "ecdsa sha256"]


def keys_of(made):
    def resource(name, pem):
        return (f"  {name}:\n    Type: AWS::CloudFront::PublicKey\n    Properties:\n      PublicKeyConfig:\n"
                f"        {{ CallerReference: a, Name: {name}, EncodedKey: {json.dumps(pem)} }}\n")
    names = ", ".join(f"!Ref {name}" for name in made)
    return "".join(resource(*key) for key in made.items()) + (
        "  Group:\n    Type: AWS::CloudFront::KeyGroup\n    Properties:\n"
        f"      KeyGroupConfig: {{ Name: group, Items: [{names}] }}\n")


def cookies(url):
    """The same signature as cookies, and the URL without it."""
    path, _, query = url.partition("?")
    pairs = [pair.split("=", 1) for pair in query.split("&")]
    own = [f"{name}={value}" for name, value in pairs if name == "own"]
    parts = [f"CloudFront-{name}={value}" for name, value in pairs if name != "own"]
    return f"{path}?{'&'.join(own)}", "; ".join(parts)


def changed(url):
    at = url.index("Signature=") + len("Signature=") + 5
    return url[:at] + ("A" if url[at] != "A" else "B") + url[at + 1:]


def signed(context):
    """URLs that botocore signed: let in; changed, expired or from elsewhere: refused with CloudFront's XML."""
    python = python_with(Path(context.binary), *PACKAGES)
    port = free_port()
    url = f"https://localhost:{port}/private/film.mp4?own=1"
    done = subprocess.run([str(python), str(context.repository / "acceptance/sign.py")], stdout=subprocess.PIPE,
                          input=json.dumps({"url": url, "now": int(time.time())}).encode(), timeout=30)
    expect(done.returncode == 0, f"sign.py ended with {done.returncode}")
    made = json.loads(done.stdout)
    template = distribution(["app"]).replace("Resources:\n", "Resources:\n" + keys_of(made["keys"]), 1)
    template = template.replace("          TargetOriginId: app\n",
                                "          TargetOriginId: app\n          TrustedKeyGroups: [!Ref Group]\n", 1)
    expect("TrustedKeyGroups" in template, "the template has no place for key groups")
    source = context.file("signed.yml", template)
    attributes = [word for name in made["keys"] for word in ("--attribute", f"{name}.Ref={name}")]
    asked = []

    def answer(request, connection):
        asked.append(request.path)
        return respond(connection, b"film")
    with Origin(answer) as origin:
        with context.program(source, "--origin", f"app={origin.url}", *attributes, https=port) as program:
            for name in ACCEPTED:
                reply = curl(program, made[name])
                expect(reply.status == 200 and reply.body == b"film", f"{name}: {reply} {reply.body[:200]!r}")
                expect(curl(program, changed(made[name])).status == 403, f"{name}, changed, is let in")
                bare, cookie = cookies(made[name])
                reply = curl(program, bare, "-H", f"Cookie: {cookie}")
                expect(reply.status == 200, f"{name} as cookies: {reply} {reply.body[:200]!r}")
            refused = [("expired", made["expired"], b"AccessDenied"), ("elsewhere", made["elsewhere"], b"AccessDenied"),
                       ("changed", changed(made["canned"]), b"AccessDenied"), ("bare", url, b"MissingKey"),
                       ("more", made["canned"] + "&more=1", b"AccessDenied"),
                       ("http", made["canned"].replace(program.https, program.http), b"AccessDenied")]
            for name, address, code in refused:
                reply = curl(program, address)
                is_xml = reply.headers.get("content-type") == "text/xml" and b"<Code>" + code + b"</Code>" in reply.body
                expect(reply.status == 403 and is_xml, f"{name}: {reply} {reply.body[:300]!r}")
                expect(reply.cache == "Error from cloudfront", f"{name}: X-Cache {reply.cache!r}")
    extra = [path for path in asked if path not in ("/private/film.mp4", "/private/film.mp4?own=1")]
    expect(asked and not extra, f"the origin was asked for {extra or 'nothing'}")
    return f"{len(ACCEPTED)} kinds of signatures let in, as URL and as cookies; {len(refused)} refused in XML"


def countries(context):
    """A restriction of countries needs to know countries, and holds by address over sockets."""
    template = distribution(["app"], extra="        Restrictions: { GeoRestriction: { RestrictionType: whitelist, "
                                           "Locations: [DE] } }\n")
    source = context.file("countries.yml", template)
    done = subprocess.run([context.binary, "check", str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, text=True)
    expect(done.returncode == 1 and "--geo-database" in done.stdout, f"check, without knowing: {done.stdout[-1000:]}")
    try:
        with context.program(source):
            raise Failure("run served a restriction that it could not keep")
    except Failure as failure:
        expect("--geo-database" in str(failure), str(failure))
    database = context.repository / "cases/geo/city.mmdb"
    with Origin(lambda request, connection: respond(connection, b"a")) as origin:
        options = ["--origin", f"app={origin.url}", "--geo-database", str(database)]
        with context.program(source, *options) as program:
            for address, status in [("127.0.0.5", 200), ("127.0.1.5", 403), ("127.0.2.5", 200)]:
                reply = curl(program, program.http.replace("localhost", "127.0.0.1"), "--interface", address)
                expect(reply.status == status, f"from {address}: {reply}")
            forged = curl(program, program.http.replace("localhost", "127.0.0.1"), "--interface", "127.0.1.5",
                          "-H", "X-Warmfront-Viewer-Country: DE")
            expect(forged.status == 403, f"a viewer may say where it is: {forged}")
    return "refused without a database; by address with one; a header does not help"


CHECKS = [("signed", signed), ("countries", countries)]
