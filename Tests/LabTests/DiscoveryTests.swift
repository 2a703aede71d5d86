#if os(Linux)
import DIGNATLab
import Foundation
import Testing

extension InLab {
    /// A file is got by its hash alone, with one way of finding it.
    @Suite("Each way of discovery is enough, without any address")
    struct DiscoveryTests {
        private static let file = LabFile.mebibytes(3)
        private static let ways = ["dht", "public-dht", "pex", "gossip", "local-discovery"]

        /// Options that leave only `way` on.
        private static func only(_ way: String) -> [String] { self.ways.filter { $0 != way }.map { "--no-\($0)" } }

        /// A first contact on a public host, a holder and a receiver at home, behind NATs: the holder has a place at the contact's relay, and a
        /// file whose announcement somebody has taken.
        private func found(by way: String, within limit: Duration) async throws {
            try await LabStage.with(
                relays: 1, homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted), LabStage.home("c", .symmetric)], name: "found(by: \(way))"
            ) { stage in
                let only = Self.only(way)
                let ip = "\(try await stage.lab.host("relay").ipv4)"
                let address = "/ip4/\(ip)/tcp/4001"
                let contact = try await stage.start(
                    ["bootstrap", "--json", "--listen", address, "--gun-listen", "\(ip):8765"] + only, on: "relay")
                let listening = try await contact.event("listening") { $0.addresses?.isEmpty == false }
                let first = try #require(listening.addresses?.first { $0.hasPrefix(address) })
                let relay = Relay(host: "relay", address: first, process: contact)
                let ways = only + (way == "gun" ? ["--gun", "ws://\(ip):8765/gun"] : ["--bootstrap", first])
                let share = try await stage.share(Self.file, on: "a", relays: [relay], options: ways)
                try await share.process.event("announced") { $0.isStored == true }

                // Who has never been there before asks for the hash.
                let found = try await stage.start(["find", "--json", "--limit", "1", share.contentHash] + ways, on: "c")
                let holder = try await found.found { $0.peer == share.peer }
                let seconds = try #require(holder.seconds(by: way))
                #expect(.seconds(seconds) < limit)
                print("LabTests: announced, then found by \(way) in \(seconds) s; 40 ms to the contact, 80 ms between homes")

                let get = try await stage.get(share.contentHash, on: "b", options: ways)
                try await get.finish(Self.file)

                // Nobody finds it once it is no longer shared.
                share.process.send(signal: SIGINT)
                _ = try await share.process.wait(timeout: .seconds(15))
                let gone = try await stage.start(["find", "--json", "--timeout", "10s", share.contentHash] + ways, on: "c")
                let end = try await gone.wait(timeout: .seconds(40))
                #expect(!end.exit.isSuccess && !gone.lines.compactMap(FoundEvent.init).contains(where: \.claimed), "\(end.standardOutput)")
            }
        }

        @Test("the DHT: one first contact in common", .timeLimit(.minutes(3)))
        func dht() async throws { try await self.found(by: "dht", within: .seconds(3)) }

        @Test("a node that everybody can reach serves the DHT by itself", .timeLimit(.minutes(3)))
        func serving() async throws {
            try await LabStage.with(relays: 2, hosts: ["node"], homes: [LabStage.home("a", .portRestricted)]) { stage in
                func address(_ host: String) async throws -> String { "/ip4/\(try await stage.lab.host(host).ipv4)/tcp/4001" }
                func start(_ host: String, _ options: [String]) async throws -> (process: LabProcess, address: String) {
                    let address = try await address(host)
                    let process = try await stage.start(["node", "--json", "--no-local-discovery", "--no-pex", "--no-gossip", "--listen", address] + options, on: host)
                    let listening = try await process.event("listening") { $0.addresses?.contains { $0.hasPrefix(address) } == true }
                    return (process, try #require(listening.addresses?.first { $0.hasPrefix(address) }))
                }
                // They dial back, and know nothing of the DHT.
                let others = [try await start("relay", ["--serve-relay", "always", "--no-dht"]), try await start("relay-2", ["--serve-relay", "always", "--no-dht"])]
                let node = try await start("node", others.flatMap { ["--bootstrap", $0.address] })
                try await node.process.event("reachability", within: .seconds(90)) { $0.tier == "direct-capable" }
                let share = try await stage.share(Self.file, on: "a", options: Self.only("dht") + ["--bootstrap", node.address])
                try await share.process.event("announced") { $0.isStored == true }
            }
        }

        @Test("peer exchange: a third peer, to which both are connected", .timeLimit(.minutes(3)))
        func peerExchange() async throws { try await self.found(by: "pex", within: .seconds(3)) }

        @Test("GUN: a relay in common", .timeLimit(.minutes(3)))
        func gun() async throws { try await self.found(by: "gun", within: .seconds(2)) }

        @Test("the local network: a cable, and no route to anywhere else", .timeLimit(.minutes(3)))
        func local() async throws {
            try await LabStage.with(relays: 0, homes: [LabStage.home("a", .symmetric, hosts: 2)]) { stage in
                for host in ["a", "a-2"] {
                    for family in ["-4", "-6"] { _ = try await stage.lab.start(["ip", family, "route", "flush", "default"], on: host).wait(timeout: .seconds(5)) }
                    let routes = try await stage.lab.start(["ip", "route", "show", "default"], on: host).wait(timeout: .seconds(5))
                    try #require(routes.exit.isSuccess && routes.standardOutput.isEmpty)
                }
                let only = Self.only("local-discovery")
                let share = try await stage.share(Self.file, on: "a", options: only)
                // Both have only just started, and announced themselves a moment ago.
                let found = try await stage.start(["find", "--json", "--limit", "1", share.contentHash] + only, on: "a-2")
                let holder = try await found.found { $0.peer == share.peer && $0.confirmed == true }
                let seconds = try #require(holder.seconds(by: "local"))
                #expect(seconds < 1)
                print("LabTests: found by local in \(seconds) s")
                _ = try await found.wait(timeout: .seconds(30))
                let get = try await stage.get(share.contentHash, on: "a-2", options: only)
                try await get.finish(Self.file)

                // Nobody finds it once it is no longer shared.
                share.process.send(signal: SIGINT)
                _ = try await share.process.wait(timeout: .seconds(15))
                let gone = try await stage.start(["find", "--json", "--timeout", "5s", share.contentHash] + only, on: "a-2")
                let end = try await gone.wait(timeout: .seconds(30))
                #expect(!end.exit.isSuccess && gone.lines.compactMap(FoundEvent.init).isEmpty, "\(end.standardOutput)")
            }
        }
    }
}
#endif
