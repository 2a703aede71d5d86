import DIGContent
import DIGLocalDiscovery
import DIGNet
import Synchronization
import Testing

@testable import DIGNatTools

@Suite("Holder search", .timeLimit(.minutes(2)))
struct HolderDialerTests {
    /// Runs a search that is told of peers through `announce`, until `body` returns.
    func search(
        _ receiver: TestNode, question: @escaping @Sendable (any Connection) async throws -> Bool,
        _ body: (_ announce: (DiscoveredPeer) -> Void, _ found: AsyncStream<any Connection>) async throws -> Void
    ) async throws {
        let (peers, announcements) = AsyncStream.makeStream(of: DiscoveredPeer.self)
        let (found, connections) = AsyncStream.makeStream(of: (any Connection).self)
        let search = HolderDialer(
            network: receiver.network, link: [], localPeers: peers, restIntervals: [.milliseconds(1)], question: question
        ) { connections.yield($0) }
        let running = Task { await search.run() }
        try await body({ announcements.yield($0) }, found)
        running.cancel()
        await running.value
    }

    func announcement(of node: TestNode, at addresses: [Multiaddr]) -> DiscoveredPeer {
        DiscoveredPeer(peer: node.network.identity.peerID, addresses: addresses, expires: .now + .seconds(120))
    }

    @Test("a local peer that moved is dialed where it is")
    func moved() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        try await self.search(receiver, question: { _ in true }) { announce, found in
            // Nobody listens at port 1.
            announce(self.announcement(of: holder, at: [try Multiaddr("/ip4/127.0.0.1/tcp/1")]))
            announce(self.announcement(of: holder, at: holder.network.swarm.listenAddresses))
            var connections = found.makeAsyncIterator()
            let first = try #require(await connections.next())
            #expect(first.remotePeer == holder.network.identity.peerID)
            // And after the connection is lost.
            await first.close()
            #expect(await connections.next()?.remotePeer == holder.network.identity.peerID)
        }
        await holder.network.stop()
        await receiver.network.stop()
    }

    @Test("a local peer that lacked the content is asked again, and found once it has it")
    func lacksAtFirst() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let asked = Mutex(0)
        try await self.search(
            receiver,
            question: { _ in
                asked.withLock { count in
                    count += 1
                    return count == 4
                }
            }
        ) { announce, found in
            announce(self.announcement(of: holder, at: holder.network.swarm.listenAddresses))
            var connections = found.makeAsyncIterator()
            #expect(await connections.next()?.remotePeer == holder.network.identity.peerID)
        }
        #expect(asked.withLock { $0 } == 4)
        await holder.network.stop()
        await receiver.network.stop()
    }
}
