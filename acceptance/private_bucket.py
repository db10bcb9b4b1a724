"""Fills a private bucket of a moto server and makes a user who may read it; prints the user's key as JSON.

    private_bucket.py PORT NAME...      run by the Python that moto was installed for
"""

import json
import sys

import boto3
from botocore.config import Config

port, names = sys.argv[1], sys.argv[2:]


def client(service, key="setup", secret="setup"):
    path_style = Config(s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 0})
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                        aws_access_key_id=key, aws_secret_access_key=secret, config=path_style)


# The server takes these three on trust, and asks for signatures afterwards.
iam = client("iam")
iam.create_user(UserName="edge")
key = iam.create_access_key(UserName="edge")["AccessKey"]
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="edge", PolicyName="s3", PolicyDocument=json.dumps(everything))

s3 = client("s3", key["AccessKeyId"], key["SecretAccessKey"])
s3.create_bucket(Bucket="private")
for name in names:
    s3.put_object(Bucket="private", Key=name, Body=f"this is {name}".encode())
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
