/// One network namespace: what is set in it, and in which order.
struct Machine: Hashable {
    enum Role: Hashable { case host, router, core, delay }

    var name: String
    var role: Role
    var hasIPv6: Bool
    var interfaces: [Interface] = []
    /// Lines for `ip -batch` that can be run only once.
    var creation: [String] = []
    /// For `nft -f`; empty for none.
    var rules = ""
    var udpTimeoutSeconds: Int?

    /// The shell script that makes the namespace what it is, run inside it once.
    var script: String {
        var lines = ["set -e"]
        lines += self.systemSettings
        lines += ["ip -batch - <<'END'", "link set dev lo up"]
        lines += self.creation + self.interfaces.flatMap(\.configuration)
        lines.append("END")
        lines += self.interfaces.compactMap(\.shaping)
        lines += self.loadingRules
        return lines.map { $0 + "\n" }.joined()
    }

    /// Shell lines: load the rules, then what the connection tracker shall do (its settings appear with the first rule that needs it).
    var loadingRules: [String] {
        guard !self.rules.isEmpty else { return [] }
        var lines = ["nft -f - <<'END'", self.rules + "END"]
        // 0 is the harder case: a connection from before a router's reboot hangs instead of being adopted.
        lines.append(Self.set("net/netfilter/nf_conntrack_tcp_loose", 0))
        if let seconds = self.udpTimeoutSeconds {
            lines += [Self.set("net/netfilter/nf_conntrack_udp_timeout", seconds), Self.set("net/netfilter/nf_conntrack_udp_timeout_stream", seconds)]
        }
        return lines
    }

    private var systemSettings: [String] {
        var lines: [String] = []
        for scope in ["all", "default"] {
            // A hairpinned packet goes back out of the interface it came in on.
            lines += [Self.set("net/ipv4/conf/\(scope)/rp_filter", 0), Self.set("net/ipv4/conf/\(scope)/send_redirects", 0)]
            lines.append(Self.set("net/ipv6/conf/\(scope)/disable_ipv6", self.hasIPv6 ? 0 : 1))
            if self.hasIPv6 { lines += [Self.set("net/ipv6/conf/\(scope)/accept_dad", 0), Self.set("net/ipv6/conf/\(scope)/accept_ra", 0)] }
        }
        switch self.role {
        case .router, .core:
            lines.append(Self.set("net/ipv4/ip_forward", 1))
            if self.hasIPv6 { lines.append(Self.set("net/ipv6/conf/all/forwarding", 1)) }
            // Otherwise bridged frames pass through the router's rules as well.
            lines.append(Self.set("net/bridge/bridge-nf-call-iptables", 0))
            lines.append(Self.set("net/bridge/bridge-nf-call-ip6tables", 0))
        case .host, .delay: break
        }
        return lines
    }

    /// Some settings exist only with a kernel module.
    static func set(_ key: String, _ value: Int) -> String {
        "if [ -e /proc/sys/\(key) ]; then echo \(value) >/proc/sys/\(key); fi"
    }
}
