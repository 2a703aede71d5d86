/// An internet to build: public hosts, homes, carriers.
///
/// ```swift
/// let plan = LabPlan(
///     publicHosts: [PublicHostPlan("relay")],
///     homes: [
///         HomePlan("a", nat: .portRestricted, link: LinkPlan(delay: .milliseconds(20))),
///         HomePlan("b", nat: .symmetric, link: LinkPlan(delay: .milliseconds(20))),
///     ])
/// ```
public struct LabPlan: Hashable, Sendable, Codable {
    public var publicHosts: [PublicHostPlan]
    public var homes: [HomePlan]
    public var carriers: [CarrierPlan]

    public init(publicHosts: [PublicHostPlan] = [], homes: [HomePlan] = [], carriers: [CarrierPlan] = []) {
        self.publicHosts = publicHosts
        self.homes = homes
        self.carriers = carriers
    }

    /// Routers (homes on a line of their own, and carriers) that have an address in 198.51.100.10…109; the next hundred are for
    /// the address each gets at a reboot.
    public static let maximumRouters = 100
    public static let maximumPublicHosts = 100
    public static let maximumCustomers = 100
    /// A /29 each out of 203.0.113.128/25.
    public static let maximumPublicHomes = 16
    public static let maximumHostsPerHome = 5
    /// Names the lab uses itself.
    public static let reservedNames: Set<String> = ["core", "delay", "probe"]

    /// The plan with the two carrier-grade kinds written out as a home and a carrier of its own.
    var expanded: LabPlan {
        var plan = self
        for index in plan.homes.indices {
            let home = plan.homes[index]
            let carrierKind: NATKind
            switch home.nat {
            case .cgnatPortRestricted: carrierKind = .portRestricted
            case .cgnatSymmetric: carrierKind = .symmetric
            default: continue
            }
            let name = "\(home.name)-isp"
            plan.carriers.append(CarrierPlan(name, nat: carrierKind))
            plan.homes[index].nat = .portRestricted
            plan.homes[index].carrier = name
        }
        return plan
    }

    /// Checks everything that building relies on.
    ///
    /// - Throws: ``LabError`` with `.invalidPlan`, naming the part and what it may be.
    public func validate() throws(LabError) {
        do throws(PlanFault) {
            try self.check()
        } catch {
            let part: String? =
                switch error.part {
                case .publicHost(let index)?: "public host \(self.publicHosts[index].name)"
                case .home(let index)?: "home \(self.homes[index].name)"
                case .carrier(let index)?: "carrier \(self.carriers[index].name)"
                case nil: nil
                }
            throw LabError(.invalidPlan, [part, error.key, error.message].compactMap { $0 }.joined(separator: ": "))
        }
    }

    /// The same, for a caller that knows where each part was written.
    func check() throws(PlanFault) {
        let plan = self.expanded
        guard plan.publicHosts.count <= Self.maximumPublicHosts else {
            throw PlanFault(part: .publicHost(Self.maximumPublicHosts), message: "\(plan.publicHosts.count) public hosts; at most \(Self.maximumPublicHosts) fit")
        }
        let routers = plan.homes.count { $0.carrier == nil } + plan.carriers.count
        guard routers <= Self.maximumRouters, plan.homes.count <= Self.maximumRouters else {
            throw PlanFault(message: "\(max(routers, plan.homes.count)) homes and carriers; at most \(Self.maximumRouters) fit")
        }
        let publicHomes = plan.homes.indices.filter { !plan.homes[$0].nat.translates }
        guard publicHomes.count <= Self.maximumPublicHomes else {
            throw PlanFault(part: .home(publicHomes[Self.maximumPublicHomes]), key: "nat", message: "more than \(Self.maximumPublicHomes) homes with public addresses")
        }
        try self.checkNames()
        for (index, carrier) in self.carriers.enumerated() {
            func fail(_ key: String, _ message: String) -> PlanFault { PlanFault(part: .carrier(index), key: key, message: message) }
            switch carrier.nat {
            case .fullCone, .addressRestricted, .portRestricted, .portRestrictedEIM, .symmetric, .symmetricSequential: break
            default: throw fail("nat", "\(carrier.nat.rawValue) is no NAT of one router that translates")
            }
            guard !carrier.hairpin || carrier.nat.canHairpin else { throw fail("hairpin", Self.hairpinRule(carrier.nat)) }
            guard plan.homes.count(where: { $0.carrier == carrier.name }) <= Self.maximumCustomers else { throw fail("name", "more than \(Self.maximumCustomers) customers") }
            try Self.check(carrier.link, of: .carrier(index))
        }
        for (index, host) in self.publicHosts.enumerated() { try Self.check(host.link, of: .publicHost(index)) }
        for (index, home) in plan.homes.enumerated() {
            if self.homes[index].carrier != nil, self.homes[index].nat != home.nat {
                throw PlanFault(part: .home(index), key: "carrier", message: "\(self.homes[index].nat.rawValue) brings a carrier of its own")
            }
            try Self.check(home, at: index, carriers: plan.carriers.map(\.name))
            try Self.check(home.link, of: .home(index))
        }
    }

    /// Every machine has a name of its own, also those that nobody wrote down.
    private func checkNames() throws(PlanFault) {
        var named: [(part: PlanFault.Part, name: String)] = []
        named += self.publicHosts.enumerated().map { (.publicHost($0), $1.name) }
        named += self.carriers.enumerated().map { (.carrier($0), $1.name) }
        for (index, home) in self.homes.enumerated() {
            // The carrier of a carrier-grade home.
            let carrier = home.nat == .cgnatPortRestricted || home.nat == .cgnatSymmetric ? ["\(home.name)-isp"] : []
            named += (home.hostNames + ["\(home.name)-gw"] + carrier).map { (.home(index), $0) }
        }
        var seen: Set<String> = []
        for (part, name) in named {
            func fail(_ message: String) -> PlanFault { PlanFault(part: part, key: "name", message: message) }
            guard Self.isName(name) else { throw fail("\"\(name)\" is none: 1 to 32 of a-z, 0-9 and -, a letter first") }
            guard !Self.reservedNames.contains(name) else { throw fail("\"\(name)\" is the lab's own") }
            guard seen.insert(name).inserted else {
                throw fail("two things are named \"\(name)\" (a home's hosts are NAME, NAME-2 …, its router NAME-gw, a carrier-grade home's carrier NAME-isp)")
            }
        }
    }

    private static func check(_ home: HomePlan, at index: Int, carriers: [String]) throws(PlanFault) {
        func fail(_ key: String, _ message: String) -> PlanFault { PlanFault(part: .home(index), key: key, message: message) }
        guard (1...Self.maximumHostsPerHome).contains(home.hostCount) else { throw fail("hosts", "from 1 to \(Self.maximumHostsPerHome), not \(home.hostCount)") }
        guard !home.hairpin || home.nat.canHairpin else { throw fail("hairpin", Self.hairpinRule(home.nat)) }
        guard home.preservesPorts || [.fullCone, .addressRestricted, .portRestrictedEIM].contains(home.nat) else {
            throw fail("preserve", "only full-cone, address-restricted and port-restricted-eim can be told to change ports")
        }
        guard !home.upnp || home.nat.translates else { throw fail("upnp", "needs a NAT, \(home.nat.rawValue) is none") }
        guard home.nat != .none || !home.rejects else { throw fail("reject", "without a firewall there is nobody to reject") }
        if let seconds = home.udpTimeoutSeconds {
            guard HomePlan.udpTimeouts.contains(seconds) else {
                throw fail("udp_timeout", "from \(HomePlan.udpTimeouts.lowerBound) to \(HomePlan.udpTimeouts.upperBound) s, not \(seconds)")
            }
        }
        guard let carrier = home.carrier else { return }
        guard carriers.contains(carrier) else { throw fail("carrier", "there is no carrier \"\(carrier)\"" + NameSuggestion.words(for: carrier, listing: carriers)) }
        guard home.nat.translates, home.nat != .dualStack else { throw fail("carrier", "\(home.nat.rawValue) needs a line of its own") }
        guard home.ipv6 == .none else { throw fail("ipv6", "the lab's carriers give none") }
    }

    private static func hairpinRule(_ kind: NATKind) -> String { "a \(kind.rawValue) NAT can't hairpin; full-cone, address-restricted and port-restricted can" }

    private static func isName(_ name: String) -> Bool {
        guard (1...32).contains(name.utf8.count), let first = name.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
        }
    }

    private static func check(_ link: LinkPlan, of part: PlanFault.Part) throws(PlanFault) {
        func fail(_ key: String, _ message: String) -> PlanFault { PlanFault(part: part, key: key, message: message) }
        guard link.delay >= .zero, link.delay <= LinkPlan.longestDelay else { throw fail("delay", "from 0 to 5000 ms, not \(link.delay / .milliseconds(1))") }
        guard link.loss >= 0, link.loss < 1 else { throw fail("loss", "from 0 to below 1, not \(link.loss)") }
        guard link.loss == 0 || link.delay > .zero else { throw fail("loss", "needs a delay above 0, the delay element makes it") }
        for (key, rate) in [("up", link.up), ("down", link.down)] {
            guard let rate, !LinkPlan.rates.contains(rate) else { continue }
            throw fail(key, "from \(LinkPlan.rates.lowerBound) to \(Int(LinkPlan.rates.upperBound)) Mbit/s, not \(rate)")
        }
    }
}
