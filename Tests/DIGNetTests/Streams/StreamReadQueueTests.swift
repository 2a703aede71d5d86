import DIGNet
import NIOCore
import Testing

@Suite("Stream read queue")
struct StreamReadQueueTests {
    /// A slice of `byteCount` bytes in an allocation of `storage`.
    private func slice(_ byteCount: Int, storage: Int, byte: UInt8 = 7) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: storage)
        buffer.writeRepeatingByte(byte, count: storage)
        return buffer.readSlice(length: byteCount) ?? ByteBuffer()
    }

    @Test("gives back what went in, in order")
    func order() {
        var queue = StreamReadQueue()
        queue.append(ByteBuffer(string: "one"))
        queue.append(ByteBuffer(string: "two"))
        #expect(queue.byteCount == 6)
        #expect(queue.popFirst() == ByteBuffer(string: "one"))
        queue.compact()
        queue.append(ByteBuffer(string: "three"))
        #expect(queue.popFirst() == ByteBuffer(string: "two"))
        #expect(queue.popFirst() == ByteBuffer(string: "three"))
        #expect(queue.popFirst() == nil)
        #expect(queue.byteCount == 0)
    }

    @Test("keeps no large allocation alive for a few bytes")
    func compaction() {
        var queue = StreamReadQueue()
        var expected: [UInt8] = []
        for index in 0..<300 {
            queue.append(self.slice(10, storage: 64 * 1024, byte: UInt8(truncatingIfNeeded: index)))
            expected += Array(repeating: UInt8(truncatingIfNeeded: index), count: 10)
            if index % 7 == 0 { queue.compact() }
            if index == 150 { queue.append(self.slice(40_000, storage: 64 * 1024)); expected += Array(repeating: 7, count: 40_000) }
        }
        queue.compact()
        #expect(queue.byteCount == expected.count)
        var read: [UInt8] = []
        var retained = 0
        while let buffer = queue.popFirst() {
            retained += buffer.storageCapacity
            read += buffer.readableBytesView
        }
        #expect(read == expected)
        #expect(retained < 4 * expected.count + 64 * 1024)
    }
}
