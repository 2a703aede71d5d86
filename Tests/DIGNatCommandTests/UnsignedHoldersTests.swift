import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools
import Foundation
import Testing

@testable import dig_nat

/// What `find` makes of records that nobody has signed and nobody can take back: those of the public DHT, here one of our own in its ways.
@Suite("Holders whom no signature vouches for", .timeLimit(.minutes(3)))
struct UnsignedHoldersTests {
    private func node(in directory: String, contacts: [Multiaddr]) async throws -> NetworkManager {
        var configuration = NodeConfiguration(dataDirectory: directory)
        configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
        configuration.localDiscovery = false
        configuration.discovery = .off
        configuration.discovery.allowsPrivateAddresses = true
        configuration.discovery.dhtDuty = contacts.isEmpty ? .always : .never
        var dht = KademliaConfiguration.publicNetwork
        dht.bootstrapPeers = contacts
        dht.allowsPrivateAddresses = true
        configuration.discovery.publicDHT = dht
        let network = try NetworkManager(configuration: configuration, logger: .silent)
        try await network.start()
        return network
    }

    private func findings(_ hash: ContentHash, _ seeker: NetworkManager, limit: Int? = nil, within time: Duration) async -> HolderFindings {
        let inquiry = HolderInquiry(
            .content(hash), network: seeker, sources: [.publicDHT], limit: limit, console: Console(isJSON: false, isQuiet: true, logs: false, environment: [:]))
        await inquiry.run(for: time)
        return await inquiry.findings
    }

    @Test("are asked: who has it is confirmed, who has it no longer is not shown although the record stays, who is gone is shown as claimed only")
    func publicRecords() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-nat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let contact = try await self.node(in: directory.appendingPathComponent("contact").path, contacts: [])
        let holder = try await self.node(in: directory.appendingPathComponent("holder").path, contacts: contact.addresses)
        let seeker = try await self.node(in: directory.appendingPathComponent("seeker").path, contacts: contact.addresses)
        let path = directory.appendingPathComponent("film.bin").path
        try Data(repeating: 7, count: 100_000).write(to: URL(fileURLWithPath: path))
        let host = FileHost(network: holder)
        let hash = try await host.addFile(path).contentHash
        while holder.discovery.manager.announcement(of: RendezvousKey(hash))?.isTaken != true { try await Task.sleep(for: .milliseconds(10)) }

        let first = await self.findings(hash, seeker, limit: 1, within: .seconds(60))
        #expect(first.found.map(\.found.peer) == [holder.identity.peerID] && first.found.first?.answer == .has)

        _ = try await host.removeFile(hash)
        let second = await self.findings(hash, seeker, within: .seconds(4))
        #expect(second.found.isEmpty)
        // The record is there, and the peer was asked.
        #expect(second.holders[holder.identity.peerID]?.answer == .lacks)

        await holder.stop()
        let third = await self.findings(hash, seeker, within: .seconds(60))
        #expect(third.found.count == 1 && third.found.allSatisfy { $0.answer != .has && HolderFindings.line($0).contains("(claimed only") })
        await seeker.stop()
        await contact.stop()
    }
}
