#if os(Linux)
/// The part of STUN (RFC 8489, RFC 5780 §7) that the lab's own probes need: Binding with CHANGE-REQUEST.
///
/// The lab must not measure the product's STUN with the product's STUN: this is code of its own.
struct BindingMessage: Hashable {
    enum Kind: UInt16 { case request = 0x0001, response = 0x0101 }

    var kind: Kind
    var transactionID: [UInt8]
    var changesAddress = false
    var changesPort = false
    var mapped: Endpoint?
    /// OTHER-ADDRESS: where the server listens with both address and port different.
    var other: Endpoint?
    /// RESPONSE-ORIGIN.
    var origin: Endpoint?

    static let cookie: [UInt8] = [0x21, 0x12, 0xA4, 0x42]

    init(request transactionID: [UInt8], changesAddress: Bool = false, changesPort: Bool = false) {
        self.kind = .request
        self.transactionID = transactionID
        self.changesAddress = changesAddress
        self.changesPort = changesPort
    }

    init(response transactionID: [UInt8], mapped: Endpoint, origin: Endpoint, other: Endpoint) {
        self.kind = .response
        self.transactionID = transactionID
        self.mapped = mapped
        self.origin = origin
        self.other = other
    }

    var bytes: [UInt8] {
        var attributes: [UInt8] = []
        func add(_ type: UInt16, _ value: [UInt8]) {
            attributes += [UInt8(type >> 8), UInt8(type & 0xFF), 0, UInt8(truncatingIfNeeded: value.count)] + value
            while attributes.count % 4 != 0 { attributes.append(0) }
        }
        if self.changesAddress || self.changesPort { add(0x0003, [0, 0, 0, (self.changesAddress ? 4 : 0) | (self.changesPort ? 2 : 0)]) }
        if let mapped {
            add(0x0001, Self.encode(mapped))
            add(0x0020, Self.encode(mapped, mask: Self.cookie + self.transactionID))
        }
        if let origin { add(0x802B, Self.encode(origin)) }
        if let other { add(0x802C, Self.encode(other)) }
        let type = self.kind.rawValue
        return [UInt8(type >> 8), UInt8(type & 0xFF), UInt8(attributes.count >> 8 & 0xFF), UInt8(attributes.count & 0xFF)] + Self.cookie + self.transactionID + attributes
    }

    /// - Returns: `nil` for anything that is no Binding request or success response in one piece.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 20, let kind = Kind(rawValue: UInt16(bytes[0]) << 8 | UInt16(bytes[1])) else { return nil }
        let length = Int(bytes[2]) << 8 | Int(bytes[3])
        guard length % 4 == 0, bytes.count == 20 + length, Array(bytes[4..<8]) == Self.cookie else { return nil }
        self.kind = kind
        self.transactionID = Array(bytes[8..<20])
        var rest = bytes[20...]
        while rest.count >= 4 {
            let start = rest.startIndex
            let type = UInt16(rest[start]) << 8 | UInt16(rest[start + 1])
            let size = Int(rest[start + 2]) << 8 | Int(rest[start + 3])
            guard rest.count >= 4 + size else { return nil }
            let value = Array(rest[(start + 4)..<(start + 4 + size)])
            switch type {
            case 0x0003 where value.count == 4:
                self.changesAddress = value[3] & 4 != 0
                self.changesPort = value[3] & 2 != 0
            case 0x0001: self.mapped = self.mapped ?? Self.decode(value)
            case 0x0020: self.mapped = Self.decode(value, mask: Self.cookie + self.transactionID) ?? self.mapped
            case 0x802B: self.origin = Self.decode(value)
            case 0x802C: self.other = Self.decode(value)
            default: break
            }
            rest = rest.dropFirst(4 + (size + 3) / 4 * 4)
        }
    }

    /// - Parameter mask: Cookie and transaction ID for XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    private static func encode(_ endpoint: Endpoint, mask: [UInt8]? = nil) -> [UInt8] {
        let plain = [UInt8(endpoint.port >> 8), UInt8(endpoint.port & 0xFF)]
        let port = mask.map { mask in zip(plain, mask).map { $0 ^ $1 } } ?? plain
        let address = mask.map { mask in zip(endpoint.address, mask).map { $0 ^ $1 } } ?? endpoint.address
        return [0, endpoint.isIPv6 ? 2 : 1] + port + address
    }

    private static func decode(_ value: [UInt8], mask: [UInt8]? = nil) -> Endpoint? {
        guard value.count == (value.count > 1 && value[1] == 2 ? 20 : 8) else { return nil }
        let port = mask.map { mask in zip(value[2..<4], mask).map { $0 ^ $1 } } ?? Array(value[2..<4])
        let address = mask.map { mask in zip(value[4...], mask).map { $0 ^ $1 } } ?? Array(value[4...])
        return Endpoint(bytes: address, port: UInt16(port[0]) << 8 | UInt16(port[1]))
    }
}
#endif
