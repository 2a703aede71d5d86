import Crypto
import CryptoExtras
import Foundation
import SwiftASN1

/// The structures in which other software stores keys: PKCS#8 (RFC 5958), SEC 1 (RFC 5915) and SubjectPublicKeyInfo (RFC 5280 §4.1).
enum KeyDER {
    /// What an AlgorithmIdentifier says (RFC 3279 §2.3, RFC 5480 §2.1, RFC 8410 §3).
    private enum Kind {
        case rsa, ed25519, secp256k1, p256
    }

    private static let rsaEncryption: ASN1ObjectIdentifier = [1, 2, 840, 113_549, 1, 1, 1]
    private static let ecPublicKey: ASN1ObjectIdentifier = [1, 2, 840, 10_045, 2, 1]
    private static let ed25519: ASN1ObjectIdentifier = [1, 3, 101, 112]
    private static let secp256k1: ASN1ObjectIdentifier = [1, 3, 132, 0, 10]
    private static let prime256v1: ASN1ObjectIdentifier = [1, 2, 840, 10_045, 3, 1, 7]

    /// RFC 5958 §2: version, algorithm, the key in a structure of its own; attributes and the public key may follow.
    static func privateKey(pkcs8 bytes: [UInt8]) throws(IdentityError) -> KeyPair {
        let (kind, key) = try Self.parse(.invalidPrivateKey, "not a private key in PKCS#8") {
            try DER.sequence(DER.parse(bytes), identifier: .sequence) { nodes in
                _ = try Int(derEncoded: &nodes)
                let kind = try Self.algorithm(&nodes)
                let key = try ASN1OctetString(derEncoded: &nodes)
                while nodes.next() != nil {}
                return (kind, Array(key.bytes))
            }
        }
        switch kind {
        case .rsa: return try KeyPair(rsaDER: key)
        case .secp256k1, .p256: return try Self.privateKey(sec1: key, kind)
        case .ed25519:
            // RFC 8410 §7: an octet string within the octet string.
            let seed = try Self.parse(.invalidPrivateKey, "not an Ed25519 private key") { Array(try ASN1OctetString(derEncoded: key).bytes) }
            return try KeyPair(ed25519Seed: seed)
        case nil: throw Self.unsupported
        }
    }

    /// RFC 5915 §3, with the curve in it.
    static func privateKey(sec1 bytes: [UInt8]) throws(IdentityError) -> KeyPair { try Self.privateKey(sec1: bytes, nil) }

    /// - Parameter outer: The curve that the surrounding structure names; then it may be absent inside.
    private static func privateKey(sec1 bytes: [UInt8], _ outer: Kind?) throws(IdentityError) -> KeyPair {
        let (number, inner, publicKey) = try Self.parse(.invalidPrivateKey, "not a private key in the form of SEC 1") {
            try DER.sequence(DER.parse(bytes), identifier: .sequence) { nodes in
                guard try Int(derEncoded: &nodes) == 1 else { throw Malformed() }
                let number = try ASN1OctetString(derEncoded: &nodes)
                let curve = try DER.optionalExplicitlyTagged(&nodes, tagNumber: 0, tagClass: .contextSpecific) { try Self.curve($0) }
                let point = try DER.optionalExplicitlyTagged(&nodes, tagNumber: 1, tagClass: .contextSpecific) { try ASN1BitString(derEncoded: $0) }
                return (Array(number.bytes), curve, point.map { Array($0.bytes) })
            }
        }
        // Some older software leaves out leading zeros.
        guard (1...32).contains(number.count) else { throw IdentityError(.invalidPrivateKey, "a private key has 32 bytes, not \(number.count)") }
        let padded = [UInt8](repeating: 0, count: 32 - number.count) + number
        let pair: KeyPair
        switch outer ?? inner?.kind {
        case .secp256k1: pair = try KeyPair(secp256k1PrivateKey: padded)
        case .p256:
            do { pair = try KeyPair(.ecdsa(P256.Signing.PrivateKey(rawRepresentation: padded))) } catch {
                throw IdentityError(.invalidPrivateKey, "not a P-256 private key")
            }
        default: throw Self.unsupported
        }
        if let publicKey {
            let stated: PublicKey
            if pair.algorithm == .secp256k1 { stated = try PublicKey(secp256k1: publicKey) } else { stated = try PublicKey(p256Point: publicKey) }
            guard stated == pair.publicKey else {
                throw IdentityError(.keyMismatch, "the public key stored with the private key is not its own")
            }
        }
        return pair
    }

    /// RFC 5280 §4.1.
    static func publicKey(spki bytes: [UInt8]) throws(IdentityError) -> PublicKey {
        let (kind, key) = try Self.parse(.invalidPublicKey, "not a SubjectPublicKeyInfo") {
            try DER.sequence(DER.parse(bytes), identifier: .sequence) { nodes in
                let kind = try Self.algorithm(&nodes)
                return (kind, Array(try ASN1BitString(derEncoded: &nodes).bytes))
            }
        }
        switch kind {
        case .rsa: return try PublicKey(.rsa, rawRepresentation: bytes)
        case .p256: return try PublicKey(p256Point: key)
        case .secp256k1: return try PublicKey(secp256k1: key)
        case .ed25519: return try PublicKey(.ed25519, rawRepresentation: key)
        case nil: throw Self.unsupported
        }
    }

    /// The modulus and exponent of an RSA key alone (RFC 8017 appendix A.1.1).
    static func publicKey(pkcs1 bytes: [UInt8]) throws(IdentityError) -> PublicKey {
        try PublicKey(.rsa, rawRepresentation: PublicKey.rsaKey(bytes).derRepresentation)
    }

    private struct Malformed: Error {}

    /// So that an unknown curve is told from a damaged key.
    private struct Curve {
        var kind: Kind?
    }

    private static let unsupported = IdentityError(
        .unsupportedKey, "the key is of a kind that is not used here: RSA, Ed25519, and elliptic curves secp256k1 and P-256 are")

    private static func curve(_ node: ASN1Node) throws -> Curve {
        switch try ASN1ObjectIdentifier(derEncoded: node) {
        case Self.secp256k1: Curve(kind: .secp256k1)
        case Self.prime256v1: Curve(kind: .p256)
        default: Curve(kind: nil)
        }
    }

    private static func algorithm(_ nodes: inout ASN1NodeCollection.Iterator) throws -> Kind? {
        guard let node = nodes.next() else { throw Malformed() }
        return try DER.sequence(node, identifier: .sequence) { nodes in
            let algorithm = try ASN1ObjectIdentifier(derEncoded: &nodes)
            let parameters = nodes.next()
            switch algorithm {
            case Self.rsaEncryption: return .rsa
            case Self.ed25519: return .ed25519
            case Self.ecPublicKey:
                guard let parameters else { throw Malformed() }
                return try Self.curve(parameters).kind
            default:
                while nodes.next() != nil {}
                return nil
            }
        }
    }

    private static func parse<T>(_ code: IdentityError.Code, _ message: String, _ body: () throws -> T) throws(IdentityError) -> T {
        do { return try body() } catch { throw IdentityError(code, message) }
    }
}

extension PublicKey {
    /// Takes a point of P-256, 65 or 33 bytes (SEC 1 §2.3.3).
    init(p256Point bytes: [UInt8]) throws(IdentityError) {
        let key: P256.Signing.PublicKey
        do {
            key = bytes.count == 33
                ? try P256.Signing.PublicKey(compressedRepresentation: bytes) : try P256.Signing.PublicKey(x963Representation: bytes)
        } catch {
            throw IdentityError(.invalidPublicKey, "not a P-256 public key")
        }
        self.init(.ecdsa, checked: Array(key.derRepresentation))
    }
}
