/// Something a person can configure: by flag, by environment variable, in the file, or not at all.
///
/// One word names it everywhere: `--upload-rate`, `DIG_NAT_UPLOAD_RATE`, and `upload-rate = …`.
public enum Setting: String, CaseIterable, Hashable, Sendable {
    case dataDirectory = "data-dir"
    case keyFile = "key-file"
    case downloadDirectory = "download-dir"
    case listen
    case uploadRate = "upload-rate"
    case downloadRate = "download-rate"
    case localDiscovery = "local-discovery"
    case maximumConnections = "max-connections"

    /// How its text is read.
    public enum Kind: Hashable, Sendable {
        case path, addresses, rate, flag, count(ClosedRange<Int>)
    }

    public static let environmentPrefix = "DIG_NAT_"

    public var kind: Kind {
        switch self {
        case .dataDirectory, .keyFile, .downloadDirectory: .path
        case .listen: .addresses
        case .uploadRate, .downloadRate: .rate
        case .localDiscovery: .flag
        case .maximumConnections: .count(1...10_000)
        }
    }

    public var key: String { self.rawValue }
    public var environmentVariable: String {
        Self.environmentPrefix + String(self.rawValue.uppercased().map { $0 == "-" ? "_" : $0 })
    }

    /// One line for `dig-nat config` and the manual.
    public var explanation: String {
        switch self {
        case .dataDirectory: "where the database and the key are kept"
        case .keyFile: "the private key that is this node's identity"
        case .downloadDirectory: "where files are put that come without -o"
        case .listen: "multiaddresses to accept connections at"
        case .uploadRate: "bytes per second sent at most, such as \"2 MiB/s\", or \"unlimited\""
        case .downloadRate: "bytes per second received at most, or \"unlimited\""
        case .localDiscovery: "finds and is found by peers on the same network (mDNS)"
        case .maximumConnections: "open connections at most"
        }
    }
}
