import DIGContent
import NIOCore

extension HostSessionStateMachine {
    struct Piece {
        let id: UInt64
        let handle: UInt32
        let generation: UInt64
        let contentHash: ContentHash
        let chunks: Range<Int>
        let byteCount: Int
        /// Chunks cancelled; bit 0 is the first.
        var skipped: UInt64 = 0
        /// Nil while being read, or if the read failed.
        var frames: ByteBuffer?
        var hasFailed = false
        /// Of the frame that ``frames`` starts with.
        var next: Int

        func isSkipped(_ chunk: Int) -> Bool { self.skipped & (1 << UInt64(chunk - self.chunks.lowerBound)) != 0 }
    }
}
