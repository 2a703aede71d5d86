import NIOCore

extension ByteBuffer {
    /// Reads a frame header; reads nothing and returns nil if fewer than twelve bytes are there.
    mutating func readYamuxHeader() throws(YamuxViolation) -> YamuxHeader? {
        var copy = self
        guard
            let (version, kind, flags, streamID, length) = copy.readMultipleIntegers(
                as: (UInt8, UInt8, UInt16, UInt32, UInt32).self)
        else { return nil }
        guard version == YamuxHeader.version else { throw .unsupportedVersion(version) }
        guard let kind = YamuxHeader.Kind(rawValue: kind) else { throw .unknownFrameKind(kind) }
        self = copy
        return YamuxHeader(kind: kind, flags: YamuxFlags(rawValue: flags), streamID: streamID, length: length)
    }

    @discardableResult
    mutating func writeYamuxHeader(_ header: YamuxHeader) -> Int {
        self.writeMultipleIntegers(
            YamuxHeader.version, header.kind.rawValue, header.flags.rawValue, header.streamID, header.length)
    }
}
