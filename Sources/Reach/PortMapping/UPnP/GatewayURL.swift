import DIGMultiformats

/// An `http:` URL on an IPv4 address: all that is believed of a gateway's URLs.
///
/// No names (nothing is resolved on a stranger's word), no user, no fragment, no character that could break a request line.
struct GatewayURL: Hashable, Sendable, CustomStringConvertible {
    /// Ours.
    static let maximumByteCount = 1024

    var host: IPv4Address
    var port: UInt16
    /// Path and query, with the first slash.
    var path: String

    init(host: IPv4Address, port: UInt16, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }

    /// Parses an absolute URL.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let scheme = Array("http://".utf8)
        guard bytes.count <= Self.maximumByteCount, bytes.count > scheme.count, Self.isSafe(bytes),
            zip(bytes, scheme).allSatisfy({ $0 | 0x20 == $1 | 0x20 })
        else { return nil }
        let rest = bytes[scheme.count...]
        let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        let tail = rest[authority.endIndex...]
        let parts = authority.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let hostPart = parts.first, let host = IPv4Address(String(decoding: hostPart, as: UTF8.self)) else { return nil }
        var port: UInt16 = 80
        if let portPart = parts.dropFirst().first {
            guard (1...5).contains(portPart.count), portPart.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let value = UInt16(String(decoding: portPart, as: UTF8.self)), value != 0
            else { return nil }
            port = value
        }
        let path = String(decoding: tail, as: UTF8.self)
        self.init(host: host, port: port, path: path.hasPrefix("/") ? path : "/" + path)
    }

    /// Resolves a reference found in the document at this URL (RFC 3986 §5.2, without dot segments).
    func resolving(_ reference: some StringProtocol) -> GatewayURL? {
        let bytes = Array(reference.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.maximumByteCount, Self.isSafe(bytes) else { return nil }
        if reference.contains("://") { return GatewayURL(reference) }
        // `//host/…` would be another host in disguise.
        guard !reference.hasPrefix("//") else { return nil }
        var result = self
        if reference.hasPrefix("/") {
            result.path = String(reference)
        } else {
            let withoutQuery = self.path.prefix { $0 != "?" }
            let directory = withoutQuery.lastIndex(of: "/").map { withoutQuery[...$0] } ?? "/"
            result.path = String(directory) + reference
        }
        return result.path.utf8.count <= Self.maximumByteCount ? result : nil
    }

    var authority: String { self.port == 80 ? "\(self.host)" : "\(self.host):\(self.port)" }
    var description: String { "http://\(self.authority)\(self.path)" }

    /// Visible ASCII without quotes, angle brackets, backslash, at sign and fragment.
    private static func isSafe(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { (0x21...0x7e).contains($0) && !Array("\"<>\\^`{|}@#".utf8).contains($0) }
    }
}
