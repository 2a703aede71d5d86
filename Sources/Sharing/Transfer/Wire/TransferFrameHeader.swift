import NIOCore

/// The 16 bytes, big-endian, before every body.
///
///     0      1       2          4        8       12       16
///     | type | flags | reserved | handle | index | length |  body …
struct TransferFrameHeader: Hashable, Sendable {
    enum FrameType: UInt8 {
        case control = 0
        case chunk = 1
    }

    let type: FrameType
    /// The content this is about, as the client numbered it.
    let handle: UInt32
    /// Of the chunk; zero in a control frame.
    let index: UInt32
    /// Of the body, within the limit of the type.
    let byteCount: Int

    private init(type: FrameType, handle: UInt32, index: UInt32, byteCount: Int) {
        self.type = type
        self.handle = handle
        self.index = index
        self.byteCount = byteCount
    }

    /// - Precondition: `byteCount` is at most ``TransferLimits/maximumControlByteCount``; the encoder checks.
    static func control(handle: UInt32, byteCount: Int) -> Self {
        precondition(byteCount <= TransferLimits.maximumControlByteCount)
        return Self(type: .control, handle: handle, index: 0, byteCount: byteCount)
    }

    /// - Precondition: `byteCount` is a length that a chunk can have; it comes from our own layout.
    static func chunk(handle: UInt32, index: UInt32, byteCount: Int) -> Self {
        precondition(byteCount > 0 && byteCount <= TransferLimits.maximumChunkByteCount)
        return Self(type: .chunk, handle: handle, index: index, byteCount: byteCount)
    }

    /// Checks the fields of a header that came from a peer.
    init(type: UInt8, flags: UInt8, reserved: UInt16, handle: UInt32, index: UInt32, length: UInt32) throws(TransferWireError) {
        guard let frameType = FrameType(rawValue: type) else { throw .unknownFrameType(type) }
        guard flags == 0, reserved == 0 else { throw .reservedBitsSet }
        switch frameType {
        case .control:
            guard index == 0 else { throw .controlFrameWithIndex(index) }
            guard length <= TransferLimits.maximumControlByteCount else { throw .controlTooLong(byteCount: length) }
        case .chunk:
            guard length > 0, length <= TransferLimits.maximumChunkByteCount else { throw .chunkLengthOutOfRange(byteCount: length) }
        }
        self.init(type: frameType, handle: handle, index: index, byteCount: Int(length))
    }
}
