import DIGDiscovery

extension DiscoverySource {
    /// As a person would say it.
    var words: String {
        switch self {
        case .local: "the local network"
        case .dht: "the DHT"
        case .publicDHT: "the public DHT"
        case .pex: "connected peers"
        case .gossip: "gossip"
        case .gun: "GUN"
        }
    }
}

/// Several ways of discovery.
enum SourceNames {
    /// `the local network, the DHT and connected peers`; "nobody" if there are none.
    static func text(_ sources: some Collection<DiscoverySource>) -> String {
        let words = sources.map(\.words)
        guard let last = words.last else { return "nobody" }
        return words.count == 1 ? last : words.dropLast().joined(separator: ", ") + " and " + last
    }

    /// `dht,gun`, in any order.
    ///
    /// - Returns: Nil if a word is none.
    static func parse(_ text: String) -> Set<DiscoverySource>? {
        let words = text.split(whereSeparator: { $0 == "," || $0 == " " })
        let sources = words.compactMap { DiscoverySource(rawValue: String($0)) }
        return words.isEmpty || sources.count < words.count ? nil : Set(sources)
    }

    /// The words of ``parse(_:)``.
    static let all = DiscoverySource.allCases.map(\.rawValue).joined(separator: ", ")
}
