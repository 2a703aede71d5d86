extension Multiaddr.Component {
    /// Why a value does not belong to its protocol, for a person.
    struct InvalidValue: Error {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Makes a component from the text between two slashes; `text` is ignored where there is no value.
    init(_ kind: MultiaddrProtocol, text: String) throws(InvalidValue) {
        switch kind {
        case .ip4:
            guard let address = IPv4Address(text) else { throw InvalidValue("\"\(text)\" is not an IPv4 address") }
            self = .ip4(address)
        case .ip6:
            guard let address = IPv6Address(text) else { throw InvalidValue("\"\(text)\" is not an IPv6 address") }
            self = .ip6(address)
        case .tcp: self = .tcp(try Self.port(text))
        case .udp: self = .udp(try Self.port(text))
        case .memory:
            guard Self.isDecimal(text), let number = UInt64(text) else { throw InvalidValue("\"\(text)\" is not a number below 2^64") }
            self = .memory(number)
        case .certhash:
            do {
                self = .certhash(try Multihash(bytes: Multibase.decode(text).bytes))
            } catch {
                throw InvalidValue("\"\(text)\" is not a certificate hash: \(error)")
            }
        case .p2p:
            do throws(PeerTextError) {
                self = .p2p(try Multihash(peerText: text))
            } catch {
                throw InvalidValue("\"\(text)\" is not a peer id: \(error)")
            }
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni: try self.init(kind, name: text)
        case .p2pCircuit, .tls, .quicV1, .ws, .wss, .webrtc, .webrtcDirect: self.init(withoutValue: kind)
        }
    }

    /// Makes a component from its binary value.
    init(_ kind: MultiaddrProtocol, bytes: ArraySlice<UInt8>) throws(InvalidValue) {
        switch kind {
        case .ip4:
            guard let address = IPv4Address(bytes: bytes) else { throw InvalidValue("an IPv4 address has 4 bytes, not \(bytes.count)") }
            self = .ip4(address)
        case .ip6:
            guard let address = IPv6Address(bytes: bytes) else { throw InvalidValue("an IPv6 address has 16 bytes, not \(bytes.count)") }
            self = .ip6(address)
        case .tcp: self = .tcp(UInt16(truncatingIfNeeded: Self.integer(bytes)))
        case .udp: self = .udp(UInt16(truncatingIfNeeded: Self.integer(bytes)))
        case .memory: self = .memory(Self.integer(bytes))
        case .certhash: self = .certhash(try Self.multihash(bytes))
        case .p2p:
            let hash = try Self.multihash(bytes)
            guard hash.canNamePeer else { throw InvalidValue("the multihash names no peer") }
            self = .p2p(hash)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni:
            guard let name = String(validating: bytes, as: UTF8.self) else { throw InvalidValue("the name is not UTF-8") }
            try self.init(kind, name: name)
        case .p2pCircuit, .tls, .quicV1, .ws, .wss, .webrtc, .webrtcDirect: self.init(withoutValue: kind)
        }
    }

    private init(_ kind: MultiaddrProtocol, name: String) throws(InvalidValue) {
        let isValid = kind == .ip6zone ? Self.isZone(name) : Self.isDomainName(name)
        guard isValid else { throw InvalidValue(kind == .ip6zone ? "not the name of a zone" : "not a domain name") }
        switch kind {
        case .ip6zone: self = .ip6zone(name)
        case .dns4: self = .dns4(name)
        case .dns6: self = .dns6(name)
        case .dnsaddr: self = .dnsaddr(name)
        case .sni: self = .sni(name)
        default: self = .dns(name)
        }
    }

    private init(withoutValue kind: MultiaddrProtocol) {
        switch kind {
        case .tls: self = .tls
        case .quicV1: self = .quicV1
        case .ws: self = .ws
        case .wss: self = .wss
        case .webrtc: self = .webrtc
        case .webrtcDirect: self = .webrtcDirect
        default: self = .p2pCircuit
        }
    }

    private static func port(_ text: String) throws(InvalidValue) -> UInt16 {
        guard Self.isDecimal(text), let port = UInt16(text) else { throw InvalidValue("\"\(text)\" is not a port from 0 to 65535") }
        return port
    }

    /// Digits only, no leading zero: one text for each number.
    private static func isDecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } && (text.utf8.count == 1 || text.utf8.first != UInt8(ascii: "0"))
    }

    /// At most eight bytes, most significant first.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func multihash(_ bytes: ArraySlice<UInt8>) throws(InvalidValue) -> Multihash {
        do throws(MultihashError) { return try Multihash(bytes: bytes) } catch { throw InvalidValue("\(error)") }
    }

    /// RFC 1035 §2.3.4 for the lengths; letters, digits, hyphen and the underscore of service names (RFC 8552).
    /// Names in other scripts come as Punycode.
    private static func isDomainName(_ name: String) -> Bool {
        guard (1...253).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy { character in
                    switch character {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }

    /// Printable ASCII without the slash; interface names are shorter than 16 bytes everywhere, 64 is ours.
    private static func isZone(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") }
    }
}
