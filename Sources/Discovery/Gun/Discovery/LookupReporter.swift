import DIGAnnouncement
import DIGIdentity
import Synchronization

/// Tells one lookup of each host once, and again when it says something new.
final class LookupReporter: Sendable {
    private let limit: Int
    private let ourselves: PeerID
    private let continuation: AsyncStream<ContentAnnouncement>.Continuation
    private let heard: @Sendable (SignedEnvelope) -> Void
    /// By key, the state reported last.
    private let reported = Mutex<[ExactText: Double]>([:])

    /// - Parameter heard: Told of each announcement and withdrawal.
    init(
        limit: Int, ourselves: PeerID, continuation: AsyncStream<ContentAnnouncement>.Continuation, heard: @escaping @Sendable (SignedEnvelope) -> Void = { _ in }
    ) {
        self.limit = limit
        self.ourselves = ourselves
        self.continuation = continuation
        self.heard = heard
    }

    /// - Parameter now: Milliseconds since 1970.
    func report(_ node: GunNode, now: Double) {
        let heard = self.reported.withLock { reported in
            var heard: [SignedEnvelope] = []
            // The newest first: they are the likeliest to be there still.
            for (key, entry) in node.entries.sorted(by: { ($0.value.state, $0.key) > ($1.value.state, $1.key) }) where reported[key] != entry.state {
                guard reported[key] != nil || reported.count < self.limit else { break }
                // The guard has checked it, if the peer has one; read it has to be anyway.
                guard let announcement = GunNamespace.announcement(key, entry, now), announcement.peer != self.ourselves else { continue }
                reported[key] = entry.state
                if let envelope = entry.value.string.flatMap(GunAnnouncementText.envelope) { heard.append(envelope) }
                if announcement.isAvailable { self.continuation.yield(announcement) }
            }
            return heard
        }
        for envelope in heard { self.heard(envelope) }
    }
}
