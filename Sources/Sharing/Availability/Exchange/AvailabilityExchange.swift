public import DIGContent
public import DIGIdentity
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// `/dig/availability/1.0.0`: signed records between connected peers, chiefly reports.
///
/// ```swift
/// let exchange = AvailabilityExchange(dialer: swarm, router: swarm, logger: logger)
/// let manager = ContentAvailabilityManager(identity: identity, prover: prover, reports: exchange, logger: logger)
/// exchange.attach(manager)
/// // in a service group: exchange.run()
/// ```
///
/// One request and its response on each stream, both protobuf behind their length. A request tells records, each of which is taken or refused with its reason, or
/// asks what is known about a content. What is heard is not passed on: that is gossip's to do.
///
/// Tell it about peers with ``identified(_:protocols:)`` and ``disconnected(_:)``.
public final class AvailabilityExchange: Service, ReportTransport {
    /// What is negotiated for each stream.
    public static let protocolID: ProtocolID = "/dig/availability/1.0.0"

    /// What came of exchanges since the start. Each number is of records, unless said otherwise.
    public struct Statistics: Hashable, Sendable {
        /// Records of others that were taken.
        public var taken: UInt64 = 0
        /// And refused, by reason.
        public var refused: [AvailabilityError: UInt64] = [:]
        /// Messages that were none, or over a limit.
        public var malformedMessages: UInt64 = 0
        /// Streams of others that were one too many.
        public var refusedStreams: UInt64 = 0
        /// Reports of this node that others have taken.
        public var told: UInt64 = 0

        public init() {}
    }

    private struct Own {
        var report: AvailabilityReport
        var envelope: SignedEnvelope
        var at: ContinuousClock.Instant
    }

    private struct State {
        weak var taker: (any SignedRecordTaker)?
        var speakers: Set<PeerID> = []
        var recent: [Own] = []
        var meter: StatementMeter
        var statistics = Statistics()
        var hasRun = false
    }

    public let configuration: AvailabilityExchangeConfiguration
    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let logger: Logger
    private let inbound: InboundStreams
    private let state: Mutex<State>
    /// Peers that are to be told what they have missed.
    private let newcomers = AsyncStream.makeStream(of: PeerID.self, bufferingPolicy: .bufferingNewest(256))

    /// - Parameters:
    ///   - dialer: Knows the connections.
    ///   - router: Where requests come in.
    public init(dialer: any PeerDialer, router: any StreamRouter, configuration: AvailabilityExchangeConfiguration = .init(), logger: Logger) {
        self.dialer = dialer
        self.router = router
        self.configuration = configuration
        self.logger = logger
        self.inbound = InboundStreams(maximumCount: configuration.maximumInboundStreams, maximumCountPerPeer: configuration.maximumInboundStreamsPerPeer)
        self.state = Mutex(State(meter: StatementMeter(configuration: configuration, now: .now)))
    }

    /// Who takes what is heard; held weakly. Before, everything is refused.
    public func attach(_ taker: any SignedRecordTaker) { self.state.withLock { $0.taker = taker } }

    /// As of now.
    public var statistics: Statistics { self.state.withLock { $0.statistics } }

    // MARK: Peers

    /// A connected peer has said who it is. Call it each time.
    public func identified(_ peer: PeerID, protocols: [ProtocolID]) {
        let isNew = self.state.withLock { state in
            guard protocols.contains(Self.protocolID) else {
                state.speakers.remove(peer)
                return false
            }
            return state.speakers.insert(peer).inserted && !state.recent.isEmpty
        }
        if isNew { self.newcomers.continuation.yield(peer) }
    }

    /// The last connection with the peer has ended: nothing is told to it any more.
    public func disconnected(_ peer: PeerID) { self.state.withLock { _ = $0.speakers.remove(peer) } }

    // MARK: Telling

    /// Tells a report of this node to connected peers now, and to those who come within ``AvailabilityExchangeConfiguration/recentReportLifetime``.
    public func send(_ report: AvailabilityReport, envelope: SignedEnvelope) async throws -> Int {
        let peers = self.state.withLock { state in
            if state.recent.count >= max(1, self.configuration.recentReportCount) { state.recent.removeFirst() }
            state.recent.append(Own(report: report, envelope: envelope, at: .now))
            return state.speakers.filter { $0 != report.reported }.shuffled().prefix(max(0, self.configuration.fanout))
        }
        return await withTaskGroup(of: Bool.self) { group in
            for peer in peers {
                group.addTask {
                    do { return try await self.tell([.envelope(envelope)], to: peer) == [.taken] } catch {
                        self.logger.debug("a report is not told", metadata: ["dig.availability.peer": "\(peer)", "dig.availability.error": "\(error)"])
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    private func tellRecent(to peer: PeerID) async {
        let end = ContinuousClock.now - self.configuration.recentReportLifetime
        let recent = self.state.withLock { state in
            state.recent.removeAll { $0.at < end }
            return state.recent.filter { $0.report.reported != peer }.map { SignedRecord.Form.envelope($0.envelope) }
        }
        guard !recent.isEmpty else { return }
        do { _ = try await self.tell(recent, to: peer) } catch {
            self.logger.debug("reports are not told", metadata: ["dig.availability.peer": "\(peer)", "dig.availability.error": "\(error)"])
        }
    }

    /// Tells a connected peer signed records, this node's or others'; what does not fit into one message is left out.
    ///
    /// - Returns: What has become of each, as far as the peer says.
    /// - Throws: `ConnectionError`; ``AvailabilityError`` for an answer that is none; `CancellationError`.
    public func tell(_ records: [SignedRecord.Form], to peer: PeerID) async throws -> [StatementVerdict] {
        let statements = AvailabilityCodec.fitting(records.lazy.map { Statement($0) })
        let response = try await self.ask(.tell(statements), of: peer)
        guard response.verdicts.count == statements.count else { throw AvailabilityError.malformed }
        let taken = UInt64(response.verdicts.count { $0 == .taken })
        self.state.withLock { $0.statistics.told += taken }
        return response.verdicts
    }

    /// Asks a connected peer for the signed records that it knows about a content. None of them is checked.
    ///
    /// - Throws: `ConnectionError`; ``AvailabilityError`` for an answer that is none; `CancellationError`.
    public func records(about content: ContentHash, knownTo peer: PeerID) async throws -> [SignedRecord.Form] {
        try await self.ask(.ask(content), of: peer).known.compactMap { statement in
            // What can't be read says nothing.
            do throws(AvailabilityError) { return try SignedRecord.Form(statement) } catch { return nil }
        }
    }

    private func ask(_ request: AvailabilityRequest, of peer: PeerID) async throws -> AvailabilityResponse {
        guard let connection = self.dialer.connection(to: peer) else { throw ConnectionError(.closed, "\(peer) is not connected") }
        return try await AvailabilityStream.ask(request, on: connection, timeout: self.configuration.requestTimeout)
    }

    // MARK: Running

    /// Answers peers until cancelled or shut down gracefully. Runs once.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else { return }
        let timeout = self.configuration.requestTimeout
        self.router.register(Self.protocolID) { [weak self] stream, connection in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: AvailabilityExchangeLimits.maximumMessageByteCount, timeout: timeout)
                guard let self else { return messages.close() }
                if !self.inbound.accept(messages, of: connection) { self.state.withLock { $0.statistics.refusedStreams += 1 } }
            }
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { for await peer in self.newcomers.stream { await self.tellRecent(to: peer) } }
                await self.inbound.serve { await self.serve($0) }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.inbound.finish()
        }
        self.inbound.finish()
        self.router.unregister(Self.protocolID)
    }

    private func serve(_ inbound: InboundStreams.Inbound) async {
        let (messages, peer) = (inbound.messages, inbound.connection.remotePeer)
        do {
            let request = try AvailabilityCodec.decodeRequest(try await messages.read().get())
            try await messages.write(AvailabilityCodec.encode(await self.answer(request, of: peer))).get()
            messages.finish()
            // The peer ends the stream when it has read the answer; a reset might overtake that.
            _ = try await messages.read().get()
        } catch let error as ConnectionError where error.code == .closed {
            // As it should.
        } catch {
            if (error as? ConnectionError)?.code == .protocolViolation || error is AvailabilityError {
                self.state.withLock { $0.statistics.malformedMessages += 1 }
            }
            self.logger.debug("stream ended", metadata: ["dig.availability.peer": "\(peer)", "dig.availability.error": "\(error)"])
        }
    }

    private func answer(_ request: AvailabilityRequest, of peer: PeerID) async -> AvailabilityResponse {
        let taker = self.state.withLock { $0.taker }
        switch request {
        case .unknown: return AvailabilityResponse()
        case .tell(let statements):
            return AvailabilityResponse(verdicts: statements.map { self.judge($0, from: peer, taker) })
        case .ask(let content):
            guard let taker, self.admit(peer) else { return AvailabilityResponse() }
            do {
                let records = try await taker.records(about: content, limit: AvailabilityExchangeLimits.maximumStatementCount)
                return AvailabilityResponse(known: AvailabilityCodec.fitting(records.lazy.map { Statement($0.form) }))
            } catch {
                self.logger.debug("what is known can't be read", metadata: ["dig.availability.error": "\(error)"])
                return AvailabilityResponse()
            }
        }
    }

    private func admit(_ peer: PeerID) -> Bool { self.state.withLock { $0.meter.admit(peer, now: .now) } }

    private func judge(_ statement: Statement, from peer: PeerID, _ taker: (any SignedRecordTaker)?) -> StatementVerdict {
        do throws(AvailabilityError) {
            // Before anything is opened, which takes time.
            guard let taker, self.admit(peer) else { throw .quotaExceeded }
            try taker.received(try SignedRecord.Form(statement))
            self.state.withLock { $0.statistics.taken += 1 }
            return .taken
        } catch {
            self.state.withLock { $0.statistics.refused[error, default: 0] += 1 }
            return .refused(error)
        }
    }
}
