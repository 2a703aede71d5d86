extension LabPlan {
    /// Reads the internet that a scenario file describes.
    ///
    /// - Throws: ``LabError`` with `.invalidScenario`.
    init(_ document: ScenarioTable) throws(LabError) {
        let delay = try document.delay
        let lineKeys = ["delay", "up", "down"]
        let publicTables = try document.tables("public", keys: ["name", "loss"] + lineKeys)
        let carrierTables = try document.tables("carrier", keys: ["name", "nat", "hairpin"] + lineKeys)
        let homeTables = try document.tables(
            "home", keys: ["name", "nat", "hosts", "hairpin", "preserve", "upnp", "reject", "ipv6", "udp_timeout", "carrier", "loss"] + lineKeys)
        self.init()
        for table in publicTables { self.publicHosts.append(PublicHostPlan(try table.requiredText("name"), link: try table.link(delay: nil))) }
        for table in carrierTables {
            self.carriers.append(
                CarrierPlan(try table.requiredText("name"), nat: try table.kind, hairpin: try table.flag("hairpin") ?? false, link: try table.link(delay: nil)))
        }
        for table in homeTables {
            self.homes.append(
                HomePlan(
                    try table.requiredText("name"), nat: try table.kind, hostCount: try table.whole("hosts", from: 1...Self.maximumHostsPerHome) ?? 1,
                    hairpin: try table.flag("hairpin") ?? false, preservesPorts: try table.flag("preserve") ?? true, upnp: try table.flag("upnp") ?? false,
                    rejects: try table.flag("reject") ?? false, ipv6: try table.word("ipv6", IPv6Plan.self),
                    udpTimeoutSeconds: try table.whole("udp_timeout", from: HomePlan.udpTimeouts), carrier: try table.text("carrier"), link: try table.link(delay: delay)))
        }
        do throws(PlanFault) {
            try self.check()
        } catch {
            let table: ScenarioTable? =
                switch error.part {
                case .publicHost(let index)?: publicTables.indices.contains(index) ? publicTables[index] : nil
                case .carrier(let index)?: carrierTables.indices.contains(index) ? carrierTables[index] : nil
                case .home(let index)?: homeTables.indices.contains(index) ? homeTables[index] : nil
                case nil: nil
                }
            guard let table else { throw LabError(.invalidScenario, error.message) }
            throw table.fault(error.key, error.message)
        }
    }
}

extension ScenarioTable {
    fileprivate var kind: NATKind {
        get throws(LabError) {
            guard let kind = try self.word("nat", NATKind.self) else { throw self.fault(nil, "nat is missing; natlab kinds lists what it may be") }
            return kind
        }
    }

    fileprivate var delay: Duration? {
        get throws(LabError) {
            let longest = LinkPlan.longestDelay / .milliseconds(1)
            guard let milliseconds = try self.number("delay", from: 0...longest, " ms") else { return nil }
            return .microseconds(Int64((milliseconds * 1000).rounded()))
        }
    }

    fileprivate func link(delay standard: Duration?) throws(LabError) -> LinkPlan {
        LinkPlan(
            delay: try self.delay ?? standard ?? .zero, loss: try self.number("loss", from: 0...1, "") ?? 0,
            up: try self.number("up", from: LinkPlan.rates, " Mbit/s"), down: try self.number("down", from: LinkPlan.rates, " Mbit/s"))
    }
}
