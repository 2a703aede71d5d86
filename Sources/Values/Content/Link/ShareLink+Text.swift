import DIGMultiformats

extension ShareLink: LosslessStringConvertible {
    /// Parses a link.
    ///
    /// - Throws: ``ContentError`` with `.malformedLink`, with `.wrongHashLength`, `.malformedHash` or `.unsupportedHash` if the content hash is wrong, or
    ///   with `.invalidParameter`; the message names the parameter and says why.
    public init(parsing text: String) throws(ContentError) {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw ContentError(.malformedLink, "a link has at most \(Self.maximumByteCount) bytes, this one has \(text.utf8.count)")
        }
        guard Self.hasScheme(text) else {
            throw ContentError(.malformedLink, "a link begins with \"dig:\"")
        }
        let rest = text.utf8.dropFirst(Self.scheme.utf8.count + 1)
        // RFC 3986 §3.5: a fragment is for whoever shows the link.
        let body = rest.prefix { $0 != UInt8(ascii: "#") }
        let hashText = body.prefix { $0 != UInt8(ascii: "?") }
        let contentHash = try ContentHash(parsing: String(Substring(hashText)))
        var parameters = Parameters()
        for pair in body.dropFirst(hashText.count + 1).split(separator: UInt8(ascii: "&")) {
            let nameText = pair.prefix { $0 != UInt8(ascii: "=") }
            guard let name = PercentEncoding.decode(Substring(nameText)) else {
                throw ContentError(.malformedLink, "a parameter name of the link is not percent-encoded UTF-8")
            }
            guard Parameters.known.contains(name) else { continue }
            guard let value = PercentEncoding.decode(Substring(pair.dropFirst(nameText.count + 1))) else {
                throw Self.invalid(name, "the value is not percent-encoded UTF-8")
            }
            try parameters.add(name, value)
        }
        try self.init(
            contentHash: contentHash, kind: parameters.kind ?? .file, size: parameters.size, root: parameters.root, name: parameters.name,
            sha256: parameters.sha256, peers: parameters.peers, token: parameters.token)
    }

    /// As ``init(parsing:)``, without the reason.
    public init?(_ description: String) {
        guard let link = try? ShareLink(parsing: description) else { return nil }
        self = link
    }

    /// RFC 3986 §3.1: schemes are written in either case; QR codes hold capitals in less space.
    static func hasScheme(_ text: String) -> Bool {
        text.utf8.count > self.scheme.utf8.count && text.prefix(self.scheme.count + 1).lowercased() == "\(self.scheme):"
    }

    public var description: String {
        var parameters: [(String, String)] = []
        if self.kind != .file { parameters.append(("kind", self.kind.rawValue)) }
        if let size { parameters.append(("size", String(size))) }
        if let root { parameters.append(("root", root.hex)) }
        if let name { parameters.append(("name", name)) }
        if let sha256 { parameters.append(("sha256", sha256.hex)) }
        for peer in self.peers { parameters.append(("peer", peer.description)) }
        if let token { parameters.append(("token", token)) }
        let query = parameters.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return "\(Self.scheme):\(self.contentHash)\(query.isEmpty ? "" : "?")\(query)"
    }

    /// The parameters seen so far.
    private struct Parameters {
        static let known: Set<String> = ["kind", "size", "root", "name", "sha256", "peer", "token"]

        var kind: Kind?
        var size: UInt64?
        var root: SHA256Digest?
        var name: String?
        var sha256: SHA256Digest?
        var peers: [Multiaddr] = []
        var token: String?

        mutating func add(_ parameter: String, _ value: String) throws(ContentError) {
            switch parameter {
            case "kind": try Self.set(&self.kind, parameter, Kind(rawValue: value), "it is \"file\" or \"folder\"")
            case "size": try Self.set(&self.size, parameter, Self.decimal(value), "it is a count of bytes in decimal digits")
            case "root": try Self.set(&self.root, parameter, SHA256Digest(hex: value), "it has 64 hexadecimal digits, this one has \(value.count) characters")
            case "name": try Self.set(&self.name, parameter, value, "")
            case "sha256": try Self.set(&self.sha256, parameter, SHA256Digest(hex: value), "it has 64 hexadecimal digits, this one has \(value.count) characters")
            case "token": try Self.set(&self.token, parameter, value, "")
            case "peer":
                guard self.peers.count < ShareLink.maximumPeerCount else {
                    throw ShareLink.invalid(parameter, "it occurs more than \(ShareLink.maximumPeerCount) times")
                }
                do {
                    self.peers.append(try Multiaddr(value))
                } catch {
                    throw ContentError(.invalidParameter, "link parameter \"peer\" is no address", cause: error)
                }
            default: break
            }
        }

        private static func set<Value>(_ place: inout Value?, _ parameter: String, _ value: Value?, _ rule: String) throws(ContentError) {
            guard place == nil else { throw ShareLink.invalid(parameter, "it occurs twice") }
            guard let value else { throw ShareLink.invalid(parameter, rule) }
            place = value
        }

        /// Digits only: no sign, no space, no overflow.
        private static func decimal(_ text: String) -> UInt64? {
            guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
            return UInt64(text)
        }
    }
}

/// As text.
extension ShareLink: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        try self.init(parsing: container.decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
