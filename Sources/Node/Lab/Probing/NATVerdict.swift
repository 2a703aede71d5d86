public import DIGCommandLine

/// Whether a home's NAT behaves as its name says.
public struct NATVerdict: Hashable, Sendable {
    public var home: String
    public var kind: NATKind
    public var report: ProbeReport
    /// What differs from what the kind must do; empty if nothing does.
    public var differences: [String]

    public var isAsNamed: Bool { self.differences.isEmpty }

    /// - Parameter carrier: Of which the home is a customer.
    init(home: HomePlan, carrier: CarrierPlan? = nil, report: ProbeReport) {
        self.home = home.name
        self.kind = home.nat
        self.report = report
        let expected = Self.expectation(for: home, behind: carrier)
        var differences: [String] = []
        func compare<T: Equatable>(_ what: String, _ seen: T?, _ wanted: T?, _ text: (T) -> String) {
            guard let wanted, seen != wanted else { return }
            differences.append("\(what): \(seen.map(text) ?? "unknown") instead of \(text(wanted))")
        }
        for (name, seen, wanted) in [("UDP", report.udp, expected.udp), ("TCP", report.tcp, expected.tcp)] {
            compare("\(name) blocked", seen.isBlocked, wanted.isBlocked) { $0 ? "yes" : "no" }
            guard !seen.isBlocked, !wanted.isBlocked else { continue }
            compare("\(name) mapping", seen.mapping, wanted.mapping, \.rawValue)
            compare("\(name) filtering", seen.filtering, wanted.filtering, \.rawValue)
            compare("\(name) keeps the port", seen.keepsPort, wanted.keepsPort) { $0 ? "yes" : "no" }
            compare("\(name) hairpin", seen.hairpins, wanted.hairpins) { $0 ? "yes" : "no" }
        }
        if home.ipv6 != .none {
            let filtering: Dependence = home.nat == .none || home.ipv6 == .open ? .endpointIndependent : .addressAndPortDependent
            compare("IPv6 UDP mapping", report.udp6?.mapping, .endpointIndependent, \.rawValue)
            compare("IPv6 UDP filtering", report.udp6?.filtering, filtering, \.rawValue)
        }
        if home.nat == .symmetricSequential, let ports = Optional(report.udp.external.compactMap(Self.port)), ports.count == 3 {
            // Other flows of the router may have taken a number in between.
            let steps = zip(ports, ports.dropFirst()).map { $1 - $0 }
            if !steps.allSatisfy({ (1...64).contains($0) }) { differences.append("UDP ports \(ports.map(String.init).joined(separator: ", ")) are not consecutive") }
        }
        self.differences = differences
    }

    private static func port(of endpoint: String) -> Int? { endpoint.split(separator: ":").last.flatMap { Int($0) } }

    /// Two NATs in series: the stricter of the two decides, and the outer one hairpins or does not.
    static func expectation(for home: HomePlan, behind carrier: CarrierPlan?) -> ProbeReport {
        let inner = self.expectation(for: home)
        guard let carrier else { return inner }
        let outer = self.expectation(for: HomePlan(carrier.name, nat: carrier.nat, hairpin: carrier.hairpin))
        func both(_ inner: TransportReport, _ outer: TransportReport) -> TransportReport {
            guard !inner.isBlocked, !outer.isBlocked, let mapping = inner.mapping, let filtering = inner.filtering else { return .blocked }
            return TransportReport(
                isBlocked: false, mapping: max(mapping, outer.mapping ?? mapping), filtering: max(filtering, outer.filtering ?? filtering),
                keepsPort: inner.keepsPort == true && outer.keepsPort == true, external: [], hairpins: outer.hairpins)
        }
        return ProbeReport(udp: both(inner.udp, outer.udp), tcp: both(inner.tcp, outer.tcp))
    }

    static func expectation(for home: HomePlan) -> ProbeReport {
        func report(_ mapping: Dependence, _ filtering: Dependence, keepsPort: Bool = true, hairpins: Bool = false) -> ProbeReport {
            let udp = TransportReport(isBlocked: false, mapping: mapping, filtering: filtering, keepsPort: keepsPort, external: [], hairpins: hairpins)
            var tcp = udp
            tcp.hairpins = nil
            return ProbeReport(udp: udp, tcp: tcp)
        }
        switch home.nat {
        // A host with a public address reaches its own address within itself.
        case .none: return report(.endpointIndependent, .endpointIndependent, hairpins: true)
        case .noInbound: return report(.endpointIndependent, .addressAndPortDependent, hairpins: true)
        case .fullCone: return report(.endpointIndependent, .endpointIndependent, keepsPort: home.preservesPorts, hairpins: home.hairpin)
        case .addressRestricted: return report(.endpointIndependent, .addressDependent, keepsPort: home.preservesPorts, hairpins: home.hairpin)
        case .portRestricted, .portRestrictedEIM, .cgnatPortRestricted:
            return report(.endpointIndependent, .addressAndPortDependent, keepsPort: home.preservesPorts, hairpins: home.hairpin)
        case .symmetric, .symmetricSequential, .cgnatSymmetric, .dualStack:
            return report(.addressAndPortDependent, .addressAndPortDependent, keepsPort: false)
        case .udpBlocked, .webOnly:
            var expected = report(.endpointIndependent, .addressAndPortDependent)
            expected.udp = .blocked
            return expected
        }
    }

    /// The verdicts as a table with a line for each difference below its home.
    public static func table(_ verdicts: [NATVerdict]) -> String {
        let homes = max(4, verdicts.map { TerminalText.width(of: $0.home) }.max() ?? 0)
        let kinds = max(3, verdicts.map { TerminalText.width(of: $0.kind.rawValue) }.max() ?? 0)
        func line(_ home: String, _ kind: String, _ udp: String, _ tcp: String, _ mark: String) -> String {
            [
                TerminalText.padded(home, to: homes), TerminalText.padded(kind, to: kinds), TerminalText.padded(udp, to: 29), TerminalText.padded(tcp, to: 22), mark,
            ].joined(separator: "  ")
        }
        var lines = [line("home", "nat", "UDP", "TCP", "")]
        for verdict in verdicts {
            let report = verdict.report
            lines.append(line(verdict.home, verdict.kind.rawValue, report.udp.summary, report.tcp.summary, verdict.isAsNamed ? "ok" : "NOT AS NAMED"))
            if let udp6 = report.udp6 { lines.append(line("", "", "IPv6: \(udp6.summary)", "", "")) }
            lines += verdict.differences.map { "    \($0)" }
        }
        return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
    }

    public var json: JSONObject {
        func object(_ report: TransportReport) -> JSONValue {
            .object([
                "blocked": .boolean(report.isBlocked), "mapping": report.mapping.map { .string($0.rawValue) } ?? .null,
                "filtering": report.filtering.map { .string($0.rawValue) } ?? .null, "keepsPort": report.keepsPort.map(JSONValue.boolean) ?? .null,
                "hairpins": report.hairpins.map(JSONValue.boolean) ?? .null, "external": .array(report.external.map(JSONValue.string)),
            ])
        }
        return [
            "event": "verdict", "home": .string(self.home), "nat": .string(self.kind.rawValue), "asNamed": .boolean(self.isAsNamed),
            "differences": .array(self.differences.map(JSONValue.string)), "udp": object(self.report.udp), "tcp": object(self.report.tcp),
            "udp6": self.report.udp6.map(object) ?? .null,
        ]
    }
}
