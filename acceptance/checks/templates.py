"""Broken templates: each gets the right exit code, the right line, the nearest name, and never a panic or a hang."""

import json
import re
import subprocess
import time

from program import Failure, expect

GOOD = """AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Site: { Type: String, Default: site.example.test }
Resources:
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: mine
        MinTTL: 1
        DefaultTTL: 20
        MaxTTL: 60
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          HeadersConfig: { HeaderBehavior: none }
          CookiesConfig: { CookieBehavior: none }
          QueryStringsConfig: { QueryStringBehavior: none }
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: api-origin
            DomainName: !Ref Site
            CustomOriginConfig:
              HTTPPort: 80
              OriginProtocolPolicy: http-only
          - Id: pictures
            DomainName: pictures.example.test
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        CacheBehaviors:
          - PathPattern: /img/*
            TargetOriginId: pictures
            ViewerProtocolPolicy: allow-all
            CachePolicyId: !Ref Policy
        DefaultCacheBehavior:
          TargetOriginId: api-origin
          ViewerProtocolPolicy: https-only
          AllowedMethods: [GET, HEAD]
          CachePolicyId: !Ref Policy
"""


def edit(old, new):
    """The good template with one thing broken, and the line where the new text begins."""
    assert GOOD.count(old) >= 1, old
    at = GOOD.rindex(old)
    return GOOD[:at] + new + GOOD[at + len(old):], GOOD[:at].count("\n") + 1


def edited(old, new, *words, code=1, above=0, below=0):
    """A row of the table: `above` and `below` say how far from the edit the error may be named."""
    text, line = edit(old, new)
    return text, range(line - above, line + below + 1), words, code


def laughs():
    levels = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "Resources: {}\n" + "\n".join(levels) + "\n"


ANY = None
# Name: (content, lines where the error may be named, words it must contain in any case, exit code)
BROKEN = {
    "unknown origin id": edited("TargetOriginId: api-origin", "TargetOriginId: api-orgin", "api-orgin", "api-origin"),
    "misspelt Ref": edited("CachePolicyId: !Ref Policy", "CachePolicyId: !Ref Polcy", "Polcy", "Policy"),
    "misspelt GetAtt": edited("DomainName: !Ref Site", "DomainName: !GetAtt Edg.DomainName", "Edg", "Edge"),
    "cyclic conditions": (
        "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n" + GOOD, range(2, 4), ("circ|cycl|itself",), 1),
    "cyclic resources": (GOOD.replace("Name: mine", "Name: mine\n        Comment: !GetAtt Edge.DomainName"), ANY,
                         ("circ|cycl|itself",), 1),
    "TTLs out of order": edited("MinTTL: 1", "MinTTL: 90", "MinTTL", below=2),
    "wrong enum": edited("ViewerProtocolPolicy: https-only", "ViewerProtocolPolicy: https_only", "https_only", "https-only"),
    "wrong type": edited("HTTPPort: 80", "HTTPPort: eighty", "HTTPPort", "eighty"),
    "list for a map": edited("DefaultCacheBehavior:\n", "DefaultCacheBehavior: [x]\n        Ignored:\n",
                             "DefaultCacheBehavior", below=1),
    "wrong methods": edited("[GET, HEAD]", "[GET, HAED]", "HAED"),
    "unknown policy id": edited("CachePolicyId: !Ref Policy", "CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f7",
                                "658327ea-f89d-4fab-a63d-7e88639e58f7"),
    "missing property": edited("          TargetOriginId: api-origin\n", "", "TargetOriginId", above=1, below=3),
    "misspelt property": edited("ViewerProtocolPolicy: https-only", "ViewerProtocolPolcy: https-only",
                                "ViewerProtocolPolcy", "ViewerProtocolPolicy"),
    "duplicate origin id": edited("- Id: pictures", "- Id: api-origin", "api-origin"),
    "duplicate key": edited("HTTPPort: 80", "HTTPPort: 80\n              HTTPPort: 81", "HTTPPort", below=1),
    "ImportValue": edited("DomainName: !Ref Site", "DomainName: !ImportValue other-Site", "other-Site"),
    "unknown intrinsic": edited("DomainName: !Ref Site", "DomainName: !Reff Site", "Reff"),
    "FindInMap without map": edited("DomainName: !Ref Site", "DomainName: !FindInMap [Names, a, b]", "Names"),
    "tab": edited("        Enabled: true", "\tEnabled: true", "tab", below=1),
    "truncated YAML": (GOOD[:GOOD.index("HeaderBehavior: none }")] + "HeaderBehavior: none", range(14, 17), (), 1),
    "truncated JSON": ('{"Resources": {"Edge": {"Type": "AWS::CloudFront::Distribution",\n "Properties": {', range(1, 3), (), 1),
    "empty file": ("", ANY, (), 1),
    "no distribution": ("Resources:\n  B: { Type: AWS::S3::Bucket }\n", ANY, ("distribution",), 1),
    "deep nesting": ("Resources: " + "[" * 100_000, ANY, (), 1),
    "billion laughs": (laughs(), ANY, (), 1),
    "50 MB": ("# " + "x" * (50 << 20), ANY, ("10 MiB|10485760|too large|larger",), 2),
    "binary": (b"\x00\x01\xff\xfe\x80Resources" * 100, ANY, (), 2),
}


def broken(context):
    """Twenty and more broken templates: exit code, line, nearest name, within five seconds, without a panic."""
    faults = []
    expect(check(context, "good.yml", GOOD)[0] == 0, f"the good template: {check(context, 'good.yml', GOOD)}")
    for name, (content, lines, words, code) in BROKEN.items():
        file = "broken.json" if name == "truncated JSON" else "broken.yml"
        try:
            faults += [f"{name}: {fault}" for fault in judge(context, file, content, lines, words, code)]
        except (Failure, subprocess.TimeoutExpired) as failure:
            faults.append(f"{name}: {failure}")
    done, _, _ = check(context, None, None)
    if done != 2:
        faults.append(f"missing file: exit code {done} instead of 2")
    expect(not faults, f"{len(faults)} faults in {len(BROKEN) + 1} templates:\n    " + "\n    ".join(faults))
    return f"{len(BROKEN) + 1} templates, each refused at its place"


def check(context, file, content):
    """Exit code, what was printed, seconds."""
    source = context.file(file, content) if file else context.scratch / "missing.yml"
    began = time.monotonic()
    done = subprocess.run([context.binary, "check", str(source)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=20)
    return done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - began


def judge(context, file, content, lines, words, code):
    """What is wrong with the answer to one broken template."""
    done, said, seconds = check(context, file, content)
    shown = " | ".join(said.strip().splitlines()[:6])[:300]
    if "panicked" in said:
        yield f"panic: {shown}"
    if done != code:
        yield f"exit code {done} instead of {code}: {shown}"
    if seconds > 5:
        yield f"took {seconds:.1f} s"
    for word in words:
        if not re.search(word, said, re.I):
            yield f"does not say {word!r}: {shown}"
    if lines is not ANY:
        named = [int(n) for n in re.findall(re.escape(file) + r":(\d+):\d+", said)]
        if not any(line in lines for line in named):
            yield f"names lines {named} instead of {lines.start} to {lines.stop - 1}: {shown}"


def as_json(context):
    """`--format json` is JSON and carries file, line and column of each problem."""
    source = context.file("broken.yml", BROKEN["unknown origin id"][0])
    done = subprocess.run([context.binary, "check", str(source), "--format", "json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=20)
    expect(done.returncode == 1, f"exit code {done.returncode}")
    text = json.dumps(json.loads(done.stdout))
    expect('"line"' in text and '"column"' in text and "api-orgin" in text, text[:300])
    return "JSON with line and column"


CHECKS = [("broken templates", broken), ("check as JSON", as_json)]
