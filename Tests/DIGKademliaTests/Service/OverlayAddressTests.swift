import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import NIOCore
import Synchronization
import Testing

@testable import DIGKademlia

@Suite("Overlay addresses in the DHT", .timeLimit(.minutes(2)))
struct OverlayAddressTests {
    private func network(_ count: Int, clients: Int, _ body: @escaping @Sendable ([TestNode]) async throws -> Void) async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for index in 0..<count {
            nodes.append(
                try await TestNode(on: network) {
                    if index >= count - clients { $0.mode = .client }
                    // One publishes by itself.
                    $0.publishesOverlayAddress = index == count - 1
                    $0.overlayAddressPatience = .zero
                    $0.maintenanceInterval = .milliseconds(50)
                })
        }
        let all = nodes
        try await running(all) {
            for node in all.dropFirst() { try await node.service.bootstrap(all[0].addresses) }
            try await body(all)
        }
    }

    @Test("a peer is found by its overlay address, also if it is a client; withdrawn it is found no more; nobody's address leads nowhere")
    func found() async throws {
        try await self.network(8, clients: 3) { nodes in
            let (published, seeker) = (nodes[5], nodes[6])
            let address = OverlayAddress(published.peer)
            #expect(published.service.overlayAddress == address)
            #expect(try await seeker.service.findPeer(address) == nil)
            #expect(try await published.service.publishOverlayAddress() == ProvideResult(asked: 5, stored: 5))
            let found = try #require(try await seeker.service.findPeer(address))
            #expect(found.peer == published.peer && found.addresses == published.swarm.listenAddresses)
            // It can be dialed: at the peer's own addresses.
            #expect(try await seeker.swarm.connect(to: found.peer, addresses: found.addresses).remotePeer == published.peer)
            #expect(try await seeker.service.findPeer(OverlayAddress(try KeyPair.generate().peerID)) == nil)

            let other = nodes[1]
            #expect(try await published.service.withdrawOverlayAddress().stored == 5)
            // Not one of those that are connected to it, who know it anyhow.
            #expect(try await other.service.getValue(under: OverlayAddressValidator.key(of: address), quorum: 100) != nil)
            let stranger = try await TestNode(on: MemoryNetwork())
            #expect(await (try? stranger.service.findPeer(address)) == nil)
        }
    }

    @Test("a node publishes its address by itself, as soon as it knows somebody")
    func published() async throws {
        try await self.network(6, clients: 2) { nodes in
            let address = OverlayAddress(nodes[5].peer)
            let key = OverlayAddressValidator.key(of: address)
            try await eventually { nodes[1].service.responder.state.withLock { $0.values.value(under: key, now: .now) } != nil }
            #expect(try await nodes[4].service.findPeer(address)?.peer == nodes[5].peer)
        }
    }

    // MARK: What is taken

    private let now: UInt64 = 1_800_000_000_000

    private func record(
        _ owner: KeyPair, of address: OverlayAddress? = nil, key: [UInt8]? = nil, sequence: UInt64 = 1, lifetime: Int64 = 1_000
    ) throws -> [UInt8] {
        try ProviderStatement(
            provider: owner.peerID, key: key ?? OverlayAddressValidator.key(of: address ?? OverlayAddress(owner.peerID)), sequence: sequence,
            expiresAtMilliseconds: UInt64(Int64(self.now) + lifetime), addresses: []
        ).sealed(with: owner).encoded
    }

    @Test("nodes take the word of the peer that the address names, for this address, not over, not too long, and of nobody else")
    func validator() throws {
        let (owner, other) = (try KeyPair.generate(), try KeyPair.generate(.secp256k1))
        let validator = OverlayAddressValidator()
        let address = OverlayAddress(owner.peerID)
        let key = OverlayAddressValidator.key(of: address)
        #expect(String(decoding: key, as: UTF8.self) == "/dig-overlay/\(address)")
        func check(_ value: [UInt8], _ key: [UInt8]) throws(ValueError) { _ = try validator.validate(value, under: key, nowMilliseconds: self.now) }
        #expect(try validator.validate(self.record(owner), under: key, nowMilliseconds: self.now) == self.now + 1_000)
        // Another says that it is the one.
        #expect(throws: ValueError.wrongOwner) { try check(self.record(other, of: address), key) }
        #expect(throws: ValueError.wrongOwner) { try check(self.record(other), key) }
        #expect(throws: ValueError.wrongOwner) { try check(self.record(owner), OverlayAddressValidator.key(of: OverlayAddress(other.peerID))) }
        #expect(throws: ValueError.wrongOwner) { try check(self.record(owner, key: Array("other".utf8)), key) }
        #expect(throws: ValueError.expired) { try check(self.record(owner, lifetime: 0), key) }
        #expect(throws: ValueError.tooFarInFuture) { try check(self.record(owner, lifetime: 49 * 3_600_000), key) }
        #expect(throws: ValueError.tooFarInFuture) { try check(self.record(owner, sequence: self.now + 200_000), key) }
        var damaged = try self.record(owner)
        damaged[damaged.count - 1] ^= 1
        #expect(throws: ValueError.invalidSignature) { try check(damaged, key) }
        for length in 0..<damaged.count { #expect(throws: ValueError.self) { try check(Array(damaged.prefix(length)), key) } }
        // One way to write an address, and addresses of this kind only.
        for text in ["/dig-overlay/", "/dig-overlay/2001:db8::1", "/dig-overlay/\(address)/", "/dig-overlay/\("\(address)".uppercased())x", "/dig-overlay/fd00:0::1"] {
            #expect(throws: ValueError.malformed) { try check(self.record(owner, key: Array(text.utf8)), Array(text.utf8)) }
        }
        #expect(validator.prefers(try self.record(owner, sequence: 2), to: try self.record(owner), under: key))
        #expect(!validator.prefers(try self.record(owner), to: try self.record(owner, sequence: 2), under: key))
        #expect(!validator.prefers([1], to: try self.record(owner), under: key))
    }
}
