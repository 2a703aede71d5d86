"""Wallet keys and signatures by other implementations: eth-account, coincurve (libsecp256k1), cryptography (OpenSSL), and the ring signature from its definition.

wallet.py REQUEST: reads a JSON object from the file REQUEST, with `do` saying what, and prints a JSON object.
"""

import base64
import hashlib
import json
import sys

import coincurve
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def wallet():
    """eth-account, which takes most of a second to load."""
    from eth_account import Account

    return Account


def defunct(message):
    """What EIP-191 makes of a message."""
    from eth_account.messages import encode_defunct

    return encode_defunct(bytes.fromhex(message))


def account(request):
    """The address of a private key."""
    return {"address": wallet().from_key(request["privateKey"]).address}


def ethereum_sign(request):
    return {"signature": wallet().sign_message(defunct(request["message"]), request["privateKey"]).signature.hex()}


def ethereum_recover(request):
    return {"address": wallet().recover_message(defunct(request["message"]), signature=bytes.fromhex(request["signature"]))}


def keystore_open(request):
    return {"privateKey": bytes(wallet().decrypt(request["keystore"], request["password"])).hex()}


def keystore_seal(request):
    sealed = wallet().encrypt(request["privateKey"], request["password"], kdf=request["kdf"], iterations=request["iterations"])
    return {"keystore": json.dumps(sealed)}


def bitcoin_digest(message):
    def sized(data):
        count = len(data)
        if count < 253:
            return bytes([count]) + data
        if count <= 0xFFFF:
            return b"\xfd" + count.to_bytes(2, "little") + data
        return b"\xfe" + count.to_bytes(4, "little") + data

    return hashlib.sha256(hashlib.sha256(sized(b"Bitcoin Signed Message:\n") + sized(message)).digest()).digest()


def bitcoin_sign(request):
    key = coincurve.PrivateKey(bytes.fromhex(request["privateKey"]))
    raw = key.sign_recoverable(bitcoin_digest(bytes.fromhex(request["message"])), hasher=None)
    return {"signature": base64.b64encode(bytes([31 + raw[64]]) + raw[:64]).decode()}


def bitcoin_recover(request):
    raw = base64.b64decode(request["signature"])
    recoverable = raw[1:] + bytes([(raw[0] - 27) % 4])
    key = coincurve.PublicKey.from_signature_and_message(recoverable, bitcoin_digest(bytes.fromhex(request["message"])), hasher=None)
    return {"publicKey": key.format().hex()}


def new_key(algorithm):
    match algorithm:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "ecdsa":
            return ec.generate_private_key(ec.SECP256R1())


def sign(request):
    """A new key in PEM, and signatures with it."""
    key = new_key(request["algorithm"])
    message = bytes.fromhex(request["message"])
    kind = {"pkcs8": serialization.PrivateFormat.PKCS8, "traditional": serialization.PrivateFormat.TraditionalOpenSSL, "openssh": serialization.PrivateFormat.OpenSSH}[request["format"]]
    result = {
        "pem": key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode(),
        "publicPEM": key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
    }
    match request["algorithm"]:
        case "ed25519":
            result["signature"] = key.sign(message).hex()
        case "rsa":
            result["signature"] = key.sign(message, padding.PKCS1v15(), hashes.SHA256()).hex()
            result["pss"] = key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()).hex()
        case _:
            result["signature"] = key.sign(message, ec.ECDSA(hashes.SHA256())).hex()
    return result


def verify(request):
    """Raises if a signature is not valid."""
    raw, message, signature = (bytes.fromhex(request[name]) for name in ("publicKey", "message", "signature"))
    match request["algorithm"]:
        case "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
        case "rsa":
            key = serialization.load_der_public_key(raw)
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            key.verify(bytes.fromhex(request["pss"]), message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        case "secp256k1":
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), raw).verify(signature, message, ec.ECDSA(hashes.SHA256()))
        case "ecdsa":
            serialization.load_der_public_key(raw).verify(signature, message, ec.ECDSA(hashes.SHA256()))
    return {"valid": True}


# The ring signature of docs/PRIVATE-SWARMS.md, written from that page.


def tagged(tag, message):
    tag = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(tag + tag + message).digest()


def ring_prefix(ring, message):
    assert ring == sorted(ring)
    return tagged("dig-nat-tools/ring/members/1", len(ring).to_bytes(2, "big") + b"".join(ring)) + tagged("dig-nat-tools/ring/message/1", message)


def ring_step(prefix, place, commitment):
    return tagged("dig-nat-tools/ring/challenge/1", prefix + place.to_bytes(2, "big") + commitment.format())


def ring_commitment(response, challenge, key):
    return coincurve.PublicKey.combine_keys([coincurve.PrivateKey(response).public_key, coincurve.PublicKey(key).multiply(challenge)])


def ring_verify(request):
    ring = [bytes.fromhex(key) for key in request["ring"]]
    signature = bytes.fromhex(request["signature"])
    numbers = [signature[at : at + 32] for at in range(1, len(signature), 32)]
    assert signature[0] == 1 and len(numbers) == len(ring) + 1
    prefix = ring_prefix(ring, bytes.fromhex(request["message"]))
    challenge = numbers[0]
    for place, key in enumerate(ring):
        challenge = ring_step(prefix, place, ring_commitment(numbers[1 + place], challenge, key))
    return {"valid": challenge == numbers[0]}


def ring_sign(request):
    ring = [bytes.fromhex(key) for key in request["ring"]]
    secret = coincurve.PrivateKey(bytes.fromhex(request["privateKey"]))
    index = ring.index(secret.public_key.format())
    prefix = ring_prefix(ring, bytes.fromhex(request["message"]))
    nonce = coincurve.PrivateKey()
    responses = [coincurve.PrivateKey().secret for _ in ring]
    challenges = [b""] * len(ring)
    challenges[(index + 1) % len(ring)] = ring_step(prefix, index, nonce.public_key)
    for offset in range(1, len(ring)):
        place = (index + offset) % len(ring)
        challenges[(place + 1) % len(ring)] = ring_step(prefix, place, ring_commitment(responses[place], challenges[place], ring[place]))
    number = (int.from_bytes(nonce.secret, "big") - int.from_bytes(challenges[index], "big") * int.from_bytes(secret.secret, "big")) % ORDER
    responses[index] = number.to_bytes(32, "big")
    return {"signature": (b"\x01" + challenges[0] + b"".join(responses)).hex()}


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    print(json.dumps(globals()[request["do"]](request)))


main()
