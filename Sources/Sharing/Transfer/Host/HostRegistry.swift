import DIGContent
import DIGIdentity
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
        /// Hops to the session's loop.
        var withdraw: (@Sendable (ContentHash, UnavailableReason) -> Void)?
        var close: (@Sendable () -> Void)?
        var uploads: [ContentHash: Upload] = [:]
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
    private let sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)?
    private let state = Mutex(State())
    /// The number of sessions, to be read without the lock.
    private let count = Atomic(0)

    init(configuration: TransferHostConfiguration, sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)? = nil) {
        self.maximumSessionCount = configuration.maximumSessionCount
        self.maximumSessionsPerPeer = configuration.maximumSessionsPerPeer
        self.sessionEnded = sessionEnded
    }

    var sessionCount: Int { self.count.load(ordering: .relaxed) }

    /// - Returns: Nil at a limit.
    func add(_ peer: PeerID) -> UInt64? {
        self.state.withLock { state in
            guard state.sessions.count < self.maximumSessionCount, state.sessionsOfPeer[peer, default: 0] < self.maximumSessionsPerPeer else {
                state.refusedSessionCount += 1
                return nil
            }
            state.nextID += 1
            state.sessions[state.nextID] = Session(peer: peer)
            state.sessionsOfPeer[peer, default: 0] += 1
            self.count.store(state.sessions.count, ordering: .relaxed)
            return state.nextID
        }
    }

    func attach(
        _ id: UInt64, withdraw: @escaping @Sendable (ContentHash, UnavailableReason) -> Void, close: @escaping @Sendable () -> Void
    ) {
        self.state.withLock { state in
            state.sessions[id]?.withdraw = withdraw
            state.sessions[id]?.close = close
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
