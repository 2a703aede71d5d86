/// Asks for an answer from the server's other address, other port, or both (RFC 5780 §7.2).
public struct STUNChangeRequest: STUNAttributeValue {
    public static let type = STUNAttributeType.changeRequest
    public var changesAddress: Bool
    public var changesPort: Bool

    public init(changesAddress: Bool, changesPort: Bool) {
        self.changesAddress = changesAddress
        self.changesPort = changesPort
    }

    /// 32 bits: 4 is the address, 2 the port; others are for the future.
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        guard bytes.count == 4 else { throw .invalidAttribute(Self.type) }
        self.changesAddress = bytes[3] & 4 != 0
        self.changesPort = bytes[3] & 2 != 0
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        [0, 0, 0, (self.changesAddress ? 4 : 0) | (self.changesPort ? 2 : 0)]
    }
}

/// Asks for an answer to another port of the same address (RFC 5780 §7.5).
public struct STUNResponsePort: STUNAttributeValue {
    public static let type = STUNAttributeType.responsePort
    /// Not 0.
    public let port: UInt16

    public init?(_ port: UInt16) {
        guard port != 0 else { return nil }
        self.port = port
    }

    /// The port, and two bytes that some leave out.
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        guard bytes.count == 2 || bytes.count == 4 else { throw .invalidAttribute(Self.type) }
        let port = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        guard port != 0 else { throw .invalidAttribute(Self.type) }
        self.port = port
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        [UInt8(truncatingIfNeeded: self.port >> 8), UInt8(truncatingIfNeeded: self.port), 0, 0]
    }
}

/// Bytes without meaning that make a message long, to see what becomes of fragments (RFC 5780 §7.6).
public struct STUNPadding: STUNAttributeValue {
    public static let type = STUNAttributeType.padding
    public let byteCount: Int

    /// Rounded up to four bytes, and cut to what an attribute holds.
    public init(byteCount: Int) { self.byteCount = (min(max(0, byteCount), 0xfffc) + 3) / 4 * 4 }

    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.byteCount = bytes.count
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { [UInt8](repeating: 0, count: self.byteCount) }
}
