"""A private bucket behind an origin access control: only signed requests are answered.

The bucket is moto's, which checks Signature Version 4 and the rights of the key.
"""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from packages import python_with
from program import Failure, Skipped, curl, expect, free_port
from templates import distribution

NAMES = ["plain.txt", "with space.txt", "ünï/cöde/日本.txt", "a+b.txt", "100%.txt", "q&=?#.txt", "dir/~(x)!'*.txt"]

ACCESS_CONTROL = """  Control:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig:
        { Name: private, OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4 }
"""

NO_KEY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}


class Moto:
    """A moto server that asks for signatures after its first three requests."""

    def __init__(self, context):
        home = context.directory("moto")
        self.python = python_with(Path(context.binary), "moto[server]==5.2.5")
        self.port = free_port()
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
        self.log = home / "said.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([str(self.python.parent / "moto_server"), "-H", "127.0.0.1", "-p", str(self.port)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            env=environment)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.__exit__()
                    raise Failure(f"moto does not listen: {self.log.read_text()[-500:]}") from None
                time.sleep(0.1)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def fill(self):
        script = Path(__file__).resolve().parent.parent / "private_bucket.py"
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        told = subprocess.run([str(self.python), str(script), str(self.port), *NAMES], check=True, timeout=60,
                              stdout=subprocess.PIPE, env=environment).stdout
        return json.loads(told)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)


def private_bucket(context):
    """A private S3 bucket that checks signatures: signed GET, ranges, odd keys; unsigned and badly signed are 403."""
    if context.quick:
        raise Skipped("only in the full run: it installs moto")
    template = distribution(["site"]).replace(
        "DomainName: site.origin.test", "DomainName: private.s3.us-east-1.amazonaws.com").replace(
        "            CustomOriginConfig:\n              OriginProtocolPolicy: http-only\n"
        "              OriginReadTimeout: 30",
        '            S3OriginConfig: { OriginAccessIdentity: "" }\n            OriginAccessControlId: !Ref Control')
    source = context.file("private.yml", template + ACCESS_CONTROL)
    with Moto(context) as moto:
        key, secret = moto.fill()
        home = context.directory("home")
        shared = home / "credentials"
        named = NO_KEY | {"AWS_SHARED_CREDENTIALS_FILE": str(shared), "AWS_PROFILE": "edge"}

        def wrong_key(program):
            answer = curl(program, program.http + "/plain.txt")
            expect(answer.status == 403, f"a wrong secret: {answer}")

        with context.program(source, "--origin", f"site={moto.url}", environment=NO_KEY | {"HOME": str(home)}) as program:
            direct = curl(program, f"{moto.url}/private/plain.txt")
            expect(direct.status == 403, f"asked without a signature, the bucket itself says {direct}")
            unsigned = curl(program, program.http + "/plain.txt")
            expect(unsigned.status == 403, f"without a key: {unsigned}")
            expect("go unsigned" in program.said(), f"start-up does not say so: {program.said()}")

        shared.write_text(f"[edge]\naws_access_key_id = {key}\naws_secret_access_key = {secret[:-1]}!\n")
        with context.program(source, "--origin", f"site={moto.url}", environment=named) as program:
            wrong_key(program)
            # The right key, without a restart.
            shared.write_text(f"[edge]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
            time.sleep(2.5)
            for name in NAMES:
                answer = curl(program, program.http + "/" + quote(name, safe="/"))
                expect(answer.status == 200 and answer.body == f"this is {name}".encode(), f"{name}: {answer} {answer.body[:300]!r}")
            again = curl(program, program.http + "/plain.txt")
            expect(again.cache.startswith("Hit"), f"the second time: {again}")
            part = curl(program, program.http + "/with%20space.txt?part", "-H", "Range: bytes=5-6")
            expect(part.status == 206 and part.body == b"is", f"Range: {part} {part.body!r}")
            missing = curl(program, program.http + "/missing.txt")
            expect(missing.status == 404, f"a key that is not there: {missing}")
            expect(secret not in program.log.read_text(errors="replace"), "the secret is in the log")
    return f"{len(NAMES)} keys signed and read, a range, a changed key file; unsigned and wrong secret 403"


CHECKS = [("private-bucket", private_bucket)]
