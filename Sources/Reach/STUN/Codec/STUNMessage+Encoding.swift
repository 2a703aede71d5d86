import Crypto
public import NIOCore

extension STUNMessage {
    /// RFC 8489 §5.
    static let magicCookie: UInt32 = 0x2112_a442
    static let headerByteCount = 20
    /// §14.7.
    static let fingerprintMask: UInt32 = 0x5354_554e
    static let fingerprintByteCount = 8

    /// The bytes to send.
    ///
    /// - Parameters:
    ///   - integrity: Keys of the integrity attributes to add, in this order: SHA-1 before SHA-256 (§14.6).
    ///   - hasFingerprint: Adds FINGERPRINT, by which STUN is told from other protocols on the same port.
    ///   - paddingByte: What fills attributes up to four bytes: 0 (§14).
    /// - Returns: Attributes that do not fit 65,535 bytes are left out.
    public func encoded(
        integrity: [(STUNIntegrity, STUNIntegrityKey)] = [], hasFingerprint: Bool = true, paddingByte: UInt8 = 0
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.typeField(self.messageClass, self.method))
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(Self.magicCookie)
        buffer.writeInteger(self.transactionID.high)
        buffer.writeInteger(self.transactionID.low)
        for attribute in self.attributes {
            Self.write(attribute, paddingByte: paddingByte, to: &buffer)
        }
        for (kind, key) in integrity {
            let byteCount = kind == .sha1 ? Insecure.SHA1.byteCount : SHA256.byteCount
            // §14.5: the length covers the attribute, the hash what stands before it.
            Self.setLength(buffer.readableBytes - Self.headerByteCount + 4 + byteCount, of: &buffer)
            let hash = Self.authenticationCode(of: buffer.readableBytesView, kind, key)
            Self.write(STUNAttribute(type: kind.type, value: hash), paddingByte: 0, to: &buffer)
        }
        if hasFingerprint {
            Self.setLength(buffer.readableBytes - Self.headerByteCount + Self.fingerprintByteCount, of: &buffer)
            let checksum = CRC32.checksum(buffer.readableBytesView) ^ Self.fingerprintMask
            buffer.writeInteger(STUNAttributeType.fingerprint.rawValue)
            buffer.writeInteger(UInt16(4))
            buffer.writeInteger(checksum)
        }
        Self.setLength(buffer.readableBytes - Self.headerByteCount, of: &buffer)
        return buffer
    }

    /// §5: the two bits of the class lie between those of the method.
    ///
    /// ```
    /// 0 0 | M11…M7 | C1 | M6 M5 M4 | C0 | M3…M0
    /// ```
    static func typeField(_ messageClass: STUNMessageClass, _ method: STUNMethod) -> UInt16 {
        let value = method.rawValue
        let classBits = UInt16(messageClass.rawValue)
        return (value & 0xf80) << 2 | (value & 0x070) << 1 | value & 0x00f | (classBits & 2) << 7 | (classBits & 1) << 4
    }

    static func authenticationCode(of bytes: some Collection<UInt8>, _ kind: STUNIntegrity, _ key: STUNIntegrityKey) -> [UInt8] {
        let bytes = Array(bytes)
        switch kind {
        case .sha1: return Array(HMAC<Insecure.SHA1>.authenticationCode(for: bytes, using: key.symmetricKey))
        case .sha256: return Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key.symmetricKey))
        }
    }

    private static func setLength(_ byteCount: Int, of buffer: inout ByteBuffer) {
        buffer.setInteger(UInt16(clamping: byteCount), at: buffer.readerIndex + 2)
    }

    /// Room is kept for integrity and fingerprint.
    private static func write(_ attribute: STUNAttribute, paddingByte: UInt8, to buffer: inout ByteBuffer) {
        let padded = (attribute.value.count + 3) / 4 * 4
        guard attribute.value.count <= UInt16.max, buffer.readableBytes + 4 + padded <= 0xff00 else { return }
        buffer.writeInteger(attribute.type.rawValue)
        buffer.writeInteger(UInt16(clamping: attribute.value.count))
        buffer.writeBytes(attribute.value)
        buffer.writeRepeatingByte(paddingByte, count: padded - attribute.value.count)
    }
}
