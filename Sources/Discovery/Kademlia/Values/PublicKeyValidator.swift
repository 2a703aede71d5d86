public import DIGIdentity

/// `/pk/` and the bytes of a peer's name: its public key (kad-dht r2, "Value storage and retrieval").
public struct PublicKeyValidator: ValueValidator {
    public static let namespace = "pk"

    public init() {}

    public static func key(of peer: PeerID) -> [UInt8] { Array("/pk/".utf8) + peer.bytes }

    public func validate(_ value: [UInt8], under key: [UInt8], nowMilliseconds: UInt64) throws(ValueError) -> UInt64? {
        let peer: PeerID
        let publicKey: PublicKey
        do throws(IdentityError) {
            peer = try PeerID(bytes: key.dropFirst(4))
            publicKey = try PublicKey(protobufEncoded: value)
        } catch {
            throw .malformed
        }
        guard peer.matches(publicKey) else { throw .wrongOwner }
        return nil
    }

    /// There is one key only.
    public func prefers(_ new: [UInt8], to old: [UInt8], under key: [UInt8]) -> Bool { false }
}
