import DIGIdentity
import DIGMultiformats
import DIGNet
import NIOCore
import Synchronization

/// Asks peers, on streams that are kept for the next question.
final class KademliaStreamPool: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// An answer, and where it came from.
    struct Answer: Sendable {
        var message: KademliaMessage
        /// Where the peer was dialed, or came from.
        var remoteAddress: Multiaddr
        var isDialed: Bool
    }

    private struct Stream: Sendable {
        var messages: MessageStream
        var remoteAddress: Multiaddr
        var isDialed: Bool
        var isUsed = false
        var idleSince = ContinuousClock.now
    }

    private struct State {
        var idle: [PeerID: [Stream]] = [:]
        var idleCount = 0
        var isClosed = false
    }

    /// Messages that are written before the first of them has left.
    private static let writeAhead = 64
    /// On top of the time for a question, for each record sent before it: what peers let others send in a second, with room.
    private static let timePerAnnouncement: Duration = .milliseconds(10)
    private static let maximumIdleStreamsPerPeer = 2

    private let dialer: any PeerDialer
    private let configuration: KademliaConfiguration
    private let gate: RequestGate
    private let state = Mutex(State())

    init(dialer: any PeerDialer, configuration: KademliaConfiguration) {
        self.dialer = dialer
        self.configuration = configuration
        self.gate = RequestGate(count: configuration.maximumConcurrentRequests)
    }

    /// Sends what has no answer, then asks. Streams keep their order, so the answer says that the rest has arrived too.
    ///
    /// - Parameter source: Whose word the addresses are.
    /// - Throws: ``DIGNet/ConnectionError``, ``KademliaError`` `.unexpectedAnswer`, `CancellationError`.
    func ask(
        _ question: KademliaMessage, after announcements: [ByteBuffer] = [], of peer: KademliaPeer, source: DialOptions.AddressSource
    ) async throws -> Answer {
        try await self.gate.enter()
        defer { self.gate.leave() }
        if let stream = self.take(peer.peer) {
            do {
                return try await self.converse(question, announcements, on: stream, with: peer.peer)
            } catch {
                try Task.checkCancellation()
                // The peer may have closed it meanwhile.
                guard (error as? ConnectionError)?.code != .timedOut else { throw error }
            }
        }
        return try await self.converse(question, announcements, on: self.open(to: peer, source: source), with: peer.peer)
    }

    private func open(to peer: KademliaPeer, source: DialOptions.AddressSource) async throws -> Stream {
        let connection: any Connection
        if let open = self.dialer.connection(to: peer.peer) {
            connection = open
        } else {
            var options = DialOptions()
            options.source = source
            options.timeout = self.configuration.requestTimeout
            connection = try await self.dialer.connect(to: peer.peer, addresses: peer.addresses, options: options)
        }
        let messages = try await connection.openMessages(
            speaking: self.configuration.protocolID, limit: KademliaLimits.maximumMessageByteCount, timeout: self.configuration.requestTimeout)
        return Stream(messages: messages, remoteAddress: connection.remoteAddress, isDialed: connection.role == .dialer)
    }

    private func converse(
        _ question: KademliaMessage, _ announcements: [ByteBuffer], on stream: Stream, with peer: PeerID
    ) async throws -> Answer {
        let messages = stream.messages
        let time = self.configuration.requestTimeout + Self.timePerAnnouncement * announcements.count
        let timer = messages.channel.eventLoop.scheduleTask(in: TimeAmount(time)) { messages.close() }
        defer { timer.cancel() }
        do {
            let answer = try await withTaskCancellationHandler {
                try Task.checkCancellation()
                for (index, announcement) in announcements.enumerated() {
                    let written = messages.write(announcement)
                    if index % Self.writeAhead == Self.writeAhead - 1 { try await written.get() }
                }
                messages.write(KademliaCodec.encode(question))
                return try await self.answer(to: question, after: announcements.count, on: messages)
            } onCancel: {
                messages.close()
            }
            self.give(stream, back: peer)
            return Answer(message: answer, remoteAddress: stream.remoteAddress, isDialed: stream.isDialed)
        } catch {
            messages.close()
            try Task.checkCancellation()
            throw error
        }
    }

    private func answer(to question: KademliaMessage, after announcements: Int, on messages: MessageStream) async throws -> KademliaMessage {
        // Some confirm ADD_PROVIDER, though it has no answer. Many of them come late.
        for _ in 0...(announcements + 1) {
            let bytes = try await messages.read().get()
            let answer: KademliaMessage
            do throws(KademliaDecodingError) { answer = try KademliaCodec.decode(bytes) } catch {
                throw KademliaError(.unexpectedAnswer, "an answer that can't be read", cause: error)
            }
            if answer.kind == .addProvider, question.kind != .addProvider { continue }
            guard answer.kind == question.kind else { throw KademliaError(.unexpectedAnswer, "an answer to another question") }
            return answer
        }
        throw KademliaError(.unexpectedAnswer, "no answer among the confirmations")
    }

    // MARK: Idle streams

    private func take(_ peer: PeerID) -> Stream? {
        self.state.withLock { state in
            while var streams = state.idle[peer], let stream = streams.popLast() {
                state.idle[peer] = streams.isEmpty ? nil : streams
                state.idleCount -= 1
                if stream.messages.channel.isActive { return stream }
            }
            return nil
        }
    }

    private func give(_ stream: Stream, back peer: PeerID) {
        var stream = stream
        stream.isUsed = true
        stream.idleSince = .now
        let isKept = self.state.withLock { state in
            guard !state.isClosed, state.idleCount < self.configuration.maximumIdleStreams,
                state.idle[peer, default: []].count < Self.maximumIdleStreamsPerPeer
            else { return false }
            state.idle[peer, default: []].append(stream)
            state.idleCount += 1
            return true
        }
        if !isKept { self.end(stream) }
    }

    /// Closes the streams that nobody needed for a while.
    func tidy(now: Instant) {
        let old = self.state.withLock { state in
            var old: [Stream] = []
            for (peer, streams) in state.idle {
                let (kept, gone) = (
                    streams.filter { now - $0.idleSince < self.configuration.idleStreamTimeout && $0.messages.channel.isActive },
                    streams.filter { now - $0.idleSince >= self.configuration.idleStreamTimeout || !$0.messages.channel.isActive }
                )
                state.idle[peer] = kept.isEmpty ? nil : kept
                old += gone
            }
            state.idleCount -= old.count
            return old
        }
        for stream in old { self.end(stream) }
    }

    func close() {
        let all = self.state.withLock { state in
            state.isClosed = true
            defer { (state.idle, state.idleCount) = ([:], 0) }
            return state.idle.values.flatMap { $0 }
        }
        for stream in all { self.end(stream) }
    }

    var idleCount: Int { self.state.withLock { $0.idleCount } }

    private func end(_ stream: Stream) {
        stream.messages.finish()
        stream.messages.close()
    }
}
