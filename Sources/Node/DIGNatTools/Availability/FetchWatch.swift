import DIGIdentity
import DIGNet
import DIGTransfer
import Synchronization

/// Follows one fetch, and lets reputations know how each holder did.
final class FetchWatch: Sendable {
    private struct Failure: Hashable {
        var peer: PeerID
        var code: TransferError.Code
    }

    private struct State {
        var delivery: Delivery
        /// As far as it has come.
        var peers: [PeerStatistics] = []
        /// One that fails again and again in one fetch has failed once.
        var known: Set<Failure> = []
    }

    private let meetings: HolderMeetings
    private let state: Mutex<State>

    init(_ meetings: HolderMeetings, now: ContinuousClock.Instant = .now) {
        self.meetings = meetings
        self.state = Mutex(State(delivery: Delivery(start: now)))
    }

    func arrived(_ connection: any Connection) { self.state.withLock { $0.delivery.arrived(connection.remotePeer, now: .now) } }

    func progressed(_ progress: TransferProgress) { self.state.withLock { $0.peers = progress.peers } }

    /// Whether anybody is there who delivers, or may.
    var hasPeers: Bool { self.state.withLock { $0.peers.contains { $0.isConnected } } }

    /// A holder could not deliver.
    ///
    /// - Parameter isWhole: Others have delivered everything.
    func failed(_ failure: PeerFailure, isWhole: Bool = false) {
        guard self.state.withLock({ $0.known.insert(Failure(peer: failure.peer, code: failure.error.code)).inserted }) else { return }
        self.meetings.failed(failure.peer, failure.error, isWhole: isWhole)
    }

    /// It is over.
    ///
    /// - Parameter peers: What each gave; nil if it did not get so far as to tell.
    func ended(_ peers: [PeerStatistics]?, failures: [PeerFailure], isWhole: Bool) {
        let now = ContinuousClock.now
        for credit in self.state.withLock({ $0.delivery.credits(peers ?? $0.peers, now: now) }) {
            self.meetings.transferred(credit.byteCount, over: credit.duration, from: credit.peer)
        }
        for failure in failures { self.failed(failure, isWhole: isWhole) }
    }
}
