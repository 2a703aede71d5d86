import Crypto
import CryptoExtras
import DIGMultiformats
import Foundation

extension KeyPair {
    /// Takes a private key in libp2p's form (peer-ids, "Keys").
    public init(protobufEncoded bytes: some Collection<UInt8>) throws(IdentityError) {
        guard let (algorithm, data) = KeyProtobuf.decode(bytes) else { throw Self.invalid("not the encoding of a private key") }
        switch algorithm {
        case .ed25519: try self.init(ed25519: data)
        case .secp256k1: try self.init(secp256k1PrivateKey: data)
        case .rsa: try self.init(rsaDER: data)
        case .ecdsa: try self.init(ecdsaDER: data)
        }
    }

    /// Takes the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5).
    public init(ed25519Seed: some Collection<UInt8>) throws(IdentityError) {
        let key: Curve25519.Signing.PrivateKey
        do { key = try Curve25519.Signing.PrivateKey(rawRepresentation: Array(ed25519Seed)) } catch {
            throw Self.invalid("an Ed25519 private key has 32 bytes")
        }
        try self.init(.ed25519(key))
    }

    /// Takes a number of 32 bytes.
    public init(secp256k1PrivateKey bytes: some Collection<UInt8>) throws(IdentityError) {
        try self.init(.secp256k1(Array(bytes)))
    }

    /// Takes a wallet's private key: 64 hexadecimal digits, with or without `0x`.
    public init(secp256k1PrivateKey hexadecimal: String) throws(IdentityError) {
        guard let bytes = HexadecimalText.bytes(hexadecimal) else { throw Self.invalid("not hexadecimal") }
        try self.init(secp256k1PrivateKey: bytes)
    }

    /// Takes an RSA private key in DER, PKCS#1 or PKCS#8.
    public init(rsaDER bytes: some Collection<UInt8>) throws(IdentityError) {
        guard bytes.count <= KeyProtobuf.maximumByteCount else { throw Self.invalid("the RSA key is too long") }
        let key: _RSA.Signing.PrivateKey
        do { key = try _RSA.Signing.PrivateKey(derRepresentation: Array(bytes)) } catch {
            throw Self.invalid("not an RSA private key of 2,048 bits and more")
        }
        try self.init(.rsa(key))
    }

    /// Takes an RSA private key in PEM, PKCS#1 or PKCS#8, not encrypted.
    public init(rsaPEM text: String) throws(IdentityError) {
        let key: _RSA.Signing.PrivateKey
        do { key = try _RSA.Signing.PrivateKey(pemRepresentation: text) } catch {
            throw Self.invalid("not an RSA private key of 2,048 bits and more")
        }
        try self.init(.rsa(key))
    }

    /// Takes a P-256 private key in DER, SEC 1 or PKCS#8.
    public init(ecdsaDER bytes: some Collection<UInt8>) throws(IdentityError) {
        let key: P256.Signing.PrivateKey
        do { key = try P256.Signing.PrivateKey(derRepresentation: Array(bytes)) } catch {
            throw Self.invalid("not a P-256 private key")
        }
        try self.init(.ecdsa(key))
    }

    /// Seed and public key, once (64 bytes) or, from older software, twice (96 bytes) (peer-ids, "Ed25519").
    init(ed25519 bytes: [UInt8]) throws(IdentityError) {
        guard bytes.count == 64 || bytes.count == 96 else {
            throw Self.invalid("an Ed25519 private key with its public key has 64 bytes, not \(bytes.count)")
        }
        try self.init(ed25519Seed: bytes.prefix(32))
        guard bytes[32..<64].elementsEqual(self.publicKey.rawRepresentation), bytes.suffix(32).elementsEqual(bytes[32..<64]) else {
            throw IdentityError(.keyMismatch, "the public key stored with the private key is not its own")
        }
    }

    private static func invalid(_ message: String) -> IdentityError { IdentityError(.invalidPrivateKey, message) }
}
