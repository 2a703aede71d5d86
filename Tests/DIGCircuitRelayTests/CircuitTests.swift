import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGCircuitRelay

@Suite("connections through a relay", .timeLimit(.minutes(3)))
struct CircuitTests {
    @Test("10 MiB there and back, secured and multiplexed end to end", arguments: Medium.allCases)
    func echo(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            try await b.swarm.listen(on: [relay.circuit])
            #expect(service.statistics.reservations == 1)
            let connection = try await a.connect(to: b, through: relay)
            #expect(connection.remotePeer == b.peer)
            #expect(connection.remotePublicKey == b.identity.publicKey)
            #expect(connection.isRelayed)
            #expect(connection.role == .dialer)
            #expect(connection.remoteAddress.removingPeerID() == relay.circuit)
            let byteCount = 10 << 20
            #expect(try await connection.echo(byteCount) == byteCount)
            try await eventually { b.swarm.connection(to: a.peer) != nil }
            let back = try #require(b.swarm.connection(to: a.peer))
            #expect(back.isRelayed)
            #expect(back.role == .listener)
            #expect(back.channelBinding == connection.channelBinding)
            #expect(try await back.echo(100_000) == 100_000)
            // The relay is no peer of the inner connection, and has seen it all.
            #expect(relay.swarm.connection(to: a.peer)?.channelBinding != connection.channelBinding)
            #expect(service.statistics.bytesRelayed > UInt64(2 * byteCount))
            #expect(service.statistics.usage.bytesToday == service.statistics.bytesRelayed)
            #expect(service.statistics.circuits == 1)
            let stated = RelayLimit(durationSeconds: 6 * 3600, byteCount: 4 << 30)
            #expect(a.circuits.limit(of: connection) == stated)
            #expect(b.circuits.limit(of: back) == stated)
            #expect(a.circuits.circuits == [Circuit(relay: relay.peer, peer: b.peer, role: .dialer, limit: stated)])

            await connection.close()
            try await eventually { service.statistics.circuits == 0 && a.circuits.circuits.isEmpty && b.circuits.circuits.isEmpty }
            try await eventually { b.swarm.connection(to: a.peer) == nil }
            // The reservation is still there.
            #expect(try await a.connect(to: b, through: relay).echo(1000) == 1000)
        }
    }

    @Test("the halves of a circuit end one by one, and nothing written before is lost")
    func halfClose() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            // Raw channels, without the swarms' upgrade.
            let (sent, answered) = (3_000_000, 5_000_000)
            let listener = try await b.circuits.listen(on: relay.circuit) { channel, remote in
                channel.eventLoop.makeCompletedFuture {
                    #expect(remote == relay.circuit.withPeerID(a.peer))
                    try channel.pipeline.syncOperations.addHandler(AnswerAtEndHandler(byteCount: answered))
                }
            }
            for _ in 0..<5 {
                let answer = nodes.group.next().makePromise(of: Int.self)
                let channel = try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(PatternHandler(sending: sent, expecting: answered, promise: answer))
                    }
                }
                #expect(try await answer.futureResult.get() == answered)
                // Both halves are done, so the channel closes by itself.
                try await channel.closeFuture.get()
            }
            try await eventually { service.statistics.circuits == 0 }
            #expect(service.statistics.circuitsOpened == 5)
            #expect(service.statistics.bytesRelayed == UInt64(5 * (sent + answered)))
            await listener.close()
        }
    }

    @Test("no faster than the far end reads: little waits on the way")
    func backPressure() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let accepted = nodes.group.next().makePromise(of: (any Channel).self)
            let listener = try await b.circuits.listen(on: relay.circuit) { channel, _ in
                accepted.succeed(channel)
                return channel.setOption(.autoRead, value: false)
            }
            let done = nodes.group.next().makePromise(of: Int.self)
            let channel = try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PatternHandler(sending: 100 << 20, expecting: 0, promise: done))
                }
            }
            // Until nothing moves any more.
            var last: UInt64 = 1
            try await eventually {
                let now = service.statistics.bytesRelayed
                try await Task.sleep(for: .milliseconds(200))
                defer { last = now }
                return now > 0 && now == last
            }
            // The window of B's stream, its neighbours' buffers and the splice window; far from 100 MiB.
            #expect(service.statistics.bytesRelayed < 4 << 20, "\(service.statistics.bytesRelayed)")
            channel.close(promise: nil)
            try await accepted.futureResult.get().close().recover { _ in }.get()
            _ = try? await done.futureResult.get()
            try await eventually { service.statistics.circuits == 0 }
            await listener.close()
        }
    }

    @Test("when the relay dies the connection closes at both ends at once")
    func relayDies() async throws {
        try await withNodes { nodes in
            let (relay, _) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            try await b.swarm.listen(on: [relay.circuit])
            let connection = try await a.connect(to: b, through: relay)
            #expect(try await connection.echo(1000) == 1000)
            let back = try #require(b.swarm.connection(to: a.peer))
            let start = ContinuousClock.now
            await relay.swarm.shutdown()
            try await connection.closeFuture.get()
            try await back.closeFuture.get()
            #expect(ContinuousClock.now - start < .seconds(10))
            await #expect(throws: ConnectionError.self) { _ = try await connection.echo(1) }
        }
    }

    @Test("two peers that dial each other through one relay at the same time end with one connection")
    func glare() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            for _ in 0..<5 {
                let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
                for node in [a, b] { try await node.swarm.listen(on: [relay.circuit]) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (from, to) in [(a, b), (b, a)] {
                        group.addTask {
                            let connection = try await from.connect(to: to, through: relay)
                            #expect(try await connection.echo(1000) == 1000)
                        }
                    }
                    try await group.waitForAll()
                }
                func relayed(_ node: Node) -> Int { node.circuits.circuits.count }
                try await eventually { relayed(a) == 1 && relayed(b) == 1 }
                #expect(a.swarm.connection(to: b.peer)?.channelBinding == b.swarm.connection(to: a.peer)?.channelBinding)
                await a.swarm.shutdown()
                await b.swarm.shutdown()
            }
            try await eventually { service.statistics.circuits == 0 }
        }
    }

    @Test("a direct connection to the relay is used if there is one, also when the address does not say where the relay is")
    func knownRelay() async throws {
        try await withNodes { nodes in
            let (relay, _) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            try await b.swarm.listen(on: [relay.circuit])
            let address = CircuitAddress(relayAddress: Multiaddr(components: []), relay: relay.peer, target: b.peer).address
            await #expect(throws: ConnectionError(.allAttemptsFailed, "")) { _ = try await a.swarm.connect(to: b.peer, addresses: [address]) }
            _ = try await a.swarm.connect(to: relay.peer, addresses: [relay.address])
            let connection = try await a.swarm.connect(to: b.peer, addresses: [address])
            #expect(try await connection.echo(1000) == 1000)
        }
    }

    @Test("addresses that lead nowhere sensible are refused without asking anybody")
    func addresses() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let twice = Multiaddr(components: relay.circuit(to: b).components + [.p2pCircuit, .p2p(a.peer.multihash)])
            let addresses = [relay.circuit, relay.circuit(to: relay), relay.circuit(to: a), twice, CircuitAddress(relayAddress: relay.address, relay: a.peer, target: b.peer).address]
            for address in addresses {
                await #expect(throws: CircuitRelayError(.invalidAddress, "")) {
                    _ = try await a.circuits.dial(address, on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
                }
            }
            await #expect(throws: CircuitRelayError(.invalidAddress, "")) {
                _ = try await a.circuits.dial(relay.circuit(to: b), for: .punch, on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
            }
            for address in [relay.circuit(to: b), relay.circuit(to: a)] {
                await #expect(throws: CircuitRelayError(.invalidAddress, "")) {
                    _ = try await a.circuits.listen(on: address) { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
                }
            }
            #expect(service.statistics.refusals.isEmpty)
            // A relay that nobody configured may not be at a private address.
            a.circuits.configuredRelays = []
            await #expect(throws: CircuitRelayError(.relayUnreachable, "")) {
                _ = try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
            }
            let lonely = CircuitRelayTransport(logger: .init(label: "test"))
            await #expect(throws: CircuitRelayError(.notAttached, "")) {
                _ = try await lonely.dial(relay.circuit(to: b), on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
            }
        }
    }

    @Test("stop streams of a peer that holds no reservation of ours are refused")
    func uninvited() async throws {
        try await withNodes { nodes in
            let (stranger, a) = (try await nodes.make(), try await nodes.make())
            try await a.swarm.listen(on: [Multiaddr("/p2p-circuit")])
            let connection = try await stranger.swarm.connect(to: a.peer, addresses: [a.address])
            let other = try KeyPair.generate().peerID
            let cases: [(StopMessage, RelayStatus)] = [
                (.connect(other, limit: nil), .permissionDenied), (.status(.ok), .unexpectedMessage),
            ]
            for (message, status) in cases {
                let answer = try await connection.exchange(message.encoded, speaking: CircuitRelay.stopProtocolID)
                #expect(try StopMessage(decoding: answer) == .status(status))
            }
            let malformed = try await connection.exchange(ByteBuffer(bytes: [0x08, 0x00]), speaking: CircuitRelay.stopProtocolID)
            #expect(try StopMessage(decoding: malformed) == .status(.malformedMessage))
            #expect(a.circuits.circuits.isEmpty)
        }
    }

    @Test("a relay that connects to somebody else is found out: the handshake is pinned to the peer dialed")
    func impostor() async throws {
        try await withNodes { nodes in
            let relay = try await nodes.make()
            let (a, b, c) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let fake = FakeRelay(on: relay)
            try await c.swarm.listen(on: [relay.circuit])
            fake.leadEverybody(to: c.peer)
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: b, through: relay) }
            #expect(error.map { "\($0)" }?.contains("not that of the peer expected") == true, "\(error.map { "\($0)" } ?? "")")
            #expect(a.swarm.connection(to: b.peer) == nil)
            #expect(a.swarm.connection(to: c.peer) == nil)
            #expect(try await a.connect(to: c, through: relay).echo(1000) == 1000)
            fake.end()
        }
    }

    @Test("a relay that names somebody else as who connects is found out by the peer that is connected to")
    func impostorAtTheTarget() async throws {
        try await withNodes { nodes in
            let relay = try await nodes.make()
            let (a, b, c) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let fake = FakeRelay(on: relay)
            try await b.swarm.listen(on: [relay.circuit])
            fake.leadEverybody(to: b.peer, inTheNameOf: c.peer)
            _ = try? await a.connect(to: b, through: relay)
            #expect(b.swarm.connection(to: a.peer) == nil)
            #expect(b.swarm.connection(to: c.peer) == nil)
            // The last message of the handshake is its own: it learns of the refusal by the end of the circuit.
            try await eventually { a.swarm.connection(to: b.peer) == nil }
            fake.leadEverybody(to: b.peer)
            #expect(try await a.connect(to: b, through: relay).echo(1000) == 1000)
            #expect(b.swarm.connection(to: a.peer) != nil)
            fake.end()
        }
    }
}

/// Answers with a pattern once the peer has ended its side.
final class AnswerAtEndHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let byteCount: Int
    private var isAnswering = false
    private var sent = 0
    private let block = ByteBuffer(bytes: (0..<(251 + 16_384)).map { UInt8($0 % 251) })

    init(byteCount: Int) { self.byteCount = byteCount }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.isAnswering = true
        self.send(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { if self.isAnswering { self.send(context) } }

    private func send(_ context: ChannelHandlerContext) {
        guard self.sent < self.byteCount else { return }
        while self.sent < self.byteCount, context.channel.isWritable {
            let count = min(16_384, self.byteCount - self.sent)
            guard let piece = self.block.getSlice(at: self.sent % 251, length: count) else { return }
            self.sent += count
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
        }
        if self.sent == self.byteCount { context.close(mode: .output, promise: nil) }
    }
}

extension Connection {
    /// Sends one message on a new stream and returns the answer.
    func exchange(_ message: ByteBuffer, speaking id: ProtocolID) async throws -> ByteBuffer {
        let opened = self.eventLoop.makePromise(of: MessageStream.self)
        do {
            _ = try await self.openStream(speaking: [id]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    opened.succeed(try MessageStream(on: stream, limit: 4096, timeout: .seconds(10)))
                }
            }
        } catch {
            opened.fail(error)
            throw error
        }
        let messages = try await opened.futureResult.get()
        defer { messages.finishAndDrain() }
        messages.write(message)
        return try await messages.read().get()
    }
}

/// A relay that says what the test wants.
final class FakeRelay: Sendable {
    private let node: Node
    private let circuits = Mutex<[RelayedCircuit]>([])
    private let target = Mutex<PeerID?>(nil)
    private let statedLimit = Mutex<RelayLimit?>(nil)
    private let statedSource = Mutex<PeerID?>(nil)

    /// - Parameter grant: Made for each peer that asks; nil: a good one.
    init(on node: Node, grant: (@Sendable (PeerID) throws -> (ReservationGrant, RelayLimit?))? = nil) {
        self.node = node
        node.swarm.register(CircuitRelay.hopProtocolID) { stream, connection in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: 4096, timeout: .seconds(10))
                messages.read().whenSuccess { bytes in
                    guard let message = try? HopMessage(decoding: bytes) else { return messages.close() }
                    switch message {
                    case .reserve:
                        let good = ReservationGrant(expirationSeconds: WallClock.nowMilliseconds / 1000 + 3600, addresses: [], voucher: nil)
                        guard let (granted, limit) = try? grant?(connection.remotePeer) ?? (good, nil) else { return messages.close() }
                        messages.end(with: HopMessage.status(.ok, reservation: granted, limit: limit).encoded)
                    case .connect, .status:
                        self.connect(messages, from: connection.remotePeer)
                    }
                }
            }
        }
    }

    func leadEverybody(to peer: PeerID, stating limit: RelayLimit? = nil, inTheNameOf source: PeerID? = nil) {
        self.statedSource.withLock { $0 = source }
        self.target.withLock { $0 = peer }
        self.statedLimit.withLock { $0 = limit }
    }

    private func connect(_ messages: MessageStream, from source: PeerID) {
        guard let target = self.target.withLock({ $0 }), let onward = self.node.swarm.connection(to: target) else { return messages.close() }
        let limit = self.statedLimit.withLock { $0 }
        let named = self.statedSource.withLock { $0 } ?? source
        Task {
            let stop = try await onward.openMessages(speaking: CircuitRelay.stopProtocolID, limit: 4096, timeout: .seconds(10))
            stop.write(StopMessage.connect(named, limit: limit).encoded)
            _ = try await stop.read().get()
            messages.write(HopMessage.status(.ok).encoded)
            let circuit = RelayedCircuit(
                id: .init(rawValue: 0), source: source, target: target, sourceLoop: messages.channel.eventLoop, targetLoop: stop.channel.eventLoop,
                isLimited: false, window: 65_536, byteLimit: nil, onEnd: { _, _ in })
            self.circuits.withLock { $0.append(circuit) }
            _ = circuit.start(source: messages, target: stop, duration: nil, onEnd: { _, _ in })
        }
    }

    func end() {
        for circuit in self.circuits.withLock({ $0 }) { circuit.abort() }
    }
}
