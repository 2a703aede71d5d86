import NIOCore

/// Cuts the bytes of a connection into headers and pieces of bodies.
///
/// A body is handed on as it arrives and not collected: a frame's length sizes nothing here. Only an incomplete header is kept, at most
/// eleven bytes.
struct YamuxFrameReader {
    enum Element: Hashable {
        case header(YamuxHeader)
        /// A part of the last header's body. It shares the storage of the buffer it came in.
        case body(ByteBuffer, isLast: Bool)
    }

    private var partialHeader = ByteBuffer()
    private var remainingBodyByteCount = 0

    /// Reads the next element from `buffer`; nil when it needs more bytes, and then `buffer` is empty.
    ///
    /// After a header the caller decides about the body before it asks for more. After an error the connection is unusable.
    mutating func next(from buffer: inout ByteBuffer) throws(YamuxViolation) -> Element? {
        if self.remainingBodyByteCount > 0 {
            let byteCount = min(self.remainingBodyByteCount, buffer.readableBytes)
            guard byteCount > 0, let body = buffer.readSlice(length: byteCount) else { return nil }
            self.remainingBodyByteCount -= byteCount
            return .body(body, isLast: self.remainingBodyByteCount == 0)
        }
        guard let header = try self.nextHeader(from: &buffer) else { return nil }
        self.remainingBodyByteCount = Int(header.bodyByteCount)
        return .header(header)
    }

    private mutating func nextHeader(from buffer: inout ByteBuffer) throws(YamuxViolation) -> YamuxHeader? {
        if self.partialHeader.readableBytes == 0, let header = try buffer.readYamuxHeader() { return header }
        let missing = YamuxHeader.byteCount - self.partialHeader.readableBytes
        if let more = buffer.readSlice(length: min(missing, buffer.readableBytes)) {
            self.partialHeader.writeImmutableBuffer(more)
        }
        guard let header = try self.partialHeader.readYamuxHeader() else { return nil }
        self.partialHeader.clear()
        return header
    }
}
