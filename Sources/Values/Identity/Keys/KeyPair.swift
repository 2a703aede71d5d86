import Crypto
import CryptoExtras
import DIGMultiformats
import Foundation

/// A private key with its public key: who this node is.
///
/// No description, debug description or mirror shows the private key.
public struct KeyPair: Sendable {
    enum Secret: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        /// 32 bytes, checked.
        case secp256k1([UInt8])
        case rsa(_RSA.Signing.PrivateKey)
        case ecdsa(P256.Signing.PrivateKey)
    }

    private let secret: Secret
    public let publicKey: PublicKey

    public var algorithm: KeyAlgorithm { self.publicKey.algorithm }
    public var peerID: PeerID { self.publicKey.peerID }
    public var nodeID: NodeID { self.publicKey.nodeID }

    init(_ secret: Secret) throws(IdentityError) {
        self.secret = secret
        switch secret {
        case .ed25519(let key):
            self.publicKey = PublicKey(.ed25519, checked: Array(key.publicKey.rawRepresentation))
        case .secp256k1(let bytes):
            guard let publicKey = Secp256k1.publicKey(of: bytes) else {
                throw IdentityError(.invalidPrivateKey, "not a secp256k1 private key")
            }
            self.publicKey = PublicKey(.secp256k1, checked: publicKey)
        case .rsa(let key):
            guard PublicKey.rsaKeySizes.contains(key.keySizeInBits) else {
                throw IdentityError(.invalidPrivateKey, "an RSA key of \(key.keySizeInBits) bits is not accepted")
            }
            self.publicKey = PublicKey(.rsa, checked: Array(key.publicKey.derRepresentation))
        case .ecdsa(let key):
            self.publicKey = PublicKey(.ecdsa, checked: Array(key.publicKey.derRepresentation))
        }
    }

    /// Makes a new key.
    ///
    /// - Parameter rsaKeySize: Bits of an RSA key, a multiple of 8 in ``PublicKey/rsaKeySizes``.
    public static func generate(_ algorithm: KeyAlgorithm = .ed25519, rsaKeySize: Int = 3072) throws(IdentityError) -> KeyPair {
        switch algorithm {
        case .ed25519: return try KeyPair(.ed25519(Curve25519.Signing.PrivateKey()))
        case .ecdsa: return try KeyPair(.ecdsa(P256.Signing.PrivateKey()))
        case .secp256k1:
            var bytes: [UInt8]
            // All but 2⁻¹²⁸ of the numbers are keys.
            repeat { bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) } } while !Secp256k1.isPrivateKey(bytes)
            return try KeyPair(.secp256k1(bytes))
        case .rsa:
            guard PublicKey.rsaKeySizes.contains(rsaKeySize), rsaKeySize.isMultiple(of: 8) else {
                throw IdentityError(.invalidPrivateKey, "an RSA key of \(rsaKeySize) bits is not accepted")
            }
            let key: _RSA.Signing.PrivateKey
            do { key = try _RSA.Signing.PrivateKey(keySize: .init(bitCount: rsaKeySize)) } catch {
                throw IdentityError(.invalidPrivateKey, "the RSA key could not be made: \(error)")
            }
            return try KeyPair(.rsa(key))
        }
    }

    /// Signs in libp2p's scheme for the algorithm (peer-ids, "How Keys are encoded and messages signed"): Ed25519 as is;
    /// RSA PKCS#1 v1.5 with SHA-256; ECDSA of the SHA-256 in DER, for secp256k1 with low s.
    public func sign(_ message: some Collection<UInt8>) throws(IdentityError) -> [UInt8] {
        try self.sign(Array(message), rsaPadding: .insecurePKCS1v1_5)
    }

    /// As ``sign(_:)``, except that RSA signatures are PSS (RFC 8017 §8.1): the scheme of our own records.
    package func signRecord(_ message: some Collection<UInt8>) throws(IdentityError) -> [UInt8] {
        try self.sign(Array(message), rsaPadding: .PSS)
    }

    private func sign(_ message: [UInt8], rsaPadding: _RSA.Signing.Padding) throws(IdentityError) -> [UInt8] {
        do {
            switch self.secret {
            case .ed25519(let key): return Array(try key.signature(for: message))
            case .rsa(let key): return Array(try key.signature(for: message, padding: rsaPadding).rawRepresentation)
            case .ecdsa(let key): return Array(try key.signature(for: message).derRepresentation)
            case .secp256k1(let bytes):
                if let signature = Secp256k1.sign(digest: Array(SHA256.hash(data: message)), privateKey: bytes) { return signature }
            }
        } catch {
            throw IdentityError(.signingFailed, "the key could not sign: \(error)")
        }
        throw IdentityError(.signingFailed, "the key could not sign")
    }

    /// Signs a digest of 32 bytes so that the key can be recovered from the signature.
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` unless the key is secp256k1.
    func signRecoverable(digest: [UInt8]) throws(IdentityError) -> Secp256k1.RecoverableSignature {
        guard let signature = Secp256k1.signRecoverable(digest: digest, privateKey: try self.secp256k1PrivateKey) else {
            throw IdentityError(.signingFailed, "the key could not sign")
        }
        return signature
    }

    /// The 32 bytes of a wallet's key. Secret.
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` unless the key is secp256k1.
    var secp256k1PrivateKey: [UInt8] {
        get throws(IdentityError) {
            guard case .secp256k1(let bytes) = self.secret else {
                throw IdentityError(.unsupportedKey, "this needs a secp256k1 key, as wallets have; the key is \(self.algorithm.rawValue)")
            }
            return bytes
        }
    }

    /// The private key in libp2p's form (peer-ids, "Keys"), as ``KeyFile`` stores it. Secret.
    public var protobufEncoded: [UInt8] { KeyProtobuf.encode(self.algorithm, self.privateKeyData) }

    /// Ed25519: seed and public key, 64 bytes. secp256k1: 32 bytes. RSA: PKCS#1 DER. ECDSA: SEC 1 DER.
    private var privateKeyData: [UInt8] {
        switch self.secret {
        case .ed25519(let key): Array(key.rawRepresentation) + self.publicKey.rawRepresentation
        case .secp256k1(let bytes): bytes
        case .rsa(let key): Array(key.derRepresentation)
        case .ecdsa(let key): ECPrivateKeyDER.encode(key)
        }
    }
}

extension KeyPair: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "\(self.algorithm.rawValue) key of \(self.peerID)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": self.publicKey]) }
}
