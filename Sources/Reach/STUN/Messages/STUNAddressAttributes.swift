public import NIOCore

/// The address a request came from, in the clear (RFC 8489 §14.1): some NATs rewrite it. Only old servers send nothing else.
public struct STUNMappedAddress: STUNAttributeValue {
    public static let type = STUNAttributeType.mappedAddress
    public var address: SocketAddress

    public init(_ address: SocketAddress) { self.address = address }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.address = try STUNAddressCoding.decode(bytes, of: Self.type)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { STUNAddressCoding.encode(self.address) }
}

/// The address a request came from, masked so that no NAT finds it (RFC 8489 §14.2).
public struct STUNXORMappedAddress: STUNAttributeValue {
    public static let type = STUNAttributeType.xorMappedAddress
    public var address: SocketAddress

    public init(_ address: SocketAddress) { self.address = address }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.address = try STUNAddressCoding.decode(bytes, of: Self.type, maskedWith: transactionID)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { STUNAddressCoding.encode(self.address, maskedWith: transactionID) }
}

/// Where to ask instead (RFC 8489 §14.15).
public struct STUNAlternateServer: STUNAttributeValue {
    public static let type = STUNAttributeType.alternateServer
    public var address: SocketAddress

    public init(_ address: SocketAddress) { self.address = address }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.address = try STUNAddressCoding.decode(bytes, of: Self.type)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { STUNAddressCoding.encode(self.address) }
}

/// The address that the server answered from (RFC 5780 §7.3).
public struct STUNResponseOrigin: STUNAttributeValue {
    public static let type = STUNAttributeType.responseOrigin
    public var address: SocketAddress

    public init(_ address: SocketAddress) { self.address = address }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.address = try STUNAddressCoding.decode(bytes, of: Self.type)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { STUNAddressCoding.encode(self.address) }
}

/// The address that the server would answer from if asked to change both IP address and port (RFC 5780 §7.4).
public struct STUNOtherAddress: STUNAttributeValue {
    public static let type = STUNAttributeType.otherAddress
    public var address: SocketAddress

    public init(_ address: SocketAddress) { self.address = address }
    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        self.address = try STUNAddressCoding.decode(bytes, of: Self.type)
    }
    public func encoded(transactionID: STUNTransactionID) -> [UInt8] { STUNAddressCoding.encode(self.address) }
}
