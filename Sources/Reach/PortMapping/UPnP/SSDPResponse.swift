/// The parts that matter of an answer to `M-SEARCH` (UPnP Device Architecture 1.1 §1.3.3).
struct SSDPResponse: Hashable, Sendable {
    /// Ours.
    static let maximumByteCount = 2048
    static let maximumLineCount = 64

    /// Where the device's description is.
    var location: GatewayURL
    /// What kind of device or service answers.
    var searchTarget: String

    /// Reads one datagram; nil for anything that is not an answer with a location that we would open.
    init?(_ datagram: [UInt8]) {
        guard datagram.count <= Self.maximumByteCount else { return nil }
        let lines = datagram.split(separator: UInt8(ascii: "\n"), maxSplits: Self.maximumLineCount, omittingEmptySubsequences: false).map {
            String(decoding: $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0, as: UTF8.self)
        }
        guard lines.count <= Self.maximumLineCount, let status = lines.first, status.hasPrefix("HTTP/1."), status.split(separator: " ").dropFirst().first == "200",
            // The empty line, or the datagram was cut.
            lines.dropLast().contains("")
        else { return nil }
        var location: GatewayURL?
        var searchTarget = ""
        for line in lines.dropFirst() {
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingSpace()
            switch line[..<colon].lowercased() {
            case "location":
                // Two would be a trick.
                guard location == nil, let url = GatewayURL(value) else { return nil }
                location = url
            case "st": searchTarget = String(value)
            default: continue
            }
        }
        guard let location else { return nil }
        self.location = location
        self.searchTarget = searchTarget
    }
}

extension Substring {
    fileprivate func trimmingSpace() -> Substring {
        var result = self.drop { $0 == " " || $0 == "\t" }
        while let last = result.last, last == " " || last == "\t" { result.removeLast() }
        return result
    }
}
