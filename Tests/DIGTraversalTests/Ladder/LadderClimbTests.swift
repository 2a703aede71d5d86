import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import DIGTraversal

@Suite("Climbing the ladder", .timeLimit(.minutes(1)))
struct LadderClimbTests {
    private let dialer: ScriptedDialer
    private let direct: Multiaddr
    private let circuit: Multiaddr

    init() throws {
        self.dialer = ScriptedDialer(localPeer: try KeyPair.generate().peerID)
        self.direct = try Multiaddr("/ip4/203.0.113.4/tcp/4001")
        self.circuit = try Multiaddr("/ip4/203.0.113.5/tcp/4001/p2p/\(KeyPair.generate().peerID)/p2p-circuit")
    }

    private final class Reports: Sendable {
        let records = Mutex<[AttemptRecord]>([])
        let connected = Mutex<[TraversalMethod]>([])
        let started = Mutex<[TraversalMethod]>([])
    }

    private func climb(_ methods: [TraversalMethod], mode: TraversalMode = .race, reports: Reports) throws -> LadderClimb {
        try self.climb(
            methods.map { .init(method: $0, addresses: [$0.isRelayed || $0.isPunch ? self.circuit : self.direct]) }, mode: mode, reports: reports)
    }

    private func climb(
        _ rungs: [LadderStateMachine.Rung], mode: TraversalMode = .race, allowing methods: [TraversalMethod]? = nil, reports: Reports
    ) throws -> LadderClimb {
        var configuration = LadderConfiguration()
        configuration.preferredMethods = methods
        configuration.mode = mode
        configuration.stagger = .milliseconds(1)
        return LadderClimb(
            peer: try KeyPair.generate().peerID,
            rungs: rungs,
            configuration: configuration, source: .user, network: .unknown, dialer: self.dialer,
            watch: { [dialer] in
                let signals = dialer.signals()
                return { tell in for await signal in signals { tell(signal) } }
            },
            coordinate: { [dialer] name, _ in try await dialer.coordinate(name) },
            report: { event in
                switch event {
                case .ended(let record): reports.records.withLock { $0.append(record) }
                case .connected(_, let method): reports.connected.withLock { $0.append(method) }
                case .started(let method): reports.started.withLock { $0.append(method) }
                }
            })
    }

    @Test("A relayed path is handed out first and the direct one reported after it")
    func relayedThenDirect() async throws {
        let reports = Reports()
        let climb = try self.climb([.direct, .circuitRelay], reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer(self.circuit, with: .success(ScriptedConnection(to: climb.peer, at: self.circuit)))
        #expect(try await result.wait().method == .circuitRelay)
        self.dialer.answer(self.direct, with: .success(ScriptedConnection(to: climb.peer, at: self.direct)))
        await running.value
        #expect(reports.connected.withLock { $0 } == [.circuitRelay, .direct])
        #expect(reports.records.withLock { $0.map(\.outcome) } == [.succeeded, .succeeded])
    }

    @Test("When all fail the error names each method with its cause")
    func allFail() async throws {
        let reports = Reports()
        let climb = try self.climb([.direct, .circuitRelay], mode: .sequential, reports: reports)
        let result = SharedTask<TraversalResult>()
        self.dialer.answer(self.direct, with: .failure(ConnectionError(.timedOut, "no answer")))
        self.dialer.answer(self.circuit, with: .failure(ConnectionError(.closed, "no reservation")))
        await climb.run(result: result)
        do {
            _ = try await result.wait()
            Issue.record("nothing failed")
        } catch let error as TraversalError {
            #expect(error.code == .allMethodsFailed)
            #expect(error.attempts.map(\.method) == [.direct, .circuitRelay])
            #expect(error.attempts.map(\.outcome) == [.failed("no answer"), .failed("no reservation")])
        }
    }

    @Test("A punch waits on the relayed path for the direct one, and leaves the record of it to the puncher")
    func punch() async throws {
        let reports = Reports()
        let climb = try self.climb([.tcpHolePunch, .circuitRelay], mode: .sequential, reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer(self.circuit, with: .success(ScriptedConnection(to: climb.peer, at: self.circuit)))
        await self.dialer.dialed(self.circuit)
        self.dialer.tell(.direct(ScriptedConnection(to: climb.peer, at: self.direct), .tcpHolePunch))
        let reached = try await result.wait()
        #expect(!reached.connection.isRelayed)
        #expect(reached.method == .tcpHolePunch)
        await running.value
        #expect(reports.records.withLock { $0.isEmpty })
        #expect(reports.connected.withLock { $0 } == [.tcpHolePunch])
    }

    @Test("A punch that cannot succeed ends before its budget, with its reason, and simultaneous open is not waited for (NAT-21)")
    func punchFails() async throws {
        let reports = Reports()
        let climb = try self.climb([.tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay], mode: .sequential, reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer(self.circuit, with: .success(ScriptedConnection(to: climb.peer, at: self.circuit)))
        await self.dialer.dialed(self.circuit)
        self.dialer.tell(.punchFailed(cause: "mapping not reusable"))
        #expect(try await result.wait().method == .circuitRelay)
        await running.value
        #expect(reports.started.withLock { $0 } == [.tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay])
        #expect(reports.records.withLock { $0.map(\.method) } == [.circuitRelay])
    }

    @Test("After a failed hole punch it is simultaneous open's turn (ENV-07, ENV-09)")
    func punchThenSimultaneousOpen() async throws {
        let reports = Reports()
        let climb = try self.climb([.tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay], mode: .sequential, reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer(self.circuit, with: .success(ScriptedConnection(to: climb.peer, at: self.circuit)))
        await self.dialer.dialed(self.circuit)
        self.dialer.tell(.punchAttemptFailed(.tcpHolePunch, cause: "refused"))
        self.dialer.tell(.punchAttemptFailed(.tcpSimultaneousOpen, cause: "refused"))
        self.dialer.tell(.direct(ScriptedConnection(to: climb.peer, at: self.direct), .tcpSimultaneousOpen))
        #expect(try await result.wait().method == .tcpSimultaneousOpen)
        await running.value
        #expect(reports.started.withLock { $0 } == [.tcpHolePunch, .tcpSimultaneousOpen])
    }

    @Test("What the peer says about itself is dialed on a stranger's word, beside what the user named")
    func heard() async throws {
        let named = self.direct
        let heard = try Multiaddr("/dns4/peer.example/tcp/4001")
        var rung = LadderStateMachine.Rung(method: .direct, addresses: [named])
        rung.heard = [heard]
        let climb = try self.climb([rung], reports: Reports())
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        await self.dialer.dialed(named)
        await self.dialer.dialed(heard)
        self.dialer.answer(named, with: .failure(ConnectionError(.timedOut, "no answer")))
        self.dialer.answer(heard, with: .failure(ConnectionError(.addressForbidden, "forbidden")))
        let error = await #expect(throws: TraversalError.self) { try await result.wait() }
        await running.value
        #expect(self.dialer.sources(of: named) == [.user])
        #expect(self.dialer.sources(of: heard) == [.stranger])
        guard case .failed(let cause)? = error?.attempts.first?.outcome else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.contains("no answer") && cause.contains("forbidden"))
        #expect(error?.attempts.first?.addresses == [named, heard])
    }

    @Test("A punch is agreed on through the backends in turn, and recorded by the puncher; the method is the one that it came about by")
    func signaling() async throws {
        let reports = Reports()
        let rung = LadderStateMachine.Rung(method: .tcpHolePunch, addresses: [], signaling: ["gun", "post"])
        let climb = try self.climb([rung], reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer("gun", with: .failure(HolePunchError(.signalingFailed, "nobody there")))
        self.dialer.answer("post", with: .success((ScriptedConnection(to: climb.peer, at: self.direct), .tcpSimultaneousOpen)))
        // Others' punches are no news.
        self.dialer.tell(.punchFailed(cause: "another"))
        #expect(try await result.wait().method == .tcpSimultaneousOpen)
        await running.value
        #expect(self.dialer.coordinated == ["gun", "post"])
        #expect(reports.records.withLock { $0.isEmpty })
        #expect(reports.connected.withLock { $0 } == [.tcpSimultaneousOpen])
    }

    @Test("In sequence a punch goes over the relay; if there is no way through that, over a backend, and then over the DHT (LAY-03, LAY-07)")
    func signalingInPlaceOfRelay() async throws {
        let reports = Reports()
        var rung = LadderStateMachine.Rung(method: .tcpHolePunch, addresses: [self.circuit], signaling: ["gun"])
        rung.heard = []
        let climb = try self.climb([rung, .init(method: .dhtAssisted, addresses: [], signaling: ["dht"])], mode: .sequential, reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        await self.dialer.dialed(self.circuit)
        #expect(self.dialer.coordinated.isEmpty)
        self.dialer.answer(self.circuit, with: .failure(ConnectionError(.closed, "no reservation")))
        self.dialer.answer("gun", with: .failure(HolePunchError(.closed, "nobody reads gun")))
        self.dialer.answer("dht", with: .success((ScriptedConnection(to: climb.peer, at: self.direct), .tcpHolePunch)))
        #expect(try await result.wait().method == .dhtAssisted)
        await running.value
        // Of a punch that nobody began nobody else tells.
        #expect(reports.records.withLock { $0.map(\.outcome) } == [.failed("nobody reads gun")])
        #expect(reports.started.withLock { $0 } == [.tcpHolePunch, .dhtAssisted])
    }

    @Test("While the peer's own punch is under way, this end waits for what comes of it")
    func signalingBusy() async throws {
        let climb = try self.climb([.init(method: .dhtAssisted, addresses: [], signaling: ["dht"])], reports: Reports())
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        self.dialer.answer("dht", with: .failure(HolePunchError(.busy, "the peer's")))
        while self.dialer.coordinated.isEmpty { await Task.yield() }
        self.dialer.tell(.direct(ScriptedConnection(to: climb.peer, at: self.direct), .tcpHolePunch))
        #expect(try await result.wait().method == .tcpHolePunch)
        await running.value
        #expect(self.dialer.runningCount == 0)
    }

    @Test("A connection that came about unnoticed is no failure")
    func unnoticed() async throws {
        let climb = try self.climb([.direct], reports: Reports())
        self.dialer.answer(self.direct, with: .failure(ConnectionError(.timedOut, "no answer")))
        self.dialer.open = ScriptedConnection(to: climb.peer, at: self.circuit)
        let result = SharedTask<TraversalResult>()
        await climb.run(result: result)
        #expect(try await result.wait().method == .circuitRelay)
    }

    @Test("Where no relayed path is allowed, the one that a punch was agreed on over is no result, and is closed (NAT-18)", arguments: [TraversalMode.race, .sequential])
    func relayForSignalingOnly(mode: TraversalMode) async throws {
        let reports = Reports()
        let rungs = [LadderStateMachine.Rung(method: .tcpHolePunch, addresses: [self.circuit])]
        let climb = try self.climb(rungs, mode: mode, allowing: [.tcpHolePunch], reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        await self.dialer.dialed(self.circuit)
        let carrier = ScriptedConnection(to: climb.peer, at: self.circuit)
        self.dialer.open = carrier
        self.dialer.answer(self.circuit, with: .success(carrier))
        self.dialer.tell(.punchFailed(cause: "no way through"))
        let error = await #expect(throws: TraversalError.self) { try await result.wait() }
        #expect(error?.code == .allMethodsFailed)
        #expect(error?.attempts.map(\.outcome) == [.failed("no way through")])
        await running.value
        #expect(carrier.isClosed)
        #expect(reports.connected.withLock { $0.isEmpty })
    }

    @Test("Cancelled, it leaves no attempt running, and says of each that it was not over")
    func cancelled() async throws {
        let reports = Reports()
        let climb = try self.climb([.direct, .circuitRelay], reports: reports)
        let result = SharedTask<TraversalResult>()
        let running = Task { await climb.run(result: result) }
        result.started(running)
        await self.dialer.dialed(self.direct)
        await self.dialer.dialed(self.circuit)
        let waiting = Task { try await result.wait() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        await running.value
        #expect(self.dialer.runningCount == 0)
        let records = reports.records.withLock { $0 }
        #expect(records.map(\.method) == [.direct, .circuitRelay])
        #expect(records.allSatisfy { if case .unfinished = $0.outcome { true } else { false } })
    }
}

/// Answers dials when the test says so.
final class ScriptedDialer: PeerDialer {
    private struct State {
        var answers: [Multiaddr: Result<ScriptedConnection, any Error>] = [:]
        var dialed: Set<Multiaddr> = []
        var running = 0
        var watchers: [AsyncStream<LadderClimb.Signal>.Continuation] = []
        var sources: [Multiaddr: Set<DialOptions.AddressSource>] = [:]
        var open: ScriptedConnection?
        var outcomes: [String: Result<HolePuncher.Outcome, any Error>] = [:]
        var coordinated: [String] = []
    }

    let localPeer: PeerID
    private let state = Mutex(State())

    init(localPeer: PeerID) {
        self.localPeer = localPeer
    }

    var runningCount: Int { self.state.withLock { $0.running } }

    func answer(_ address: Multiaddr, with result: Result<ScriptedConnection, any Error>) {
        self.state.withLock { $0.answers[address] = result }
    }

    /// What comes of a punch over a backend.
    func answer(_ backend: String, with result: Result<HolePuncher.Outcome, any Error>) {
        self.state.withLock { $0.outcomes[backend] = result }
    }

    /// The backends used, in order.
    var coordinated: [String] { self.state.withLock { $0.coordinated } }

    func coordinate(_ backend: String) async throws -> HolePuncher.Outcome {
        self.state.withLock { state in
            state.running += 1
            state.coordinated.append(backend)
        }
        defer { self.state.withLock { $0.running -= 1 } }
        while true {
            try Task.checkCancellation()
            if let outcome = self.state.withLock({ $0.outcomes[backend] }) { return try outcome.get() }
            await Task.yield()
        }
    }

    /// What ``connection(to:)`` answers.
    var open: ScriptedConnection? {
        get { self.state.withLock { $0.open } }
        set { self.state.withLock { $0.open = newValue } }
    }

    func sources(of address: Multiaddr) -> Set<DialOptions.AddressSource> { self.state.withLock { $0.sources[address] ?? [] } }

    func tell(_ signal: LadderClimb.Signal) {
        for watcher in self.state.withLock({ $0.watchers }) { watcher.yield(signal) }
    }

    func signals() -> AsyncStream<LadderClimb.Signal> {
        let (stream, continuation) = AsyncStream.makeStream(of: LadderClimb.Signal.self)
        self.state.withLock { $0.watchers.append(continuation) }
        return stream
    }

    func dialed(_ address: Multiaddr) async {
        while !self.state.withLock({ $0.dialed.contains(address) }) { await Task.yield() }
    }

    func connection(to peer: PeerID) -> (any Connection)? { self.open }

    func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
        self.state.withLock { state in
            state.running += 1
            state.dialed.formUnion(addresses)
            for address in addresses { state.sources[address, default: []].insert(options.source) }
        }
        defer { self.state.withLock { $0.running -= 1 } }
        while true {
            try Task.checkCancellation()
            let answers = self.state.withLock { $0.answers }
            if let answer = addresses.lazy.compactMap({ answers[$0] }).first { return try answer.get() }
            await Task.yield()
        }
    }
}

/// A connection in name only.
final class ScriptedConnection: Connection {
    let id = ConnectionID(rawValue: 0)
    let role = ConnectionRole.dialer
    let localPeer: PeerID
    let remotePeer: PeerID
    let remotePublicKey: PublicKey
    let remoteAddress: Multiaddr
    let localAddress: Multiaddr? = nil
    let eventLoop: any EventLoop = NIOAsyncTestingEventLoop()
    let channelBinding: [UInt8] = []

    init(to peer: PeerID, at address: Multiaddr) {
        self.localPeer = peer
        self.remotePeer = peer
        self.remotePublicKey = peer.publicKey ?? Self.anyKey
        self.remoteAddress = address
    }

    private static let anyKey: PublicKey = {
        do { return try KeyPair.generate().publicKey } catch { preconditionFailure("\(error)") }
    }()

    var closeFuture: EventLoopFuture<Void> { self.eventLoop.makeSucceededVoidFuture() }

    func openStream(
        speaking protocols: [ProtocolID], initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        throw ConnectionError(.closed, "scripted")
    }

    private let closed = Mutex(false)
    var isClosed: Bool { self.closed.withLock { $0 } }
    func close() async { self.closed.withLock { $0 = true } }
}
