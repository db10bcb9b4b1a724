"""Templates that the checks are run on, with the parts that vary filled in."""


def distribution(origins, behaviors="", default="", extra=""):
    """A CloudFormation template. `origins`: ids, each an http-only origin `<id>.origin.test`."""
    items = "".join(f"""
          - Id: {name}
            DomainName: {name}.origin.test
            CustomOriginConfig:
              OriginProtocolPolicy: http-only
              OriginReadTimeout: 30""" for name in origins)
    return f"""AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        HttpVersion: http2
        Origins:{items}
{behaviors}        DefaultCacheBehavior:
          TargetOriginId: {origins[0]}
          ViewerProtocolPolicy: allow-all
{default or '          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6'}
{extra}"""


def behavior(path_pattern, origin):
    """One entry of CacheBehaviors; put `        CacheBehaviors:` before the first."""
    return f"""          - PathPattern: "{path_pattern}"
            TargetOriginId: {origin}
            ViewerProtocolPolicy: allow-all
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
"""


def serverless(service, functions, cached, min_ttl=1, default_ttl=20, max_ttl=60):
    """A serverless.yml with HTTP API functions behind a distribution.

    `functions`: rows of (name, handler, method, path, timeout). `cached`: the path of the cached behavior.
    """
    rows = "".join(f"""
  {name}:
    handler: {handler}
    timeout: {timeout}
    events:
      - httpApi:
          method: {method}
          path: {path}""" for name, handler, method, path, timeout in functions)
    return f"""service: {service}
frameworkVersion: "3"
provider:
  name: aws
  runtime: nodejs20.x
functions:{rows}
resources:
  Resources:
    Policy:
      Type: AWS::CloudFront::CachePolicy
      Properties:
        CachePolicyConfig:
          Name: ${{self:service}}-policy
          MinTTL: {min_ttl}
          DefaultTTL: {default_ttl}
          MaxTTL: {max_ttl}
          ParametersInCacheKeyAndForwardedToOrigin:
            EnableAcceptEncodingGzip: false
            HeadersConfig: {{ HeaderBehavior: none }}
            CookiesConfig: {{ CookieBehavior: none }}
            QueryStringsConfig: {{ QueryStringBehavior: none }}
    Edge:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: true
          Origins:
            - Id: api
              DomainName: !Select [2, !Split ["/", !GetAtt HttpApi.ApiEndpoint]]
              CustomOriginConfig:
                OriginProtocolPolicy: https-only
          CacheBehaviors:
            - PathPattern: {cached}
              TargetOriginId: api
              ViewerProtocolPolicy: https-only
              AllowedMethods: [GET, HEAD]
              CachePolicyId: !Ref Policy
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: https-only
            AllowedMethods: [GET, HEAD]
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
"""
