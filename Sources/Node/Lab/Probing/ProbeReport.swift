/// On what a mapping or filter depends (RFC 4787 §4.1, §5).
public enum Dependence: String, Codable, Hashable, Sendable, CaseIterable, Comparable {
    case endpointIndependent = "endpoint-independent"
    case addressDependent = "address-dependent"
    case addressAndPortDependent = "address-and-port-dependent"

    /// From the most to the least permissive.
    public static func < (lhs: Dependence, rhs: Dependence) -> Bool {
        (self.allCases.firstIndex(of: lhs) ?? 0) < (self.allCases.firstIndex(of: rhs) ?? 0)
    }

    /// As in the tables: EIM, ADF …
    func shortName(_ letter: Character) -> String {
        switch self {
        case .endpointIndependent: "EI\(letter)"
        case .addressDependent: "AD\(letter)"
        case .addressAndPortDependent: "APD\(letter)"
        }
    }
}

/// What a probe saw of one transport.
public struct TransportReport: Codable, Hashable, Sendable {
    /// Whether a public server could not be reached at all. Everything else is `nil` then.
    public var isBlocked: Bool
    public var mapping: Dependence?
    public var filtering: Dependence?
    /// Whether the external port is the local one.
    public var keepsPort: Bool?
    public var local: String?
    /// As the server saw it at: first address, second address, first address and another port.
    public var external: [String]
    /// Whether a datagram to a neighbour's external address comes back in; UDP only, both having sent.
    public var hairpins: Bool?

    /// As in the verdict's event.
    private enum CodingKeys: String, CodingKey {
        case isBlocked = "blocked"
        case mapping, filtering, keepsPort, local, external, hairpins
    }

    static let blocked = TransportReport(isBlocked: true, external: [])

    /// One line.
    public var summary: String {
        guard !self.isBlocked else { return "blocked" }
        var parts = [self.mapping?.shortName("M") ?? "?", self.filtering?.shortName("F") ?? "?"]
        if let keepsPort { parts.append(keepsPort ? "port kept" : "other port") }
        if self.hairpins == true { parts.append("hairpin") }
        return parts.joined(separator: ", ")
    }
}

/// What `natlab probe` saw from one host.
public struct ProbeReport: Codable, Hashable, Sendable {
    public var udp: TransportReport
    public var tcp: TransportReport
    /// `nil` if IPv6 was not asked for.
    public var udp6: TransportReport?
}
