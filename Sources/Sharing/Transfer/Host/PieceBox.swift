import NIOCore
import Synchronization

/// Carries a buffer to another thread without keeping a second reference to its memory, which would make the first write copy it.
final class PieceBox: Sendable {
    private let buffer: Mutex<ByteBuffer>

    init(_ buffer: ByteBuffer) {
        self.buffer = Mutex(buffer)
    }

    func take() -> ByteBuffer {
        self.buffer.withLock { buffer in
            let taken = buffer
            buffer = ByteBuffer()
            return taken
        }
    }
}
