import DIGContent

/// The bounds of `/dig/transfer/1.0.0`, the same constants at both ends.
enum TransferLimits {
    /// type, flags, reserved, handle, index, length.
    static let frameHeaderByteCount = 16
    /// The longest body of a control frame.
    static let maximumControlByteCount = 256 * 1024
    /// The longest body of a chunk frame: 16 KiB << ``maximumChunkLayer``.
    static let maximumChunkByteCount = ChunkLayout.maximumChunkByteCount
    /// The highest tree layer that a chunk may be.
    static let maximumChunkLayer = ChunkLayout.layers.upperBound
    /// Handles open at once in one session.
    static let maximumHandleCount = 4096
    /// Chunks asked for and neither delivered nor refused, in one session.
    static let maximumOutstandingChunkCount = 4096
    /// Hashes in one answer, uncles not counted: 128 KiB.
    static let maximumHashCount = HashSegment.maximumCount
    /// The layer of the root of the largest file.
    static let maximumTreeLayer = TreeGeometry.maximumHeight
    /// Chunks in one part of a bitfield: 128 KiB.
    static let maximumBitfieldPartChunkCount = 1 << 20
    /// Ranges in one `Have`.
    static let maximumHaveRangeCount = 4096
    /// Bytes of an encoded listing in one part.
    static let maximumListingPartByteCount = 128 * 1024
    /// A block of the hash tree.
    static let blockByteCount = TreeGeometry.blockByteCount
    /// The longest nonce that `Prove` echoes.
    static let maximumNonceByteCount = 32
    /// The longest name, in UTF-8.
    static let maximumNameByteCount = NameBinding.maximumNameByteCount
    /// Signed records in one message.
    static let maximumBindingCount = 64
    /// The longest signed record.
    static let maximumBindingByteCount = NameBinding.maximumByteCount
}

extension TransferLimits {
    /// The name under which both ends negotiate the protocol.
    static let protocolName = "/dig/transfer/1.0.0"
}
