import DIGCommandLine
import Foundation
import Testing

@testable import DIGNATLab

@Suite("Verdicts")
struct NATVerdictTests {
    @Test("a NAT that does what its kind must do is as named, for every kind")
    func asNamed() {
        for home in LabPlan.everyKind.homes {
            var report = NATVerdict.expectation(for: home)
            if home.nat == .symmetricSequential { report.udp.external = ["198.51.100.1:20000", "198.51.100.1:20001", "198.51.100.1:20002"] }
            if home.ipv6 != .none {
                report.udp6 = TransportReport(
                    isBlocked: false, mapping: .endpointIndependent, filtering: home.ipv6 == .open ? .endpointIndependent : .addressAndPortDependent, external: [])
            }
            #expect(NATVerdict(home: home, report: report).differences == [])
        }
    }

    @Test("every difference is said in words")
    func differences() {
        let home = HomePlan("a", nat: .fullCone)
        let verdict = NATVerdict(home: home, report: NATVerdict.expectation(for: HomePlan("a", nat: .symmetric)))
        #expect(!verdict.isAsNamed)
        #expect(verdict.differences.contains("UDP mapping: address-and-port-dependent instead of endpoint-independent"))
        #expect(NATVerdict.table([verdict]).contains("NOT AS NAMED\n    UDP mapping: "))
        #expect(verdict.json.text.hasPrefix(#"{"event":"verdict","home":"a","nat":"full-cone","asNamed":false,"differences":["UDP mapping"#))
    }

    @Test("what the probes print has the keys of the verdict")
    func reportKeys() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let report = ProbeReport(udp: .blocked, tcp: TransportReport(isBlocked: false, keepsPort: true, external: []))
        #expect(String(decoding: try encoder.encode(report), as: UTF8.self) == #"{"tcp":{"blocked":false,"external":[],"keepsPort":true},"udp":{"blocked":true,"external":[]}}"#)
        #expect(try JSONDecoder().decode(ProbeReport.self, from: encoder.encode(report)) == report)
        var punch = PunchReport.failed("x")
        (punch.introducedMilliseconds, punch.punchedMilliseconds) = (1, 2)
        #expect(
            String(decoding: try encoder.encode(punch), as: UTF8.self)
                == #"{"connected":false,"introduced":false,"introducedMs":1,"punchedMs":2,"reason":"x","refusals":0}"#)
        #expect(try JSONDecoder().decode(PunchReport.self, from: encoder.encode(punch)) == punch)
    }

    @Test("behind a carrier the stricter of two NATs is expected, and the carrier's hairpin")
    func carriers() {
        let home = HomePlan("a", nat: .fullCone, carrier: "isp")
        let expected = NATVerdict.expectation(for: home, behind: CarrierPlan("isp", nat: .portRestricted, hairpin: true))
        #expect(expected.udp.mapping == .endpointIndependent)
        #expect(expected.udp.filtering == .addressAndPortDependent)
        #expect(expected.udp.hairpins == true)
        #expect(NATVerdict.expectation(for: home, behind: CarrierPlan("isp", nat: .symmetric)).tcp.mapping == .addressAndPortDependent)
        #expect(NATVerdict.expectation(for: HomePlan("a", nat: .webOnly), behind: CarrierPlan("isp", nat: .symmetric)).udp.isBlocked)
    }

    @Test("ports that jump are not sequential, and a blocked transport is no mapping")
    func particular() {
        let sequential = HomePlan("a", nat: .symmetricSequential)
        var report = NATVerdict.expectation(for: sequential)
        report.udp.external = ["198.51.100.1:20000", "198.51.100.1:40001", "198.51.100.1:20002"]
        #expect(!NATVerdict(home: sequential, report: report).isAsNamed)
        let blocked = NATVerdict(home: HomePlan("a", nat: .portRestricted), report: NATVerdict.expectation(for: HomePlan("a", nat: .udpBlocked)))
        #expect(blocked.differences == ["UDP blocked: yes instead of no"])
    }
}
