public import NIOCore

extension ByteBuffer {
    /// Reads an unsigned varint of at most nine bytes in minimal form
    /// (<https://github.com/multiformats/unsigned-varint>).
    ///
    /// - Throws: ``VarintError``; nothing is consumed then. `.truncated` means that more bytes may make it whole.
    public mutating func readUnsignedVarint() throws(VarintError) -> UInt64 {
        let (value, byteCount) = try UnsignedVarint.decode(self.readableBytesView)
        self.moveReaderIndex(forwardBy: byteCount)
        return value
    }

    /// Appends `value` as an unsigned varint in minimal form.
    ///
    /// A value of 2⁶³ and above takes ten bytes, which no reader of the multiformats specification accepts.
    ///
    /// - Returns: The number of bytes written.
    @discardableResult
    public mutating func writeUnsignedVarint(_ value: UInt64) -> Int {
        var rest = value
        var byteCount = 1
        while rest >= 0x80 {
            self.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            byteCount += 1
        }
        self.writeInteger(UInt8(truncatingIfNeeded: rest))
        return byteCount
    }
}
