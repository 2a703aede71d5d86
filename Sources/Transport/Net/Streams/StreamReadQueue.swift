package import NIOCore

/// Bytes received on a stream that its pipeline has not asked for yet.
///
/// A buffer is a slice of what the socket read, so a few bytes may keep a large allocation alive. ``compact()`` copies such
/// slices together, which bounds the memory behind the queue to ``retainedPerByte`` times the bytes in it and one chunk.
package struct StreamReadQueue {
    /// A slice smaller than its storage divided by this is copied.
    static let retainedPerByte = 4
    /// Copies go into chunks of about this many bytes.
    static let compactedChunkByteCount = 64 * 1024

    private var buffers = CircularBuffer<ByteBuffer>(initialCapacity: 4)
    /// How many of the first buffers ``compact()`` has seen.
    private var compactedCount = 0
    /// The last compacted buffer was made by ``compact()``, so that more may be appended to it.
    private var ownsLastCompacted = false
    package private(set) var byteCount = 0

    package init() {}

    package var isEmpty: Bool { self.buffers.isEmpty }

    package mutating func append(_ buffer: ByteBuffer) {
        self.byteCount += buffer.readableBytes
        self.buffers.append(buffer)
    }

    package mutating func popFirst() -> ByteBuffer? {
        guard let first = self.buffers.popFirst() else { return nil }
        self.byteCount -= first.readableBytes
        self.compactedCount = max(0, self.compactedCount - 1)
        if self.compactedCount == 0 { self.ownsLastCompacted = false }
        return first
    }

    package mutating func removeAll() {
        self = StreamReadQueue()
    }

    /// Copies small slices of large allocations together. Called with what is left once a batch of reads is delivered.
    package mutating func compact() {
        guard self.compactedCount < self.buffers.count else { return }
        // Take the buffers that are new since the last call off the end, then put them back, copied where that saves memory.
        var fresh: [ByteBuffer] = []
        fresh.reserveCapacity(self.buffers.count - self.compactedCount)
        while self.buffers.count > self.compactedCount, let last = self.buffers.popLast() { fresh.append(last) }
        for buffer in fresh.reversed() {
            guard buffer.readableBytes < buffer.storageCapacity / Self.retainedPerByte else {
                self.buffers.append(buffer)
                self.ownsLastCompacted = false
                continue
            }
            if self.ownsLastCompacted, let last = self.buffers.last, last.readableBytes < Self.compactedChunkByteCount,
                var owned = self.buffers.popLast()
            {
                owned.writeImmutableBuffer(buffer)
                self.buffers.append(owned)
            } else {
                self.buffers.append(ByteBuffer(bytes: buffer.readableBytesView))
                self.ownsLastCompacted = true
            }
        }
        self.compactedCount = self.buffers.count
    }
}
