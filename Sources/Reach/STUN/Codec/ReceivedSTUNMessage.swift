import Crypto
public import NIOCore

/// A message as it came, with the bytes that its integrity and fingerprint were made of.
public struct ReceivedSTUNMessage: Hashable, Sendable {
    /// Ours: a binding answer has 6 attributes, an Allocate request of TURN 12.
    public static let maximumAttributeCount = 64

    /// Without integrity and fingerprint, and without what follows them: that is protected by nothing (RFC 8489 §14.5, §14.6).
    public let message: STUNMessage
    private let bytes: [UInt8]
    /// Where the attributes begin; nil if there are none.
    private let integrityOffsets: [STUNIntegrity: Int]
    private let fingerprintOffset: Int?

    /// Decodes the whole buffer as one message.
    ///
    /// Values of attributes are not looked into.
    ///
    /// - Parameter maximumByteCount: Longer messages are refused.
    /// - Throws: ``STUNDecodingError``.
    public init(decoding buffer: ByteBuffer, maximumByteCount: Int = 65_555) throws(STUNDecodingError) {
        guard buffer.readableBytes <= maximumByteCount else { throw .limitExceeded }
        let bytes = Array(buffer.readableBytesView)
        guard bytes.count >= STUNMessage.headerByteCount else { throw .truncated }
        func integer(_ offset: Int) -> UInt16 { UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1]) }

        let type = integer(0)
        guard type & 0xc000 == 0, UInt32(integer(4)) << 16 | UInt32(integer(6)) == STUNMessage.magicCookie else { throw .notSTUN }
        let length = Int(integer(2))
        guard length.isMultiple(of: 4) else { throw .invalidLength }
        guard bytes.count >= STUNMessage.headerByteCount + length else { throw .truncated }
        guard bytes.count == STUNMessage.headerByteCount + length else { throw .invalidLength }
        let method = STUNMethod(rawValue: (type & 0x3e00) >> 2 | (type & 0x00e0) >> 1 | type & 0x000f)
        let messageClass = STUNMessageClass(rawValue: UInt8(truncatingIfNeeded: (type & 0x0100) >> 7 | (type & 0x0010) >> 4))
        guard let method, let messageClass else { throw .notSTUN }
        let transactionID = STUNTransactionID(
            high: bytes[8..<12].reduce(0) { $0 << 8 | UInt32($1) }, low: bytes[12..<20].reduce(0) { $0 << 8 | UInt64($1) })

        var message = STUNMessage(messageClass, method, transactionID: transactionID)
        var integrityOffsets: [STUNIntegrity: Int] = [:]
        var fingerprintOffset: Int?
        var count = 0
        var offset = STUNMessage.headerByteCount
        while offset < bytes.count {
            guard fingerprintOffset == nil else { throw .fingerprintNotLast }
            guard bytes.count - offset >= 4 else { throw .truncated }
            let type = STUNAttributeType(rawValue: integer(offset))
            let valueByteCount = Int(integer(offset + 2))
            let padded = (valueByteCount + 3) / 4 * 4
            guard padded <= bytes.count - offset - 4 else { throw .truncated }
            count += 1
            guard count <= Self.maximumAttributeCount else { throw .limitExceeded }
            switch type {
            case .messageIntegrity where integrityOffsets.isEmpty:
                guard valueByteCount == Insecure.SHA1.byteCount else { throw .invalidAttribute(type) }
                integrityOffsets[.sha1] = offset
            case .messageIntegritySHA256 where integrityOffsets[.sha256] == nil:
                // §14.6: may be shortened, but not below 16 bytes.
                guard (16...SHA256.byteCount).contains(valueByteCount), valueByteCount.isMultiple(of: 4) else { throw .invalidAttribute(type) }
                integrityOffsets[.sha256] = offset
            case .fingerprint:
                guard valueByteCount == 4 else { throw .invalidAttribute(type) }
                fingerprintOffset = offset
            default:
                guard integrityOffsets.isEmpty else { break }
                message.attributes.append(STUNAttribute(type: type, value: Array(bytes[(offset + 4)..<(offset + 4 + valueByteCount)])))
            }
            offset += 4 + padded
        }
        self.message = message
        self.bytes = bytes
        self.integrityOffsets = integrityOffsets
        self.fingerprintOffset = fingerprintOffset
    }

    /// Nil if the message has none.
    public var hasValidFingerprint: Bool? {
        guard let offset = self.fingerprintOffset else { return nil }
        let value = self.bytes[(offset + 4)..<(offset + 8)].reduce(0) { $0 << 8 | UInt32($1) }
        return value == CRC32.checksum(self.bytes[..<offset]) ^ STUNMessage.fingerprintMask
    }

    /// Which attributes protect the message.
    public var integrity: Set<STUNIntegrity> { Set(self.integrityOffsets.keys) }

    /// Whether the message has this integrity attribute and it was made with `key`. Takes the same time however wrong it is.
    public func isProtected(by kind: STUNIntegrity, key: STUNIntegrityKey) -> Bool {
        guard let offset = self.integrityOffsets[kind] else { return false }
        let valueByteCount = Int(self.bytes[offset + 2]) << 8 | Int(self.bytes[offset + 3])
        // As it was when the hash was made: up to and with this attribute.
        var covered = Array(self.bytes[..<offset])
        let length = offset - STUNMessage.headerByteCount + 4 + valueByteCount
        covered[2] = UInt8(truncatingIfNeeded: length >> 8)
        covered[3] = UInt8(truncatingIfNeeded: length)
        let expected = STUNMessage.authenticationCode(of: covered, kind, key)
        let actual = self.bytes[(offset + 4)..<(offset + 4 + valueByteCount)]
        return zip(expected, actual).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
