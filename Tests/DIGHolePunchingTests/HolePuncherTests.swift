import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTCP
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGHolePunching

@Suite("Hole puncher", .timeLimit(.minutes(2)))
struct HolePuncherTests {
    private let network = MemoryNetwork()

    /// The relayed connection from `a` to `b`, seen from both ends.
    private func relayed(_ a: Node, _ b: Node) async throws -> (atA: any Connection, atB: any Connection) {
        let connection = try await a.swarm.connect(to: b.peer, addresses: [b.circuit])
        try await eventually { b.swarm.connection(to: a.peer) != nil }
        return (connection, try #require(b.swarm.connection(to: a.peer)))
    }

    @Test("two nodes with a relayed connection get a direct one in its place, and one connection is left")
    func upgrades() async throws {
        let (a, b) = (try await Node(on: self.network), try await Node(on: self.network))
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            #expect(relayed.atB.isRelayed)
            #expect(relayed.atB.role == .listener)
            b.puncher.relayedConnectionOpened(relayed.atB)
            async let atA = a.eventsToEnd()
            let atB = await b.eventsToEnd()
            guard case .succeeded(let connection, let method, _) = try #require(atB.last).kind else { return #expect(Bool(false)) }
            #expect(!connection.isRelayed)
            #expect(connection.remotePeer == a.peer)
            #expect([.tcpHolePunch, .direct].contains(method))
            #expect(atB.last?.side == .initiator)
            #expect(atB.last?.signaling == "relay")
            guard case .succeeded = try #require(await atA.last).kind else { return #expect(Bool(false)) }
            try await eventually { a.directConnection(to: b) != nil && b.directConnection(to: a) != nil }
            try await eventually { a.swarm.statistics.openConnections == 1 && b.swarm.statistics.openConnections == 1 }
            #expect(a.directConnection(to: b)?.channelBinding == b.directConnection(to: a)?.channelBinding)
        }
    }

    @Test("the punch alone, without an ordinary dial beside it, leads to a connection too; again and again", arguments: 0..<5)
    func punchAlone(round: Int) async throws {
        let (a, b) = (
            try await Node(on: self.network) { $0.dialsDirectlyToo = false }, try await Node(on: self.network) { $0.dialsDirectlyToo = false }
        )
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            let connection = try await b.puncher.punch(relayed.atB)
            #expect(!connection.isRelayed)
            try await eventually { a.swarm.statistics.openConnections == 1 && b.swarm.statistics.openConnections == 1 }
            #expect(a.directConnection(to: b)?.channelBinding == b.directConnection(to: a)?.channelBinding)
        }
    }

    @Test("both ends begin at the same time: one of the two punches goes on, and one connection comes of it", arguments: 0..<5)
    func glare(round: Int) async throws {
        let signaling = MemorySignaling()
        let (a, b) = (try await Node(on: self.network, signaling: signaling), try await Node(on: self.network, signaling: signaling))
        try await running(a, b) {
            @Sendable func punch(_ from: Node, _ to: Node) async throws {
                do {
                    let connection = try await self.whenReady { try await from.puncher.punch(to.peer, through: signaling.end(of: from.peer)) }
                    #expect(connection.remotePeer == to.peer)
                } catch let error as HolePunchError where error.code == .busy {
                    // The other one counts.
                }
            }
            async let one: Void = punch(a, b)
            async let two: Void = punch(b, a)
            _ = try await (one, two)
            try await eventually { a.directConnection(to: b) != nil && b.directConnection(to: a) != nil }
            try await eventually { a.swarm.statistics.openConnections == 1 && b.swarm.statistics.openConnections == 1 }
            try await eventually { a.puncher.activeCount == 0 && b.puncher.activeCount == 0 }
        }
    }

    @Test("a peer that names loopback addresses is refused, nothing is dialed, and one line is logged")
    func strangers() async throws {
        let log = LogCollector()
        let (a, b) = (
            try await Node(on: self.network, isLocal: true),
            try await Node(on: self.network, isLocal: false, addresses: [try Multiaddr("/ip4/1.1.1.1/tcp/1")], logger: log.logger)
        )
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            for _ in 0..<2 {
                let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB, addresses: a.swarm.listenAddresses) }
                #expect(error?.code == .noUsableAddress)
            }
            #expect(log.count("a peer asks for a dial that is refused") == 1)
            #expect(b.directConnection(to: a) == nil)
            #expect(relayed.atA.isRelayed)
        }
    }

    @Test("a node that knows no address of its own says so")
    func noAddress() async throws {
        let (a, b) = (try await Node(on: self.network), try await Node(on: self.network, addresses: []) { $0.ownAddressTimeout = .milliseconds(10) })
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(error?.code == .noOwnAddress)
        }
    }

    @Test("a node that is told of its address while a punch waits for it goes on, on either side", arguments: [true, false])
    func lateAddress(isInitiator: Bool) async throws {
        let a = try await Node(on: self.network, addresses: isInitiator ? nil : []) { $0.ownAddressTimeout = .seconds(60); $0.dialsDirectlyToo = false }
        let b = try await Node(on: self.network, addresses: isInitiator ? [] : nil) { $0.ownAddressTimeout = .seconds(60); $0.dialsDirectlyToo = false }
        try await running(a, b) {
            let late = isInitiator ? b : a
            b.puncher.relayedConnectionOpened(try await self.relayed(a, b).atB)
            try await eventually { late.puncher.activeCount == 1 }
            #expect(late.directConnection(to: isInitiator ? a : b) == nil)
            late.learnAddresses()
            try await eventually { a.directConnection(to: b) != nil && b.directConnection(to: a) != nil }
        }
    }

    @Test("a punch that failed for want of an address is begun once more when there is one, and only then")
    func repeated() async throws {
        let a = try await Node(on: self.network)
        let b = try await Node(on: self.network, addresses: []) { $0.ownAddressTimeout = .zero }
        try await running(a, b) {
            b.puncher.relayedConnectionOpened(try await self.relayed(a, b).atB)
            guard case .failed(let error) = try #require(await b.eventsToEnd().last).kind else { return #expect(Bool(false)) }
            #expect(error.code == .noOwnAddress)
            // Nothing new is known.
            b.puncher.localAddressesChanged()
            try await eventually { b.puncher.activeCount == 0 }
            #expect(b.directConnection(to: a) == nil)
            b.learnAddresses()
            try await eventually { a.directConnection(to: b) != nil && b.directConnection(to: a) != nil }
        }
    }

    @Test("a punch that is given up says so")
    func givenUp() async throws {
        let (a, b) = (try await Node(on: self.network), try await Node(on: self.network, addresses: []) { $0.ownAddressTimeout = .seconds(60) })
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            let punch = Task { try await b.puncher.punch(relayed.atB) }
            try await eventually { b.puncher.activeCount == 1 }
            punch.cancel()
            await #expect(throws: CancellationError.self) { try await punch.value }
            guard case .failed(let error) = try #require(await b.eventsToEnd().last).kind else { return #expect(Bool(false)) }
            #expect(error.code == .closed)
        }
    }

    @Test("a peer that does not speak the protocol, and the wrong end of the connection")
    func refusals() async throws {
        let (a, b) = (try await Node(on: self.network), try await Node(on: self.network))
        try await running(b) {
            let relayed = try await self.relayed(a, b)
            let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(error?.code == .notSupported)
            let wrong = await #expect(throws: HolePunchError.self) { try await a.puncher.punch(relayed.atA) }
            #expect(wrong?.code == .notRelayed)
            // b answers the protocol, but a may not begin: the stream is reset.
            await #expect(throws: ConnectionError.self) {
                let stream = try await relayed.atA.openStream(speaking: [HolePuncher.protocolID]) { stream, _ in
                    stream.eventLoop.makeSucceededVoidFuture()
                }
                try await stream.closeFuture.get()
                throw ConnectionError(.closed, "")
            }
            await a.swarm.shutdown()
        }
    }

    @Test("what is not allowed with a peer is neither begun nor answered; with others it is")
    func allowance() async throws {
        let signaling = MemorySignaling()
        let a = try await Node(on: self.network, signaling: signaling)
        let b = try await Node(on: self.network, signaling: signaling, relayAllowance: .nothing)
        let c = try await Node(on: self.network) { $0.dialsDirectlyToo = false }
        try await running(a, b, c) {
            let begun = try await self.relayed(a, b)
            let own = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(begun.atB, addresses: a.swarm.listenAddresses) }
            #expect(own?.code == .notAllowed && own?.attempts.isEmpty == true)
            let answered = try await self.relayed(b, c)
            let theirs = await #expect(throws: HolePunchError.self) { try await c.puncher.punch(answered.atB) }
            #expect(theirs?.code == .signalingFailed)
            #expect(b.directConnection(to: a) == nil && b.directConnection(to: c) == nil)
            // Over the other path nothing is forbidden.
            let connection = try await self.whenReady { try await a.puncher.punch(b.peer, through: signaling.end(of: a.peer)) }
            #expect(!connection.isRelayed)
        }
    }

    @Test("a peer that ends the stream after SYNC, as go-libp2p does, is asked again on another one")
    func streamForEachAttempt() async throws {
        let b = try await Node(on: self.network) { configuration in
            configuration.dialsDirectlyToo = false
            configuration.attemptTimeout = .milliseconds(100)
        }
        let a = try await Node(on: self.network)
        let nowhere = try Multiaddr("/ip4/127.0.0.1/tcp/1")
        final class Heard: Sendable {
            let messages = Mutex<[PunchMessage]>([])

            @Sendable func answer(on channel: StreamPunchChannel, with addresses: [Multiaddr]) async throws {
                let connect = try await channel.receive()
                try await channel.send(.connect(addresses))
                let sync = try await channel.receive()
                self.messages.withLock { $0 += [connect, sync] }
                channel.finish()
            }
        }
        let heard = Heard()
        a.swarm.register(HolePuncher.protocolID) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let channel = try StreamPunchChannel(on: stream, timeout: .seconds(10))
                Task { try await heard.answer(on: channel, with: [nowhere]) }
            }
        }
        try await running(b) {
            let relayed = try await self.relayed(a, b)
            let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(error?.code == .allAttemptsFailed)
            #expect(error?.attempts.count == 3)
            let own = PunchMessage.connect(b.swarm.listenAddresses.filter { !$0.components.contains(.p2pCircuit) })
            #expect(heard.messages.withLock { $0 } == [own, .sync, own, .sync, own, .sync])
        }
        await a.swarm.shutdown()
    }

    @Test("attempts that fail are named with the address and its cause, at both ends; the relayed connection stays")
    func failure() async throws {
        // Nobody listens there; no ordinary dial, so that what is tried is what is named.
        let nowhere = [try Multiaddr("/ip4/127.0.0.1/tcp/1")]
        func configure(_ configuration: inout HolePunchingConfiguration) {
            configuration.dialsDirectlyToo = false
            configuration.attemptTimeout = .milliseconds(300)
        }
        let (a, b) = (
            try await Node(on: self.network, addresses: nowhere, configure), try await Node(on: self.network, addresses: nowhere, configure)
        )
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(error?.code == .allAttemptsFailed)
            #expect(error?.attempts.map(\.method) == [.tcpHolePunch, .tcpSimultaneousOpen, .tcpSimultaneousOpen])
            #expect(error?.description.contains("/ip4/127.0.0.1/tcp/1") == true)
            let events = await b.eventsToEnd()
            let attempts = events.compactMap { if case .started(let attempt, _) = $0.kind { attempt } else { nil } }
            #expect(attempts == [1, 2, 3])
            #expect(events.count { if case .synchronized = $0.kind { true } else { false } } == 3)
            #expect(events.count { if case .attemptFailed = $0.kind { true } else { false } } == 3)
            #expect(b.swarm.connection(to: a.peer)?.isRelayed == true)
            let atA = await a.eventsToEnd()
            #expect(atA.first?.side == .responder)
        }
    }

    @Test("no more punches than may aim at one machine, whoever names it; when they are over the next may")
    func oneMachine() async throws {
        let nowhere = [try Multiaddr("/ip4/127.0.0.1/tcp/1")]
        func configure(_ configuration: inout HolePunchingConfiguration) {
            configuration.dialsDirectlyToo = false
            configuration.attemptTimeout = .seconds(2)
            configuration.maximumAttempts = 1
            configuration.maximumPunchesPerHost = 1
        }
        let (a, b, c) = (
            try await Node(on: self.network, addresses: nowhere, configure), try await Node(on: self.network, addresses: nowhere, configure),
            try await Node(on: self.network, addresses: nowhere, configure)
        )
        try await running(a, b, c) {
            let (first, second) = (try await self.relayed(a, c), try await self.relayed(b, c))
            var events = c.puncher.events.makeAsyncIterator()
            let long = Task { try await c.puncher.punch(first.atB) }
            while let event = await events.next() { if case .synchronized = event.kind { break } }
            let error = await #expect(throws: HolePunchError.self) { try await c.puncher.punch(second.atB) }
            #expect(error?.attempts.map { ($0.error as? HolePunchError)?.code } == [.limitExceeded])
            let failure = await #expect(throws: HolePunchError.self) { try await long.value }
            #expect(failure?.attempts.map { ($0.error as? HolePunchError)?.code } == [nil])
            let again = await #expect(throws: HolePunchError.self) { try await c.puncher.punch(second.atB) }
            #expect(again?.attempts.map { ($0.error as? HolePunchError)?.code } == [nil])
        }
    }

    @Test("a NAT whose mapping can't be reused ends the punch after one attempt, with the reason")
    func mapping() async throws {
        let nowhere = [try Multiaddr("/ip4/127.0.0.1/tcp/1")]
        let symmetric = LocalPunchability(mapping: .endpointDependent)
        func configure(_ configuration: inout HolePunchingConfiguration) { configuration.attemptTimeout = .milliseconds(200) }
        let (a, b) = (
            try await Node(on: self.network, addresses: nowhere, punchability: symmetric, configure),
            try await Node(on: self.network, addresses: nowhere, punchability: symmetric, configure)
        )
        try await running(a, b) {
            let relayed = try await self.relayed(a, b)
            let start = ContinuousClock.now
            let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(error?.code == .mappingNotReusable)
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test("garbage, an oversize message, and silence on the stream end the punch, not the service")
    func hostile() async throws {
        let b = try await Node(on: self.network) {
            $0.messageTimeout = .seconds(2)
            $0.maximumAttempts = 1
        }
        let a = try await Node(on: self.network)
        let answers = Mutex<[ByteBuffer?]>([
            ByteBuffer(bytes: [3, 0xff, 0xff, 0xff]), ByteBuffer(bytes: [0x81, 0x20] + Array(repeating: UInt8(0), count: 4097)), nil,
            ByteBuffer(bytes: [3, 0x08, 0xac, 0x02]),
        ])
        a.swarm.register(HolePuncher.protocolID) { stream, _ in
            if let answer = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { stream.writeAndFlush(answer, promise: nil) }
            return stream.eventLoop.makeSucceededVoidFuture()
        }
        try await running(b) {
            let relayed = try await self.relayed(a, b)
            for code in [HolePunchError.Code.protocolViolation, .signalingFailed, .allAttemptsFailed, .protocolViolation] {
                let error = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
                let isExpected = error?.code == code
                #expect(isExpected, "\(error.map { "\($0)" } ?? "none")")
            }
            #expect(b.puncher.activeCount == 0)
            await a.swarm.shutdown()
        }
    }

    @Test("cancelling a punch ends it at once")
    func cancelled() async throws {
        let (a, b) = (try await Node(on: self.network), try await Node(on: self.network))
        a.swarm.register(HolePuncher.protocolID) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
        try await running(b) {
            let relayed = try await self.relayed(a, b)
            let task = Task { try await b.puncher.punch(relayed.atB) }
            try await eventually { b.puncher.activeCount == 1 }
            let busy = await #expect(throws: HolePunchError.self) { try await b.puncher.punch(relayed.atB) }
            #expect(busy?.code == .busy)
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
            #expect(b.puncher.activeCount == 0)
            await a.swarm.shutdown()
        }
    }

    // MARK: Any signaling

    @Test("the same punch through a backend, without any connection before")
    func memory() async throws {
        let signaling = MemorySignaling()
        let (a, b) = (try await Node(on: self.network, signaling: signaling), try await Node(on: self.network, signaling: signaling))
        try await running(a, b) {
            let connection = try await self.whenReady { try await b.puncher.punch(a.peer, through: signaling.end(of: b.peer)) }
            #expect(connection.remotePeer == a.peer)
            let atA = await a.eventsToEnd()
            #expect(atA.last?.signaling == "memory")
            #expect(atA.last?.side == .responder)
            try await eventually { a.swarm.statistics.openConnections == 1 && b.swarm.statistics.openConnections == 1 }
            // What was said, said again, does nothing.
            for (peer, envelope) in signaling.sent { signaling.deliver(envelope, to: peer) }
            try await eventually { a.puncher.activeCount == 0 }
        }
    }

    @Test("a backend that repeats everything, or loses a message, does no harm", arguments: [-1, 0, 1, 2])
    func lossyMemory(lost: Int) async throws {
        let signaling = MemorySignaling { index in lost < 0 ? 3 : index == lost ? 0 : 1 }
        func configure(_ configuration: inout HolePunchingConfiguration) {
            configuration.messageTimeout = .seconds(1)
            configuration.attemptTimeout = .seconds(3)
            configuration.dialsDirectlyToo = false
        }
        let (a, b) = (
            try await Node(on: self.network, signaling: signaling, configure), try await Node(on: self.network, signaling: signaling, configure)
        )
        try await running(a, b) {
            let connection = try await self.whenReady { try await b.puncher.punch(a.peer, through: signaling.end(of: b.peer)) }
            #expect(!connection.isRelayed)
        }
    }

    @Test("a simultaneous open by the name of the seeds; nobody there is an error in time")
    func simultaneousOpen() async throws {
        let signaling = MemorySignaling()
        let (a, b) = (
            try await Node(on: self.network, signaling: signaling) { $0.dialsDirectlyToo = false },
            try await Node(on: self.network, signaling: signaling) { $0.dialsDirectlyToo = false }
        )
        try await running(a, b) {
            let connection = try await self.whenReady {
                try await b.puncher.performTCPSimultaneousOpen(with: a.peer, signaling: signaling.end(of: b.peer))
            }
            #expect(connection.remotePeer == a.peer)
            let nobody = try KeyPair.generate().peerID
            let error = await #expect(throws: HolePunchError.self) {
                try await b.puncher.performTCPSimultaneousOpen(with: nobody, signaling: signaling.end(of: b.peer), timeout: .milliseconds(200))
            }
            #expect(error?.code == .timedOut)
        }
    }

    /// Tries until the services read what arrives.
    private func whenReady(_ body: () async throws -> any Connection) async throws -> any Connection {
        let end = ContinuousClock.now + .seconds(20)
        while true {
            do {
                return try await body()
            } catch let error as HolePunchError where error.code == .closed && ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    // MARK: Raw

    @Test("two raw endpoints punch to each other; bytes pass")
    func raw() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        func free() async throws -> Multiaddr {
            let listener = try await TCPTransport(group: group).listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in channel.close() }
            let address = listener.address
            await listener.close()
            return address
        }
        let (one, two) = (try await free(), try await free())
        let received = group.next().makePromise(of: ByteBuffer.self)
        async let a = performTCPHolePunch(localEndpoint: one, remoteEndpoint: two, over: TCPTransport(group: group), on: group.next()) { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(FirstBytes(promise: received)) }
        }
        async let b = performTCPHolePunch(localEndpoint: two, remoteEndpoint: one, over: TCPTransport(group: group), on: group.next()) { channel in
            channel.eventLoop.makeSucceededVoidFuture()
        }
        let channels = try await (a, b)
        try await channels.1.writeAndFlush(ByteBuffer(string: "through"))
        #expect(try await received.futureResult.get() == ByteBuffer(string: "through"))
        try? await channels.0.close()
        try? await channels.1.close()
        let nobody = await #expect(throws: HolePunchError.self) {
            _ = try await performTCPHolePunch(
                localEndpoint: one, remoteEndpoint: Multiaddr("/ip4/127.0.0.1/tcp/1"), timeout: .milliseconds(200), over: TCPTransport(group: group),
                on: group.next()
            ) { $0.eventLoop.makeSucceededVoidFuture() }
        }
        #expect(nobody?.code == .timedOut)
    }
}

private final class FirstBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<ByteBuffer>
    init(promise: EventLoopPromise<ByteBuffer>) { self.promise = promise }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.promise.succeed(self.unwrapInboundIn(data)) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
