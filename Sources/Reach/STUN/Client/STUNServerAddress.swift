/// A STUN server as users write it: `stun:host`, `stun:host:port`, `stuns:…` (RFC 7064).
public struct STUNServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// How the server is spoken to.
    public enum Scheme: String, Hashable, Sendable {
        /// UDP or TCP.
        case stun
        /// TLS over TCP.
        case stuns

        /// RFC 7064 §3.2.
        public var defaultPort: UInt16 { self == .stun ? 3478 : 5349 }
    }

    public var scheme: Scheme
    /// A name or an IP address, without brackets.
    public var host: String
    public var port: UInt16

    /// RFC 1035 §2.3.4.
    static let maximumHostByteCount = 253

    public init(scheme: Scheme = .stun, host: String, port: UInt16? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port ?? scheme.defaultPort
    }

    /// Reads a URI. The scheme's case does not matter; `host:port` without a scheme is not taken.
    ///
    /// - Throws: ``STUNError`` with `.invalidAddress`.
    public init(_ uri: String) throws(STUNError) {
        func invalid(_ reason: String) -> STUNError { STUNError(.invalidAddress, "\(uri.prefix(300)) is no STUN server's address: \(reason)") }
        guard let colon = uri.firstIndex(of: ":"), let scheme = Scheme(rawValue: uri[..<colon].lowercased()) else {
            throw invalid("it does not begin with stun: or stuns:")
        }
        var rest = uri[uri.index(after: colon)...]
        guard !rest.hasPrefix("//") else { throw invalid("no slashes follow the scheme") }
        let host: Substring
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw invalid("a bracket is not closed") }
            host = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
            guard host.contains(":"), host.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
                throw invalid("no IPv6 address is in the brackets")
            }
        } else {
            host = rest.prefix { $0 != ":" }
            rest = rest[host.endIndex...]
            guard host.utf8.allSatisfy(Self.isNameCharacter) else { throw invalid("the host has a character that no name has") }
        }
        guard !host.isEmpty, host.utf8.count <= Self.maximumHostByteCount else { throw invalid("the host is empty or too long") }
        var port: UInt16?
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            guard rest.first == ":", digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = UInt16(digits), number != 0
            else { throw invalid("the port is not 1 to 65535") }
            port = number
        }
        self.init(scheme: scheme, host: String(host), port: port)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
        default: false
        }
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    public var description: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == self.scheme.defaultPort ? "\(self.scheme):\(host)" : "\(self.scheme):\(host):\(self.port)"
    }
}
