"""What /dig/auth/1.0.0 signs, and an access token, made a second time from docs/ACCESS.md.

Prints the vectors that Tests/DIGAccessTests/AccessVectorTests.swift pins:  python3 access.py
Needs the package "cryptography".
"""

import base64
import json
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, data):
    """One length-delimited field of protobuf."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number, value):
    return varint(number << 3) + varint(value)


class Key:
    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = b"\x08\x01" + field(2, raw)  # libp2p's PublicKey
        self.peer = b"\x00" + varint(len(self.public)) + self.public  # identity multihash

    def sign(self, data):
        return self.private.sign(data)


def auth(challenge, challenged, answered, host, prover, key, binding):
    return (
        b"dig-nat-tools/auth/2\n"
        + b"\x01"
        + challenge
        + struct.pack(">QQ", challenged, answered)
        + bytes([len(host)]) + host
        + bytes([len(prover)]) + prover
        + struct.pack(">H", len(key)) + key
        + bytes([len(binding)]) + binding
    )


def envelope(domain, kind, payload, key):
    """libp2p RFC 0002."""
    signed = b"".join(varint(len(part)) + part for part in (domain, kind, payload))
    return field(1, key.public) + field(2, kind) + field(3, payload) + field(5, key.sign(signed))


def token(identifier, host, contents, holder, issued, end):
    payload = field(1, identifier) + field(2, host.peer) + b"".join(field(3, content) for content in sorted(contents))
    if holder:
        payload += field(4, holder)
    payload += integer(5, issued) + integer(6, end)
    return envelope(b"dig-access-token", b"/dig/access-token", payload, host)


host, client, wallet = Key(bytes(range(32))), Key(bytes(range(32, 64))), Key(bytes(range(64, 96)))
challenge, binding = bytes(range(100, 132)), bytes(range(200, 232))
signed = auth(challenge, 1635789123456, 1635789123789, host.peer, client.peer, wallet.public, binding)
made = token(bytes(range(16)), host, [bytes([1]) * 32, bytes([2]) * 32], client.peer, 1635789123456, 1667325123456)
print(json.dumps({
    "signed": signed.hex(),
    "signature": wallet.sign(signed).hex(),
    "token": made.hex(),
    "text": "dig-token-" + base64.urlsafe_b64encode(made).decode().rstrip("="),
}, indent=2))
