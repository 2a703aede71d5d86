import NIOHTTP1

/// The head of an HTTP/1.1 request or answer (RFC 9112 §2): what an opening handshake is made of.
struct GunHTTPHead {
    /// `GET /gun HTTP/1.1`, `HTTP/1.1 101 Switching Protocols`: split at the first two spaces.
    var start: [String]
    var headers: HTTPHeaders

    /// Lines that end in CRLF, without the empty one at the end. Nil if they can't be a head.
    init?(_ bytes: some Sequence<UInt8>) {
        guard let text = String(validating: Array(bytes), as: UTF8.self) else { return nil }
        // A CRLF is one character in Swift.
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        while lines.last?.isEmpty == true { lines.removeLast() }
        guard let first = lines.first, lines.count <= 128 else { return nil }
        self.start = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard self.start.count >= 2 else { return nil }
        self.headers = HTTPHeaders()
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { return nil }
            let name = line[..<colon]
            // A space before the colon, or a folded line, is how requests are smuggled (RFC 9112 §5.1).
            guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else { return nil }
            self.headers.add(name: String(name), value: line[line.index(after: colon)...].trimmingSpace)
        }
    }
}

extension Substring {
    fileprivate var trimmingSpace: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = self.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}
