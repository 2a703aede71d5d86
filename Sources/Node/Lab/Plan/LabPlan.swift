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
        func fail(_ message: String) -> LabError { LabError(.invalidPlan, message) }
        let plan = self.expanded

        guard plan.publicHosts.count <= Self.maximumPublicHosts else { throw fail("\(plan.publicHosts.count) public hosts; at most \(Self.maximumPublicHosts) fit") }
        let routers = plan.homes.count { $0.carrier == nil } + plan.carriers.count
        guard routers <= Self.maximumRouters, plan.homes.count <= Self.maximumRouters else { throw fail("\(max(routers, plan.homes.count)) homes and carriers; at most \(Self.maximumRouters) fit") }

        var seen: Set<String> = []
        let names = plan.publicHosts.map(\.name) + plan.carriers.map(\.name) + plan.homes.flatMap { $0.hostNames + ["\($0.name)-gw"] }
        for name in names {
            guard Self.isName(name) else { throw fail("the name \"\(name)\": 1 to 32 of a-z, 0-9 and -, a letter first") }
            guard !Self.reservedNames.contains(name) else { throw fail("the name \"\(name)\" is the lab's own") }
            guard seen.insert(name).inserted else { throw fail("two things are named \"\(name)\" (a home's hosts are NAME, NAME-2 …, its router NAME-gw)") }
        }

        for carrier in plan.carriers {
            switch carrier.nat {
            case .fullCone, .addressRestricted, .portRestricted, .portRestrictedEIM, .symmetric, .symmetricSequential: break
            default: throw fail("carrier \(carrier.name): \(carrier.nat.rawValue) is no NAT of one router that translates")
            }
            guard !carrier.hairpin || carrier.nat.canHairpin else { throw fail("carrier \(carrier.name): a \(carrier.nat.rawValue) NAT can't hairpin") }
            guard plan.homes.count(where: { $0.carrier == carrier.name }) <= Self.maximumCustomers else { throw fail("carrier \(carrier.name): more than \(Self.maximumCustomers) customers") }
            try Self.validate(carrier.link, of: carrier.name)
        }
        for host in plan.publicHosts { try Self.validate(host.link, of: host.name) }
        for home in plan.homes {
            guard (1...Self.maximumHostsPerHome).contains(home.hostCount) else { throw fail("home \(home.name): \(home.hostCount) hosts; from 1 to \(Self.maximumHostsPerHome)") }
            guard !home.hairpin || home.nat.canHairpin else {
                throw fail("home \(home.name): a \(home.nat.rawValue) NAT can't hairpin; full-cone, address-restricted and port-restricted can")
            }
            guard home.preservesPorts || [.fullCone, .addressRestricted, .portRestrictedEIM].contains(home.nat) else {
                throw fail("home \(home.name): only full-cone, address-restricted and port-restricted-eim can be told to change ports")
            }
            guard !home.upnp || home.nat.translates else { throw fail("home \(home.name): upnp needs a NAT, \(home.nat.rawValue) is none") }
            guard home.nat != .none || !home.rejects else { throw fail("home \(home.name): without a firewall there is nobody to reject") }
            if let seconds = home.udpTimeoutSeconds {
                guard (1...86_400).contains(seconds) else { throw fail("home \(home.name): udp timeout of \(seconds) s; from 1 to 86400") }
            }
            if let carrier = home.carrier {
                guard plan.carriers.contains(where: { $0.name == carrier }) else { throw fail("home \(home.name): there is no carrier \"\(carrier)\"") }
                guard home.nat.translates, home.nat != .dualStack else { throw fail("home \(home.name): \(home.nat.rawValue) needs a line of its own") }
                guard home.ipv6 == .none else { throw fail("home \(home.name): the lab's carriers give no IPv6") }
            }
            try Self.validate(home.link, of: home.name)
        }
    }

    private static func isName(_ name: String) -> Bool {
        guard (1...32).contains(name.utf8.count), let first = name.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
        }
    }

    private static func validate(_ link: LinkPlan, of name: String) throws(LabError) {
        guard link.delay >= .zero, link.delay <= LinkPlan.longestDelay else { throw LabError(.invalidPlan, "\(name): a delay of \(link.delay); from 0 to 5 s") }
        guard link.loss >= 0, link.loss < 1 else { throw LabError(.invalidPlan, "\(name): a loss of \(link.loss); from 0 to below 1") }
        guard link.loss == 0 || link.delay > .zero else { throw LabError(.invalidPlan, "\(name): loss needs a delay above 0, the delay element makes it") }
        for rate in [link.up, link.down].compactMap({ $0 }) where !LinkPlan.rates.contains(rate) {
            throw LabError(.invalidPlan, "\(name): a rate of \(rate) Mbit/s; from \(LinkPlan.rates.lowerBound) to \(Int(LinkPlan.rates.upperBound))")
        }
    }
}
