import DIGIdentity
import DIGNet
import Synchronization

/// The punches under way: one for each peer.
final class PunchRegistry: Sendable {
    private struct Entry {
        var id: UInt64
        var side: PunchEvent.Side
        /// What the two talk over.
        var signaling: String
        var stop: AsyncStream<Never>.Continuation
    }

    private struct State {
        var entries: [PeerID: Entry] = [:]
        var next: UInt64 = 0
        /// What punches have led to, the newest last.
        var connections: [ConnectionID] = []
    }

    /// Ours: connections remembered as punched. Whoever asks does so when they are new.
    private static let maximumConnectionCount = 256

    /// A place in the registry.
    struct Admission: Sendable {
        var id: UInt64
        /// Ends when another punch with the peer takes the place.
        var stopped: AsyncStream<Never>
    }

    private let localPeer: PeerID
    private let capacity: Int
    private let state = Mutex(State())

    init(localPeer: PeerID, capacity: Int) {
        self.localPeer = localPeer
        self.capacity = max(1, capacity)
    }

    var count: Int { self.state.withLock { $0.entries.count } }

    /// - Parameter signaling: What the two talk over: `relay`, or a backend's name.
    /// - Throws: ``HolePunchError`` `.busy` or `.limitExceeded`.
    func begin(with peer: PeerID, as side: PunchEvent.Side, over signaling: String = PunchEvent.relaySignaling) throws(HolePunchError) -> Admission {
        let (admission, superseded) = try self.state.withLock { state throws(HolePunchError) -> (Admission, Entry?) in
            let current = state.entries[peer]
            if let current {
                guard self.yields(current, to: side, over: signaling, peer: peer) else {
                    throw HolePunchError(.busy, "a punch with \(peer) is under way")
                }
            } else if state.entries.count >= self.capacity {
                throw HolePunchError(.limitExceeded, "\(self.capacity) punches are under way")
            }
            let (stopped, stop) = AsyncStream.makeStream(of: Never.self)
            let id = state.next
            state.next += 1
            state.entries[peer] = Entry(id: id, side: side, signaling: signaling, stop: stop)
            return (Admission(id: id, stopped: stopped), current)
        }
        // Not under the lock: the end of a stream calls back.
        superseded?.stop.finish()
        return admission
    }

    /// A punch has led to `connection`. Before its ``end(_:with:)``, so that it is one or the other at every moment.
    func succeeded(_ connection: ConnectionID) {
        self.state.withLock { state in
            if state.connections.count >= Self.maximumConnectionCount { state.connections.removeFirst() }
            state.connections.append(connection)
        }
    }

    /// Whether a punch with `peer` is under way, or has led to `connection`.
    func concerns(_ connection: ConnectionID, of peer: PeerID) -> Bool {
        self.state.withLock { $0.entries[peer] != nil || $0.connections.contains(connection) }
    }

    func end(_ admission: Admission, with peer: PeerID) {
        let entry: Entry? = self.state.withLock { state in
            guard state.entries[peer]?.id == admission.id else { return nil }
            return state.entries.removeValue(forKey: peer)
        }
        entry?.stop.finish()
    }

    private func yields(_ current: Entry, to new: PunchEvent.Side, over signaling: String, peer: PeerID) -> Bool {
        switch (current.side, new) {
        case (_, .initiator): false
        // A new stream for the next attempt: the peer has given the last one up. Over another path it may be a call from before, that took longer.
        case (.responder, .responder): current.signaling == signaling
        // Both began: the one with the lower id goes on. Each side knows, so exactly one is left.
        case (.initiator, .responder): peer < self.localPeer
        }
    }
}
