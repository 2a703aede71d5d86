/// A router of the lab: a home's or a carrier's.
struct Router: Hashable {
    enum Owner: Hashable {
        case home(HomePlan)
        case carrier(CarrierPlan)
    }

    /// Its machine: `NAME-gw` for a home, the carrier's own name.
    var machine: String
    var owner: Owner
    /// Among the homes, for the inside addresses.
    var homeIndex: Int
    /// Among all that share an uplink, for the external address.
    var uplinkIndex: Int
    /// The carrier's machine; `nil`: the core.
    var carrier: (machine: String, index: Int)?
    /// Changes the external address.
    var reboots = 0
    /// Of a routed public /29; `nil` where addresses are translated.
    var publicNet: Int?

    var externalAddress: String {
        let offset = self.reboots % 2 == 0 ? 0 : 100
        if let carrier { return "100.64.\(carrier.index).\(2 + self.uplinkIndex + offset)" }
        return "198.51.100.\(10 + self.uplinkIndex + offset)"
    }

    /// The next hop on the uplink.
    var upstreamAddress: String { self.carrier.map { "100.64.\($0.index).1" } ?? Blueprint.coreUplinkAddress }

    /// With prefix length; hosts have `insideAddress(…)`.
    var lan: (network: String, prefixLength: Int) {
        if let publicNet { return ("203.0.113.\(publicNet)", 29) }
        return ("192.168.\(10 + self.homeIndex).0", 24)
    }

    var lanAddress: String { self.publicNet.map { "203.0.113.\($0 + 1)" } ?? "192.168.\(10 + self.homeIndex).1" }

    func insideAddress(host: Int) -> String {
        self.publicNet.map { "203.0.113.\($0 + 2 + host)" } ?? "192.168.\(10 + self.homeIndex).\(11 + host)"
    }

    /// Without the last group: `2001:db8:110:1`.
    var ipv6Prefix: String { "2001:db8:\(100 + self.homeIndex):1" }

    var ipv6: IPv6Plan {
        if case .home(let home) = self.owner { return home.ipv6 }
        return .none
    }

    var link: LinkPlan {
        switch self.owner {
        case .home(let home): home.link
        case .carrier(let carrier): carrier.link
        }
    }

    var rules: RouterRules {
        switch self.owner {
        case .carrier(let carrier): return RouterRules(kind: carrier.nat, hairpin: carrier.hairpin, externalAddress: self.externalAddress)
        case .home(let home):
            var rules = RouterRules(kind: home.nat, hairpin: home.hairpin, externalAddress: self.externalAddress)
            rules.preservesPorts = home.preservesPorts
            rules.upnp = home.upnp
            rules.rejects = home.rejects
            rules.ipv6 = home.ipv6
            rules.udpTimeoutSeconds = home.udpTimeoutSeconds
            return rules
        }
    }

    /// What miniupnpd is told; `nil` if this router maps no ports.
    ///
    /// It takes the documentation ranges for private ones and refuses to map, unless a STUN server that honours CHANGE-REQUEST proves
    /// that the address can be reached.
    func portMappingConfiguration(leaseFile: String) -> String? {
        guard case .home(let home) = self.owner, home.upnp else { return nil }
        let (network, length) = self.lan
        return """
            ext_ifname=wan
            listening_ip=lan
            http_port=5000
            enable_natpmp=yes
            enable_upnp=yes
            secure_mode=yes
            min_lifetime=5
            max_lifetime=86400
            ipv6_disable=yes
            uuid=6e61746c-6162-4000-8000-0000000000\(self.homeIndex < 10 ? "0" : "")\(self.homeIndex % 100)
            lease_file=\(leaseFile)
            upnp_table_name=\(RouterRules.table)
            upnp_nat_table_name=\(RouterRules.table)
            upnp_forward_chain=miniupnpd
            upnp_nat_chain=prerouting_miniupnpd
            upnp_nat_postrouting_chain=postrouting_miniupnpd
            ext_perform_stun=yes
            ext_stun_host=\(Blueprint.probeAddresses[0])
            ext_stun_port=\(Blueprint.stunPort)
            allow 1024-65535 \(network)/\(length) 1024-65535
            deny 0-65535 0.0.0.0/0 0-65535

            """
    }

    static func == (lhs: Router, rhs: Router) -> Bool { lhs.machine == rhs.machine && lhs.externalAddress == rhs.externalAddress && lhs.owner == rhs.owner }
    func hash(into hasher: inout Hasher) { hasher.combine(self.machine) }
}
