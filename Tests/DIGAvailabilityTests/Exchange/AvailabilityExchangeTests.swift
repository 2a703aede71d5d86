import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGAvailability

/// A node on the memory network with availability and nothing else.
private final class Node: Sendable {
    let identity: KeyPair
    let swarm: Swarm
    let exchange: AvailabilityExchange
    let manager: ContentAvailabilityManager
    private let events: SwarmEvents

    var peer: PeerID { self.identity.peerID }

    init(on network: MemoryNetwork, _ configure: (inout AvailabilityExchangeConfiguration) -> Void = { _ in }) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.identity = try KeyPair.generate()
        self.swarm = Swarm(identity: self.identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: logger)
        try await self.swarm.listen(on: [Multiaddr("/memory/0")])
        self.events = self.swarm.events
        var configuration = AvailabilityExchangeConfiguration()
        configure(&configuration)
        self.exchange = AvailabilityExchange(dialer: self.swarm, router: self.swarm, configuration: configuration, logger: logger)
        struct Nobody: PossessionProver { func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool { throw CancellationError() } }
        self.manager = ContentAvailabilityManager(identity: self.identity, prover: Nobody(), reports: self.exchange, logger: logger)
        self.exchange.attach(self.manager)
    }

    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.exchange.run() }
            group.addTask {
                for await event in self.events {
                    switch event {
                    case .identified(let info): self.exchange.identified(info.peer, protocols: info.protocols)
                    case .disconnected(let peer): self.exchange.disconnected(peer)
                    default: continue
                    }
                }
            }
        }
    }

    func connect(to other: Node) async throws { _ = try await self.swarm.connect(to: other.peer, addresses: other.swarm.listenAddresses) }

    func announcement(_ content: ContentHash, isAvailable: Bool = true, at time: UInt64? = nil) throws -> SignedEnvelope {
        try ContentAnnouncement(peer: self.peer, key: RendezvousKey(content), isAvailable: isAvailable, timestampMilliseconds: time ?? WallClock.nowMilliseconds)
            .signed(with: self.identity)
    }
}

@Suite("Reports between nodes", .timeLimit(.minutes(2)))
struct AvailabilityExchangeTests {
    let content = Scene.content(0)

    private func wait(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    private func running(_ nodes: [Node], _ body: () async throws -> Void) async throws {
        let tasks = nodes.map { node in Task { await node.run() } }
        func end() async {
            for task in tasks { task.cancel() }
            for node in nodes { await node.swarm.shutdown() }
            for task in tasks { await task.value }
        }
        do { try await body() } catch {
            await end()
            throw error
        }
        await end()
    }

    private func nodes(_ count: Int, _ configure: (inout AvailabilityExchangeConfiguration) -> Void = { _ in }) async throws -> [Node] {
        let network = MemoryNetwork()
        var nodes: [Node] = []
        for _ in 0..<count { nodes.append(try await Node(on: network, configure)) }
        return nodes
    }

    @Test("a report reaches those who are connected, and not the one that it is about; who comes later is told what is recent")
    func report() async throws {
        let nodes = try await self.nodes(4)
        let (reporter, liar, other, later) = (nodes[0], nodes[1], nodes[2], nodes[3])
        try await self.running(nodes) {
            for node in [reporter, other, later] { try node.manager.received(announcement: liar.announcement(self.content)) }
            for node in [liar, other] { try await reporter.connect(to: node) }
            try await self.wait { try await reporter.exchange.records(about: self.content, knownTo: other.peer).count == 1 }
            // The peer knows who this is when it has asked itself.
            var told = 0
            try await self.wait {
                told = max(told, try await reporter.manager.reportContentUnavailable(liar.peer, self.content))
                return other.manager.holder(liar.peer, of: self.content)?.reportCount == 1
            }
            #expect(reporter.manager.status(of: liar.peer, for: self.content) == .unavailable)
            #expect(told <= 1)
            #expect(liar.exchange.statistics.taken == 0 && liar.exchange.statistics.refused.isEmpty)
            try await reporter.connect(to: later)
            try await self.wait { later.manager.holder(liar.peer, of: self.content)?.reportCount == 1 }
        }
    }

    @Test("what a peer knows of a content can be asked for, signed, and is checked by whoever asked")
    func asking() async throws {
        let nodes = try await self.nodes(2)
        try await self.running(nodes) {
            let holders = try (0..<3).map { _ in try KeyPair.generate() }
            for holder in holders { try nodes[0].manager.received(announcement: Scene.announcement(holder.peerID, self.content, at: WallClock.nowMilliseconds).signed(with: holder)) }
            let report = AvailabilityReport(reporter: holders[0].peerID, reported: holders[1].peerID, content: self.content, timestampMilliseconds: WallClock.nowMilliseconds)
            try nodes[0].manager.received(.json(try .report(report, with: holders[0])))
            try await nodes[1].connect(to: nodes[0])
            let known = try await nodes[1].exchange.records(about: self.content, knownTo: nodes[0].peer)
            #expect(known.count == 4)
            for form in known { try nodes[1].manager.received(form) }
            #expect(nodes[1].manager.holders(of: self.content).count == 3)
            #expect(nodes[1].manager.holder(holders[1].peerID, of: self.content)?.reportCount == 1)
            #expect(try await nodes[1].exchange.records(about: Scene.content(1), knownTo: nodes[0].peer).isEmpty)
        }
    }

    @Test("what is malformed, replayed, mis-keyed, from the future, or of another purpose is refused with its reason, and changes nothing")
    func refusals() async throws {
        let nodes = try await self.nodes(2)
        let (sender, hearer) = (nodes[0], nodes[1])
        try await self.running(nodes) {
            try await sender.connect(to: hearer)
            let now = WallClock.nowMilliseconds
            let (one, other) = (try KeyPair.generate(), try KeyPair.generate())
            func report(_ reporter: PeerID, at time: UInt64 = now, signedBy key: KeyPair) throws -> SignedEnvelope {
                // As whoever lies would make it: the honest way refuses.
                let right = try AvailabilityReport(reporter: key.peerID, reported: Scene.peer(1), content: self.content, timestampMilliseconds: time).signed(with: key)
                guard reporter != key.peerID else { return right }
                let foreign = try AvailabilityReport(reporter: other.peerID, reported: Scene.peer(1), content: self.content, timestampMilliseconds: time).signed(with: other)
                return try .seal(domain: AvailabilityReport.domain, payloadType: AvailabilityReport.payloadType, payload: foreign.payload, with: key)
            }
            let good = try report(one.peerID, signedBy: one)
            let wrongDomain = try SignedEnvelope.seal(domain: "dig-other", payloadType: AvailabilityReport.payloadType, payload: good.payload, with: one)
            let announced = try Scene.announcement(one.peerID, self.content, at: now).signed(with: one)
            let json = try SignedData.report(.init(reporter: one.peerID, reported: Scene.peer(2), content: self.content, timestampMilliseconds: now), with: one).json
            let records: [(SignedRecord.Form, StatementVerdict)] = [
                (.envelope(try report(other.peerID, signedBy: one)), .refused(.wrongPeer)), (.envelope(wrongDomain), .refused(.invalidSignature)),
                (.envelope(try report(one.peerID, at: now + 200_000, signedBy: one)), .refused(.fromTheFuture)),
                (.envelope(try report(one.peerID, at: now - 86_400_001, signedBy: one)), .refused(.expired)),
                (.envelope(try .seal(domain: "x", payloadType: [1], payload: [1], with: one)), .refused(.malformed)),
                (.json(try SignedData(json: Self.changed(json))), .refused(.invalidSignature)),
            ]
            #expect(try await sender.exchange.tell(records.map(\.0), to: hearer.peer) == records.map(\.1))
            #expect(hearer.manager.holders(of: self.content).isEmpty && hearer.manager.reputation(of: one.peerID) == .unknown)
            #expect(try await sender.exchange.tell([.envelope(good), .envelope(good), .envelope(announced), .envelope(announced)], to: hearer.peer)
                == [.taken, .refused(.replayed), .taken, .refused(.replayed)])
            #expect(hearer.exchange.statistics.taken == 2 && hearer.exchange.statistics.refused[.replayed] == 2)
        }
    }

    /// Another reported peer under the same signature.
    private static func changed(_ json: [UInt8]) -> [UInt8] {
        Array(String(decoding: json, as: UTF8.self).replacing("\(Scene.peer(2))", with: "\(Scene.peer(3))").utf8)
    }

    @Test("a peer that says too much is not listened to for a while, and others are")
    func flood() async throws {
        let nodes = try await self.nodes(3) {
            $0.statementBurstPerPeer = 10
            $0.statementsPerSecondPerPeer = 0
        }
        try await self.running(nodes) {
            for node in nodes.dropFirst() { try await node.connect(to: nodes[0]) }
            let reports = try (0..<40).map { number in
                SignedRecord.Form.envelope(
                    try AvailabilityReport(reporter: nodes[1].peer, reported: Scene.peer(number), content: self.content, timestampMilliseconds: WallClock.nowMilliseconds)
                        .signed(with: nodes[1].identity))
            }
            let verdicts = try await nodes[1].exchange.tell(reports, to: nodes[0].peer)
            #expect(verdicts.count { $0 == .taken } == 10 && verdicts.count { $0 == .refused(.quotaExceeded) } == 30)
            #expect(try await nodes[2].exchange.tell([reports[20]], to: nodes[0].peer) == [.taken])
            #expect(nodes[0].manager.holders(of: self.content).count == 11)
        }
    }

    @Test("bytes that are no message end the stream and nothing else")
    func garbage() async throws {
        let nodes = try await self.nodes(2)
        try await self.running(nodes) {
            try await nodes[0].connect(to: nodes[1])
            let connection = try #require(nodes[0].swarm.connection(to: nodes[1].peer))
            for bytes: [UInt8] in [[0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [3, 0x0A, 5, 1], [2, 0x12, 0], []] {
                let channel = try await connection.openStream(speaking: [AvailabilityExchange.protocolID]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
                try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
                if bytes.isEmpty { try await channel.close(mode: .output) }
                try await channel.closeFuture.get()
            }
            #expect(nodes[1].exchange.statistics.malformedMessages >= 3)
            #expect(try await nodes[0].exchange.tell([.envelope(try nodes[0].announcement(self.content))], to: nodes[1].peer) == [.taken])
        }
    }
}
