/// A plan worked out to the last address: every namespace, cable, route and rule. Pure; ``Lab`` carries it out.
///
///     public hosts   203.0.113.10+      each on its own cable to "core"
///     the lab's own  203.0.113.2, .3    "probe": STUN, TCP probe, rendezvous
///     core           203.0.113.1        a router, no bridge: multicast of one site never reaches another
///     NAT homes      198.51.100.10+     router "NAME-gw": wan, and bridge "lan" 192.168.(10+n).0/24 with hosts .11, .12 …
///     public homes   203.0.113.128/25   a routed /29 each
///     carriers       198.51.100.x       customers 100.64.c.2+, each on a cable of its own
///     IPv6           2001:db8::/32      public hosts 2001:db8:0:1::/64, home n 2001:db8:(100+n):1::/64
///
/// The core has routes to these only: a private or foreign destination is unreachable there.
struct Blueprint: Hashable {
    static let coreAddress = "203.0.113.1"
    static let coreUplinkAddress = "198.51.100.1"
    static let probeAddresses = ["203.0.113.2", "203.0.113.3"]
    static let probeIPv6Addresses = ["2001:db8:0:1::2", "2001:db8:0:1::3"]
    static let stunPort: UInt16 = 3478

    let plan: LabPlan
    private(set) var routers: [Router] = []
    private(set) var wires: [Wire] = []
    private(set) var hosts: [HostAddress] = []

    /// - Throws: ``LabError`` with `.invalidPlan`.
    init(_ plan: LabPlan) throws(LabError) {
        try plan.validate()
        let plan = plan.expanded
        self.plan = plan
        var uplinks = 0
        func nextUplink() -> Int {
            defer { uplinks += 1 }
            return uplinks
        }

        self.addWire(near: ("probe", "eth0"), far: nil, link: LinkPlan())
        for (index, host) in plan.publicHosts.enumerated() {
            self.addWire(near: (host.name, "eth0"), far: nil, link: host.link)
            self.hosts.append(HostAddress(name: host.name, home: nil, ipv4: "203.0.113.\(10 + index)", ipv6: "2001:db8:0:1::\(10 + index)"))
        }
        for carrier in plan.carriers {
            self.routers.append(Router(machine: carrier.name, owner: .carrier(carrier), homeIndex: 0, uplinkIndex: nextUplink(), carrier: nil))
            self.addWire(near: (carrier.name, "wan"), far: nil, link: carrier.link)
        }
        var customers: [String: Int] = [:]
        var publicHomes = 0
        for (index, home) in plan.homes.enumerated() {
            let machine = "\(home.name)-gw"
            var router = Router(machine: machine, owner: .home(home), homeIndex: index, uplinkIndex: 0, carrier: nil)
            if let carrier = home.carrier, let carrierIndex = plan.carriers.firstIndex(where: { $0.name == carrier }) {
                router.uplinkIndex = customers[carrier, default: 0]
                router.carrier = (carrier, carrierIndex)
                customers[carrier, default: 0] += 1
                self.addWire(near: (machine, "wan"), far: (carrier, "lan\(router.uplinkIndex)"), link: home.link)
            } else {
                router.uplinkIndex = nextUplink()
                self.addWire(near: (machine, "wan"), far: nil, link: home.link)
            }
            if !home.nat.translates {
                router.publicNet = 128 + 8 * publicHomes
                publicHomes += 1
            }
            self.routers.append(router)
            for (hostIndex, name) in home.hostNames.enumerated() {
                self.addWire(near: (name, "eth0"), far: (machine, "port\(hostIndex)"), link: LinkPlan())
                self.hosts.append(
                    HostAddress(
                        name: name, home: home.name, ipv4: router.insideAddress(host: hostIndex),
                        ipv6: home.ipv6 == .none ? nil : "\(router.ipv6Prefix)::\(11 + hostIndex)"))
            }
        }
    }

    private mutating func addWire(near: (String, String), far: (String, String)?, link: LinkPlan) {
        let index = self.wires.count
        self.wires.append(Wire(near: near, far: far ?? ("core", "c\(index)"), index: index, link: link))
    }

    /// The router of a home or the carrier of this name.
    func router(named name: String) -> Router? {
        self.routers.first {
            switch $0.owner {
            case .home(let home): home.name == name
            case .carrier(let carrier): carrier.name == name
            }
        }
    }

    /// Gives a router another external address, as after a night's reconnect.
    mutating func reboot(machine: String) {
        guard let index = self.routers.firstIndex(where: { $0.machine == machine }) else { return }
        self.routers[index].reboots += 1
    }

    /// The wire that leaves `machine` towards the core.
    func uplink(of machine: String) -> Wire? { self.wires.first { $0.near.machine == machine } }

    // MARK: What is carried out

    /// Lines for `ip -batch` in the machine's own namespace: namespaces and cables, both ends of which start inside.
    func creation(prefix: String) -> [String] {
        self.machines.map { "netns add \(prefix)\($0.name)" }
            + self.wires.flatMap { wire -> [String] in
                func pair(_ a: (String, String), _ aMAC: String?, _ b: (String, String), _ bMAC: String?) -> String {
                    func end(_ end: (String, String), _ mac: String?) -> String { "name \(end.1)\(mac.map { " address \($0)" } ?? "") netns \(prefix)\(end.0)" }
                    return "link add \(end(a, aMAC)) type veth peer \(end(b, bMAC))"
                }
                guard wire.isDelayed else { return [pair(wire.near, wire.nearMAC, wire.far, wire.farMAC)] }
                return [
                    pair(wire.near, wire.nearMAC, ("delay", wire.delayNear), nil), pair(("delay", wire.delayFar), nil, wire.far, wire.farMAC),
                ]
            }
    }

    /// For `natlab delay`: `NEAR=FAR:MICROSECONDS[:LOSS]` for each delayed cable.
    var delays: [String] {
        self.wires.filter(\.isDelayed).map { wire in
            let (seconds, attoseconds) = wire.link.delay.components
            let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
            return "\(wire.delayNear)=\(wire.delayFar):\(microseconds)" + (wire.link.loss > 0 ? ":\(wire.link.loss)" : "")
        }
    }

    var machines: [Machine] {
        [self.core, self.probe] + (self.wires.contains(where: \.isDelayed) ? [self.delay] : []) + self.routers.map(self.machine(for:)) + self.hosts.map(self.machine(for:))
    }

    func machine(named name: String) -> Machine? { self.machines.first { $0.name == name } }

    private var delay: Machine {
        var machine = Machine(name: "delay", role: .delay, hasIPv6: false)
        machine.interfaces = self.wires.filter(\.isDelayed).flatMap { [Interface(name: $0.delayNear), Interface(name: $0.delayFar)] }
        return machine
    }

    private var core: Machine {
        var machine = Machine(name: "core", role: .core, hasIPv6: true)
        machine.creation = [
            "addr add \(Self.coreAddress)/32 dev lo", "addr add \(Self.coreUplinkAddress)/32 dev lo", "addr add 2001:db8::1/128 dev lo nodad",
        ]
        machine.interfaces = self.wires.filter { $0.far.machine == "core" }.map(self.coreInterface(for:))
        return machine
    }

    /// The core's end of one cable.
    private func coreInterface(for wire: Wire) -> Interface {
        var interface = self.farEnd(of: wire)
        interface.ownLinkLocal = true
        interface.addresses = ["fe80::1/64"]
        interface.neighbours = [("fe80::2", wire.nearMAC)]
        let name = interface.name
        func reach(_ address: String) {
            interface.neighbours.append((address, wire.nearMAC))
            interface.routes.append("\(address)/32 dev \(name) scope link")
        }
        if let router = self.routers.first(where: { $0.machine == wire.near.machine }) {
            reach(router.externalAddress)
            if router.publicNet != nil { interface.routes.append("\(router.lan.network)/\(router.lan.prefixLength) via \(router.externalAddress) dev \(name) onlink") }
            if router.ipv6 != .none { interface.routes.append("\(router.ipv6Prefix)::/64 via fe80::2 dev \(name)") }
        } else if let host = self.hosts.first(where: { $0.name == wire.near.machine }) {
            reach(host.ipv4)
            if let ipv6 = host.ipv6 { interface.routes.append("\(ipv6)/128 via fe80::2 dev \(name)") }
        } else {
            for address in Self.probeAddresses { reach(address) }
            interface.routes += Self.probeIPv6Addresses.map { "\($0)/128 via fe80::2 dev \(name)" }
        }
        return interface
    }

    private func farEnd(of wire: Wire) -> Interface {
        Interface(name: wire.far.interface, sendsSinglePackets: wire.isDelayed, rate: wire.link.down)
    }

    private var probe: Machine { self.publicMachine("probe", addresses: Self.probeAddresses, ipv6: Self.probeIPv6Addresses) }

    private func publicMachine(_ name: String, addresses: [String], ipv6: [String]) -> Machine {
        var machine = Machine(name: name, role: .host, hasIPv6: true)
        guard let wire = self.uplink(of: name) else { return machine }
        var interface = Interface(name: "eth0", sendsSinglePackets: wire.isDelayed, rate: wire.link.up, ownLinkLocal: true)
        interface.addresses = addresses.map { "\($0)/32" } + ipv6.map { "\($0)/128" } + ["fe80::2/64"]
        interface.neighbours = [(Self.coreAddress, wire.farMAC), ("fe80::1", wire.farMAC)]
        interface.routes = ["\(Self.coreAddress)/32 dev eth0 scope link", "default via \(Self.coreAddress) dev eth0 src \(addresses[0])"]
        if let source = ipv6.first { interface.routes.append("::/0 via fe80::1 dev eth0 src \(source)") }
        machine.interfaces = [interface]
        return machine
    }

    private func machine(for host: HostAddress) -> Machine {
        guard let home = host.home, let router = self.router(named: home) else {
            return self.publicMachine(host.name, addresses: [host.ipv4], ipv6: host.ipv6.map { [$0] } ?? [])
        }
        var machine = Machine(name: host.name, role: .host, hasIPv6: host.ipv6 != nil)
        var interface = Interface(name: "eth0")
        interface.addresses = ["\(host.ipv4)/\(router.lan.prefixLength)"]
        interface.routes = ["default via \(router.lanAddress) dev eth0"]
        if let ipv6 = host.ipv6 {
            interface.addresses.append("\(ipv6)/64")
            interface.routes.append("::/0 via \(router.ipv6Prefix)::1 dev eth0")
        }
        machine.interfaces = [interface]
        return machine
    }

    private func machine(for router: Router) -> Machine {
        var machine = Machine(name: router.machine, role: .router, hasIPv6: router.ipv6 != .none)
        if let wire = self.uplink(of: router.machine) {
            var wan = Interface(name: "wan", sendsSinglePackets: wire.isDelayed, rate: wire.link.up, ownLinkLocal: router.ipv6 != .none)
            let upstream = router.upstreamAddress
            wan.addresses = ["\(router.externalAddress)/32"]
            wan.neighbours = [(upstream, wire.farMAC)]
            wan.routes = ["\(upstream)/32 dev wan scope link", "default via \(upstream) dev wan"]
            if router.ipv6 != .none {
                wan.addresses.append("fe80::2/64")
                wan.neighbours.append(("fe80::1", wire.farMAC))
                wan.routes.append("::/0 via fe80::1 dev wan")
            }
            machine.interfaces.append(wan)
        }
        switch router.owner {
        case .home(let home):
            // Without snooping, multicast reaches every host of the home at once, as on a plain switch.
            machine.creation = ["link add name lan type bridge mcast_snooping 0"]
            var lan = Interface(name: "lan", addresses: ["\(router.lanAddress)/\(router.lan.prefixLength)"])
            if router.ipv6 != .none { lan.addresses.append("\(router.ipv6Prefix)::1/64") }
            machine.interfaces.append(lan)
            machine.interfaces += self.wires.filter { $0.far.machine == router.machine }.map { Interface(name: $0.far.interface, bridge: "lan") }
            machine.udpTimeoutSeconds = home.udpTimeoutSeconds
        case .carrier:
            for wire in self.wires where wire.far.machine == router.machine {
                guard let customer = self.routers.first(where: { $0.machine == wire.near.machine }) else { continue }
                var interface = self.farEnd(of: wire)
                interface.addresses = ["\(customer.upstreamAddress)/32"]
                interface.neighbours = [(customer.externalAddress, wire.nearMAC)]
                interface.routes = ["\(customer.externalAddress)/32 dev \(interface.name) scope link"]
                machine.interfaces.append(interface)
            }
        }
        machine.rules = router.rules.text
        return machine
    }

    static func == (lhs: Blueprint, rhs: Blueprint) -> Bool { lhs.plan == rhs.plan && lhs.routers == rhs.routers }
    func hash(into hasher: inout Hasher) { hasher.combine(self.plan) }
}
