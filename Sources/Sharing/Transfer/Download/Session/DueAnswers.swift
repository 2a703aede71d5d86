import NIOCore

/// What a peer owes under one handle, apart from chunks and the description.
///
/// Answers are counted against what was asked, and everything else against a budget: observers are told over a queue, and a peer must not fill it
/// faster than it is emptied.
struct DueAnswers: Sendable {
    private var isBitfieldDue = false
    private var hashCount = 0
    private var listingCount = 0

    /// Something was asked. What has no answer of its own, or one that is counted elsewhere, changes nothing.
    mutating func asked(_ request: TransferRequest) {
        switch request {
        case .subscribe: self.isBitfieldDue = true
        case .getHashes: self.hashCount += 1
        case .getListing: self.listingCount += 1
        case .describe, .getChunks, .cancel, .prove, .release, .resolve: break
        }
    }

    /// Counts an answer. False if nobody asked for it, or the budget is used up.
    ///
    /// - Parameter isRefused: The peer refuses the whole handle. Then a refusal of one question leaves the question open: it is asked again.
    mutating func received(_ response: TransferResponse, isRefused: Bool, news: inout NewsBudget, now: NIODeadline) -> Bool {
        switch response {
        case .hashesUnavailable where isRefused, .listingPart where isRefused: return news.spend(1, now: now)
        case .hashes, .hashesUnavailable:
            guard self.hashCount > 0 else { return false }
            self.hashCount -= 1
            return true
        case .listingPart:
            guard self.listingCount > 0 else { return false }
            self.listingCount -= 1
            return true
        case .bitfield where self.isBitfieldDue:
            self.isBitfieldDue = false
            return true
        case .bitfield(.part(_, let bits)): return news.spend(1 + bits.count / 256, now: now)
        case .have(let ranges): return news.spend(1 + ranges.count / 16, now: now)
        case .bitfield(.complete), .chunksUnavailable: return news.spend(1, now: now)
        // Once, which ``SessionAuthentication`` sees to.
        case .description: return true
        // Nobody here asks for these on a handle.
        case .proof, .proofUnavailable, .resolved: return false
        }
    }
}
