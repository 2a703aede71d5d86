#if os(Linux)
import DIGNATLab
import Foundation
import Testing

extension InLab {
    /// Each layer wins where nothing else can.
    @Suite("Every layer has a place that only it can win")
    struct LayerTests {
        private static let file = LabFile.mebibytes(3)

        @Test("local: two hosts of one home, by the link alone", .timeLimit(.minutes(2)))
        func localByLink() async throws {
            try await LabStage.with(relays: 0, homes: [LabStage.home("a", .symmetric, hosts: 2)]) { stage in
                let share = try await stage.share(Self.file, on: "a", options: ["--no-local-discovery"])
                let get = try await stage.get(share.link, on: "a-2", options: ["--no-local-discovery"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "local" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("local: two hosts of one home, by multicast and without any address", .timeLimit(.minutes(2)))
        func localByDiscovery() async throws {
            try await LabStage.with(relays: 0, homes: [LabStage.home("a", .symmetric, hosts: 2)]) { stage in
                let share = try await stage.share(Self.file, on: "a")
                let get = try await stage.get(share.contentHash, on: "a-2")
                try await get.finish(Self.file)
                #expect(get.path?.layer == "local" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("direct: a public host, from behind a symmetric NAT", .timeLimit(.minutes(2)))
        func direct() async throws {
            try await LabStage.with(relays: 0, hosts: ["seed"], homes: [LabStage.home("b", .symmetric)]) { stage in
                let share = try await stage.share(Self.file, on: "seed")
                let get = try await stage.get(share.link, on: "b")
                try await get.finish(Self.file)
                #expect(get.path?.layer == "direct" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("upnp: the router opens a port, by each of its three protocols", .timeLimit(.minutes(3)), arguments: ["upnp", "nat-pmp", "pcp"])
        func portMapping(origin: String) async throws {
            try await LabStage.with(relays: 0, homes: [LabStage.home("a", .portRestricted, upnp: true), LabStage.home("b", .symmetric)]) { stage in
                try await stage.restrictPortMapping(of: "a", to: origin)
                let share = try await stage.share(Self.file, on: "a")
                let get = try await stage.get(share.link, on: "b")
                try await get.finish(Self.file)
                #expect(get.path?.layer == "upnp" && get.path?.direct == true && get.path?.origin == origin, "\(get.story)")
            }
        }

        @Test("tcp-hole-punch: two port-restricted homes", .timeLimit(.minutes(2)))
        func holePunch() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(Self.file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--rate", "1MiB"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "tcp-hole-punch" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("tcp-hole-punch: the same homes, when whoever gets knows nobody but the relay of the link", .timeLimit(.minutes(2)))
        func holePunchWithOneObserver() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(Self.file, on: "a", relays: [relay])
                let get = try await stage.get(
                    share.link, on: "b", options: ["--rate", "1MiB", "--no-dht", "--no-pex", "--no-gossip", "--no-local-discovery"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "tcp-hole-punch" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("tcp-simultaneous-open: the same homes, when the plain punch is not allowed", .timeLimit(.minutes(2)))
        func simultaneousOpen() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let methods = ["--methods", "tcp-simultaneous-open,circuit-relay"]
                let share = try await stage.share(Self.file, on: "a", relays: [relay], options: methods)
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: methods + ["--rate", "1MiB"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "tcp-simultaneous-open" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("circuit-relay: two symmetric homes", .timeLimit(.minutes(2)))
        func circuitRelay() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .symmetric), LabStage.home("b", .symmetric)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(Self.file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--rate", "1MiB"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "circuit-relay" && get.path?.direct == false, "\(get.story)")
            }
        }

        @Test("websocket: a network that lets out nothing but TCP to 80 and 443", .timeLimit(.minutes(2)))
        func webSocket() async throws {
            try await LabStage.with(relays: 0, hosts: ["seed"], homes: [LabStage.home("b", .webOnly)]) { stage in
                let host = "/ip4/\(try await stage.lab.host("seed").ipv4)"
                let share = try await stage.share(Self.file, on: "seed", options: ["--listen", "\(host)/tcp/4001", "--listen", "\(host)/tcp/80/ws"])
                let get = try await stage.get(share.link, on: "b")
                try await get.finish(Self.file)
                #expect(get.path?.layer == "websocket" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("a method that is not among those allowed is not used: no punch where one would work", .timeLimit(.minutes(2)))
        func restricted() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(Self.file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--methods", "circuit-relay", "--rate", "1MiB"])
                try await get.finish(Self.file)
                #expect(get.path?.layer == "circuit-relay" && get.path?.direct == false, "\(get.story)")
            }
        }

        @Test("a relay that is not among the methods allowed carries no file: where no punch works, none arrives (NAT-18)", .timeLimit(.minutes(2)))
        func relayNotAllowed() async throws {
            try await LabStage.with(homes: [LabStage.home("a", .symmetric), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let share = try await stage.share(Self.file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--methods", "tcp-hole-punch", "--no-local-discovery"])
                let output = try await get.process.wait(timeout: .seconds(100))
                #expect(output.exit == .code(7), "\(get.story)")
                #expect(get.path == nil && !FileManager.default.fileExists(atPath: get.output), "\(get.story)")
            }
        }
    }
}
#endif
