import NIOCore

extension ByteBuffer {
    /// From hexadecimal digits; white space between them does not count.
    init(hexadecimal text: String) {
        let digits = text.compactMap(\.hexDigitValue)
        self.init(bytes: stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }

    /// Every prefix but the whole.
    var strictPrefixes: [ByteBuffer] {
        (0..<self.readableBytes).compactMap { self.getSlice(at: self.readerIndex, length: $0) }
    }

    func replacingByte(at offset: Int, with byte: UInt8) -> ByteBuffer {
        var copy = self
        copy.setInteger(byte, at: copy.readerIndex + offset)
        return copy
    }

    var hexadecimal: String { self.readableBytesView.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
