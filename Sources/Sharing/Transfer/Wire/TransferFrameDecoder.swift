import NIOCore

/// Turns the bytes of a stream into ``TransferFrameEvent``s.
///
/// Chunk bodies pass through as slices of what was read: the decoder holds at most one header or one control frame.
///
///     while let event = try decoder.next(&bytes) { … }
///
/// After an error the stream is to be reset; the decoder throws the same error again.
struct TransferFrameDecoder: Sendable {
    private enum State {
        case header
        case control(TransferFrameHeader)
        case chunk(remaining: Int)
        case failed(TransferWireError)
    }

    private var state = State.header
    /// A header or control body of which only a part has arrived.
    private var partial = ByteBuffer()

    /// How many bytes the decoder holds itself. At most ``TransferLimits/maximumControlByteCount``.
    var bufferedByteCount: Int { self.partial.readableBytes }

    /// Whether the stream may end here.
    var isAtFrameBoundary: Bool {
        if case .header = self.state { return self.partial.readableBytes == 0 }
        return false
    }

    /// The next event in `bytes`, or nil once they are all consumed. Control messages this version does not know are skipped.
    mutating func next(_ bytes: inout ByteBuffer) throws(TransferWireError) -> TransferFrameEvent? {
        do {
            return try self.read(&bytes)
        } catch {
            self.state = .failed(error)
            self.partial = ByteBuffer()
            throw error
        }
    }

    private mutating func read(_ bytes: inout ByteBuffer) throws(TransferWireError) -> TransferFrameEvent? {
        while true {
            switch self.state {
            case .header:
                guard var whole = self.take(TransferLimits.frameHeaderByteCount, from: &bytes) else { return nil }
                let header = try whole.readTransferFrameHeader()
                switch header.type {
                case .control:
                    self.state = .control(header)
                case .chunk:
                    self.state = .chunk(remaining: header.byteCount)
                    return .chunkBegan(handle: header.handle, index: header.index, byteCount: header.byteCount)
                }
            case .control(let header):
                guard let body = self.take(header.byteCount, from: &bytes) else { return nil }
                self.state = .header
                switch try ControlCodec.decode(body) {
                case .request(let request): return .request(handle: header.handle, request)
                case .response(let response): return .response(handle: header.handle, response)
                case nil: continue
                }
            case .chunk(remaining: 0):
                self.state = .header
                return .chunkEnded
            case .chunk(let remaining):
                let length = min(remaining, bytes.readableBytes)
                guard length > 0, let slice = bytes.readSlice(length: length) else { return nil }
                self.state = .chunk(remaining: remaining - length)
                return .chunkBody(slice)
            case .failed(let error):
                throw error
            }
        }
    }

    /// Takes exactly `count` bytes, without a copy if they all came in one piece; keeps what there is and returns nil if they are not all there.
    private mutating func take(_ count: Int, from bytes: inout ByteBuffer) -> ByteBuffer? {
        if self.partial.readableBytes == 0, let slice = bytes.readSlice(length: count) { return slice }
        guard var piece = bytes.readSlice(length: min(count - self.partial.readableBytes, bytes.readableBytes)) else { return nil }
        self.partial.writeBuffer(&piece)
        guard self.partial.readableBytes == count else { return nil }
        defer { self.partial = ByteBuffer() }
        return self.partial
    }
}
