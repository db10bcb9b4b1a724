"""A real browser: Chromium loads a site from a directory through the distribution and says what it saw.

The site is `acceptance/site`, its page tries everything by itself and writes JSON into the DOM. Skipped, and
said to be, where there is no Chromium.
"""

import json

from chromium import Chromium, program as chromium_program
from peers.browser_origin import BrowserOrigin
from program import expect

# Two hosts, two distributions: the site with its own application paths, and an API that others may ask.
TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Cors:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        Name: cors
        CorsConfig:
          AccessControlAllowOrigins: { Items: ["https://www.shop.localhost:*"] }
          AccessControlAllowMethods: { Items: [GET, PUT] }
          AccessControlAllowHeaders: { Items: [Content-Type, X-Token] }
          AccessControlExposeHeaders: { Items: [X-Item] }
          AccessControlAllowCredentials: true
          OriginOverride: true
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [www.shop.localhost]
        HttpVersion: http2
        DefaultRootObject: index.html
        Origins:
          - Id: files
            DomainName: !GetAtt Bucket.RegionalDomainName
            S3OriginConfig: { OriginAccessIdentity: "" }
          - Id: app
            DomainName: app.origin.test
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        CustomErrorResponses:
          - { ErrorCode: 403, ResponseCode: 404, ResponsePagePath: /missing.html, ErrorCachingMinTTL: 5 }
          - { ErrorCode: 404, ResponseCode: 404, ResponsePagePath: /missing.html, ErrorCachingMinTTL: 5 }
        CacheBehaviors:
          - PathPattern: /session/*
            TargetOriginId: app
            ViewerProtocolPolicy: https-only
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
            OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3
          - PathPattern: /socket
            TargetOriginId: app
            ViewerProtocolPolicy: https-only
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
            OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3
        DefaultCacheBehavior:
          TargetOriginId: files
          ViewerProtocolPolicy: redirect-to-https
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          ResponseHeadersPolicyId: 67f7725c-6f97-4210-82d7-5512b31e9d03
  Api:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [api.shop.localhost]
        HttpVersion: http2
        Origins:
          - Id: items
            DomainName: items.origin.test
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        CacheBehaviors:
          - PathPattern: /closed/*
            TargetOriginId: items
            ViewerProtocolPolicy: https-only
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
        DefaultCacheBehavior:
          TargetOriginId: items
          ViewerProtocolPolicy: https-only
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
          OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac
          ResponseHeadersPolicyId: !Ref Cors
"""
EXPECTED = {
    "page": {"style": "rgb(1, 2, 3)", "picture": 31, "module": "imported", "protocol": "h2", "secure": True},
    "cors": {"status": 200, "exposed": "1", "hidden": None, "method": "PUT", "cookie": "", "body": {"name": "first"},
             "token": "t"},
    "refusals": {"header": "TypeError", "policy": "TypeError"},
    "cookies": {"sent": "id=abc; shown=yes", "script": "shown=yes", "elsewhere": "api=1"},
    "cache": {"xCache": "Hit from cloudfront", "frame": "SAMEORIGIN"},
    "missing": {"status": 404, "page": True},
    "socket": {"text": "hello", "bytes": 100000, "protocol": "echo", "code": 4001, "reason": "done", "wasClean": True},
}


def browser(context):
    """Chromium loads a site: CSS, modules, CORS with preflight, cookies, a WebSocket, an error page."""
    chromium_program()
    source = context.file("site.yml", TEMPLATE)
    with BrowserOrigin() as origin:
        options = [f"files={context.repository / 'acceptance' / 'site'}", f"app={origin.url}", f"items={origin.url}"]
        flags = [word for option in options for word in ("--origin", option)]
        with context.program(source, *flags) as program:
            with Chromium(context.directory("browser"), program.ca) as page:
                # Plain http first: the browser follows the redirect to the port of https.
                page.visit(f"http://www.shop.localhost:{program.http_port}/")
                page.wait_for("document.documentElement.dataset.done", limit=40)
                at = page.wait_for("location.href")
                saw = json.loads(page.wait_for("document.getElementById('saw').textContent"))
                if context.pictures:
                    page.screenshot(context.pictures / "browser.png")
                expect(at == f"https://www.shop.localhost:{program.https_port}/", f"the browser is at {at}")
                for name, expected in EXPECTED.items():
                    expect(saw.get(name) == expected,
                           f"{name}: {saw.get(name)}, expected {expected}; the browser said {page.complaints}")
                expect(origin.preflights >= 2, f"{origin.preflights} preflight requests reached the origin")
                page.visit(f"https://www.shop.localhost:{program.https_port}/never/was")
                title = page.wait_for("document.getElementById('missing') && document.title")
                expect(title == "Not here", f"a missing page has the title {title!r}")
    return "redirect, h2, CSS, modules, CORS preflight, cookies, cache, WebSocket, error page"


CHECKS = [("browser", browser)]
