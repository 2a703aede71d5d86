import DIGContent
import DIGMultiformats
import DIGNatTools
import DIGNetTesting
import Foundation
import Testing

@Suite("Network manager", .timeLimit(.minutes(1)))
struct NetworkManagerTests {
    @Test("one call connects by content hash to who holds it, and says of each other why not (ARCH-06)")
    func connectsByContent() async throws {
        let holder = try await TestNode.started()
        let other = try await TestNode.started()
        let receiver = try await TestNode.started()
        let content = try await FileHost(network: holder.network).addFile(try holder.directory.write("film.bin", byteCount: 1000))
        let peers = other.network.addresses + holder.network.addresses

        let connection = try await receiver.network.connect(toHolderOf: content.contentHash, peers: peers, timeout: .seconds(50))
        #expect(connection.remotePeer == holder.network.identity.peerID)

        let unknown = ContentHash(digest: SHA256Digest(hashing: [1]))
        await #expect {
            _ = try await receiver.network.connect(toHolderOf: unknown, peers: peers, timeout: .seconds(50))
        } throws: { error in
            (error as? NodeError)?.code == .unreachable && "\(error)".contains("\(other.network.identity.peerID): ")
        }
        let alone = try await TestNode.started()
        await #expect(throws: NodeError(.notFound, "")) { _ = try await alone.network.connect(toHolderOf: unknown) }
        for node in [holder, other, receiver, alone] { await node.network.stop() }
    }

    @Test("host and client reach each other through the manager only: on a network in memory they work without a socket of their own (ARCH-05)")
    func memory() async throws {
        let network = MemoryNetwork()
        func started(_ directory: TemporaryDirectory) async throws -> NetworkManager {
            var configuration = NodeConfiguration(dataDirectory: directory.file("node"))
            configuration.listen = [try Multiaddr("/memory/0")]
            configuration.localDiscovery = false
            configuration.discovery = .off
            let manager = try NetworkManager(configuration: configuration, transports: [MemoryTransport(network: network)])
            try await manager.start()
            return manager
        }
        let (there, here) = (try TemporaryDirectory(), try TemporaryDirectory())
        let (holder, receiver) = (try await started(there), try await started(here))
        let source = try there.write("film.bin", byteCount: 3_000_000)
        let link = try await FileHost(network: holder).addFile(source).link(addresses: holder.addresses)
        #expect(link.description.contains("memory"))
        let result = try await FileClient(network: receiver).fetch(.link(link), to: .directory(here.path)).result()
        #expect(FileManager.default.contentsEqual(atPath: result.path, andPath: source))
        await holder.stop()
        await receiver.stop()
    }
}
