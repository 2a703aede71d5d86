#if os(Linux)
import DIGNATLab
import Foundation
import Glibc
import Testing

extension InLab {
    /// What goes away while a file moves.
    @Suite("A transfer outlives its path")
    struct DisruptionTests {
        @Test("the relay in use is killed half way: the other one carries the rest", .timeLimit(.minutes(4)))
        func relayKilled() async throws {
            let file = LabFile.mebibytes(8)
            try await LabStage.with(relays: 2, homes: [LabStage.home("a", .symmetric), LabStage.home("b", .symmetric)]) { stage in
                let relays = [try await stage.relay(), try await stage.relay(on: "relay-2")]
                let share = try await stage.share(file, on: "a", relays: relays)
                let get = try await stage.get(share.link, on: "b", relays: relays, options: ["--rate", "1MiB"])
                try await get.reached(0.5)
                let before = try #require(get.path)
                #expect(before.layer == "circuit-relay")
                let used = try #require(relays.first { before.address?.hasPrefix($0.address) == true }, "\(get.story)")
                used.process.send(signal: SIGKILL)
                try await get.finish(file)
                let after = try #require(get.path)
                let other = try #require(relays.first { $0.host != used.host })
                #expect(after.layer == "circuit-relay" && after.address?.hasPrefix(other.address) == true, "\(get.story)")
            }
        }

        @Test(
            "a router restarts half way, its mappings gone and its address another: the transfer goes on", .timeLimit(.minutes(5)),
            arguments: ["a", "b"])
        func routerRestarts(home: String) async throws {
            let file = LabFile.mebibytes(6)
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--rate", "1MiB"])
                try await get.path("tcp-hole-punch")
                try await get.reached(0.5)
                try await stage.lab.reboot(home)
                try await get.finish(file, within: .seconds(180))
                print("LabTests: \(home)'s router restarted; paths:\(get.process.events.filter { $0.event.event == "path" }.map { " \(Int(($0.instant - get.process.started) / .milliseconds(1))) ms \($0.event.layer ?? "")" }.joined(separator: ","))")
            }
        }
    }
}
#endif
