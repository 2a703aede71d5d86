#if os(Linux)
import DIGNATLab
import Foundation
import Testing

extension InLab {
    /// Other implementations behind real NATs. They come with `make setup`.
    @Suite("Holes punched with other implementations")
    struct OtherImplementationTests {
        @Test("py-libp2p and a node of ours, each behind a port-restricted NAT, get a direct connection", .timeLimit(.minutes(2)))
        func pyLibp2p() async throws {
            let interop = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Interop")
            let python = ProcessInfo.processInfo.environment["DIG_INTEROP_PYTHON"] ?? interop.appendingPathComponent(".venv/bin/python").path
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let node = try await stage.start(["node", "--json", "--no-local-discovery", "--relay", relay.address], on: "b")
                let own = try #require(try await node.event("listening").peer)
                // A place at the relay.
                try await node.event("listening") { $0.addresses?.contains { $0.contains("p2p-circuit") } == true }
                let host = try await stage.lab.host("a")
                let script = interop.appendingPathComponent("py-libp2p/dcutr.py").path
                let peer = try await host.start([
                    python, script, "--verbose", "--listen", "/ip4/\(host.ipv4)/tcp/4001", "--timeout", "40", "dial", "\(relay.address)/p2p-circuit/p2p/\(own)",
                ])
                do { try await peer.event("direct", within: .seconds(60)) } catch {
                    let lines = (peer.lines + node.lines).map(\.text).joined(separator: "\n")
                    Issue.record("\(error)\n\(lines)")
                }
            }
        }
    }
}
#endif
