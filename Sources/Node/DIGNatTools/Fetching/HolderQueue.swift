import DIGAvailability
import DIGIdentity

/// In which order candidates are asked, and who is not asked at all for now.
///
/// The best one comes first (``DIGAvailability/HolderRanking``). A doubtful one waits while something better is left: an undoubted one that waits or is being
/// asked, or a holder that delivers. One that does not have the content, as far as is known, is left out until that changes.
///
/// A value: whoever runs it tells what changes, and ranks.
struct HolderQueue {
    /// Counts those that may yet be asked: left out they count no more.
    private(set) var waiting: [PeerID] = []
    private(set) var leftOut: Set<PeerID> = []

    /// The peer wants to be asked.
    ///
    /// - Returns: False if it waits already.
    mutating func add(_ peer: PeerID) -> Bool {
        self.leftOut.remove(peer)
        guard !self.waiting.contains(peer) else { return false }
        self.waiting.append(peer)
        return true
    }

    /// Leaves out those that wait and are not among `ranked`, which are all that are usable.
    ///
    /// - Returns: Those.
    mutating func leaveOut(except ranked: [HolderCandidate]) -> [PeerID] {
        let usable = Set(ranked.map(\.peer))
        let out = self.waiting.filter { !usable.contains($0) }
        guard !out.isEmpty else { return [] }
        self.waiting.removeAll { !usable.contains($0) }
        self.leftOut.formUnion(out)
        return out
    }

    /// What is thought of the peer has changed. Returns whether it was left out and waits now.
    mutating func judged(_ peer: PeerID, isUsable: Bool) -> Bool {
        guard isUsable, self.leftOut.remove(peer) != nil else { return false }
        self.waiting.append(peer)
        return true
    }

    /// Whom to ask next; nil if nobody is to be asked now.
    ///
    /// - Parameters:
    ///   - ranked: Those that wait, best first.
    ///   - hasBetter: Something is left that is better than a doubtful one.
    mutating func next(_ ranked: [HolderCandidate], hasBetter: Bool, isLiteral: Bool = false) -> PeerID? {
        guard let best = ranked.first(where: { self.waiting.contains($0.peer) }) else { return nil }
        if hasBetter, HolderRanking.isDoubtful(best, isLiteral: isLiteral) { return nil }
        self.waiting.removeAll { $0 == best.peer }
        return best.peer
    }
}
