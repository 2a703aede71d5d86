import DIGAvailability
import DIGGossipSub
import DIGIdentity

/// Which reports in gossip are worth passing on.
///
/// A report that was taken is. One that is known is, too, the first time that gossip brings it: it may have come over a connection before, and those who
/// hear of it by gossip only must not miss it for that. What its author publishes again and again is not.
struct GossipReports {
    /// Reports that were passed on and are remembered; the oldest are forgotten.
    static let maximumCount = 2_048

    private var passed: Set<[UInt8]> = []
    private var order: [[UInt8]] = []
    private var oldest = 0

    /// - Parameters:
    ///   - refusal: Why the report was not taken; nil if it was.
    ///   - isKnown: It is the very report that is known.
    mutating func verdict(on envelope: SignedEnvelope, refusal: AvailabilityError?, isKnown: @autoclosure () -> Bool) -> GossipVerdict {
        switch refusal {
        case nil:
            _ = self.pass(envelope)
            return .accept
        case .replayed?: return isKnown() && self.pass(envelope) ? .accept : .ignore
        // Clocks differ, messages take their time, and nobody has room for everything.
        case .expired?, .fromTheFuture?, .refuted?, .quotaExceeded?, .noRoom?, .unknownPeer?, .unknownContent?: return .ignore
        case .malformed?, .limitExceeded?, .unsupportedAlgorithm?, .invalidSignature?, .wrongPeer?, .aboutItself?: return .reject
        }
    }

    /// Whether it was not passed on before.
    private mutating func pass(_ envelope: SignedEnvelope) -> Bool {
        guard self.passed.insert(envelope.signature).inserted else { return false }
        if self.order.count < Self.maximumCount {
            self.order.append(envelope.signature)
        } else {
            self.passed.remove(self.order[self.oldest])
            self.order[self.oldest] = envelope.signature
            self.oldest = (self.oldest + 1) % Self.maximumCount
        }
        return true
    }
}
