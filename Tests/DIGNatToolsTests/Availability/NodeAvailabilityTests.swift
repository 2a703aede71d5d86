import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGDiscovery
import DIGGossipSub
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTransfer
import Foundation
import Testing

@testable import DIGNatTools

@Suite("Who really has it, in a node", .serialized, .timeLimit(.minutes(3)))
struct NodeAvailabilityTests {
    private func wait(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(10)) }
    }

    /// Nodes on loopback; the first is the first contact of all others.
    private func nodes(_ count: Int, _ configure: @escaping (inout NodeConfiguration) throws -> Void = { _ in }) async throws -> [TestNode] {
        var nodes: [TestNode] = []
        for _ in 0..<count {
            let contacts = nodes.first?.network.addresses ?? []
            nodes.append(
                try await TestNode.started {
                    $0.discovery = try .privateNetwork("tests")
                    $0.discovery.dht = nil
                    $0.discovery.bootstrapPeers = contacts
                    try configure(&$0)
                })
        }
        return nodes
    }

    private func running(_ nodes: [TestNode], _ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            for node in nodes.reversed() { await node.network.stop() }
            throw error
        }
        for node in nodes.reversed() { await node.network.stop() }
    }

    private func peer(_ node: TestNode) -> PeerID { node.network.identity.peerID }

    private func fetch(_ hash: ContentHash, _ node: TestNode, searchTimeout: Duration = .seconds(60)) async throws -> FetchResult {
        var options = FetchOptions()
        options.searchTimeout = searchTimeout
        options.scheduling.holderTimeout = .seconds(3)
        let directory = node.directory.file(UUID().uuidString)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return try await FileClient(network: node.network).fetch(.contentHash(hash), to: .directory(directory), options: options).result()
    }

    /// Waits until whatever one publishes reaches all others: before, it would be heard by some only.
    private func gossiping(_ nodes: [TestNode]) async throws {
        func mesh(_ node: TestNode) -> [PeerID] { node.network.discovery.gossip?.mesh(of: GossipMechanism.topic) ?? [] }
        // All are connected with the first.
        try await self.wait { nodes.dropFirst().allSatisfy { mesh($0).contains(self.peer(nodes[0])) && mesh(nodes[0]).contains(self.peer($0)) } }
    }

    /// Claims to have it, signed, as others hear it.
    private func claim(_ holder: TestNode, _ hash: ContentHash, heardBy nodes: [TestNode]) throws {
        let announcement = ContentAnnouncement(
            peer: self.peer(holder), key: RendezvousKey(hash), addresses: holder.network.swarm.listenAddresses, timestampMilliseconds: WallClock.nowMilliseconds)
        for node in nodes { try node.network.availability.received(announcement: announcement.signed(with: holder.network.identity)) }
    }

    private func report(_ peer: PeerID, _ hash: ContentHash, by reporters: [KeyPair], to node: TestNode) throws {
        for reporter in reporters {
            let report = AvailabilityReport(reporter: reporter.peerID, reported: peer, content: hash, timestampMilliseconds: WallClock.nowMilliseconds)
            try node.network.availability.received(report: report.signed(with: reporter))
        }
    }

    @Test("who deletes its file is dropped by others, and who comes back proves that it is back", arguments: [true, false])
    func deleted(byGossip: Bool) async throws {
        let nodes = try await self.nodes(3) { if byGossip { $0.discovery.peerExchange = nil } else { $0.discovery.gossip = nil } }
        let (contact, holder, receiver) = (nodes[0], nodes[1], nodes[2])
        try await self.running(nodes) {
            let host = FileHost(network: holder.network)
            let path = try holder.directory.write("film.bin", byteCount: 300_000)
            if byGossip { try await self.gossiping(nodes) } else { try await self.wait { nodes.allSatisfy { !$0.network.swarm.connections.isEmpty } } }
            let hash = try await host.addFile(path).contentHash
            try await self.wait { holder.network.discovery.manager.announcement(of: RendezvousKey(hash))?.isTaken == true }
            // Whoever looks hears of it; so do those who only listen, by gossip.
            if byGossip { try await self.wait { [contact, receiver].allSatisfy { !$0.network.availability.holders(of: hash).isEmpty } } }
            let result = try await self.fetch(hash, receiver)
            #expect(result.peers.map(\.peer) == [self.peer(holder)])
            #expect(receiver.network.availability.holder(self.peer(holder), of: hash)?.isClaimed == true)
            #expect(receiver.network.availability.reputation(of: self.peer(holder)).success > 0.6)
            #expect((receiver.network.availability.reputation(of: self.peer(holder)).rate ?? 0) > 0)
            #expect(receiver.network.availability.reputation(of: self.peer(contact)).rate == nil)

            try FileManager.default.removeItem(atPath: path)
            // It is found out when somebody asks: the one who asks, and the holder itself, which takes its word back.
            try await self.wait {
                await #expect(throws: (any Error).self) { _ = try await self.fetch(hash, receiver, searchTimeout: .seconds(8)) }
                return receiver.network.availability.status(of: self.peer(holder), for: hash) == .unavailable
            }
            try await self.wait { contact.network.availability.status(of: self.peer(holder), for: hash) == .unavailable }
            #expect(receiver.network.availability.filterPeersByContentStatus([self.peer(holder)], for: hash).isEmpty)

            try holder.directory.write("film.bin", byteCount: 300_000)
            #expect(try await host.addFile(path).contentHash == hash)
            // The last question may have been just now; then it is a minute until the next.
            try await self.wait { receiver.network.availability.status(of: self.peer(holder), for: hash) == .available }
            #expect((receiver.network.availability.holder(self.peer(holder), of: hash)?.provedAt ?? 0) > 0)
            _ = try await self.fetch(hash, receiver)
        }
    }

    @Test("five reports have a holder asked at once: who has nothing is unavailable to those who never met it, who has it stays")
    func asked() async throws {
        let nodes = try await self.nodes(3)
        let (liar, honest, bystander) = (nodes[0], nodes[1], nodes[2])
        try await self.running(nodes) {
            let hash = try await FileHost(network: honest.network).addFile(try honest.directory.write("film.bin", byteCount: 300_000)).contentHash
            for node in [liar, honest] { try self.claim(node, hash, heardBy: [bystander]) }
            let reporters = try (0..<5).map { _ in try KeyPair.generate() }
            for node in [liar, honest] { try self.report(self.peer(node), hash, by: reporters, to: bystander) }
            let availability = bystander.network.availability
            try await self.wait { availability.status(of: self.peer(liar), for: hash) == .unavailable }
            try await self.wait { (availability.holder(self.peer(honest), of: hash)?.provedAt ?? 0) > 0 }
            #expect(availability.status(of: self.peer(honest), for: hash) == .available)
            #expect(availability.filterPeersByContentStatus([self.peer(liar), self.peer(honest)], for: hash) == [self.peer(honest)])
        }
    }

    @Test("what one node has met with reaches another that it is not connected with, signed")
    func gossip() async throws {
        let nodes = try await self.nodes(3) { $0.discovery.peerExchange = nil }
        let (middle, reporter, far) = (nodes[0], nodes[1], nodes[2])
        try await self.running(nodes) {
            let hash = ContentHash(digest: SHA256Digest(hashing: [1]))
            let liar = try KeyPair.generate()
            let announcement = try ContentAnnouncement(peer: liar.peerID, key: RendezvousKey(hash), timestampMilliseconds: WallClock.nowMilliseconds).signed(with: liar)
            for node in nodes { try node.network.availability.received(announcement: announcement) }
            try await self.gossiping(nodes)
            #expect(try await reporter.network.availability.reportContentUnavailable(liar.peerID, hash) > 0)
            try await self.wait { far.network.availability.holder(liar.peerID, of: hash)?.reportCount == 1 }
            #expect(far.network.swarm.connection(to: self.peer(reporter)) == nil)
            #expect(middle.network.availability.holder(liar.peerID, of: hash)?.reportCount == 1)
            let records = try await far.network.availability.records(about: hash)
            #expect(records.contains { if case .report(let report)? = try? $0.verified().statement { report.reporter == self.peer(reporter) } else { false } })
            // One report is none: the holder is asked by each for itself.
            #expect(far.network.availability.status(of: liar.peerID, for: hash) == .available)
        }
    }

    @Test("a fetch leaves out who is unavailable, and goes to who is suspect only when nothing better is left")
    func order() async throws {
        let nodes = try await self.nodes(4)
        let (liar, suspect, good, receiver) = (nodes[0], nodes[1], nodes[2], nodes[3])
        try await self.running(nodes) {
            let path = try good.directory.write("film.bin", byteCount: 3_000_000)
            let goodHost = FileHost(network: good.network)
            let hash = try await goodHost.addFile(path).contentHash
            #expect(try await FileHost(network: suspect.network).addFile(try suspect.directory.write("film.bin", byteCount: 3_000_000)).contentHash == hash)
            try await liar.network.discovery.manager.announce(AnnouncedContent(RendezvousKey(hash)))
            let availability = receiver.network.availability
            try await self.wait { Set(availability.holders(of: hash).filter(\.isClaimed).map(\.peer)).isSuperset(of: [liar, suspect, good].map(self.peer)) }
            _ = try await availability.reportContentUnavailable(self.peer(liar), hash)
            try self.report(self.peer(suspect), hash, by: [try KeyPair.generate(), try KeyPair.generate()], to: receiver)
            #expect(availability.status(of: self.peer(suspect), for: hash) == .suspect)

            let result = try await self.fetch(hash, receiver)
            #expect(Set(result.peers.filter { $0.verifiedByteCount > 0 }.map(\.peer)) == [self.peer(good)])
            #expect(result.failures.isEmpty)

            // What is left is suspect, and has it.
            await good.network.stop()
            let second = try await self.fetch(hash, receiver)
            #expect(Set(second.peers.filter { $0.verifiedByteCount > 0 }.map(\.peer)) == [self.peer(suspect)])
            #expect(availability.status(of: self.peer(suspect), for: hash) == .available)
            #expect(availability.status(of: self.peer(liar), for: hash) == .unavailable)
        }
    }

    @Test("a fetch that meets with a lie reports it, signed; one that meets with wrong bytes, too")
    func lies() async throws {
        let nodes = try await self.nodes(4)
        let (liar, wrong, good, receiver) = (nodes[0], nodes[1], nodes[2], nodes[3])
        try await self.running(nodes) {
            let path = try wrong.directory.write("film.bin", byteCount: 3_000_000)
            let hash = try await FileHost(network: wrong.network).addFile(path).contentHash
            try Self.corrupt(path)
            try await liar.network.discovery.manager.announce(AnnouncedContent(RendezvousKey(hash)))
            let availability = receiver.network.availability
            try await self.wait { Set(availability.holders(of: hash).filter(\.isClaimed).map(\.peer)).isSuperset(of: [liar, wrong].map(self.peer)) }
            await #expect(throws: (any Error).self) { _ = try await self.fetch(hash, receiver) }
            try await self.wait { [liar, wrong].allSatisfy { availability.status(of: self.peer($0), for: hash) == .unavailable } }
            #expect(availability.reputation(of: self.peer(wrong)).quality < 0.3)
            var reasons: [PeerID: AvailabilityReport.Reason] = [:]
            try await self.wait {
                for record in try await availability.records(about: hash) {
                    if case .report(let report) = try record.verified().statement, report.reporter == self.peer(receiver) { reasons[report.reported] = report.reason }
                }
                return reasons.count == 2
            }
            #expect(reasons == [self.peer(liar): .notFound, self.peer(wrong): .corruptData])
            // Who has it is found all the same.
            #expect(try await FileHost(network: good.network).addFile(try good.directory.write("film.bin", byteCount: 3_000_000)).contentHash == hash)
            let result = try await self.fetch(hash, receiver)
            #expect(result.peers.map(\.peer) == [self.peer(good)])
        }
    }

    /// Other bytes under the same size and times, so that the host does not notice before it has sent them.
    private static func corrupt(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw POSIXError(.ENOENT) }
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        for offset in stride(from: UInt64(0), to: 3_000_000, by: 10_000) {
            try handle.seek(toOffset: offset)
            try handle.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
        }
        try handle.close()
        #if canImport(Darwin)
        let times = [status.st_atimespec, status.st_mtimespec]
        #else
        let times = [status.st_atim, status.st_mtim]
        #endif
        guard utimensat(AT_FDCWD, path, times, 0) == 0 else { throw POSIXError(.EIO) }
    }

    @Test("a peer that is gone is held responsible only while others can be reached")
    func unreachable() async throws {
        let nodes = try await self.nodes(2)
        let (other, asker) = (nodes[0], nodes[1])
        try await self.running(nodes) {
            let meetings = HolderMeetings(ContentHash(digest: SHA256Digest(hashing: [1])), in: asker.network.nodeAvailability)
            let gone = try KeyPair.generate().peerID
            try await self.wait { !asker.network.swarm.connections.isEmpty }
            meetings.unreachable(self.peer(other))
            #expect(asker.network.availability.reputation(of: self.peer(other)) == .unknown)
            meetings.unreachable(gone)
            #expect(asker.network.availability.reputation(of: gone).stability < 0.5)
        }
    }

    @Test("what is known survives a restart of the node")
    func restart() async throws {
        let node = try await TestNode.started()
        let hash = ContentHash(digest: SHA256Digest(hashing: [1]))
        let liar = try KeyPair.generate()
        let announcement = try ContentAnnouncement(peer: liar.peerID, key: RendezvousKey(hash), timestampMilliseconds: WallClock.nowMilliseconds).signed(with: liar)
        try node.network.availability.received(announcement: announcement)
        try await node.network.availability.reportContentUnavailable(liar.peerID, hash)
        let configuration = node.network.configuration
        await node.network.stop()
        let again = try NetworkManager(configuration: configuration)
        try await again.start()
        try await self.wait { again.availability.status(of: liar.peerID, for: hash) == .unavailable }
        #expect(try await again.availability.records(about: hash).count == 2)
        await again.stop()
    }

    @Test("the whitepaper's settings and names")
    func whitepaper() async throws {
        var configuration = NodeConfiguration(dataDirectory: "unused")
        #expect(configuration.enableVerification && !configuration.strictWhitepaper && configuration.contentTTL == .seconds(3_600))
        configuration.enableVerification = false
        configuration.strictWhitepaper = true
        configuration.contentTTL = .seconds(600)
        #expect(configuration.availability.rules == .init(strictWhitepaper: true, verifies: false))
        #expect(configuration.availability.contentLifetime == .seconds(600) && configuration.availability.reannounceInterval == .seconds(300))

        let nodes = try await self.nodes(2) { $0.contentTTL = .seconds(600) }
        try await self.running(nodes) {
            let integration = DiscoveryContentIntegration(network: nodes[0].network)
            integration.start()
            let hash = try await FileHost(network: nodes[1].network).addFile(try nodes[1].directory.write("f", byteCount: 10)).contentHash
            try await self.wait { !nodes[0].network.availability.holders(of: hash).isEmpty }
            let until = try #require(nodes[0].network.availability.holder(self.peer(nodes[1]), of: hash)).claimedUntil
            #expect(until <= WallClock.nowMilliseconds + 600_000)
            let stranger = try KeyPair.generate().peerID
            try await integration.reportContentUnavailable(self.peer(nodes[1]), hash)
            #expect(integration.filterPeersByContentStatus([self.peer(nodes[1]), stranger], hash) == [stranger])
            integration.updatePeerReputation(stranger, true)
            #expect(nodes[0].network.availability.reputation(of: stranger).success > 0.5)
            integration.stop()
            // Of its own parts.
            let parts = DiscoveryContentIntegration(availability: nodes[0].network.availability, identity: nodes[0].network.identity, logger: .silent)
            parts.registerPEXManager(try #require(nodes[0].network.discovery.peerExchange))
            parts.start()
            #expect(try await parts.findPeers(hash).isEmpty)
            parts.stop()
        }
    }
}
