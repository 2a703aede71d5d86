import Crypto
import CryptoExtras
import DIGMultiformats
import Foundation

/// A key that signatures are checked with and that names a peer.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// Ours: below, RSA is no longer secure; above, checking a signature costs too much.
    public static let rsaKeySizes = 2048...8192

    public let algorithm: KeyAlgorithm

    /// Ed25519: 32 bytes (RFC 8032 §5.1.5). secp256k1: 33 bytes, compressed (SEC 1 §2.3.3).
    /// RSA and ECDSA: a PKIX SubjectPublicKeyInfo in DER (RFC 5280 §4.1).
    public let rawRepresentation: [UInt8]

    /// The key's bytes have been checked.
    init(_ algorithm: KeyAlgorithm, checked rawRepresentation: [UInt8]) {
        self.algorithm = algorithm
        self.rawRepresentation = rawRepresentation
    }

    /// Takes a key in the form of ``rawRepresentation``.
    ///
    /// - Throws: ``IdentityError`` with `.invalidPublicKey` if it is not the one encoding of a key of an accepted size.
    public init(_ algorithm: KeyAlgorithm, rawRepresentation: some Collection<UInt8>) throws(IdentityError) {
        let bytes = Array(rawRepresentation)
        switch algorithm {
        case .ed25519:
            guard bytes.count == 32 else { throw Self.invalid("an Ed25519 public key has 32 bytes, not \(bytes.count)") }
        case .secp256k1:
            guard bytes.count == Secp256k1.compressedKeyByteCount else {
                throw Self.invalid("a compressed secp256k1 public key has 33 bytes, not \(bytes.count)")
            }
            guard Secp256k1.compress(bytes) == bytes else { throw Self.invalid("not a point of secp256k1") }
        case .rsa:
            guard try Self.rsaKey(bytes).derRepresentation.elementsEqual(bytes) else { throw Self.invalid("not the canonical DER of an RSA key") }
        case .ecdsa:
            guard try Self.p256Key(bytes).derRepresentation.elementsEqual(bytes) else { throw Self.invalid("not the canonical DER of a P-256 key") }
        }
        self.init(algorithm, checked: bytes)
    }

    /// Takes a compressed (33 bytes) or uncompressed (65 bytes) secp256k1 key.
    public init(secp256k1 bytes: some Collection<UInt8>) throws(IdentityError) {
        guard let compressed = Secp256k1.compress(Array(bytes)) else { throw Self.invalid("not a point of secp256k1") }
        self.init(.secp256k1, checked: compressed)
    }

    /// Takes the libp2p form (peer-ids, "Keys"), in its one deterministic encoding.
    public init(protobufEncoded bytes: some Collection<UInt8>) throws(IdentityError) {
        guard let (algorithm, data) = KeyProtobuf.decode(bytes) else { throw Self.invalid("not the encoding of a public key") }
        try self.init(algorithm, rawRepresentation: data)
    }

    /// The libp2p form, which the peer id is made from.
    public var protobufEncoded: [UInt8] { KeyProtobuf.encode(self.algorithm, self.rawRepresentation) }

    public var peerID: PeerID { PeerID(publicKey: self) }
    public var nodeID: NodeID { NodeID(publicKey: self) }

    /// The account that the same key has on Ethereum, with the checksum of EIP-55. `nil` unless the key is secp256k1.
    public var ethereumAddress: String? { EthereumAddress(self)?.description }

    /// The same secp256k1 key in 65 bytes, as some wallets export it (SEC 1 §2.3.3). `nil` unless the key is secp256k1.
    public var uncompressedRepresentation: [UInt8]? {
        self.algorithm == .secp256k1 ? Secp256k1.uncompress(self.rawRepresentation) : nil
    }

    /// The algorithm and the key in hexadecimal; public keys are no secret.
    public var description: String { "\(self.algorithm.rawValue):\(Base16.encode(self.rawRepresentation))" }

    static func rsaKey(_ der: [UInt8]) throws(IdentityError) -> _RSA.Signing.PublicKey {
        // Refused by length first: 8,192 bits make 1,024 bytes of modulus and some forty of structure.
        guard der.count <= Self.rsaKeySizes.upperBound / 8 + 64 else { throw Self.invalid("the RSA key is too long") }
        let key: _RSA.Signing.PublicKey
        do { key = try _RSA.Signing.PublicKey(derRepresentation: der) } catch { throw Self.invalid("not an RSA public key of 2,048 bits and more") }
        guard Self.rsaKeySizes.contains(key.keySizeInBits) else { throw Self.invalid("an RSA key of \(key.keySizeInBits) bits is not accepted") }
        return key
    }

    static func p256Key(_ der: [UInt8]) throws(IdentityError) -> P256.Signing.PublicKey {
        do { return try P256.Signing.PublicKey(derRepresentation: der) } catch { throw Self.invalid("not a P-256 public key") }
    }

    private static func invalid(_ message: String) -> IdentityError { IdentityError(.invalidPublicKey, message) }
}
