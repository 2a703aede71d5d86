#if os(Linux)
import Glibc

/// An IPv4 or IPv6 address and a port.
struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes, network order.
    let address: [UInt8]
    let port: UInt16

    var isIPv6: Bool { self.address.count == 16 }
    var family: Int32 { self.isIPv6 ? AF_INET6 : AF_INET }

    /// - Parameter address: In numbers; names are not looked up.
    init?(address: String, port: UInt16) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, address, &v4) == 1 {
            self.address = withUnsafeBytes(of: v4) { Array($0) }
        } else if inet_pton(AF_INET6, address, &v6) == 1 {
            self.address = withUnsafeBytes(of: v6) { Array($0) }
        } else {
            return nil
        }
        self.port = port
    }

    /// - Parameter address: 4 or 16 bytes.
    init?(bytes address: some Collection<UInt8>, port: UInt16) {
        guard address.count == 4 || address.count == 16 else { return nil }
        self.address = Array(address)
        self.port = port
    }

    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        self.init(address: String(host), port: port)
    }

    init?(_ storage: sockaddr_storage) {
        var storage = storage
        switch Int32(storage.ss_family) {
        case AF_INET:
            let v4 = withUnsafePointer(to: &storage) { $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee } }
            self.init(bytes: withUnsafeBytes(of: v4.sin_addr) { Array($0) }, port: UInt16(bigEndian: v4.sin_port))
        case AF_INET6:
            let v6 = withUnsafePointer(to: &storage) { $0.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee } }
            self.init(bytes: withUnsafeBytes(of: v6.sin6_addr) { Array($0) }, port: UInt16(bigEndian: v6.sin6_port))
        default: return nil
        }
    }

    static func any(isIPv6: Bool, port: UInt16 = 0) -> Endpoint {
        Endpoint(address: [UInt8](repeating: 0, count: isIPv6 ? 16 : 4), port: port, checked: ())
    }

    private init(address: [UInt8], port: UInt16, checked: Void) {
        self.address = address
        self.port = port
    }

    func with(port: UInt16) -> Endpoint { Endpoint(address: self.address, port: port, checked: ()) }

    var host: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = self.address.withUnsafeBytes { inet_ntop(self.family, $0.baseAddress, &text, socklen_t(text.count)) }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var description: String { self.isIPv6 ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)" }

    func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        if self.isIPv6 {
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = self.port.bigEndian
            withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: self.address) }
            return withUnsafePointer(to: &value) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) } }
        }
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = self.port.bigEndian
        withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: self.address) }
        return withUnsafePointer(to: &value) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) } }
    }
}
#endif
