import DIGIdentity
import DIGMultiformats
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import DIGNet

@Suite("Streams that peers have opened", .timeLimit(.minutes(1)))
struct InboundStreamsTests {
    /// Asked for nothing but its peer.
    private final class StandIn: Connection {
        let id = ConnectionID(rawValue: 1)
        let role = ConnectionRole.listener
        let localPeer: PeerID
        let remotePeer: PeerID
        let remotePublicKey: PublicKey
        let remoteAddress: Multiaddr
        var localAddress: Multiaddr? { nil }
        let eventLoop: any EventLoop = NIOAsyncTestingEventLoop()
        var channelBinding: [UInt8] { [] }
        var closeFuture: EventLoopFuture<Void> { self.eventLoop.makeSucceededVoidFuture() }

        init() throws {
            let key = try KeyPair.generate()
            (self.localPeer, self.remotePeer, self.remotePublicKey) = (key.peerID, key.peerID, key.publicKey)
            self.remoteAddress = try Multiaddr("/memory/1")
        }

        func openStream(
            speaking protocols: [ProtocolID], initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
        ) async throws -> any Channel { throw ConnectionError(.closed, "a stand-in") }

        func close() async {}
    }

    private final class Shared: Sendable {
        let count = Atomic(0)
    }

    private func stream() async throws -> (NIOAsyncTestingChannel, MessageStream) {
        let channel = NIOAsyncTestingChannel()
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "x"))
        return (channel, try await channel.eventLoop.submit { try MessageStream(on: channel, limit: 16, timeout: .seconds(5)) }.get())
    }

    @Test("so many of one peer, so many in all; the others are reset, and an end makes room")
    func limits() async throws {
        let streams = InboundStreams(maximumCount: 3, maximumCountPerPeer: 2)
        let (one, other) = (try StandIn(), try StandIn())
        let served = Shared()
        let serving = Task {
            await streams.serve { inbound in
                served.count.add(1, ordering: .relaxed)
                // Nothing but its end is waited for, and that it has one is tested here.
                do { try await inbound.messages.channel.closeFuture.get() } catch {}
            }
        }
        var channels: [NIOAsyncTestingChannel] = []
        for (connection, isAdmitted) in [(one, true), (one, true), (one, false), (other, true), (other, false)] {
            let (channel, messages) = try await self.stream()
            #expect(streams.accept(messages, of: connection) == isAdmitted)
            if isAdmitted { channels.append(channel) } else { try await channel.closeFuture.get() }
        }
        #expect(streams.count == 3)
        while served.count.load(ordering: .relaxed) < 3 { await Task.yield() }
        try await channels[2].close()
        while streams.count > 2 { await Task.yield() }
        #expect(streams.accept(try await self.stream().1, of: other) == true)
        streams.finish()
        await serving.value
        // Those being served are ended too.
        for channel in channels { try await channel.closeFuture.get() }
        #expect(streams.count == 0)
        let (late, messages) = try await self.stream()
        #expect(streams.accept(messages, of: one) == true)
        try await late.closeFuture.get()
        #expect(streams.count == 0)
    }
}
