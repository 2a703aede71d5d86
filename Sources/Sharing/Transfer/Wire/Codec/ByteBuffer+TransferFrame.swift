import NIOCore

extension ByteBuffer {
    /// Reads one frame header, consuming exactly 16 bytes.
    ///
    /// - Throws: ``TransferWireError`` if they cannot be one. Fewer than 16 bytes are `.malformedControl`; the decoder never asks then.
    mutating func readTransferFrameHeader() throws(TransferWireError) -> TransferFrameHeader {
        guard
            let (type, flags, reserved, handle, index, length) = self.readMultipleIntegers(
                as: (UInt8, UInt8, UInt16, UInt32, UInt32, UInt32).self)
        else { throw .malformedControl }
        return try TransferFrameHeader(type: type, flags: flags, reserved: reserved, handle: handle, index: index, length: length)
    }

    /// Writes the 16 bytes that go before the body.
    mutating func writeTransferFrameHeader(_ header: TransferFrameHeader) {
        self.writeMultipleIntegers(
            header.type.rawValue, UInt8(0), UInt16(0), header.handle, header.index, UInt32(truncatingIfNeeded: header.byteCount))
    }

    /// Writes a whole control frame.
    ///
    /// - Returns: False, with nothing written, if the message is above ``TransferLimits/maximumControlByteCount``.
    @discardableResult
    mutating func writeTransferRequest(_ request: TransferRequest, handle: UInt32) -> Bool {
        self.writeControlFrame(ControlCodec.encode(request), handle: handle)
    }

    /// Writes a whole control frame.
    ///
    /// - Returns: False, with nothing written, if the message is above ``TransferLimits/maximumControlByteCount``.
    @discardableResult
    mutating func writeTransferResponse(_ response: TransferResponse, handle: UInt32) -> Bool {
        self.writeControlFrame(ControlCodec.encode(response), handle: handle)
    }

    private mutating func writeControlFrame(_ body: [UInt8]?, handle: UInt32) -> Bool {
        guard let body, body.count <= TransferLimits.maximumControlByteCount else { return false }
        self.reserveCapacity(minimumWritableBytes: TransferLimits.frameHeaderByteCount + body.count)
        self.writeTransferFrameHeader(.control(handle: handle, byteCount: body.count))
        self.writeBytes(body)
        return true
    }
}
