/// Who asks (RFC 8489 §14.3): fewer than 509 bytes of UTF-8.
public struct STUNUsername: STUNAttributeValue {
    public static let type = STUNAttributeType.username
    public static let maximumByteCount = 508
    public var name: String

    public init(_ name: String) { self.name = name }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.name = try STUNTextCoding.decode(bytes, of: Self.type, maximumByteCount: Self.maximumByteCount)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        STUNTextCoding.encode(self.name, maximumByteCount: Self.maximumByteCount)
    }
}

/// Where a long-term credential is valid (RFC 8489 §14.9): fewer than 128 characters, at most 763 bytes.
public struct STUNRealm: STUNAttributeValue {
    public static let type = STUNAttributeType.realm
    public var name: String

    public init(_ name: String) { self.name = name }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.name = try STUNTextCoding.decode(bytes, of: Self.type, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        STUNTextCoding.encode(self.name, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
}

/// What a server wants to see again (RFC 8489 §14.10): at most 763 bytes.
public struct STUNNonce: STUNAttributeValue {
    public static let type = STUNAttributeType.nonce
    public var text: String

    public init(_ text: String) { self.text = text }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.text = try STUNTextCoding.decode(bytes, of: Self.type, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        STUNTextCoding.encode(self.text, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
}

/// The name of the program (RFC 8489 §14.14), for people: at most 763 bytes.
public struct STUNSoftware: STUNAttributeValue {
    public static let type = STUNAttributeType.software
    public var name: String

    public init(_ name: String) { self.name = name }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.name = try STUNTextCoding.decode(bytes, of: Self.type, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        STUNTextCoding.encode(self.name, maximumByteCount: STUNTextCoding.maximumByteCount)
    }
}

/// The name that an alternate server's certificate has to bear (RFC 8489 §14.16): at most 255 bytes.
public struct STUNAlternateDomain: STUNAttributeValue {
    public static let type = STUNAttributeType.alternateDomain
    public static let maximumByteCount = 255
    public var name: String

    public init(_ name: String) { self.name = name }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.name = try STUNTextCoding.decode(bytes, of: Self.type, maximumByteCount: Self.maximumByteCount)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        STUNTextCoding.encode(self.name, maximumByteCount: Self.maximumByteCount)
    }
}
