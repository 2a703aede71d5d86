/// The sizes of what is read from a peer.
public struct GunLimits: Hashable, Sendable {
    /// Bytes of one message of a WebSocket. A longer one is answered with `dam` `!` and dropped, as gun.js does with 90,000,000 characters. gun.js
    /// itself sends nothing as long, only what its application puts; where that happens, see ``GunPeerConfiguration/acceptMessages(ofUpTo:)``.
    public var messageByteCount = 256 * 1024
    /// Messages in one batch.
    public var batchCount = 512
    /// Nodes in one `put`.
    public var nodeCount = 1_024
    /// Bytes of a soul, and of a key.
    public var nameByteCount = 512
    /// Bytes of a value.
    public var valueByteCount = 65_536
    /// Bytes of the id of a message or of a peer. gun.js makes 9.
    public var idByteCount = 64

    public init() {}

    var json: GunJSONLimits { GunJSONLimits(stringByteCount: max(self.valueByteCount, 4_096), nameByteCount: self.nameByteCount) }
}
