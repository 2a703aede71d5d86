import DIGMultiformats

/// The parts of the system's routing tables that name gateways.
struct RoutingTable: Hashable, Sendable {
    struct Default<Address: Hashable & Sendable>: Hashable, Sendable {
        var gateway: Address
        var interface: String
        var metric: UInt32
    }

    /// Ours: lines beyond this many are not read.
    static let maximumLineCount = 4096

    /// The one with the lowest metric, of those that are up.
    var default4: Default<IPv4Address>?
    var default6: Default<IPv6Address>?

    /// `RTF_UP`, `RTF_GATEWAY`, `RTF_REJECT` of route.h.
    private static let up: UInt32 = 0x1
    private static let viaGateway: UInt32 = 0x2
    private static let reject: UInt32 = 0x200

    init() {}

    /// Parses `/proc/net/route` and `/proc/net/ipv6_route` (proc(5)). Lines that cannot be read are skipped.
    init(route4: String, route6: String) {
        for fields in Self.lines(route4).dropFirst() where fields.count >= 8 {
            // Addresses are words of the machine: on a little-endian one the bytes are reversed.
            guard let destination = UInt32(fields[1], radix: 16).map(UInt32.init(bigEndian:)),
                let gateway = UInt32(fields[2], radix: 16).map(UInt32.init(bigEndian:)), let flags = UInt32(fields[3], radix: 16),
                let metric = UInt32(fields[6]), let mask = UInt32(fields[7], radix: 16).map(UInt32.init(bigEndian:)),
                flags & Self.up != 0, flags & Self.viaGateway != 0, flags & Self.reject == 0, destination == 0, mask == 0, gateway != 0,
                self.default4.map({ metric < $0.metric }) ?? true
            else { continue }
            self.default4 = Default(gateway: IPv4Address(rawValue: gateway), interface: String(fields[0]), metric: metric)
        }
        for fields in Self.lines(route6) where fields.count >= 10 {
            guard fields[0].allSatisfy({ $0 == "0" }), fields[1] == "00", let gateway = Self.address6(fields[4]), gateway != .any,
                let metric = UInt32(fields[5], radix: 16), let flags = UInt32(fields[8], radix: 16),
                flags & Self.up != 0, flags & Self.viaGateway != 0, flags & Self.reject == 0, self.default6.map({ metric < $0.metric }) ?? true
            else { continue }
            self.default6 = Default(gateway: gateway, interface: String(fields[9]), metric: metric)
        }
    }

    private static func lines(_ text: String) -> [[Substring]] {
        text.split(separator: "\n", maxSplits: Self.maximumLineCount).prefix(Self.maximumLineCount).map {
            $0.split(whereSeparator: { $0 == " " || $0 == "\t" })
        }
    }

    private static func address6(_ text: Substring) -> IPv6Address? {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16) else { return nil }
        return IPv6Address(high: high, low: low)
    }
}
