"""Signs URLs as an application does: botocore's CloudFrontSigner, and `cryptography` for what it leaves out.

Run by checks/signed.py with the packages it installs. Reads {"url": …, "now": seconds} from standard input,
writes public keys and signed URLs as JSON.
"""

import base64
import datetime
import json
import sys

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

asked = json.load(sys.stdin)
URL, NOW = asked["url"], asked["now"]
RSA = rsa.generate_private_key(65537, 2048)
ECDSA = ec.generate_private_key(ec.SECP256R1())


def at(seconds):
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.timezone.utc)


def rsa_sha1(message):
    return RSA.sign(message, padding.PKCS1v15(), hashes.SHA1())


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def encoded(octets):
    return base64.b64encode(octets).decode().translate(str.maketrans("+=/", "-_~"))


def by_hand(key_id, sign, policy, extra=""):
    policy = policy.encode()
    return f"{URL}&Policy={encoded(policy)}&Signature={encoded(sign(policy))}&Key-Pair-Id={key_id}{extra}"


signer = CloudFrontSigner("KRSA", rsa_sha1)
here, elsewhere = (signer.build_policy(URL.split("?")[0] + "*", at(600), date_greater_than=at(-600), ip_address=network)
                   for network in ("127.0.0.0/8", "192.0.2.0/24"))
anybody = signer.build_policy(URL, at(600))
json.dump({
    "keys": {"KRSA": pem(RSA), "KECDSA": pem(ECDSA)},
    "canned": signer.generate_presigned_url(URL, date_less_than=at(600)),
    "expired": signer.generate_presigned_url(URL, date_less_than=at(-1)),
    "custom": signer.generate_presigned_url(URL, policy=here),
    "elsewhere": signer.generate_presigned_url(URL, policy=elsewhere),
    "rsa sha256": by_hand("KRSA", lambda text: RSA.sign(text, padding.PKCS1v15(), hashes.SHA256()), anybody,
                          "&Hash-Algorithm=SHA256"),
    "ecdsa sha1": by_hand("KECDSA", lambda text: ECDSA.sign(text, ec.ECDSA(hashes.SHA1())), anybody),
    "ecdsa sha256": by_hand("KECDSA", lambda text: ECDSA.sign(text, ec.ECDSA(hashes.SHA256())), anybody,
                            "&Hash-Algorithm=SHA256"),
}, sys.stdout)
