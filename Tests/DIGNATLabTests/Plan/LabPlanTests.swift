import Testing

@testable import DIGNATLab

@Suite("Lab plan")
struct LabPlanTests {
    @Test("every kind at once is a valid plan")
    func everyKind() throws {
        try LabPlan.everyKind.validate()
    }

    @Test(
        "what contradicts itself or is out of range is refused",
        arguments: [
            LabPlan(homes: [HomePlan("a", nat: .none), HomePlan("a", nat: .none)]),
            LabPlan(publicHosts: [PublicHostPlan("a-2")], homes: [HomePlan("a", nat: .none, hostCount: 2)]),
            LabPlan(publicHosts: [PublicHostPlan("core")]),
            LabPlan(publicHosts: [PublicHostPlan("Relay")]),
            LabPlan(publicHosts: [PublicHostPlan("")]),
            LabPlan(publicHosts: [PublicHostPlan("a; reboot")]),
            LabPlan(publicHosts: [PublicHostPlan("1a")]),
            LabPlan(publicHosts: [PublicHostPlan(String(repeating: "a", count: 33))]),
            LabPlan(publicHosts: (0..<101).map { PublicHostPlan("p\($0)") }),
            LabPlan(homes: (0..<101).map { HomePlan("h\($0)", nat: .symmetric) }),
            LabPlan(homes: [HomePlan("a", nat: .symmetric, hostCount: 0)]),
            LabPlan(homes: [HomePlan("a", nat: .symmetric, hostCount: 6)]),
            LabPlan(homes: [HomePlan("a", nat: .symmetric, hairpin: true)]),
            LabPlan(homes: [HomePlan("a", nat: .symmetric, preservesPorts: false)]),
            LabPlan(homes: [HomePlan("a", nat: .noInbound, upnp: true)]),
            LabPlan(homes: [HomePlan("a", nat: .none, rejects: true)]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, udpTimeoutSeconds: 0)]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, carrier: "isp")]),
            LabPlan(homes: [HomePlan("a", nat: .none, carrier: "isp")], carriers: [CarrierPlan("isp", nat: .symmetric)]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, ipv6: .open, carrier: "isp")], carriers: [CarrierPlan("isp", nat: .symmetric)]),
            LabPlan(carriers: [CarrierPlan("isp", nat: .cgnatSymmetric)]),
            LabPlan(homes: [HomePlan("a", nat: .cgnatSymmetric, carrier: "isp")], carriers: [CarrierPlan("isp", nat: .symmetric)]),
            LabPlan(homes: (0..<17).map { HomePlan("h\($0)", nat: .noInbound) }),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(delay: .seconds(1), loss: .nan))]),
            LabPlan(carriers: [CarrierPlan("isp", nat: .symmetric, hairpin: true)]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(delay: .seconds(-1)))]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(delay: .seconds(6)))]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(delay: .seconds(1), loss: 1))]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(loss: 0.1))]),
            LabPlan(homes: [HomePlan("a", nat: .fullCone, link: LinkPlan(up: 0))]),
            LabPlan(publicHosts: [PublicHostPlan("a", link: LinkPlan(down: .infinity))]),
        ])
    func refused(plan: LabPlan) {
        #expect(throws: LabError(.invalidPlan, "")) { try plan.validate() }
    }

    @Test("a carrier-grade home becomes a home and a carrier of its own")
    func carrierGrade() throws {
        let plan = LabPlan(homes: [HomePlan("a", nat: .cgnatSymmetric)]).expanded
        #expect(plan.homes == [HomePlan("a", nat: .portRestricted, ipv6: IPv6Plan.none, carrier: "a-isp")])
        #expect(plan.carriers == [CarrierPlan("a-isp", nat: .symmetric)])
    }

    @Test("short names fit a table's head and are distinct")
    func shortNames() {
        #expect(Set(NATKind.allCases.map(\.shortName)).count == NATKind.allCases.count)
        #expect(NATKind.allCases.allSatisfy { $0.shortName.count <= 5 })
    }
}
