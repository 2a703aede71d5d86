import Crypto
import DIGMultiformats

/// The SHA-256 of a public key as such, in hexadecimal: the name of a node that does not depend on libp2p's encoding.
public struct NodeID: Hashable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// Hashes ``PublicKey/rawRepresentation``.
    public init(publicKey: PublicKey) {
        self.bytes = Array(SHA256.hash(data: publicKey.rawRepresentation))
    }

    /// Takes 64 hexadecimal digits.
    public init(_ string: String) throws(IdentityError) {
        guard let bytes = HexadecimalText.bytes(string), bytes.count == 32 else {
            throw IdentityError(.invalidNodeID, "a node id has 64 hexadecimal digits")
        }
        self.bytes = bytes
    }

    public var description: String { Base16.encode(self.bytes) }
}
