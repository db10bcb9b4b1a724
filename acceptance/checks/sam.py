"""A SAM template whose functions, in Node.js and Python, stand behind each kind of API."""

import json
import shutil
import time

from program import Skipped, curl, expect

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Timeout: 5, Environment: { Variables: { GREETING: hello } } }
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: orders
      Handler: index.handler
      Runtime: nodejs22.x
      Events:
        Old: { Type: Api, Properties: { Path: "/orders/{id}", Method: get } }
        New: { Type: HttpApi, Properties: { Path: "/orders/{id}", Method: get } }
  Prices:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: prices
      Handler: app.answer
      Runtime: python3.12
      FunctionUrlConfig: { AuthType: NONE }
      Events:
        Old: { Type: Api, Properties: { Path: "/prices/{id}", Method: get } }
        New: { Type: HttpApi, Properties: { Path: "/prices/{id}", Method: get } }
  Remote:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://builds.example/remote.zip
      Handler: index.handler
      Runtime: nodejs22.x
      FunctionUrlConfig: { AuthType: NONE }
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: rest
            DomainName: !Sub "${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com"
            OriginPath: /Prod
            CustomOriginConfig: { OriginProtocolPolicy: https-only }
          - Id: http
            DomainName: !Sub "${ServerlessHttpApi}.execute-api.${AWS::Region}.amazonaws.com"
            CustomOriginConfig: { OriginProtocolPolicy: https-only }
          - Id: url
            DomainName: !Select [2, !Split ["/", !GetAtt PricesUrl.FunctionUrl]]
            CustomOriginConfig: { OriginProtocolPolicy: https-only }
          - Id: remote
            DomainName: !Select [2, !Split ["/", !GetAtt RemoteUrl.FunctionUrl]]
            CustomOriginConfig: { OriginProtocolPolicy: https-only }
        CacheBehaviors:
          - { PathPattern: /url/*, TargetOriginId: url, ViewerProtocolPolicy: allow-all, CachePolicyId: CACHED }
          - { PathPattern: /remote, TargetOriginId: remote, ViewerProtocolPolicy: allow-all, CachePolicyId: PLAIN }
          - { PathPattern: /orders/new*, TargetOriginId: http, ViewerProtocolPolicy: allow-all, CachePolicyId: PLAIN }
          - { PathPattern: /prices/new*, TargetOriginId: http, ViewerProtocolPolicy: allow-all, CachePolicyId: PLAIN }
        DefaultCacheBehavior: { TargetOriginId: rest, ViewerProtocolPolicy: allow-all, CachePolicyId: PLAIN }
""".replace("CACHED", "658327ea-f89d-4fab-a63d-7e88639e58f6").replace("PLAIN", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad")

ORDERS = """exports.handler = async (event) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ by: "node", payload: event.version ?? "rest", id: event.pathParameters.id, says: process.env.GREETING }),
});
"""
PRICES = """import json, os, time

def answer(event, context):
    seen = {"by": "python", "payload": event.get("version", "rest"), "id": (event.get("pathParameters") or {}).get("id"),
            "says": os.environ["GREETING"], "at": time.time()}
    return {"statusCode": 200, "headers": {"cache-control": "max-age=60"}, "body": json.dumps(seen)}
"""


def sam(context):
    """A SAM template as it is: Node.js and Python behind a REST API, an HTTP API and a function URL."""
    if not shutil.which("python3"):
        raise Skipped("needs python3")
    home = context.directory("sam")
    for name, file, code in [("orders", "index.js", ORDERS), ("prices", "app.py", PRICES)]:
        (home / name).mkdir()
        (home / name / file).write_text(code)
    (home / "template.yaml").write_text(TEMPLATE)
    began = time.monotonic()
    with context.program(home / "template.yaml") as program:
        for path, by, payload, number in [("/orders/7", "node", "rest", "7"), ("/prices/8", "python", "rest", "8"),
                                          ("/orders/new9", "node", "2.0", "new9"),
                                          ("/prices/new1", "python", "2.0", "new1"),
                                          ("/url/any", "python", "2.0", None)]:
            answer = curl(program, program.http + path)
            expect(answer.status == 200, f"{path}: {answer} {answer.body!r}")
            seen = json.loads(answer.body)
            told = (seen["by"], seen["payload"], seen["id"], seen["says"])
            expect(told == (by, payload, number, "hello"), f"{path}: {seen}")
        again = curl(program, program.http + "/url/any")
        expect(again.cache == "Hit from cloudfront" and again.body == answer.body, f"the second time: {again}")
        expect(curl(program, program.http + "/orders").status == 403, "a REST API answers a path that it has not")
        remote = curl(program, program.http + "/remote")
        expect(remote.status == 502, f"a function whose code is on S3: {remote}")
        expect("the code of Remote is not here" in program.said(), f"not said at start:\n{program.said()}")
    return f"five answers of three APIs, a hit, 403 and 502 in {time.monotonic() - began:.1f} s"


CHECKS = [("SAM", sam)]
