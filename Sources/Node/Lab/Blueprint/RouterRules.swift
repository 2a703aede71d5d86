/// The nftables ruleset of one router.
///
/// Linux knows neither a full-cone nor an address-restricted NAT: those are made of maps from inside endpoints to external ports that are
/// learnt from the translated packets. `docs/NATLAB.md` explains the chains. Interfaces are `wan` and `lan` (a home's bridge) or `lan0`,
/// `lan1` … (a carrier's customers).
struct RouterRules: Hashable {
    enum Translation: Hashable {
        /// Public addresses, no rules at all.
        case routed
        /// Public addresses, stateful firewall.
        case firewall
        case masquerade
        case masqueradeRandom
        case masqueradeSequential
        case mapped(Filter)
    }

    enum Filter: Hashable { case none, address, addressAndPort }

    enum Egress: Hashable { case all, noUDP, webOnly }

    var translation: Translation
    var egress: Egress = .all
    var hairpin = false
    var preservesPorts = true
    var upnp = false
    var rejects = false
    var ipv6: IPv6Plan = .none
    var udpTimeoutSeconds: Int?
    /// The router's external IPv4 address.
    var externalAddress: String

    static let table = "natlab"
    /// As the kernel's conntrack: 120 s for a UDP flow with an answer, and what RFC 5382 REQ-5 asks for TCP (2 h 4 min).
    static let mapTimeoutSeconds = 120
    static let tcpMapTimeoutSeconds = 7440
    /// `symmetric-seq` walks through this many ports.
    static let sequentialPorts = 20000..<24096

    init(kind: NATKind, hairpin: Bool = false, externalAddress: String) {
        self.externalAddress = externalAddress
        self.hairpin = hairpin
        switch kind {
        case .none: self.translation = .routed
        case .noInbound: self.translation = .firewall
        case .fullCone: self.translation = .mapped(.none)
        case .addressRestricted: self.translation = .mapped(.address)
        // A masquerade has no table to look a hairpinned packet up in.
        case .portRestricted, .cgnatPortRestricted, .cgnatSymmetric: self.translation = hairpin ? .mapped(.addressAndPort) : .masquerade
        case .portRestrictedEIM: self.translation = .mapped(.addressAndPort)
        case .symmetric, .dualStack: self.translation = .masqueradeRandom
        case .symmetricSequential: self.translation = .masqueradeSequential
        case .udpBlocked:
            self.translation = .masquerade
            self.egress = .noUDP
        case .webOnly:
            self.translation = .masquerade
            self.egress = .webOnly
        }
    }

    /// The ruleset, for `nft -f`; empty if there is nothing to load.
    var text: String {
        guard self.translation != .routed else { return "" }
        var lines = ["table inet \(Self.table) {"]
        if case .mapped(let filter) = self.translation { lines += self.maps(filter) }
        if self.upnp { lines += ["  chain miniupnpd { }", "  chain prerouting_miniupnpd { }", "  chain postrouting_miniupnpd { }"] }
        lines += self.input + self.forward
        if self.translation != .firewall { lines += self.prerouting + self.postrouting }
        if case .mapped(let filter) = self.translation { lines += self.learning + self.hairpinFilter(filter) }
        lines.append("}")
        return lines.map { $0 + "\n" }.joined()
    }

    private var udpMapTimeout: Int { self.udpTimeoutSeconds ?? Self.mapTimeoutSeconds }

    private func maps(_ filter: Filter) -> [String] {
        let flags = "flags dynamic,timeout; size 65535; timeout \(self.udpMapTimeout)s;"
        var lines = [
            "  map eim  { type inet_proto . ipv4_addr . inet_service : inet_service; \(flags) }",
            "  map rev  { type inet_proto . inet_service : ipv4_addr . inet_service; \(flags) }",
            "  set revk { type inet_proto . inet_service; \(flags) }",
            "  set own  { type inet_proto . inet_service . ipv4_addr . inet_service; \(flags) }",
        ]
        switch filter {
        case .none: break
        case .address: lines.append("  set perm { type inet_proto . ipv4_addr . inet_service . ipv4_addr; \(flags) }")
        case .addressAndPort: lines.append("  set perm { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service; \(flags) }")
        }
        return lines
    }

    private var input: [String] {
        var lines = [
            "  chain input { type filter hook input priority filter; policy drop;",
            "    iifname \"lo\" accept",
            "    ct state established,related accept",
            "    meta l4proto { icmp, ipv6-icmp } accept",
        ]
        // Its STUN test must get through, or it takes the router for one behind another NAT.
        if self.upnp { lines.append("    jump miniupnpd") }
        if self.translation != .firewall {
            // Accepted, it would leave a conntrack entry that keeps later packets from being hairpinned.
            lines.append("    iifname \"lan*\" ip daddr \(self.externalAddress) meta l4proto { tcp, udp } drop")
        }
        lines.append("    iifname \"lan*\" accept")
        if self.rejects { lines += ["    iifname \"wan\" meta l4proto tcp reject with tcp reset", "    iifname \"wan\" meta l4proto udp reject"] }
        // Everything else is dropped: answered or accepted, it would leave a conntrack entry that our own packet to that peer clashes with.
        return lines + ["  }"]
    }

    private var forward: [String] {
        var lines = ["  chain forward { type filter hook forward priority filter; policy drop;"]
        switch self.egress {
        case .all: break
        case .noUDP: lines.append("    iifname \"lan*\" oifname \"wan\" meta l4proto udp drop")
        case .webOnly:
            lines += [
                "    iifname \"lan*\" oifname \"wan\" meta l4proto tcp tcp dport != { 80, 443 } drop",
                "    iifname \"lan*\" oifname \"wan\" meta l4proto != tcp drop",
            ]
        }
        let filter: Filter
        if case .mapped(let named) = self.translation { filter = named } else { filter = .none }
        switch filter {
        case .none: break
        case .address: lines += self.permit(iif: "iifname \"lan*\" oifname \"wan\"", key: "ip saddr . th sport . ip daddr")
        case .addressAndPort: lines += self.permit(iif: "iifname \"lan*\" oifname \"wan\"", key: "ip saddr . th sport . ip daddr . th dport")
        }
        lines += [
            "    ct state established,related accept",
            "    ct state invalid drop",
            "    meta l4proto ipv6-icmp accept",
            "    iifname \"lan*\" oifname \"wan\" accept",
        ]
        if self.ipv6 == .open { lines.append("    iifname \"wan\" oifname \"lan*\" meta nfproto ipv6 accept") }
        if case .mapped = self.translation {
            switch filter {
            case .none: lines.append("    iifname \"wan\" ct status dnat accept")
            case .address: lines.append("    iifname \"wan\" ct status dnat meta l4proto . ip daddr . th dport . ip saddr @perm accept")
            case .addressAndPort: lines.append("    iifname \"wan\" ct status dnat meta l4proto . ip daddr . th dport . ip saddr . th sport @perm accept")
            }
            if self.hairpin { lines.append("    iifname \"lan*\" oifname \"lan*\" ct status dnat accept") }
        }
        if self.upnp { lines.append("    jump miniupnpd") }
        return lines + ["  }"]
    }

    private func permit(iif: String, key: String) -> [String] {
        [
            "    \(iif) ip protocol udp update @perm { meta l4proto . \(key) timeout \(self.udpMapTimeout)s }",
            "    \(iif) ip protocol tcp update @perm { meta l4proto . \(key) timeout \(Self.tcpMapTimeoutSeconds)s }",
        ]
    }

    private var prerouting: [String] {
        var lines = ["  chain prerouting { type nat hook prerouting priority dstnat; policy accept;"]
        if self.upnp { lines.append("    jump prerouting_miniupnpd") }
        if case .mapped = self.translation {
            let lookup = "ip daddr \(self.externalAddress) meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @rev"
            lines.append("    iifname \"wan\" \(lookup)")
            if self.hairpin { lines.append("    iifname \"lan*\" \(lookup)") }
        }
        return lines + ["  }"]
    }

    private var postrouting: [String] {
        var lines = ["  chain postrouting { type nat hook postrouting priority srcnat; policy accept;"]
        if self.upnp { lines.append("    jump postrouting_miniupnpd") }
        let outbound = "    iifname \"lan*\" oifname \"wan\" meta nfproto ipv4"
        switch self.translation {
        case .routed, .firewall: break
        case .masquerade: lines.append("\(outbound) masquerade")
        case .masqueradeRandom: lines.append("\(outbound) masquerade fully-random")
        case .masqueradeSequential:
            // The bare counter would be in host byte order and step by 256: mapped, it steps by 1.
            let ports = Self.sequentialPorts.enumerated().map { "\($0.offset) : \($0.element)" }.joined(separator: ", ")
            lines.append("\(outbound) meta l4proto { tcp, udp } masquerade to :numgen inc mod \(Self.sequentialPorts.count) map { \(ports) }")
            lines.append("\(outbound) masquerade")
        case .mapped:
            lines.append("\(outbound) jump eimnat")
            if self.hairpin { lines.append("    iifname \"lan*\" oifname \"lan*\" ct status dnat meta nfproto ipv4 jump eimnat") }
        }
        lines.append("  }")
        guard case .mapped = self.translation else { return lines }
        // 1. a mapping exists: use it   2. the port is free: keep it   3. a random one
        let address = self.externalAddress
        lines += ["  chain eimnat {", "    meta l4proto { tcp, udp } snat ip to \(address) : meta l4proto . ip saddr . th sport map @eim"]
        if self.preservesPorts { lines.append("    meta l4proto { tcp, udp } meta l4proto . th sport != @revk snat ip to \(address)") }
        return lines + ["    meta l4proto { tcp, udp } snat ip to \(address):1024-65535 fully-random", "    snat ip to \(address)", "  }"]
    }

    /// Runs after the translation: the packet has its external port by then and `ct original` still the inside one.
    private var learning: [String] {
        var lines = [
            "  chain learn { type filter hook postrouting priority srcnat + 10; policy accept;",
            "    iifname \"lan*\" oifname \"wan\" ip protocol { tcp, udp } jump learnflow",
        ]
        if self.hairpin { lines.append("    iifname \"lan*\" oifname \"lan*\" ct status dnat ip protocol { tcp, udp } jump learnflow") }
        // The chosen port belongs to another inside endpoint: dropped here, the flow is never confirmed and the retry draws another.
        lines += [
            "  }", "  chain learnflow {",
            "    ct direction original ip protocol { tcp, udp } meta l4proto . th sport @revk "
                + "meta l4proto . th sport . ct original ip saddr . ct original proto-src != @own drop",
        ]
        for (transport, timeout) in [("udp", self.udpMapTimeout), ("tcp", Self.tcpMapTimeoutSeconds)] {
            for (match, inside) in [
                ("ct direction original", "ct original ip saddr . ct original proto-src"),
                ("ct direction reply ct status dnat", "ct reply ip saddr . ct reply proto-src"),
            ] {
                let rule = "    \(match) meta l4proto \(transport) update"
                lines += [
                    "\(rule) @own { meta l4proto . th sport . \(inside) timeout \(timeout)s }",
                    "\(rule) @revk { meta l4proto . th sport timeout \(timeout)s }",
                    "\(rule) @rev { meta l4proto . th sport timeout \(timeout)s : \(inside) }",
                    "\(rule) @eim { meta l4proto . \(inside) timeout \(timeout)s : th sport }",
                ]
            }
        }
        return lines + ["  }"]
    }

    /// A hairpinned packet obeys the filter like any other (RFC 4787 REQ-9).
    private func hairpinFilter(_ filter: Filter) -> [String] {
        guard self.hairpin, filter != .none else { return [] }
        let port = filter == .addressAndPort
        return ["  chain hairperm { type filter hook prerouting priority dstnat - 10; policy accept;"]
            + self.permit(
                iif: "iifname \"lan*\" ip daddr \(self.externalAddress)", key: "ip saddr . th sport . ip daddr" + (port ? " . th dport" : ""))
            + [
                "  }",
                "  chain hairfilter { type filter hook postrouting priority srcnat + 20; policy accept;",
                "    iifname \"lan*\" oifname \"lan*\" ct status dnat ct state new ip protocol { tcp, udp } "
                    + "meta l4proto . ip daddr . th dport . ip saddr" + (port ? " . th sport" : "") + " != @perm drop",
                "  }",
            ]
    }
}
