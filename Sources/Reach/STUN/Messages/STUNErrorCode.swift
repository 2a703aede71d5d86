/// Why a request failed (RFC 8489 §14.8).
public struct STUNErrorCode: STUNAttributeValue, CustomStringConvertible {
    public static let type = STUNAttributeType.errorCode
    /// 300 to 699.
    public let code: Int
    /// For a person.
    public let reason: String

    /// Nil if `code` is not 300…699.
    public init?(code: Int, reason: String) {
        guard (300...699).contains(code) else { return nil }
        self.code = code
        self.reason = reason
    }

    private init(_ code: Int, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// §14.8.
    public static let tryAlternate = Self(300, "Try Alternate")
    public static let badRequest = Self(400, "Bad Request")
    public static let unauthenticated = Self(401, "Unauthenticated")
    public static let unknownAttribute = Self(420, "Unknown Attribute")
    public static let staleNonce = Self(438, "Stale Nonce")
    public static let serverError = Self(500, "Server Error")

    /// ```
    /// 0 (21 bits) | class: hundreds (3 bits) | number: 0…99 (8 bits) | reason, at most 763 bytes
    /// ```
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        guard bytes.count >= 4, (3...6).contains(bytes[2] & 0x07), bytes[3] < 100 else { throw .invalidAttribute(Self.type) }
        self.code = Int(bytes[2] & 0x07) * 100 + Int(bytes[3])
        self.reason = try STUNTextCoding.decode(Array(bytes[4...]), of: Self.type, maximumByteCount: STUNTextCoding.maximumByteCount)
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        [0, 0, UInt8(self.code / 100), UInt8(self.code % 100)]
            + STUNTextCoding.encode(self.reason, maximumByteCount: STUNTextCoding.maximumByteCount)
    }

    public var description: String { "\(self.code) \(self.reason)" }
}

/// The attributes that a server did not know (RFC 8489 §14.13).
public struct STUNUnknownAttributes: STUNAttributeValue {
    public static let type = STUNAttributeType.unknownAttributes
    public var types: [STUNAttributeType]

    public init(_ types: [STUNAttributeType]) { self.types = types }

    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        guard bytes.count.isMultiple(of: 2) else { throw .invalidAttribute(Self.type) }
        self.types = stride(from: 0, to: bytes.count, by: 2).map {
            STUNAttributeType(rawValue: UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]))
        }
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        self.types.flatMap { [UInt8(truncatingIfNeeded: $0.rawValue >> 8), UInt8(truncatingIfNeeded: $0.rawValue)] }
    }
}
