import NIOCore

/// What arrives on a stream, in order.
///
/// A chunk is `.chunkBegan`, then bodies that add up to its length, then `.chunkEnded`; nothing comes in between.
enum TransferFrameEvent: Hashable, Sendable {
    case request(handle: UInt32, TransferRequest)
    case response(handle: UInt32, TransferResponse)
    case chunkBegan(handle: UInt32, index: UInt32, byteCount: Int)
    /// At least one byte, a slice of the buffer that was read; to be copied to where it belongs and let go.
    case chunkBody(ByteBuffer)
    case chunkEnded
}
