import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGGun
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools
import DIGNet
import DIGTransfer
import Foundation
import Synchronization
import Testing

@Suite("A node's discovery", .timeLimit(.minutes(3)))
struct DiscoveryTests {
    /// What one of the ways needs, on loopback.
    enum Way: String, CaseIterable, Sendable {
        case dht, pex, gossip, gun

        func configuration(gun relay: GunURL?) throws -> NodeDiscoveryConfiguration {
            var all = try NodeDiscoveryConfiguration.privateNetwork("tests")
            if self != .dht { all.dht = nil }
            if self != .pex { all.peerExchange = nil }
            if self != .gossip { all.gossip = nil }
            if self == .gun {
                var gun = GunPeerConfiguration()
                if let relay { gun.relays = [.init(relay)] } else { gun.listen = [GunListenAddress(host: "127.0.0.1", port: 0)] }
                all.gun = gun
            }
            return all
        }
    }

    /// Waits for a condition, not for a time.
    private func wait(_ condition: @Sendable () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(10)) }
    }

    private func finds(_ key: RendezvousKey, _ node: TestNode) async throws -> Bool {
        for await event in node.network.discovery.manager.find(key) {
            if case .found(let holder) = event, holder.isClaimed { return true }
        }
        return false
    }

    @Test("a search ends as soon as every first contact was tried in vain: a machine without a network does not wait for one")
    func offline() async throws {
        // Nobody listens there.
        let nobody = try Multiaddr("/ip4/127.0.0.1/tcp/1").withPeerID(try KeyPair.generate().peerID)
        let node = try await TestNode.started {
            $0.discovery = try .privateNetwork("tests")
            $0.discovery.bootstrapPeers = [nobody]
            $0.discovery.publicDHT = .publicNetwork
            $0.discovery.publicDHT?.bootstrapPeers = [nobody]
        }
        let start = ContinuousClock.now
        var failed: Set<DiscoverySource> = []
        for await event in node.network.discovery.manager.find(RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [1])))) {
            if case .ended(let source, .failed, _) = event { failed.insert(source) }
        }
        #expect(failed.isSuperset(of: [.dht, .publicDHT, .pex]))
        // Gossip is listened to for two seconds; peer exchange would wait for five, a DHT for ten.
        #expect(ContinuousClock.now - start < .seconds(4))
        await node.network.stop()
    }

    /// A first contact that everybody knows, a holder and a receiver that know nothing of each other.
    private func withThree(
        _ way: Way, _ body: (_ contact: TestNode, _ holder: TestNode, _ receiver: TestNode) async throws -> Void
    ) async throws {
        let contact = try await TestNode.started {
            $0.discovery = try way.configuration(gun: nil)
            $0.discovery.dhtDuty = .always
        }
        if way == .gun { try await self.wait { contact.network.discovery.gun?.status.listening.isEmpty == false } }
        let relay = contact.network.discovery.gun?.status.listening.first
        func node() async throws -> TestNode {
            try await TestNode.started {
                $0.discovery = try way.configuration(gun: relay)
                if way != .gun { $0.discovery.bootstrapPeers = contact.network.addresses }
            }
        }
        let holder = try await node()
        let receiver = try await node()
        do { try await body(contact, holder, receiver) } catch {
            for node in [receiver, holder, contact] { await node.network.stop() }
            throw error
        }
        for node in [receiver, holder, contact] { await node.network.stop() }
    }

    @Test("a file, its name and its SHA-256 are found by each way alone, without any address, and no more once it is removed", arguments: Way.allCases)
    func each(_ way: Way) async throws {
        try await self.withThree(way) { contact, holder, receiver in
            let host = FileHost(network: holder.network)
            let file = try holder.directory.write("film.bin", byteCount: 300_000)
            let content = try await host.addFile(file, contentID: "film")
            await host.waitForSHA256()
            // Somebody else has taken it: the receiver may look.
            let key = RendezvousKey(content.contentHash)
            let sha256 = try #require(try await host.contents.first?.sha256)
            for announced in [key, RendezvousKey(.name("film")), RendezvousKey(.sha256(sha256))] {
                try await self.wait { holder.network.discovery.manager.announcement(of: announced)?.isTaken == true }
                // What is passed on takes its time.
                if way == .gossip { try await self.wait { try await self.finds(announced, receiver) } }
            }

            // Who serves the DHT is asked, who could not be reached by everybody only asks.
            #expect(way != .dht || (contact.network.discovery.dht?.mode == .server && holder.network.discovery.dht?.mode == .client))
            let client = FileClient(network: receiver.network)
            for reference in [ContentReference.contentHash(content.contentHash), .name("film"), .name("film", signer: holder.network.identity.peerID), .sha256(sha256)] {
                let directory = receiver.directory.file(UUID().uuidString)
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                let result = try await client.fetch(reference, to: .directory(directory)).result()
                #expect(FileManager.default.contentsEqual(atPath: result.path, andPath: file))
            }
            await #expect(throws: NodeError(.notFound, "")) {
                _ = try await client.contentHash(for: .name("film"), signer: contact.network.identity.peerID, timeout: .seconds(2))
            }

            try await host.removeFile(content.contentHash)
            try await self.wait { try await !self.finds(key, receiver) }
        }
    }

    @Test("what nobody has is not found, and the error comes when everybody was asked")
    func nobody() async throws {
        try await self.withThree(.dht) { _, _, receiver in
            try await self.wait { (receiver.network.discovery.dht?.statistics.routingTableCount ?? 0) > 0 }
            var options = FetchOptions()
            options.searchTimeout = .seconds(120)
            let unknown = ContentHash(digest: SHA256Digest(hashing: [1, 2, 3]))
            let client = FileClient(network: receiver.network)
            await #expect(throws: NodeError(.notFound, "")) {
                _ = try await client.fetch(.contentHash(unknown), to: .directory(receiver.directory.path), options: options).result()
            }
        }
    }

    @Test("two names for two contents are left to the user, with who says what")
    func conflict() async throws {
        try await self.withThree(.dht) { contact, holder, receiver in
            let hosts = [contact, holder].map { FileHost(network: $0.network) }
            var contents: [SharedContent] = []
            for (index, host) in hosts.enumerated() {
                let file = try [contact, holder][index].directory.write("f\(index).bin", byteCount: 100 + index)
                contents.append(try await host.addFile(file, contentID: "same"))
            }
            let key = RendezvousKey(.name("same"))
            try await self.wait { holder.network.discovery.manager.announcement(of: key)?.isTaken == true }
            let client = FileClient(network: receiver.network)
            await #expect {
                _ = try await client.contentHash(for: .name("same"))
            } throws: { error in
                (error as? NodeError)?.code == .ambiguousName && contents.allSatisfy { "\(error)".contains("\($0.contentHash)") }
                    && "\(error)".contains("\(holder.network.identity.peerID)")
            }
            #expect(try await client.contentHash(for: .name("same"), signer: holder.network.identity.peerID) == contents[1].contentHash)
            for host in hosts { await host.stop() }
        }
    }

    @Test("a file that was changed and is shared again takes the place of what it was")
    func replaced() async throws {
        let node = try await TestNode.started { $0.discovery = try .privateNetwork("tests") }
        let host = FileHost(network: node.network)
        let old = try await host.addFile(try node.directory.write("f.bin", byteCount: 100), contentID: "f")
        let manager = node.network.discovery.manager
        try await self.wait { manager.announcement(of: RendezvousKey(old.contentHash)) != nil }
        let new = try await host.addFile(try node.directory.write("f.bin", byteCount: 200), contentID: "f")
        #expect(new.contentHash != old.contentHash)
        try await self.wait { manager.announcement(of: RendezvousKey(old.contentHash)) == nil && manager.announcement(of: RendezvousKey(new.contentHash)) != nil }
        try await self.wait { manager.announcement(of: RendezvousKey(.name("f"))) != nil }
        await host.stop()
        await node.network.stop()
    }

    @Test("what was shared before is announced again after a restart, and what is no longer shared is not", arguments: [Way.dht, .pex])
    func restart(_ way: Way) async throws {
        try await self.withThree(way) { contact, holder, receiver in
            let files = try (0..<2).map { try holder.directory.write("f\($0).bin", byteCount: 100 + $0) }
            let host = FileHost(network: holder.network)
            let keys = [
                RendezvousKey(try await host.addFile(files[0]).contentHash), RendezvousKey(try await host.addFile(files[1]).contentHash),
            ]
            for key in keys { try await self.wait { try await self.finds(key, receiver) } }
            // One file is not shared any more when it comes back.
            await host.stop()
            let configuration = holder.network.configuration
            await holder.network.stop()
            try await self.wait { try await !self.finds(keys[0], receiver) }

            let network = try NetworkManager(configuration: configuration)
            let again = FileHost(network: network)
            let first = try #require(try await again.contents(matching: files[0]).first)
            try await again.removeFile(first.contentHash)
            try await network.start()
            try await again.announceEverything()
            try await self.wait { try await self.finds(keys[1], receiver) }
            #expect(try await !self.finds(keys[0], receiver))
            await again.stop()
            await network.stop()
        }
    }

    @Test("the whitepaper's switches turn each way on and off")
    func switches() async throws {
        var configuration = NodeDiscoveryConfiguration()
        #expect(configuration.dhtEnabled && configuration.pexEnabled && !configuration.gunEnabled)
        configuration.dhtEnabled = false
        configuration.pexEnabled = false
        configuration.gunEnabled = true
        let node = try await TestNode.started { $0.discovery = configuration }
        let discovery = node.network.discovery
        #expect(discovery.dht == nil && discovery.publicDHT == nil && discovery.peerExchange == nil && discovery.gunDiscovery != nil)
        #expect(discovery.manager.sources == [.gossip, .gun])
        await node.network.stop()
        let off = try await TestNode.started()
        #expect(off.network.discovery.manager.sources.isEmpty)
        await off.network.stop()
    }
}
