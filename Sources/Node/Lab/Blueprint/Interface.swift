/// One network interface of a machine, as it shall be configured.
struct Interface: Hashable {
    var name: String
    /// The bridge it is a port of.
    var bridge: String?
    /// With prefix length.
    var addresses: [String] = []
    /// Address → link-layer address, permanent: no ARP exchange has to cross a slow line.
    var neighbours: [(address: String, mac: String)] = []
    /// The tail of `ip route replace`.
    var routes: [String] = []
    /// Packets leave one by one instead of as 64 KiB super-packets, so that a lost frame is one packet.
    var sendsSinglePackets = false
    /// What leaves here, in megabits a second.
    var rate: Double?
    /// Keeps the kernel from making a link-local IPv6 address of its own.
    var ownLinkLocal = false

    /// Lines for `ip -batch` that may be run again at any time: after the link was down, addresses and routes are as before.
    var configuration: [String] {
        var lines: [String] = []
        if self.ownLinkLocal { lines.append("link set dev \(self.name) addrgenmode none") }
        if self.sendsSinglePackets { lines.append("link set dev \(self.name) gso_max_segs 1") }
        if let bridge { lines.append("link set dev \(self.name) master \(bridge)") }
        lines.append("link set dev \(self.name) up")
        // Without duplicate address detection an IPv6 address is usable at once.
        lines += self.addresses.map { "addr replace \($0) dev \(self.name)" + ($0.contains(":") ? " nodad" : "") }
        lines += self.neighbours.map { "neigh replace \($0.address) lladdr \($0.mac) dev \(self.name) nud permanent" }
        lines += self.routes.map { "route replace \($0)" }
        return lines
    }

    /// The shaper's command, if there is a rate.
    var shaping: String? {
        guard let rate else { return nil }
        // 10 ms of traffic, and never less than ten packets.
        let burst = max(15_000, Int(rate * 1_000_000 / 8 / 100))
        return "tc qdisc replace dev \(self.name) root tbf rate \(Int(rate * 1000))kbit burst \(burst) latency 100ms"
    }

    static func == (lhs: Interface, rhs: Interface) -> Bool {
        lhs.name == rhs.name && lhs.configuration == rhs.configuration && lhs.rate == rhs.rate
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.name) }
}
