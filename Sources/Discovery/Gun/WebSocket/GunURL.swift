/// Where a peer of GUN listens: `http(s)://host[:port][/gun]`, or the same with `ws(s)`.
public struct GunURL: Hashable, Sendable, CustomStringConvertible {
    public var isSecure: Bool
    /// A name or an IP address, without brackets.
    public var host: String
    public var port: UInt16
    public var path: String

    public init(isSecure: Bool = false, host: String, port: UInt16, path: String = "/gun") {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.path = path
    }

    /// - Throws: ``GunError`` `.invalidURL`.
    public init(_ text: String) throws(GunError) {
        let invalid = GunError(.invalidURL, "\"\(text.prefix(200))\" is no URL of a GUN peer, such as https://host/gun")
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let colon = text.firstRange(of: "://") else { throw invalid }
        switch text[..<colon.lowerBound].lowercased() {
        case "http", "ws": self.isSecure = false
        case "https", "wss": self.isSecure = true
        default: throw invalid
        }
        let rest = text[colon.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest[authority.endIndex...].prefix { $0 != "#" }
        guard !authority.contains("@"), path.isEmpty || path.first == "/" else { throw invalid }
        self.path = path.isEmpty || path == "/" ? "/gun" : String(path)
        var host = authority
        var portText: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { throw invalid }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw invalid }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { throw invalid }
        if let portText {
            guard portText.allSatisfy(\.isNumber), let port = UInt16(portText), port > 0 else { throw invalid }
            self.port = port
        } else {
            self.port = self.isSecure ? 443 : 80
        }
        self.host = String(host)
    }

    /// With the port, when it is not the scheme's own: the `Host` of the request.
    var authority: String {
        let name = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == (self.isSecure ? 443 : 80) ? name : "\(name):\(self.port)"
    }

    /// As gun.js names it to others: `ws(s)://…`.
    public var description: String { "\(self.isSecure ? "wss" : "ws")://\(self.authority)\(self.path)" }
}
