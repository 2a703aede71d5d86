import DIGAnnouncement
import DIGIdentity
import Synchronization

/// Tells one lookup of each host once, and again when it says something new.
final class LookupReporter: Sendable {
    private let limit: Int
    private let ourselves: PeerID
    private let continuation: AsyncStream<ContentAnnouncement>.Continuation
    /// By key, the state reported last.
    private let reported = Mutex<[ExactText: Double]>([:])

    init(limit: Int, ourselves: PeerID, continuation: AsyncStream<ContentAnnouncement>.Continuation) {
        self.limit = limit
        self.ourselves = ourselves
        self.continuation = continuation
    }

    /// - Parameter now: Milliseconds since 1970.
    func report(_ node: GunNode, now: Double) {
        self.reported.withLock { reported in
            // The newest first: they are the likeliest to be there still.
            for (key, entry) in node.entries.sorted(by: { ($0.value.state, $0.key) > ($1.value.state, $1.key) }) where reported[key] != entry.state {
                guard reported[key] != nil || reported.count < self.limit else { return }
                // The guard has checked it, if the peer has one; read it has to be anyway.
                guard let announcement = GunNamespace.announcement(key, entry, now), announcement.peer != self.ourselves else { continue }
                reported[key] = entry.state
                if announcement.isAvailable { self.continuation.yield(announcement) }
            }
        }
    }
}
