import DIGContent
import DIGIdentity
import DIGNet
import NIOCore
import Synchronization

/// The sessions of a host and what they have sent. Touched once per piece, never per chunk.
final class HostRegistry: Sendable {
    private struct Upload {
        var rate = DecayingRate()
        var chunkCount: UInt64 = 0
    }

    private struct Session {
        let peer: PeerID
        let connection: (any Connection)?
        /// Hops to the session's loop.
        var withdraw: (@Sendable (ContentHash, UnavailableReason) -> Void)?
        var close: (@Sendable () -> Void)?
        /// What is open, from the session's loop.
        var contents: (@Sendable () -> EventLoopFuture<[ContentHash]>)?
        var uploads: [ContentHash: Upload] = [:]
        /// When it began, or was sent chunks last.
        var lastUse: NIODeadline
    }

    private struct State {
        var sessions: [UInt64: Session] = [:]
        var sessionsOfPeer: [PeerID: Int] = [:]
        var nextID: UInt64 = 0
        var rate = DecayingRate()
        var chunkCount: UInt64 = 0
        var refusedSessionCount = 0
        var violationCount = 0
    }

    private let maximumSessionCount: Int
    private let maximumSessionsPerPeer: Int
    private let unusedSessionGrace: TimeAmount
    private let sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)?
    private let state = Mutex(State())
    /// The number of sessions, to be read without the lock.
    private let count = Atomic(0)

    init(configuration: TransferHostConfiguration, sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)? = nil) {
        self.maximumSessionCount = configuration.maximumSessionCount
        self.maximumSessionsPerPeer = configuration.maximumSessionsPerPeer
        self.unusedSessionGrace = TimeAmount(configuration.unusedSessionGrace)
        self.sessionEnded = sessionEnded
    }

    var sessionCount: Int { self.count.load(ordering: .relaxed) }

    /// Adds a session. When there are too many in all, the one that was sent nothing for longest makes room, unless it is as new as
    /// ``TransferHostConfiguration/unusedSessionGrace``: sessions cost a peer nothing, and a few with many names must not keep the others out.
    ///
    /// - Returns: Nil at a limit.
    func add(_ peer: PeerID, connection: (any Connection)? = nil, now: NIODeadline) -> UInt64? {
        let (id, victim) = self.state.withLock { state -> (UInt64?, UInt64?) in
            var victim: UInt64?
            if state.sessions.count >= self.maximumSessionCount {
                victim = state.sessions.min { ($0.value.lastUse, $0.key) < ($1.value.lastUse, $1.key) }
                    .flatMap { now - $0.value.lastUse >= self.unusedSessionGrace ? $0.key : nil }
            }
            guard state.sessions.count < self.maximumSessionCount || victim != nil,
                state.sessionsOfPeer[peer, default: 0] < self.maximumSessionsPerPeer
            else {
                state.refusedSessionCount += 1
                return (nil, nil)
            }
            state.nextID += 1
            state.sessions[state.nextID] = Session(peer: peer, connection: connection, lastUse: now)
            state.sessionsOfPeer[peer, default: 0] += 1
            self.count.store(state.sessions.count, ordering: .relaxed)
            return (state.nextID, victim)
        }
        if let victim {
            let close = self.state.withLock { $0.sessions[victim]?.close }
            self.remove(victim)
            close?()
        }
        return id
    }

    func attach(
        _ id: UInt64, withdraw: @escaping @Sendable (ContentHash, UnavailableReason) -> Void, close: @escaping @Sendable () -> Void,
        contents: @escaping @Sendable () -> EventLoopFuture<[ContentHash]>
    ) {
        self.state.withLock { state in
            state.sessions[id]?.withdraw = withdraw
            state.sessions[id]?.close = close
            state.sessions[id]?.contents = contents
        }
    }

    func remove(_ id: UInt64) {
        let removed = self.state.withLock { state -> Session? in
            guard let session = state.sessions.removeValue(forKey: id) else { return nil }
            let left = (state.sessionsOfPeer[session.peer] ?? 1) - 1
            state.sessionsOfPeer[session.peer] = left > 0 ? left : nil
            self.count.store(state.sessions.count, ordering: .relaxed)
            return session
        }
        if let removed { self.sessionEnded?(removed.peer, removed.uploads.mapValues(\.rate.byteCount)) }
    }

    func recordSent(_ contentHash: ContentHash, byteCount: Int, chunkCount: Int, session: UInt64, now: NIODeadline) {
        self.state.withLock { state in
            state.rate.record(byteCount, now: now)
            state.chunkCount &+= UInt64(chunkCount)
            state.sessions[session]?.lastUse = now
            state.sessions[session]?.uploads[contentHash, default: Upload()].rate.record(byteCount, now: now)
            state.sessions[session]?.uploads[contentHash]?.chunkCount &+= UInt64(chunkCount)
        }
    }

    func recordViolation() {
        self.state.withLock { $0.violationCount += 1 }
    }

    func withdraw(_ hash: ContentHash, _ reason: UnavailableReason) {
        for withdraw in self.state.withLock({ $0.sessions.values.compactMap(\.withdraw) }) { withdraw(hash, reason) }
    }

    func withdraw(_ hash: ContentHash, _ reason: UnavailableReason, from connection: ConnectionID) {
        let sessions = self.state.withLock { state in state.sessions.values.filter { $0.connection?.id == connection }.compactMap(\.withdraw) }
        for withdraw in sessions { withdraw(hash, reason) }
    }

    /// What every session has open. A session that ends meanwhile is left out.
    func admittedContents() async -> [AdmittedContents] {
        var admitted: [AdmittedContents] = []
        for session in self.state.withLock({ Array($0.sessions.values) }) {
            guard let contents = session.contents, let withdraw = session.withdraw else { continue }
            do {
                admitted.append(AdmittedContents(contents: try await contents().get(), connection: session.connection, withdraw: withdraw))
            } catch {
                // Its loop is shut down, and the session with it.
            }
        }
        return admitted
    }

    func closeAll() {
        for close in self.state.withLock({ $0.sessions.values.compactMap(\.close) }) { close() }
    }

    func statistics(now: NIODeadline) -> HostStatistics {
        self.state.withLock { state in
            let uploads = state.sessions.values.flatMap { session in
                session.uploads.map { hash, upload in
                    HostStatistics.Upload(
                        peer: session.peer, contentHash: hash, byteCount: upload.rate.byteCount, chunkCount: upload.chunkCount,
                        bytesPerSecond: upload.rate.bytesPerSecond(now: now))
                }
            }
            return HostStatistics(
                sessionCount: state.sessions.count, uploads: uploads, byteCount: state.rate.byteCount, chunkCount: state.chunkCount,
                bytesPerSecond: state.rate.bytesPerSecond(now: now), refusedSessionCount: state.refusedSessionCount,
                violationCount: state.violationCount)
        }
    }
}
