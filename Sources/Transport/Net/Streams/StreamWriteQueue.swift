package import NIOCore

/// Bytes written to a stream that the multiplexer has not taken yet, in order, each write with its promise.
package struct StreamWriteQueue {
    /// A part of a write, or all of it. The promise comes with the last part.
    package struct Piece {
        package var bytes: ByteBuffer
        package var promise: EventLoopPromise<Void>?
    }

    private var pieces = MarkedCircularBuffer<Piece>(initialCapacity: 4)
    /// All bytes in the queue.
    package private(set) var byteCount = 0
    /// The bytes up to the last flush.
    package private(set) var flushedByteCount = 0

    package init() {}

    package var isEmpty: Bool { self.pieces.isEmpty }

    mutating func append(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        self.byteCount += bytes.readableBytes
        self.pieces.append(Piece(bytes: bytes, promise: promise))
    }

    mutating func flush() {
        self.pieces.mark()
        self.flushedByteCount = self.byteCount
    }

    /// Removes the first flushed write if it has no bytes; its promise is due.
    mutating func popEmptyFlushed() -> Piece? {
        guard self.pieces.hasMark, let first = self.pieces.first, first.bytes.readableBytes == 0 else { return nil }
        return self.pieces.popFirst()
    }

    /// Moves the first `byteCount` flushed bytes to the end of `output`, without copying them.
    mutating func take(_ byteCount: Int, into output: inout [Piece]) {
        var wanted = min(byteCount, self.flushedByteCount)
        self.byteCount -= wanted
        self.flushedByteCount -= wanted
        while wanted > 0, let first = self.pieces.first {
            if first.bytes.readableBytes <= wanted {
                wanted -= first.bytes.readableBytes
                output.append(first)
                _ = self.pieces.popFirst()
            } else {
                var rest = first
                guard let slice = rest.bytes.readSlice(length: wanted) else { return }
                output.append(Piece(bytes: slice, promise: nil))
                self.pieces[self.pieces.startIndex] = rest
                return
            }
        }
    }

    mutating func removeAll() -> [Piece] {
        var all: [Piece] = []
        while let piece = self.pieces.popFirst() { all.append(piece) }
        self.byteCount = 0
        self.flushedByteCount = 0
        return all
    }
}
