import NIOCore

/// Cuts a TCP stream into STUN messages (RFC 8489 §6.2.2): each tells its length in its header.
struct STUNFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// A longer message ends the connection.
    var maximumByteCount: Int

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let frame = try self.nextFrame(&buffer) else { return .needMoreData }
        context.fireChannelRead(self.wrapInboundOut(frame))
        return .continue
    }

    mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        while try self.decode(context: context, buffer: &buffer) == .continue {}
        return .needMoreData
    }

    /// - Throws: ``STUNDecodingError`` as soon as the header shows that no STUN message comes.
    func nextFrame(_ buffer: inout ByteBuffer) throws(STUNDecodingError) -> ByteBuffer? {
        guard let (type, length, cookie) = buffer.peekMultipleIntegers(as: (UInt16, UInt16, UInt32).self) else { return nil }
        guard type & 0xc000 == 0, cookie == STUNMessage.magicCookie else { throw .notSTUN }
        guard length.isMultiple(of: 4) else { throw .invalidLength }
        let byteCount = STUNMessage.headerByteCount + Int(length)
        guard byteCount <= self.maximumByteCount else { throw .limitExceeded }
        return buffer.readSlice(length: byteCount)
    }
}
