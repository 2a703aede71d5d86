import Crypto

/// A user's name that only those who know it recognise (RFC 8489 §14.4): SHA-256 of `name:realm`.
public struct STUNUserHash: STUNAttributeValue {
    public static let type = STUNAttributeType.userHash
    static let byteCount = 32
    /// 32 bytes.
    public let bytes: [UInt8]

    public init(username: String, realm: String) {
        self.bytes = Array(SHA256.hash(data: Array("\(username):\(realm)".utf8)))
    }

    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        guard bytes.count == Self.byteCount else { throw .invalidAttribute(Self.type) }
        self.bytes = bytes
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { self.bytes }
}
