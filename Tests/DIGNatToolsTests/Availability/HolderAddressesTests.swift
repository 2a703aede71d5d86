import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@testable import DIGNatTools

@Suite("Where holders are", .timeLimit(.minutes(1)))
struct HolderAddressesTests {
    private let content = ContentHash(digest: SHA256Digest(hashing: [1]))

    private func announcement(_ holder: KeyPair, at addresses: [Multiaddr], timestampMilliseconds: UInt64 = WallClock.nowMilliseconds) throws -> SignedEnvelope {
        try ContentAnnouncement(peer: holder.peerID, key: RendezvousKey(self.content), addresses: addresses, timestampMilliseconds: timestampMilliseconds).signed(with: holder)
    }

    /// The same bytes signed by another, and with a signature that is not its author's.
    private func forgeries(of envelope: SignedEnvelope) throws -> [SignedEnvelope] {
        var bytes = envelope.encoded
        bytes[bytes.count - 1] ^= 1
        return [
            try SignedEnvelope.seal(domain: ContentAnnouncement.domain, payloadType: ContentAnnouncement.payloadType, payload: envelope.payload, with: KeyPair.generate()),
            try SignedEnvelope(decoding: bytes),
        ]
    }

    @Test("the word of a peer that is replaced by a later one, and of those heard of longest ago there is no more than there is room for")
    func bounds() throws {
        let address = try Multiaddr("/ip4/192.0.2.1/tcp/1")
        func peer(_ number: Int) throws -> PeerID { try PeerID(bytes: [0x12, 0x20] + SHA256Digest(hashing: Array("\(number)".utf8)).bytes) }
        var addresses = HolderAddresses()
        for number in 0...HolderAddresses.maximumCount { addresses.note([address], of: try peer(number)) }
        #expect(addresses.count == HolderAddresses.maximumCount * 15 / 16 + 1)
        #expect(try addresses[peer(0)].isEmpty && addresses[peer(HolderAddresses.maximumCount)] == [address])
        addresses.note(try (1...20).map { try Multiaddr("/ip4/192.0.2.\($0)/tcp/1") }, of: try peer(1_000))
        #expect(try addresses[peer(1_000)].count == HolderAddresses.maximumAddressCount)
        // Who says nothing takes nothing back.
        addresses.note([], of: try peer(1_000))
        #expect(try addresses[peer(1_000)].count == HolderAddresses.maximumAddressCount)
    }

    @Test("an announcement that came by another way before still lets its author be asked where it says that it is")
    func replayed() async throws {
        let holder = try await TestNode.started()
        let asker = try await TestNode.started { $0.discovery.allowsPrivateAddresses = true }
        let peer = holder.network.identity.peerID
        let hash = try await FileHost(network: holder.network).addFile(try holder.directory.write("film.bin", byteCount: 300_000)).contentHash
        let (node, availability) = (asker.network.nodeAvailability, asker.network.availability)
        let envelope = try ContentAnnouncement(
            peer: peer, key: RendezvousKey(hash), addresses: holder.network.swarm.listenAddresses, timestampMilliseconds: WallClock.nowMilliseconds
        ).signed(with: holder.network.identity)
        try availability.received(announcement: envelope)
        #expect(node.path(to: peer) == .unknown)
        #expect(throws: AvailabilityError.replayed) { try availability.received(announcement: envelope) }
        node.heard(envelope)
        #expect(node.path(to: peer) == .direct)
        // There is no discovery: it can be found by these addresses only.
        for _ in 0..<5 {
            let reporter = try KeyPair.generate()
            let report = AvailabilityReport(reporter: reporter.peerID, reported: peer, content: hash, timestampMilliseconds: WallClock.nowMilliseconds)
            try availability.received(report: report.signed(with: reporter))
        }
        while (availability.holder(peer, of: hash)?.provedAt ?? 0) == 0 { try await Task.sleep(for: .milliseconds(10)) }
        await asker.network.stop()
        await holder.network.stop()
    }

    @Test("a forged announcement has its addresses noted neither before the true one is known nor after")
    func forged() async throws {
        let asker = try await TestNode.started()
        let node = asker.network.nodeAvailability
        let holder = try KeyPair.generate()
        let now = WallClock.nowMilliseconds
        let relayed = try Multiaddr("/ip4/192.0.2.1/tcp/1/p2p/\(KeyPair.generate().peerID)/p2p-circuit")
        let direct = try self.announcement(holder, at: [try Multiaddr("/ip4/192.0.2.2/tcp/1")], timestampMilliseconds: now)
        for forgery in try self.forgeries(of: direct) {
            node.heard(forgery)
            #expect(node.path(to: holder.peerID) == .unknown)
        }
        #expect(asker.network.availability.holder(holder.peerID, of: self.content) == nil)
        node.heard(try self.announcement(holder, at: [relayed], timestampMilliseconds: now))
        #expect(node.path(to: holder.peerID) == .relayed)
        // As old as the true one, so that it would be taken for the same, and later.
        for timestamp in [now, now + 1] {
            for forgery in try self.forgeries(of: self.announcement(holder, at: [try Multiaddr("/ip4/192.0.2.2/tcp/1")], timestampMilliseconds: timestamp)) {
                node.heard(forgery)
                #expect(node.path(to: holder.peerID) == .relayed)
            }
        }
        // What is over is not believed either.
        let late = try self.announcement(holder, at: [try Multiaddr("/ip4/192.0.2.2/tcp/1")], timestampMilliseconds: now - 7_200_000)
        node.heard(late)
        #expect(node.path(to: holder.peerID) == .relayed)
        await asker.network.stop()
    }
}
