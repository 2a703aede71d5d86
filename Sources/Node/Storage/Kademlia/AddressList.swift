import DIGMultiformats

/// Addresses as one blob: binary multiaddrs, each behind its length as a varint.
enum AddressList {
    /// More are neither written nor read.
    static let maximumCount = 64

    static func encode(_ addresses: [Multiaddr]) -> [UInt8] {
        var bytes: [UInt8] = []
        for address in addresses.prefix(Self.maximumCount) {
            let encoded = address.bytes
            UnsignedVarint.encode(UInt64(encoded.count), into: &bytes)
            bytes += encoded
        }
        return bytes
    }

    /// Nil if `bytes` are no such list.
    static func decode(_ bytes: [UInt8]) -> [Multiaddr]? {
        var rest = bytes[...]
        var addresses: [Multiaddr] = []
        while !rest.isEmpty {
            guard addresses.count < Self.maximumCount else { return nil }
            do {
                let (length, byteCount) = try UnsignedVarint.decode(rest)
                rest = rest.dropFirst(byteCount)
                guard length <= UInt64(rest.count) else { return nil }
                addresses.append(try Multiaddr(bytes: rest.prefix(Int(length))))
                rest = rest.dropFirst(Int(length))
            } catch {
                return nil
            }
        }
        return addresses
    }
}
