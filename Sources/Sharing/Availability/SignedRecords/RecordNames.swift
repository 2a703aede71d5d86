public import DIGContent
public import DIGIdentity

/// What the texts in records of the seed's form stand for.
public struct RecordNames: Sendable {
    /// A peer known by a node id or another text that is not its peer id.
    public var peer: @Sendable (String) -> PeerID?
    /// A content known by its plain SHA-256.
    public var content: @Sendable (SHA256Digest) -> ContentHash?

    public init(
        peer: @escaping @Sendable (String) -> PeerID? = { _ in nil }, content: @escaping @Sendable (SHA256Digest) -> ContentHash? = { _ in nil }
    ) {
        self.peer = peer
        self.content = content
    }

    static let maximumTextByteCount = 128

    /// Whether `text` names the owner of the key: the peer id; the node id, whole or its first 40 digits, of the key as it is or as it was written; the address
    /// on Ethereum.
    static func names(_ text: String, _ key: PublicKey, writtenAs written: String) -> Bool {
        if text == key.peerID.description || text == key.peerID.cid { return true }
        var names = [key.nodeID.description]
        if let bytes = SignedData.bytes(hexadecimal: written) { names.append(SHA256Digest(hashing: bytes).hex) }
        let lowered = text.lowercased()
        if names.contains(where: { $0 == lowered || String($0.prefix(40)) == lowered }) { return true }
        return key.ethereumAddress.map { $0.lowercased() == lowered } ?? false
    }

    func peerID(_ text: String) throws(AvailabilityError) -> PeerID {
        guard text.utf8.count <= Self.maximumTextByteCount else { throw .limitExceeded }
        do throws(IdentityError) { return try PeerID(text) } catch {
            guard let known = self.peer(text) else { throw .unknownPeer }
            return known
        }
    }

    func contentHash(_ text: String) throws(AvailabilityError) -> ContentHash {
        guard text.utf8.count <= Self.maximumTextByteCount else { throw .limitExceeded }
        if let digest = SHA256Digest(hex: text) {
            guard let known = self.content(digest) else { throw .unknownContent }
            return known
        }
        do throws(ContentError) { return try ContentHash(parsing: text) } catch { throw .malformed }
    }
}
