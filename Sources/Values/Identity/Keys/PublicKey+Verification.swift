import Crypto
import CryptoExtras
import Foundation

extension PublicKey {
    /// Whether `signature` was made over `message` with this key's private counterpart, in libp2p's scheme for the
    /// algorithm (peer-ids, "How Keys are encoded and messages signed").
    ///
    /// A signature that cannot be read is not valid. For secp256k1 both signatures of a pair (s and −s) count, as
    /// elsewhere in libp2p.
    public func isValidSignature(_ signature: some Collection<UInt8>, for message: some Collection<UInt8>) -> Bool {
        let signature = Array(signature)
        let message = Array(message)
        switch self.algorithm {
        case .ed25519:
            do {
                return try Curve25519.Signing.PublicKey(rawRepresentation: self.rawRepresentation)
                    .isValidSignature(signature, for: message)
            } catch {
                return false
            }
        case .secp256k1:
            return Secp256k1.isValidSignature(signature, digest: Array(SHA256.hash(data: message)), publicKey: self.rawRepresentation)
        case .rsa:
            return self.isValidRSASignature(signature, for: message, padding: .insecurePKCS1v1_5)
        case .ecdsa:
            do {
                return try Self.p256Key(self.rawRepresentation)
                    .isValidSignature(P256.Signing.ECDSASignature(derRepresentation: signature), for: message)
            } catch {
                return false
            }
        }
    }

    /// As ``isValidSignature(_:for:)``, except that RSA signatures are PSS (RFC 8017 §8.1): the scheme of our own records.
    package func isValidRecordSignature(_ signature: some Collection<UInt8>, for message: some Collection<UInt8>) -> Bool {
        guard self.algorithm == .rsa else { return self.isValidSignature(signature, for: message) }
        return self.isValidRSASignature(Array(signature), for: Array(message), padding: .PSS)
    }

    private func isValidRSASignature(_ signature: [UInt8], for message: [UInt8], padding: _RSA.Signing.Padding) -> Bool {
        do throws(IdentityError) {
            return try Self.rsaKey(self.rawRepresentation)
                .isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: message, padding: padding)
        } catch {
            return false
        }
    }
}
