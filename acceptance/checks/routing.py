"""Which origin answers a path, a directory as a bucket, and a template somebody else wrote."""

import subprocess

from origins import Origin, respond
from program import curl, expect
from templates import behavior, distribution

# Path and the origin that must answer it; the first behavior that matches wins, letter case counts.
BEHAVIORS = [("/content*", "second"), ("*.jpg", "pictures"), ("a??.js", "scripts"), ("/Case/*", "pictures"),
             ("*.js", "second")]
PATHS = [
    ("/", "first"), ("/index.html", "first"), ("/content", "second"), ("/content/a", "second"),
    ("/contents.html", "second"), ("/Content/a", "first"), ("/content/a.jpg", "second"), ("/x/y/a.jpg", "pictures"),
    ("/a.JPG", "first"), ("/abc.js", "scripts"), ("/abcd.js", "second"), ("/ab.js", "second"), ("/Case/a", "pictures"),
    ("/case/a", "first"), ("/x.jpg?v=1", "pictures"), ("/x?a=.jpg", "first"),
]


def two_origins(context):
    """Several origins under one domain: the right one by path, in the order of the template."""
    def named(name):
        return Origin(lambda request, connection: respond(connection, f"{name} {request.path}".encode()))
    rows = "        CacheBehaviors:\n" + "".join(behavior(*row) for row in BEHAVIORS)
    names = ["first", "second", "pictures", "scripts"]
    source = context.file("origins.yml", distribution(names, rows))
    with named("first") as a, named("second") as b, named("pictures") as c, named("scripts") as d:
        options = [word for name, origin in zip(names, (a, b, c, d)) for word in ("--origin", f"{name}={origin.url}")]
        with context.program(source, *options) as program:
            for path, name in PATHS:
                answer = curl(program, program.http + path)
                expected = f"{name} {path.split('?')[0]}".encode()
                expect(answer.status == 200 and answer.body == expected, f"{path}: {answer} {answer.body!r}, not {name}")
    return f"{len(PATHS)} paths, each from its origin"


def directory(context):
    """An S3 origin mapped to a directory: types, validators, ranges, and nothing outside."""
    home = context.directory("bucket")
    bucket = home / "files"
    bucket.mkdir()
    (bucket / "index.html").write_text("<h1>hello</h1>")
    (home / "secret.txt").write_text("outside")
    (bucket / "link.txt").symlink_to(home / "secret.txt")
    template = distribution(["site"], extra="        DefaultRootObject: index.html\n").replace(
        "DomainName: site.origin.test", "DomainName: site.s3.us-east-1.amazonaws.com").replace(
        "            CustomOriginConfig:\n              OriginProtocolPolicy: http-only\n"
        "              OriginReadTimeout: 30", '            S3OriginConfig: { OriginAccessIdentity: "" }')
    source = context.file("bucket.yml", template)
    with context.program(source, "--origin", f"site={bucket}") as program:
        page = curl(program, program.http + "/")
        expect(page.status == 200 and page.body == b"<h1>hello</h1>", f"/: {page}")
        expect(page.headers.get("content-type", "").startswith("text/html"), f"type {page.headers.get('content-type')}")
        expect("etag" in page.headers and "last-modified" in page.headers, f"validators are missing: {page.headers}")
        same = curl(program, program.http + "/", "-H", f"If-None-Match: {page.headers['etag']}")
        expect(same.status == 304, f"If-None-Match: {same}")
        part = curl(program, program.http + "/", "-H", "Range: bytes=4-8")
        expect(part.status == 206 and part.body == b"hello", f"Range: {part} {part.body!r}")
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/link.txt", "/nothing.txt"):
            answer = curl(program, program.http + path, "--path-as-is")
            expect(answer.status in (403, 404) and b"outside" not in answer.body, f"{path}: {answer}")
    return "type, ETag, 304, 206, nothing outside"


FOREIGN = """AWSTemplateFormatVersion: "2010-09-09"
Description: As people write them, with everything AWS accepts.
Parameters:
  Domain: { Type: String, Default: www.example.test }
  Certificate: { Type: String, Default: "arn:aws:acm:us-east-1:123456789012:certificate/0a1b" }
Resources:
  Logs: { Type: AWS::S3::Bucket }
  Firewall:
    Type: AWS::WAFv2::WebACL
    Properties: { Scope: CLOUDFRONT, DefaultAction: { Allow: {} }, VisibilityConfig: { SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true, MetricName: m } }
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      Tags: [{ Key: team, Value: web }]
      DistributionConfig:
        Comment: !Sub "${Domain} of ${AWS::StackName}"
        Enabled: true
        Aliases: [!Ref Domain]
        HttpVersion: http2
        IPV6Enabled: true
        PriceClass: PriceClass_100
        WebACLId: !GetAtt Firewall.Arn
        Logging: { Bucket: !GetAtt Logs.DomainName, Prefix: cdn/, IncludeCookies: false }
        ViewerCertificate: { AcmCertificateArn: !Ref Certificate, SslSupportMethod: sni-only, MinimumProtocolVersion: TLSv1.2_2021 }
        Origins:
          - Id: web
            DomainName: web.origin.test
            ConnectionAttempts: 2
            CustomOriginConfig: { HTTPPort: 80, HTTPSPort: 443, OriginProtocolPolicy: http-only, OriginSSLProtocols: [TLSv1.2] }
        DefaultCacheBehavior:
          TargetOriginId: web
          ViewerProtocolPolicy: redirect-to-https
          Compress: true
          SmoothStreaming: false
          MinTTL: 0
          DefaultTTL: 300
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
"""
LISTED = ["PriceClass", "IPV6Enabled", "Logging", "WebACLId", "ViewerCertificate", "DefaultTTL"]


def foreign(context):
    """A template with everything AWS accepts runs, and says of each property what becomes of it."""
    source = context.file("foreign.yml", FOREIGN)
    done = subprocess.run([context.binary, "check", str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, text=True)
    expect(done.returncode == 0, f"check ended with {done.returncode}:\n{done.stdout[-2000:]}")
    with Origin(lambda request, connection: respond(connection, b"web")) as origin:
        with context.program(source, "--origin", f"web={origin.url}") as program:
            answer = curl(program, program.https + "/")
            expect(answer.status == 200 and answer.body == b"web", f"https: {answer}")
            plain = curl(program, program.http + "/a?b=c")
            location = plain.headers.get("location", "")
            expect(plain.status == 301 and location == f"{program.https}/a?b=c", f"http: {plain} to {location!r}")
            told = done.stdout + program.said()
    missing = [name for name in LISTED if name not in told]
    expect(not missing, f"neither check nor the banner says what becomes of {', '.join(missing)}")
    return f"runs; {len(LISTED)} properties listed"


def other_host(context):
    """One connection may ask any distribution of its source, whatever name it was opened for; nobody's name is 403."""
    part = distribution(["one"]).split("Resources:\n")[1]
    one = part.replace("Enabled: true", "Enabled: true\n        Aliases: [one.localhost]")
    two = one.replace("Edge:", "Other:").replace("one", "two")
    source = context.file("two.yml", "Resources:\n" + one + two)
    with Origin(lambda request, connection: respond(connection, b"one")) as a, \
            Origin(lambda request, connection: respond(connection, b"two")) as b:
        with context.program(source, "--origin", f"one={a.url}", "--origin", f"two={b.url}") as program:
            for host, status, body in [("one.localhost", 200, b"one"), ("two.localhost", 200, b"two"),
                                       ("three.localhost", 403, None)]:
                # curl names one.localhost to TLS, and `host` to HTTP.
                url = f"https://one.localhost:{program.https_port}/"
                answer = curl(program, url, "-H", f"Host: {host}:{program.https_port}")
                right = answer.status == status and (body is None or answer.body == body)
                expect(right, f"{host} over a connection for one.localhost: {answer} {answer.body[:80]!r}")
    return "both distributions, and 403 for a stranger's name"


CHECKS = [("other host", other_host), ("two origins", two_origins), ("directory", directory), ("foreign template", foreign)]
