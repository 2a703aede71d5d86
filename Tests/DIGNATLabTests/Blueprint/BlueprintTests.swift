import Testing

@testable import DIGNATLab

@Suite("Blueprint")
struct BlueprintTests {
    private let plan = LabPlan(
        publicHosts: [PublicHostPlan("relay")],
        homes: [
            HomePlan("a", nat: .portRestricted, hostCount: 2, link: LinkPlan(delay: .milliseconds(20), up: 10)), HomePlan("b", nat: .none),
            HomePlan("c", nat: .portRestricted, carrier: "isp"), HomePlan("d", nat: .symmetric, ipv6: .firewalled),
        ], carriers: [CarrierPlan("isp", nat: .symmetric)])

    @Test("addresses are where the page says")
    func addresses() throws {
        let blueprint = try Blueprint(self.plan)
        let hosts = Dictionary(uniqueKeysWithValues: blueprint.hosts.map { ($0.name, $0) })
        #expect(hosts["relay"]?.ipv4 == "203.0.113.10")
        #expect(hosts["a"]?.ipv4 == "192.168.10.11")
        #expect(hosts["a-2"]?.ipv4 == "192.168.10.12")
        #expect(hosts["b"]?.ipv4 == "203.0.113.130")
        #expect(hosts["c"]?.ipv4 == "192.168.12.11")
        #expect(hosts["d"]?.ipv6 == "2001:db8:103:1::11")
        #expect(blueprint.router(named: "isp")?.externalAddress == "198.51.100.10")
        #expect(blueprint.router(named: "a")?.externalAddress == "198.51.100.11")
        #expect(blueprint.router(named: "c")?.externalAddress == "100.64.0.2")
    }

    @Test("a delayed cable goes through the delay element, and leaves packets single on both ends")
    func delays() throws {
        let blueprint = try Blueprint(self.plan)
        #expect(blueprint.delays == ["d3n=d3f:20000"])
        let creation = blueprint.creation(prefix: "dnl-test1-")
        #expect(creation.contains("link add name wan address 02:00:00:00:03:01 netns dnl-test1-a-gw type veth peer name d3n netns dnl-test1-delay"))
        #expect(creation.contains("link add name d3f netns dnl-test1-delay type veth peer name c3 address 02:00:00:00:03:02 netns dnl-test1-core"))
        #expect(blueprint.machine(named: "a-gw")?.script.contains("link set dev wan gso_max_segs 1\n") == true)
        #expect(blueprint.machine(named: "core")?.script.contains("link set dev c3 gso_max_segs 1\n") == true)
        #expect(blueprint.machine(named: "a-gw")?.script.contains("tc qdisc replace dev wan root tbf rate 10000kbit burst 15000 latency 100ms\n") == true)
    }

    @Test("the core knows no private address")
    func coreRoutes() throws {
        let core = try #require(try Blueprint(self.plan).machine(named: "core")).script
        #expect(!core.contains("192.168."))
        #expect(!core.contains("100.64."))
        #expect(core.contains("route replace 203.0.113.128/29 via "))
    }

    @Test("a reboot moves the external address in rules and routes, and the next one moves it back")
    func reboot() throws {
        var blueprint = try Blueprint(self.plan)
        let before = blueprint.machine(named: "a-gw")?.rules
        blueprint.reboot(machine: "a-gw")
        #expect(blueprint.router(named: "a")?.externalAddress == "198.51.100.111")
        #expect(blueprint.machine(named: "a-gw")?.rules.contains("198.51.100.111") == true)
        #expect(blueprint.machine(named: "core")?.script.contains("route replace 198.51.100.111/32 dev c3 scope link") == true)
        blueprint.reboot(machine: "a-gw")
        #expect(blueprint.machine(named: "a-gw")?.rules == before)
    }

    @Test("names and addresses are distinct in the largest lab")
    func largest() throws {
        let plan = LabPlan(
            publicHosts: (0..<100).map { PublicHostPlan("p\($0)") },
            homes: (0..<16).map { HomePlan("n\($0)", nat: .none, hostCount: 5) } + (16..<100).map { HomePlan("n\($0)", nat: .symmetric, hostCount: 5) })
        let blueprint = try Blueprint(plan)
        let publicAddresses = blueprint.hosts.filter { $0.ipv4.hasPrefix("203.") }.map(\.ipv4)
        #expect(Set(publicAddresses).count == publicAddresses.count)
        #expect(Set(blueprint.routers.map(\.externalAddress)).count == blueprint.routers.count)
        #expect(Set(blueprint.wires.flatMap { [$0.nearMAC, $0.farMAC] }).count == blueprint.wires.count * 2)
        #expect(throws: LabError(.invalidPlan, "")) { try Blueprint(LabPlan(homes: (0..<17).map { HomePlan("n\($0)", nat: .none) })) }
    }

    @Test("the port mapper is told where to ask whether it can be reached")
    func portMapping() throws {
        let blueprint = try Blueprint(LabPlan(homes: [HomePlan("a", nat: .portRestricted, upnp: true), HomePlan("b", nat: .portRestricted)]))
        let text = blueprint.router(named: "a")?.portMappingConfiguration(leaseFile: "/leases") ?? ""
        #expect(text.contains("ext_stun_host=203.0.113.2\next_stun_port=3478\n"))
        #expect(text.contains("allow 1024-65535 192.168.10.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"))
        #expect(blueprint.router(named: "b")?.portMappingConfiguration(leaseFile: "/leases") == nil)
    }
}
