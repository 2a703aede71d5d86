import DIGContent
import DIGIdentity
import DIGNet

/// The gate as one session asks it.
struct HostAdmission: Sendable {
    /// A content that the peer may not have.
    struct Refused: Error {
        let reason: UnavailableReason
    }

    let gate: (any ContentGate)?
    let connection: (any Connection)?

    /// Nil if the peer may have it.
    func refusal(of hash: ContentHash) async -> Refused? {
        guard let gate = self.gate else { return nil }
        guard let connection = self.connection else { return Refused(reason: .notAuthorized) }
        switch await gate.verdict(for: hash, on: connection) {
        case .admitted: return nil
        case .refused(let refusal): return Refused(reason: refusal.reason)
        }
    }

    /// The signed names of contents that the peer may have, and why others are left out.
    func admitted(_ envelopes: [SignedEnvelope]) async -> ([SignedEnvelope], withheld: UnavailableReason?) {
        guard self.gate != nil else { return (envelopes, nil) }
        var admitted: [SignedEnvelope] = []
        var withheld: UnavailableReason?
        for envelope in envelopes.prefix(TransferLimits.maximumBindingCount) {
            let hash: ContentHash
            // Time does not matter here: whoever asks looks at it.
            do { hash = try NameBinding(verifying: envelope, nowMilliseconds: .max).contentHash } catch { continue }
            guard let refusal = await self.refusal(of: hash) else {
                admitted.append(envelope)
                continue
            }
            // To prove something may help; what was proven already does not.
            if withheld != .authenticationRequired { withheld = refusal.reason }
        }
        return (admitted, withheld)
    }
}
