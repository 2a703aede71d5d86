import NIOCore

extension ByteBuffer {
    mutating func writeProtobuf(field: UInt64, number: UInt64) {
        self.writeProtobufVarint(field << 3)
        self.writeProtobufVarint(number)
    }

    mutating func writeProtobuf(field: UInt64, bytes: some Collection<UInt8>) {
        self.writeProtobufVarint(field << 3 | 2)
        self.writeProtobufVarint(UInt64(bytes.count))
        self.writeBytes(bytes)
    }

    mutating func writeProtobuf(field: UInt64, message: ByteBuffer) {
        self.writeProtobufVarint(field << 3 | 2)
        self.writeProtobufVarint(UInt64(message.readableBytes))
        self.writeImmutableBuffer(message)
    }

    private mutating func writeProtobufVarint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            self.writeInteger(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        self.writeInteger(UInt8(truncatingIfNeeded: value))
    }
}
