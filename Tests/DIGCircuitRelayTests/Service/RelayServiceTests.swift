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

@Suite("a relay keeps to its limits", .timeLimit(.minutes(3)))
struct RelayServiceTests {
    private func dialRaw(_ a: Node, _ b: Node, through relay: Node, on nodes: Nodes) async throws -> any Channel {
        try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() }
    }

    private func listenRaw(_ b: Node, at relay: Node) async throws -> any Listener {
        try await b.circuits.listen(on: relay.circuit) { channel, _ in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EchoHandler()) }
        }
    }

    @Test("a reservation has a voucher, the limits, and no private address")
    func reservation() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { $0.circuitByteCount = 1 << 20 }
            let a = try await nodes.makeClient(of: relay)
            let request = ReservationRequest(dialer: a.swarm, policy: AddressPolicy(), timeout: .seconds(5))
            let (reservation, connection) = try await request.perform(at: relay.peer, addresses: [relay.address], isConfigured: true)
            #expect(connection.remotePeer == relay.peer)
            #expect(reservation.limit == RelayLimit(durationSeconds: 21_600, byteCount: 1 << 20))
            #expect(reservation.addresses == [relay.circuit], "where it was dialed; it names none itself on loopback")
            let voucher = try ReservationVoucher(opening: try #require(reservation.voucher))
            #expect(voucher.relay == relay.peer && voucher.peer == a.peer && voucher.expirationSeconds == reservation.expirationSeconds)
            #expect(reservation.lifetime > .seconds(3590))
            // At once again: the same voucher, without another signature.
            #expect(try await request.perform(at: relay.peer, addresses: [], isConfigured: true).0.voucher == reservation.voucher)
            #expect(service.statistics.reservations == 1)
            #expect(service.statistics.reservationsGranted == 1)
            // The peer leaves, and the reservation with it.
            await connection.close()
            try await eventually { service.statistics.reservations == 0 }
        }
    }

    @Test("who may not, or too many: reservations are refused with a reason")
    func refusedReservations() async throws {
        try await withNodes { nodes in
            let denied = Mutex<PeerID?>(nil)
            let box = Box(denied)
            let (relay, service) = try await nodes.makeRelay { configuration in
                configuration.maximumReservations = 1
                configuration.permits = { request in
                    if case .reservation(let peer, _) = request { peer != box.value.withLock { $0 } } else { true }
                }
            }
            let (a, b, c) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            box.value.withLock { $0 = c.peer }
            try await a.swarm.listen(on: [relay.circuit])
            await #expect(throws: CircuitRelayError(.reservationRefused, "")) { try await b.swarm.listen(on: [relay.circuit]) }
            await #expect(throws: CircuitRelayError(.permissionDenied, "")) { try await c.swarm.listen(on: [relay.circuit]) }
            #expect(service.statistics.refusals == [.tooManyReservations: 1, .denied: 1])
            // Off: nobody is answered, and the reservations are gone.
            service.setEnabled(false)
            #expect(service.statistics.reservations == 0)
            await #expect(throws: CircuitRelayError(.relayUnreachable, "")) { try await b.swarm.listen(on: [relay.circuit]) }
        }
    }

    @Test("no reservation, too many circuits, a target that refuses: each has its code")
    func refusedCircuits() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { $0.maximumCircuitsPerPair = 1 }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            await #expect(throws: CircuitRelayError(.noReservation, "")) { _ = try await self.dialRaw(a, b, through: relay, on: nodes) }
            let listener = try await self.listenRaw(b, at: relay)
            let first = try await self.dialRaw(a, b, through: relay, on: nodes)
            await #expect(throws: CircuitRelayError(.resourceLimitExceeded, "")) { _ = try await self.dialRaw(a, b, through: relay, on: nodes) }
            first.close(promise: nil)
            try await eventually { service.statistics.circuits == 0 }
            try await self.dialRaw(a, b, through: relay, on: nodes).close()
            try await eventually { service.statistics.circuits == 0 }
            // B has a reservation and wants no circuits any more.
            await listener.close()
            try await eventually { await self.fails(.connectionFailed) { _ = try await self.dialRaw(a, b, through: relay, on: nodes) } }
            b.swarm.unregister(CircuitRelay.stopProtocolID)
            await #expect(throws: CircuitRelayError(.connectionFailed, "")) { _ = try await self.dialRaw(a, b, through: relay, on: nodes) }
            #expect(service.statistics.refusals[.noReservation] == 1)
            #expect(service.statistics.refusals[.tooManyCircuitsOfPeer] == 1)
            #expect(service.statistics.refusals[.targetFailed] == 2)
            #expect(service.statistics.circuitsOpened == 2)
        }
    }

    private func fails(_ code: CircuitRelayError.Code, _ body: () async throws -> Void) async -> Bool {
        do { try await body() } catch { return (error as? CircuitRelayError)?.code == code }
        return false
    }

    @Test("what is no request is answered as such")
    func malformed() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let a = try await nodes.makeClient(of: relay)
            let connection = try await a.swarm.connect(to: relay.peer, addresses: [relay.address])
            func status(_ bytes: ByteBuffer) async throws -> HopMessage {
                try HopMessage(decoding: try await connection.exchange(bytes, speaking: CircuitRelay.hopProtocolID))
            }
            #expect(try await status(ByteBuffer(bytes: [0x08, 0x01])) == .status(.malformedMessage))
            #expect(try await status(ByteBuffer(bytes: [0xff])) == .status(.malformedMessage))
            #expect(try await status(HopMessage.status(.ok).encoded) == .status(.unexpectedMessage))
            #expect(try await status(HopMessage.connect(a.peer).encoded) == .status(.connectionFailed))
            #expect(try await status(HopMessage.connect(relay.peer).encoded) == .status(.noReservation))
            await #expect(throws: (any Error).self) { _ = try await status(ByteBuffer(repeating: 0, count: 5000)) }
            #expect(service.statistics.refusals == [.malformed: 3, .unexpected: 1, .targetIsInitiator: 1, .noReservation: 1])
        }
    }

    @Test("silent requests are bounded for each peer, and forgotten after their time")
    func silence() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { configuration in
                configuration.maximumPendingRequestsPerPeer = 3
                configuration.requestTimeout = .seconds(3)
            }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let connection = try await a.swarm.connect(to: relay.peer, addresses: [relay.address])
            for _ in 0..<3 {
                _ = try await connection.openStream(speaking: [CircuitRelay.hopProtocolID]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            }
            let answer = try await connection.exchange(HopMessage.reserve.encoded, speaking: CircuitRelay.hopProtocolID)
            #expect(try HopMessage(decoding: answer) == .status(.resourceLimitExceeded))
            #expect(service.statistics.refusals == [.tooManyRequests: 1])
            // Others are served meanwhile.
            try await b.swarm.listen(on: [relay.circuit])
            try await eventually { service.statistics.refusals[.malformed] == 3 }
            try await a.swarm.listen(on: [relay.circuit])
            #expect(service.statistics.reservations == 2)
        }
    }

    @Test("a reservation that ended while another peer asked for one is let go of, too")
    func endedReservation() async throws {
        try await withNodes { nodes in
            let relay = try await nodes.make()
            let protector = NotingProtector()
            var configuration = RelayServiceConfiguration()
            configuration.reservationLifetime = .milliseconds(100)
            let service = RelayService(
                identity: relay.identity, dialer: relay.swarm, router: relay.swarm, protector: protector, addresses: { [] },
                configuration: configuration, logger: Logger(label: "test"))
            service.setEnabled(true)
            defer { service.stop() }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            func reserve(_ node: Node) async throws {
                let connection = try await node.swarm.connect(to: relay.peer, addresses: [relay.address])
                _ = try await connection.exchange(HopMessage.reserve.encoded, speaking: CircuitRelay.hopProtocolID)
            }
            try await reserve(a)
            #expect(protector.protected == [a.peer])
            let end = ContinuousClock.now + configuration.reservationLifetime
            try await eventually { ContinuousClock.now > end }
            try await reserve(b)
            #expect(protector.protected == [b.peer])
        }
    }

    @Test("a reservation ends with the last connection of its peer, whichever it was made on")
    func lastConnection() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay()
            let a = try await nodes.makeClient(of: relay)
            let first = try await a.swarm.connect(to: relay.peer, addresses: [relay.address])
            var options = DialOptions()
            options.requiresNew = true
            let second = try await a.swarm.connect(to: relay.peer, addresses: [relay.address], options: options)
            try await eventually { relay.swarm.statistics.openConnections == 2 }
            let answer = try await second.exchange(HopMessage.reserve.encoded, speaking: CircuitRelay.hopProtocolID)
            guard case .status(.ok, _, _) = try HopMessage(decoding: answer) else { return #expect(Bool(false), "no reservation") }
            await second.close()
            try await eventually { relay.swarm.statistics.openConnections == 1 }
            #expect(service.statistics.reservations == 1)
            await first.close()
            try await eventually(within: .seconds(5)) { service.statistics.reservations == 0 }
        }
    }

    @Test("nothing is served over a relayed connection")
    func relayedRequests() async throws {
        try await withNodes { nodes in
            let (relay, _) = try await nodes.makeRelay()
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let service = nodes.serve(on: b)
            try await b.swarm.listen(on: [relay.circuit])
            let connection = try await a.connect(to: b, through: relay)
            for message in [HopMessage.reserve, .connect(relay.peer)] {
                let answer = try await connection.exchange(message.encoded, speaking: CircuitRelay.hopProtocolID)
                #expect(try HopMessage(decoding: answer) == .status(.permissionDenied))
            }
            #expect(service.statistics.refusals == [.relayed: 2])
        }
    }

    @Test("a circuit ends after its bytes, in either direction")
    func byteLimit() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { $0.circuitByteCount = 200_000 }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let listener = try await self.listenRaw(b, at: relay)
            func exchange(_ byteCount: Int) async throws -> Int {
                let answer = nodes.group.next().makePromise(of: Int.self)
                let channel = try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(PatternHandler(sending: byteCount, expecting: byteCount, promise: answer))
                    }
                }
                try await channel.closeFuture.get()
                return try await answer.futureResult.get()
            }
            #expect(try await exchange(200_000) == 200_000)
            await #expect(throws: (any Error).self) { _ = try await exchange(200_001) }
            try await eventually { service.statistics.circuits == 0 && b.circuits.circuits.isEmpty }
            #expect(service.statistics.circuitsCut == [.byteCount: 1])
            await listener.close()
        }
    }

    @Test("a circuit ends after its time")
    func durationLimit() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { $0.circuitDuration = .seconds(3) }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            try await b.swarm.listen(on: [relay.circuit])
            let start = ContinuousClock.now
            let connection = try await a.connect(to: b, through: relay)
            #expect(try await connection.echo(1000) == 1000)
            try await connection.closeFuture.get()
            #expect(ContinuousClock.now - start >= .seconds(3))
            try await eventually { b.swarm.connection(to: a.peer) == nil && service.statistics.circuits == 0 }
            #expect(service.statistics.circuitsCut == [.duration: 1])
        }
    }

    @Test("the budget of the day ends circuits and refuses new ones; what an earlier run used counts")
    func budget() async throws {
        try await withNodes { nodes in
            let (relay, service) = try await nodes.makeRelay { configuration in
                configuration.bytesPerDay = 1_000_000
                configuration.bytesPerSecond = 1 << 30
            }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let listener = try await self.listenRaw(b, at: relay)
            let channel = try await self.dialRaw(a, b, through: relay, on: nodes)
            try await eventually { service.statistics.circuits == 1 }
            let day = Int64(WallClock.nowMilliseconds / 86_400_000)
            service.restore(RelayUsage(day: day, bytesToday: 1_000_000, month: RelayUsage.month(ofDay: day), bytesThisMonth: 1_000_000))
            try await channel.closeFuture.get()
            #expect(service.statistics.circuitsCut == [.budget: 1])
            await #expect(throws: CircuitRelayError(.resourceLimitExceeded, "")) { _ = try await self.dialRaw(a, b, through: relay, on: nodes) }
            let c = try await nodes.makeClient(of: relay)
            await #expect(throws: CircuitRelayError(.reservationRefused, "")) { _ = try await c.swarm.listen(on: [relay.circuit]) }
            // Told again by whoever keeps it, nothing is lost.
            #expect(service.statistics.usage.bytesToday >= 1_000_000)
            await listener.close()
        }
    }

    @Test("circuits share the rate alike, and together they reach it")
    func fairness() async throws {
        try await withNodes { nodes in
            let rate = 4 << 20
            let (relay, service) = try await nodes.makeRelay { configuration in
                configuration.bytesPerSecond = rate
                configuration.maximumCircuitsPerPair = 100
            }
            let (a, b) = (try await nodes.makeClient(of: relay), try await nodes.makeClient(of: relay))
            let counters = Mutex<[ObjectIdentifier: Int]>([:])
            let box = Box(counters)
            let listener = try await b.circuits.listen(on: relay.circuit) { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    let id = ObjectIdentifier(channel)
                    try channel.pipeline.syncOperations.addHandler(CountingHandler { count in box.value.withLock { $0[id, default: 0] += count } })
                }
            }
            let count = 20
            var channels: [any Channel] = []
            for _ in 0..<count {
                let ignored = nodes.group.next().makePromise(of: Int.self)
                ignored.futureResult.whenComplete { _ in }
                channels.append(
                    try await a.circuits.dial(relay.circuit(to: b), on: nodes.group.next()) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(PatternHandler(sending: 1 << 30, expecting: 0, promise: ignored))
                        }
                    })
            }
            // From here on all are there.
            let before = box.value.withLock { $0 }
            let start = ContinuousClock.now
            try await eventually(within: .seconds(60)) {
                try await Task.sleep(for: .milliseconds(50))
                return ContinuousClock.now - start > .seconds(4)
            }
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            let after = box.value.withLock { $0 }
            let carried = after.map { $0.value - (before[$0.key] ?? 0) }
            let sum = carried.reduce(0, +)
            #expect(carried.count == count)
            let expected = Double(rate) * elapsed
            #expect(Double(sum) < expected * 1.25, "\(sum) of \(expected)")
            #expect(Double(sum) > expected * 0.6, "\(sum) of \(expected)")
            let mean = sum / count
            // A buffer of 64 KiB more or less is the grain.
            #expect(carried.allSatisfy { abs($0 - mean) < max(mean / 4, 256 * 1024) }, "\(carried.sorted())")
            for channel in channels { channel.close(promise: nil) }
            try await eventually { service.statistics.circuits == 0 }
            await listener.close()
        }
    }
}

/// So that closures can share what can't be copied.
final class Box<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}

final class CountingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let report: (Int) -> Void
    init(_ report: @escaping (Int) -> Void) { self.report = report }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.report(self.unwrapInboundIn(data).readableBytes) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Remembers whose connections are to be kept.
private final class NotingProtector: ConnectionProtector {
    private let peers = Mutex<Set<PeerID>>([])

    var protected: Set<PeerID> { self.peers.withLock { $0 } }

    func protect(_ peer: PeerID, tag: String) { self.peers.withLock { _ = $0.insert(peer) } }
    func unprotect(_ peer: PeerID, tag: String) { self.peers.withLock { _ = $0.remove(peer) } }
}
