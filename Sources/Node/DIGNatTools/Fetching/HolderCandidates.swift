import DIGIdentity
import DIGMultiformats
import DIGNet

/// Which peers are to be asked for a content, when again, and where they are: those of the local network, and those that discovery has found.
///
/// A value: whoever runs it reports what happened, with the time, and starts asking when it is told to.
///
///     announced, heard ──► asking ──lacked──► resting ──(interval over, and still there)──► asking
///                            ├─unreachable, and gone──► resting until it announces itself
///                            └─unreachable again and again, elsewhere──► resting as if it lacked the content
struct HolderCandidates: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Attempts to reach a peer of which others have told, before it rests.
    static let maximumFailureCount = 3
    /// Peers remembered at most.
    static let maximumCount = 256
    /// How long a peer that lacks the content is left alone: after the first answer, the second, … and the last for all further ones.
    static let restIntervals: [Duration] = [.seconds(10), .seconds(20), .seconds(60), .seconds(120), .seconds(300)]

    private struct Candidate {
        /// Where it said last, on the local network, that it is. Empty: it is known by others' words only.
        var addresses: [Multiaddr] = []
        /// Where others say that it is.
        var heard: [Multiaddr] = []
        /// It has announced itself and not left.
        var isPresent = true
        var failureCount = 0
        /// Nil while it is being asked, or holds the content.
        var restsUntil: Instant?
        var lackCount = 0

        var isNear: Bool { !self.addresses.isEmpty }
    }

    private let restIntervals: [Duration]
    private var candidates: [PeerID: Candidate] = [:]

    init(restIntervals: [Duration] = Self.restIntervals) {
        self.restIntervals = restIntervals
    }

    var count: Int { self.candidates.count }

    /// Whether the peer has announced itself on the local network.
    func isNear(_ peer: PeerID) -> Bool { self.candidates[peer]?.isNear ?? false }

    /// Where to dial the peer, and on whose word: this machine's own network is to be believed.
    func addresses(of peer: PeerID) -> (addresses: [Multiaddr], source: DialOptions.AddressSource) {
        guard let candidate = self.candidates[peer] else { return ([], .stranger) }
        return candidate.addresses.isEmpty || !candidate.isPresent ? (candidate.heard, .stranger) : (candidate.addresses, .user)
    }

    /// The peer appeared, moved, or was heard of again. Returns whether asking it is to begin.
    mutating func announced(_ peer: PeerID, at addresses: [Multiaddr], now: Instant) -> Bool {
        guard self.candidates[peer] != nil else {
            guard self.makeRoom(now: now) else { return false }
            self.candidates[peer] = Candidate(addresses: addresses)
            return true
        }
        self.candidates[peer]?.addresses = addresses
        self.candidates[peer]?.isPresent = true
        return self.begin(peer, now: now)
    }

    /// Discovery has found the peer, at these addresses now. Returns whether asking it is to begin.
    mutating func heard(_ peer: PeerID, at addresses: [Multiaddr], now: Instant) -> Bool {
        guard let known = self.candidates[peer] else {
            guard self.makeRoom(now: now) else { return false }
            self.candidates[peer] = Candidate(heard: addresses)
            return true
        }
        self.candidates[peer]?.heard = addresses
        // What is new may be where it can be reached.
        if known.heard != addresses { self.candidates[peer]?.failureCount = 0 }
        return self.begin(peer, now: now)
    }

    /// The peer said goodbye or fell silent.
    mutating func left(_ peer: PeerID) {
        self.candidates[peer]?.isPresent = false
    }

    /// It answered that it does not have the content. Returns when to call ``restEnded(_:now:)``.
    mutating func lacked(_ peer: PeerID, now: Instant) -> Instant {
        guard var candidate = self.candidates[peer] else { return now }
        let interval = self.restIntervals.isEmpty ? .zero : self.restIntervals[min(candidate.lackCount, self.restIntervals.count - 1)]
        candidate.lackCount += 1
        candidate.restsUntil = now + interval
        self.candidates[peer] = candidate
        return now + interval
    }

    /// It was left out, and is believed again: it is asked now.
    mutating func isBack(_ peer: PeerID) { self.candidates[peer]?.restsUntil = nil }

    /// It holds the content: if it lacks it later, it is asked again soon.
    mutating func held(_ peer: PeerID) {
        self.candidates[peer]?.lackCount = 0
        self.candidates[peer]?.failureCount = 0
    }

    /// It could not be reached. Returns whether to try on: not if it has left, nor one that is elsewhere for ever.
    mutating func unreachable(_ peer: PeerID) -> Bool {
        guard let candidate = self.candidates[peer] else { return false }
        if candidate.isNear { return candidate.isPresent }
        self.candidates[peer]?.failureCount += 1
        return candidate.failureCount + 1 < Self.maximumFailureCount
    }

    /// It is not tried any more. Returns when to call ``restEnded(_:now:)``; nil if it has to announce itself first.
    mutating func givenUp(_ peer: PeerID, now: Instant) -> Instant? {
        guard let candidate = self.candidates[peer] else { return nil }
        guard candidate.isNear else {
            self.candidates[peer]?.failureCount = 0
            return self.lacked(peer, now: now)
        }
        self.candidates[peer]?.restsUntil = now
        return candidate.isPresent ? now : nil
    }

    /// Returns whether asking it is to begin again. Early and repeated calls are harmless.
    mutating func restEnded(_ peer: PeerID, now: Instant) -> Bool {
        guard self.candidates[peer]?.isPresent == true else { return false }
        return self.begin(peer, now: now)
    }

    private mutating func begin(_ peer: PeerID, now: Instant) -> Bool {
        guard let restsUntil = self.candidates[peer]?.restsUntil, now >= restsUntil else { return false }
        self.candidates[peer]?.restsUntil = nil
        return true
    }

    /// Forgets one that is gone and not being asked, if there are too many.
    private mutating func makeRoom(now: Instant) -> Bool {
        guard self.candidates.count >= Self.maximumCount else { return true }
        guard let gone = self.candidates.first(where: { (!$0.value.isPresent || !$0.value.isNear) && ($0.value.restsUntil.map { $0 <= now } ?? false) }) else { return false }
        self.candidates[gone.key] = nil
        return true
    }
}
