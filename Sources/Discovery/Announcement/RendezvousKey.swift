import Crypto
public import DIGContent

/// 32 bytes under which peers meet: holders announce themselves there, and whoever wants the content looks there.
public struct RendezvousKey: Hashable, Sendable {
    public static let byteCount = 32
    private static let nameDomain = Array("dig-name-v1\0".utf8)
    private static let sha256Domain = Array("dig-sha256-v1\0".utf8)
    private static let blindingDomain = Array("dig-local-v1\0".utf8)

    public let bytes: [UInt8]

    /// Of a content: the digest in its hash, so that the multihash of the content is the key in a DHT.
    public init(_ hash: ContentHash) { self.bytes = hash.digest.bytes }

    /// Of a name or plain SHA-256: who is found there knows a signed binding of it. SHA-256 of a domain and what is bound.
    public init(_ key: BindingKey) {
        let input =
            switch key {
            case .name(let name): Self.nameDomain + Array(name.utf8)
            case .sha256(let digest): Self.sha256Domain + digest.bytes
            }
        self.bytes = Array(SHA256.hash(data: input))
    }

    /// SHA-256 of a domain and the key, for where everybody listens: tells something only to those who know the key.
    public var blindedBytes: [UInt8] { Array(SHA256.hash(data: Self.blindingDomain + self.bytes)) }

    /// Nil unless there are 32.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }
}
