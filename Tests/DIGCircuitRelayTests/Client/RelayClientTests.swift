import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import DIGCircuitRelay

@Suite("reservations are kept at several relays", .timeLimit(.minutes(3)))
struct RelayClientTests {
    private func candidate(_ relay: Node, isConfigured: Bool = true) -> RelayCandidate {
        RelayCandidate(peer: relay.peer, addresses: [relay.address], isConfigured: isConfigured)
    }

    @Test("at two of three; a dead one is replaced, and others come in through the new one")
    func replaces() async throws {
        try await withNodes { nodes in
            let relays = [try await nodes.makeRelay(), try await nodes.makeRelay(), try await nodes.makeRelay()]
            let b = try await nodes.makeClient()
            try await b.swarm.listen(on: [Multiaddr("/p2p-circuit")])
            #expect(b.swarm.listenAddresses.isEmpty, "it is no address")
            let client = RelayClient(transport: b.circuits, logger: .init(label: "test"))
            for (relay, _) in relays { await client.add(candidate: self.candidate(relay)) }
            nodes.run(client)
            await client.setWanted(true)
            var seen: [[Multiaddr]] = []
            for await addresses in await client.relayAddresses() {
                seen.append(addresses)
                if addresses.count == 2 { break }
            }
            let first = try #require(seen.last)
            #expect(first == [relays[0].0.circuit, relays[1].0.circuit])
            #expect(await client.addresses == first)
            #expect(relays.map { $0.1.statistics.reservations } == [1, 1, 0])

            let a = try await nodes.makeClient(of: relays[0].0, relays[1].0, relays[2].0)
            #expect(try await a.connect(to: b, through: relays[0].0).echo(1000) == 1000)
            await relays[0].0.swarm.shutdown()
            try await eventually { await client.addresses == [relays[1].0.circuit, relays[2].0.circuit] }
            try await eventually { a.swarm.connection(to: b.peer) == nil }
            #expect(try await a.connect(to: b, through: relays[2].0).echo(1000) == 1000)

            await client.setWanted(false)
            try await eventually { await client.addresses.isEmpty }
            // What is open stays open; new circuits are refused.
            #expect(a.swarm.connection(to: b.peer) != nil)
            await #expect(throws: CircuitRelayError(.connectionFailed, "")) {
                _ = try await a.circuits.dial(relays[1].0.circuit(to: b), on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
            }
        }
    }

    @Test("relays that lie about time, voucher or limits are refused, and mentioned once")
    func liars() async throws {
        try await withNodes { nodes in
            let log = LogCollector()
            let now = WallClock.nowMilliseconds / 1000
            let (past, forged, honest) = (try await nodes.make(), try await nodes.make(), try await nodes.make())
            _ = FakeRelay(on: past) { _ in (ReservationGrant(expirationSeconds: now - 1, addresses: [], voucher: nil), nil) }
            _ = FakeRelay(on: forged) { [identity = honest.identity] peer in
                let voucher = try ReservationVoucher(relay: identity.peerID, peer: peer, expirationSeconds: now + 3600).sealed(with: identity)
                return (ReservationGrant(expirationSeconds: now + 3600, addresses: [], voucher: voucher.encoded), nil)
            }
            let promised = RelayLimit(durationSeconds: 3600, byteCount: 1 << 30)
            let stingy = FakeRelay(on: honest) { _ in (ReservationGrant(expirationSeconds: now + 3600, addresses: [], voucher: nil), promised) }
            let b = try await nodes.makeClient(of: past, forged, honest)
            try await b.swarm.listen(on: [Multiaddr("/p2p-circuit")])
            var configuration = RelayClientConfiguration()
            configuration.relays = [past, forged, honest].map { self.candidate($0) }
            configuration.relayCount = 1
            let client = RelayClient(transport: b.circuits, configuration: configuration, logger: log.logger)
            await client.setWanted(true)
            nodes.run(client)
            try await eventually { await client.addresses == [honest.circuit] }
            #expect(log.count("a relay grants what is not true") == 2)
            #expect(await client.reservations.first?.limit == promised)

            // The third has promised more than it gives.
            stingy.leadEverybody(to: b.peer, stating: RelayLimit(durationSeconds: 3600, byteCount: 1 << 17))
            let a = try await nodes.makeClient(of: honest)
            for _ in 0..<2 {
                let channel = try? await a.circuits.dial(honest.circuit(to: b), on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
                channel?.close(promise: nil)
            }
            try await eventually { await client.addresses.isEmpty }
            #expect(log.count("a relay grants what is not true") == 3)
            stingy.end()
        }
    }

    @Test("without a swarm nothing runs; twice neither")
    func misuse() async throws {
        let lonely = RelayClient(transport: CircuitRelayTransport(logger: .init(label: "test")), logger: .init(label: "test"))
        await #expect(throws: CircuitRelayError(.notAttached, "")) { try await lonely.run() }
        try await withNodes { nodes in
            let node = try await nodes.makeClient()
            let client = RelayClient(transport: node.circuits, logger: .init(label: "test"))
            var addresses = await client.relayAddresses().makeAsyncIterator()
            #expect(await addresses.next() == [])
            // Whichever comes second is refused; the other runs until it is cancelled.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 { group.addTask { try await client.run() } }
                await #expect(throws: CircuitRelayError(.closed, "")) { try await group.next() }
                group.cancelAll()
                try await group.waitForAll()
            }
            #expect(await addresses.next() == nil, "ended with it")
        }
    }
}
