#!/usr/bin/env python3
"""Makes the signed cases beside this file, and ../distributions/signed.yml, with fresh keys.

The private keys are thrown away. Dates are those of the cases' clock, which begins at 1767225600.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install cryptography==50.0.2
    /tmp/venv/bin/python cases/signed/make_cases.py
"""

import base64
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HERE = Path(__file__).parent
HOST = "http://viewer.example.test"
BEGIN = 1767225600
HASHES = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}
KEYS = {"Rsa": rsa.generate_private_key(65537, 2048), "Ecdsa": ec.generate_private_key(ec.SECP256R1())}
OTHER = ec.generate_private_key(ec.SECP256R1())
IDS = {"Rsa": "KRSA0000000000", "Ecdsa": "KECDSA00000000"}


def encoded(octets):
    return base64.b64encode(octets).decode().translate(str.maketrans("+=/", "-_~"))


def signature(name, algorithm, text, key=None):
    key, digest = key or KEYS[name], HASHES[algorithm]
    if isinstance(key, rsa.RSAPrivateKey):
        return encoded(key.sign(text.encode(), padding.PKCS1v15(), digest))
    return encoded(key.sign(text.encode(), ec.ECDSA(digest)))


def canned(url, expires):
    return ('{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}' % (url, expires))


def tokens(name, algorithm, text, expires=None, key=None):
    """The parts of a signature, in the order of CloudFront's guide."""
    found = {"Expires": str(expires)} if expires is not None else {"Policy": encoded(text.encode())}
    found["Signature"] = signature(name, algorithm, text, key)
    found["Key-Pair-Id"] = IDS[name]
    if algorithm != "SHA1":
        found["Hash-Algorithm"] = algorithm
    return found


def in_url(path, found):
    return path + ("&" if "?" in path else "?") + "&".join(f"{name}={value}" for name, value in found.items())


def in_cookie(found):
    return 'cookie: "' + "; ".join(f"CloudFront-{name}={value}" for name, value in found.items()) + '"'


def signed_url(path, expires=BEGIN + 3600, name="Rsa", algorithm="SHA1", key=None):
    return in_url(path, tokens(name, algorithm, canned(HOST + path, expires), expires, key))


def custom_url(path, policy, name="Ecdsa", algorithm="SHA256"):
    return in_url(path, tokens(name, algorithm, policy))


def changed(url):
    """One character of the signature is another one."""
    before, after = url.split("Signature=")
    return before + "Signature=" + ("B" if after[0] != "B" else "C") + after[1:]


def write(name, *parts):
    options = "".join(f"option --attribute {key}.Ref={IDS[key]}\n" for key in KEYS)
    text = f"# {parts[0]}\ndistribution: ../distributions/signed.yml\n{options}\n" + "\n".join(parts[1:]) + "\n"
    (HERE / name).write_text(text)


def denied(code, message):
    return (f'403 "<?xml version=\\"1.0\\" encoding=\\"UTF-8\\"?><Error><Code>{code}</Code>'
            f'<Message>{message}</Message></Error>"  content-type: text/xml; x-cache: Error from cloudfront')


ACCESS_DENIED = denied("AccessDenied", "Access denied")


def distribution():
    def public(name):
        pem = KEYS[name].public_key().public_bytes(serialization.Encoding.PEM,
                                                    serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        return "\n".join("          " + line for line in pem.strip().splitlines())
    keys = "".join(f"""  {name}:
    Type: AWS::CloudFront::PublicKey
    Properties:
      PublicKeyConfig:
        CallerReference: cases
        Name: {name}
        EncodedKey: |
{public(name)}
  {name}Group:
    Type: AWS::CloudFront::KeyGroup
    Properties:
      KeyGroupConfig: {{ Name: {name}, Items: [!Ref {name}] }}
""" for name in KEYS)
    (HERE.parent / "distributions/signed.yml").write_text(f"""# Everything needs a signature, but what lies under /open. Made by cases/signed/make_cases.py.
Resources:
{keys}  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: Policy
        MinTTL: 0
        DefaultTTL: 60
        MaxTTL: 3600
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: false
          EnableAcceptEncodingBrotli: false
          HeadersConfig: {{ HeaderBehavior: none }}
          CookiesConfig: {{ CookieBehavior: none }}
          QueryStringsConfig: {{ QueryStringBehavior: all }}
  Distribution:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultRootObject: index.html
        Origins:
          - Id: app
            DomainName: app.example.test
            CustomOriginConfig: {{ OriginProtocolPolicy: http-only }}
        CacheBehaviors:
          - PathPattern: /open/*
            TargetOriginId: app
            ViewerProtocolPolicy: allow-all
            CachePolicyId: !Ref Policy
        DefaultCacheBehavior:
          TargetOriginId: app
          ViewerProtocolPolicy: allow-all
          CachePolicyId: !Ref Policy
          TrustedKeyGroups: [!Ref RsaGroup, !GetAtt EcdsaGroup.Id]
""")


def matrix():
    lines, number = [], 0
    for name in KEYS:
        for algorithm in HASHES:
            for is_custom in (False, True):
                path = f"/{name}/{algorithm}/{'custom' if is_custom else 'canned'}?own=%31&b"
                policy = canned(HOST + (path.split("?")[0] + "*" if is_custom else path), BEGIN + 3600)
                found = tokens(name, algorithm, policy, None if is_custom else BEGIN + 3600)
                number += 1
                lines.append(f"origin app: GET {path}  cookie: absent -> 200 \"{number}\"")
                lines.append(f"viewer 1: GET {in_url(path, found)}\n  <- 200 \"{number}\"  x-cache: Miss from cloudfront")
                lines.append(f"viewer 2: GET {path}  {in_cookie(found)}\n"
                             f"  <- 200 \"{number}\"  x-cache: Hit from cloudfront")
                lines.append(f"viewer 3: GET {changed(in_url(path, found))}\n  <- 403 ~/AccessDenied/")
                other = "SHA256" if algorithm == "SHA1" else "SHA1"
                wrong = {name: value for name, value in found.items() if name != "Hash-Algorithm"}
                lines.append(f"viewer 4: GET {path}  {in_cookie(wrong | {'Hash-Algorithm': other})}\n"
                             "  <- 403 ~/AccessDenied/")
    write("algorithms.case",
          "RSA and ECDSA, SHA-1 and SHA-256, canned and custom policies, in URLs and in cookies. The origin and\n"
          "# the cache never see the signature.", *lines)


def rest():
    write("expiry.case", "A signature holds until its date, also for what the cache has.",
          'origin app: GET /a -> 200 "a"',
          f"viewer 1: GET {signed_url('/a', BEGIN + 30)}\n  <- 200 \"a\"",
          "advance 29s",
          f"viewer 1: GET {signed_url('/a', BEGIN + 30)}\n  <- 200 \"a\"  x-cache: Hit from cloudfront",
          "advance 1s",
          f"viewer 1: GET {signed_url('/a', BEGIN + 30)}\n  <- {ACCESS_DENIED}",
          "expect origin app count 1")
    good = signed_url("/a?x=1")
    bad = canned(HOST + "/a", BEGIN + 3600)[:-1]
    write("refusals.case", "Each refusal has CloudFront's code, as XML; nothing reaches the origin.",
          f"viewer 1: GET /a <- {denied('MissingKey', 'Missing Key-Pair-Id query parameter or cookie value')}",
          f"viewer 1: GET {good.replace('KRSA', 'KXXX')}\n  <- {denied('InvalidKey', 'Unknown Key')}",
          f"viewer 1: GET {good.replace('Signature=', 'Signature=!')}\n"
          f"  <- {denied('MalformedSignature', 'Could not unencode Signature')}",
          f"viewer 1: GET {custom_url('/a', bad)}\n  <- {denied('MalformedPolicy', 'Malformed Policy')}",
          f"# Another path, another parameter, one more, one less, another scheme, and a stranger's key.",
          f"viewer 1: GET {good.replace('/a?', '/b?')}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET {good.replace('x=1', 'x=2')}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET {good}&y=2\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET {good.replace('x=1&', '')}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET https://viewer.example.test{good}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET {signed_url('/a', name='Ecdsa', algorithm='SHA256', key=OTHER)}\n  <- {ACCESS_DENIED}",
          '# A method that is not allowed is refused before, as a page.',
          'viewer 1: DELETE /a <- 403 ~/HTTP method/  content-type: text/html',
          'viewer 1: HEAD /a <- 403 ""  content-type: text/xml',
          'origin app: GET /open/a?Expires=1 -> 200 "open"',
          'viewer 1: GET /open/a?Expires=1 <- 200 "open"',
          "expect origin app count 1")

    def policy(resource, more=""):
        return ('{"Statement":[{%s"Condition":{"DateLessThan":{"AWS:EpochTime":%d}%s}}]}'
                % (f'"Resource":"{resource}",' if resource else "", BEGIN + 3600, more))
    any_image = policy("http*://*.example.test/img/*")
    mine = policy("", ',"IpAddress":{"AWS:SourceIp":"127.0.0.0/8"}')
    theirs = policy("", ',"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}')
    later = policy("", ',"DateGreaterThan":{"AWS:EpochTime":%d}' % (BEGIN + 10))
    write("custom-policy.case", "A custom policy says what, when and for whom.",
          'origin app: GET /img/a.png?size=1 -> 200 "image"',
          f"viewer 1: GET {custom_url('/img/a.png?size=1', any_image)}\n  <- 200 \"image\"",
          f"viewer 1: GET {custom_url('/img/a.png', any_image)}&size=1\n  <- 200 \"image\"  x-cache: Hit from cloudfront",
          f"viewer 1: GET {custom_url('/other/a.png', any_image)}\n  <- {ACCESS_DENIED}",
          'origin app: GET /ip -> 200 "mine"',
          f"viewer 1: GET {custom_url('/ip', mine)}\n  <- 200 \"mine\"",
          f"viewer 1: GET {custom_url('/ip', theirs)}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET {custom_url('/ip', later)}\n  <- {ACCESS_DENIED}",
          "advance 11s",
          f"viewer 1: GET {custom_url('/ip', later)}\n  <- 200 \"mine\"")
    cookie = in_cookie(tokens("Rsa", "SHA1", canned(HOST + "/a", BEGIN + 3600), BEGIN + 3600))
    write("url-before-cookies.case", "A signature in the URL decides alone, whatever the cookies say.",
          'origin app: GET /a -> 200 "a"',
          f"viewer 1: GET /a  {cookie}\n  <- 200 \"a\"",
          f"viewer 1: GET {signed_url('/a', BEGIN - 1)}  {cookie}\n  <- {ACCESS_DENIED}",
          f"viewer 1: GET /a?Expires={BEGIN + 60}  {cookie}\n  <- 200 \"a\"",
          "# The path as the viewer wrote it is signed, not the default root object.",
          'origin app: GET /index.html -> 200 "home"',
          f"viewer 1: GET {signed_url('/')}\n  <- 200 \"home\"",
          f"viewer 1: GET {signed_url('/index.html').replace('/index.html', '/')}\n  <- {ACCESS_DENIED}",
          "# A URL that was made for the port that URLs leave out is good at the port of a local edge, too.",
          f"viewer 1: GET http://viewer.example.test:8080{signed_url('/a')}\n  <- 200 \"a\"")


distribution()
matrix()
rest()
