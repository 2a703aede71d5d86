import NIOCore

/// The fields of a protobuf message, one at a time, without taking memory for those that nobody wants.
///
/// Written out because a generated decoder makes an object of every element of a list before anybody can count them: an RPC of a mebibyte
/// holds half a million empty messages.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case bytes(ByteBuffer)
        /// Four or eight bytes. No field of ours has them.
        case fixed
    }

    private var rest: ByteBuffer

    init(_ bytes: ByteBuffer) { self.rest = bytes }

    /// The next field, or nil at the end.
    mutating func next() throws(GossipDecodingError) -> (number: UInt64, value: Value)? {
        guard self.rest.readableBytes > 0 else { return nil }
        let tag = try self.varint()
        let number = tag >> 3
        guard number > 0 else { throw .invalidField }
        switch tag & 7 {
        case 0: return (number, .varint(try self.varint()))
        case 1: return (number, try self.skip(8))
        case 2:
            let count = try self.varint()
            guard count <= UInt64(self.rest.readableBytes), let bytes = self.rest.readSlice(length: Int(count)) else { throw .truncated }
            return (number, .bytes(bytes))
        case 5: return (number, try self.skip(4))
        default: throw .invalidField
        }
    }

    private mutating func skip(_ count: Int) throws(GossipDecodingError) -> Value {
        guard self.rest.readSlice(length: count) != nil else { throw .truncated }
        return .fixed
    }

    private mutating func varint() throws(GossipDecodingError) -> UInt64 {
        var value: UInt64 = 0
        for position in 0..<10 {
            guard let byte = self.rest.readInteger(as: UInt8.self) else { throw .truncated }
            let part = UInt64(byte & 0x7f)
            // Of the tenth byte only one bit is left in 64.
            guard position < 9 || part <= 1 else { throw .invalidVarint }
            value |= part << UInt64(7 * position)
            if byte & 0x80 == 0 { return value }
        }
        throw .invalidVarint
    }
}

extension ProtobufReader.Value {
    func bytes() throws(GossipDecodingError) -> ByteBuffer {
        guard case .bytes(let bytes) = self else { throw .invalidField }
        return bytes
    }

    func number() throws(GossipDecodingError) -> UInt64 {
        guard case .varint(let number) = self else { throw .invalidField }
        return number
    }
}
