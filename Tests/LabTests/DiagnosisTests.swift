#if os(Linux)
import DIGNATLab
import Foundation
import Testing

extension InLab {
    @Suite("Doctor and why say what is the matter")
    struct DiagnosisTests {
        struct Situation: Sendable, CustomTestStringConvertible {
            var name: String
            /// Nil: a public host.
            var home: HomePlan?
            var tier: String
            /// What the finding of a topic must say; a topic without text must not be there.
            var findings: [String: String?]

            var testDescription: String { self.name }
        }

        static let situations: [Situation] = [
            Situation(name: "public", home: nil, tier: "direct-capable", findings: ["tcp-mapping": "no NAT", "reachability": "everybody can reach", "double-nat": nil]),
            Situation(
                name: "port-restricted", home: LabStage.home("a", .portRestricted), tier: "nat-restricted",
                findings: ["tcp-mapping": "keeps one port", "reachability": "nobody gets through", "port-mapping": "opens no ports", "double-nat": nil]),
            Situation(
                name: "full cone", home: LabStage.home("a", .fullCone), tier: "direct-capable",
                findings: ["tcp-mapping": "keeps one port", "reachability": "everybody can reach"]),
            Situation(
                name: "address-restricted", home: LabStage.home("a", .addressRestricted), tier: "nat-restricted",
                findings: ["tcp-mapping": "keeps one port", "reachability": "strangers do not get through"]),
            Situation(
                name: "symmetric", home: LabStage.home("a", .symmetric), tier: "nat-restricted",
                findings: ["tcp-mapping": "another port for each", "reachability": "nobody gets through", "port-mapping": "opens no ports"]),
            Situation(
                name: "carrier-grade", home: LabStage.home("a", .cgnatPortRestricted, upnp: true), tier: "nat-restricted",
                findings: ["tcp-mapping": "keeps one port", "reachability": "nobody gets through", "double-nat": "behind another NAT"]),
            Situation(
                name: "a router that opens ports", home: LabStage.home("a", .portRestricted, upnp: true), tier: "direct-capable",
                findings: ["reachability": "everybody can reach", "port-mapping": "opens ports by", "mapped": "mapped:", "double-nat": nil]),
        ]

        @Test("doctor names the situation", .timeLimit(.minutes(2)), arguments: situations)
        func doctor(situation: Situation) async throws {
            try await LabStage.with(relays: 2, hosts: ["node"], homes: situation.home.map { [$0] } ?? []) { stage in
                let relays = [try await stage.relay(), try await stage.relay(on: "relay-2")]
                let process = try await stage.start(
                    ["doctor", "--json", "--no-local-discovery", "--timeout", "60"] + relays.flatMap { ["--relay", $0.address] }, on: situation.home?.name ?? "node")
                let (diagnosis, instant) = try await process.timedEvent("diagnosis", within: .seconds(75))
                let text = process.lines.map(\.text).joined(separator: "\n")
                #expect(diagnosis.tier == situation.tier, "\(text)")
                for (topic, words) in situation.findings {
                    let found = diagnosis.findings?.filter { $0.topic == topic } ?? []
                    if let words {
                        #expect(found.contains { $0.text.contains(words) }, "\(topic): \(text)")
                    } else {
                        #expect(found.isEmpty, "\(topic): \(text)")
                    }
                }
                // Not by running out of time.
                #expect(instant - process.started < .seconds(57))
            }
        }

        @Test("doctor with one relay does not wait for what one relay alone cannot show", .timeLimit(.minutes(2)))
        func oneRelay() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let process = try await stage.start(["doctor", "--json", "--no-local-discovery", "--timeout", "60", "--relay", relay.address], on: "a")
                let (diagnosis, instant) = try await process.timedEvent("diagnosis", within: .seconds(75))
                let text = process.lines.map(\.text).joined(separator: "\n")
                #expect(diagnosis.tier == "nat-restricted", "\(text)")
                #expect(diagnosis.findings?.contains { $0.topic == "tcp-mapping" && $0.text.contains("it takes two") } == true, "\(text)")
                let seconds = (instant - process.started) / .seconds(1)
                print("LabTests: doctor with one relay: \(seconds) s")
                #expect(seconds < 45)
            }
        }

        @Test("why names the reason where no punch can work", .timeLimit(.minutes(3)))
        func why() async throws {
            let file = LabFile.mebibytes(8)
            try await LabStage.with(relays: 2, homes: [LabStage.home("a", .symmetric), LabStage.home("b", .symmetric)]) { stage in
                let relays = [try await stage.relay(), try await stage.relay(on: "relay-2")]
                let share = try await stage.share(file, on: "a", relays: relays)
                let get = try await stage.get(share.link, on: "b", relays: relays, options: ["--rate", "1MiB"])
                try await get.finish(file)
                #expect(get.path?.layer == "circuit-relay")
                let sharerPeer = share.peer
                let process = try await stage.start(["why", "--json", sharerPeer], on: "b")
                let output = try await process.wait(timeout: .seconds(20))
                let attempts = process.events.map(\.event).filter { $0.event == "attempted" }
                #expect(output.exit.isSuccess)
                #expect(attempts.contains { $0.layer == "circuit-relay" && $0.outcome == "succeeded" }, "\(output.standardOutput)")
                let punches = attempts.filter { $0.layer == "tcp-hole-punch" }
                #expect(!punches.isEmpty && punches.allSatisfy { $0.outcome == "failed" }, "\(output.standardOutput)")
                #expect(punches.contains { $0.cause?.contains("another port for every destination") == true }, "\(output.standardOutput)")
                // For people, too.
                let plain = try await stage.start(["why", sharerPeer], on: "b").wait(timeout: .seconds(20))
                #expect(plain.standardOutput.contains("another port for every destination"), "\(plain.standardOutput)")
            }
        }
    }
}
#endif
