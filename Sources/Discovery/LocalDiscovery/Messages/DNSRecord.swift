import DIGMultiformats

/// A resource record of class IN.
struct DNSRecord: Hashable, Sendable {
    enum Value: Hashable, Sendable {
        case pointer(DNSName)
        case text([[UInt8]])
        case service(port: UInt16, target: DNSName)
        case a(IPv4Address)
        case aaaa(IPv6Address)
        /// Of no use here; the value is not kept.
        case other(DNSRecordType)
    }

    var name: DNSName
    var value: Value
    /// How long the record is good for; 0 takes it back (RFC 6762 §10.1).
    var lifetimeSeconds: UInt32
    /// The record replaces every other of its name and kind (RFC 6762 §10.2).
    var flushesCache = false

    var type: DNSRecordType {
        switch self.value {
        case .pointer: .pointer
        case .text: .text
        case .service: .service
        case .a: .a
        case .aaaa: .aaaa
        case .other(let type): type
        }
    }
}
