public import DIGContent
import DIGIdentity

/// The rules, as a value: policy, facts, evidence and time in, decision out.
///
/// | for the content | let in |
/// |---|---|
/// | a token of this host that covers it, not over, not revoked | yes, whatever else holds |
/// | `everyone`, policy open | everybody |
/// | `everyone`, policy `anyKey` | who has proven a key or a membership |
/// | `everyone`, policy `trustedKey`; `trusted` | who has proven a key on the host's list |
/// | `only(peers)` | who has proven a key of one of these |
/// | `members(ring)` | who has proven membership in this very ring |
public struct AccessDecider: Sendable {
    public var policy: AccessPolicy
    public var facts: AccessFacts
    public var evidence: AccessEvidence
    /// Unix time by the host's clock.
    public var nowMilliseconds: UInt64

    public init(policy: AccessPolicy, facts: AccessFacts, evidence: AccessEvidence, nowMilliseconds: UInt64) {
        self.policy = policy
        self.facts = facts
        self.evidence = evidence
        self.nowMilliseconds = nowMilliseconds
    }

    /// - Parameter content: What is asked for; one of the facts' scopes, or a file in them.
    public func decide(_ content: ContentHash) -> AccessDecision {
        // Without a scope nobody has shared it: whatever that means, it is not permission.
        guard !self.facts.scopes.isEmpty else { return .refused(.unavailable) }
        var tokenError: AccessError?
        for token in self.evidence.tokens {
            do throws(AccessError) {
                try self.check(token, for: content)
                return .admitted(.token(token.id))
            } catch {
                tokenError = error
            }
        }
        var refusal: AccessError?
        for scope in self.facts.scopes {
            switch self.decide(scope.access) {
            case .admitted(let ground): return .admitted(ground)
            case .refused(let error): refusal = refusal ?? error
            }
        }
        // Who brought a token wants to know what is wrong with it.
        return .refused(tokenError ?? refusal ?? .unavailable)
    }

    private func check(_ token: AccessToken, for content: ContentHash) throws(AccessError) {
        guard !self.facts.revoked.contains(token.id) else { throw .tokenRevoked }
        try token.check(nowMilliseconds: self.nowMilliseconds)
        guard token.covers(content) || self.facts.scopes.contains(where: { token.covers($0.content) }) else { throw .tokenForOtherContent }
    }

    private func decide(_ access: ContentAccess) -> AccessDecision {
        switch access {
        case .everyone:
            switch self.policy.requirement {
            case .none: return .admitted(.open)
            case .anyKey:
                return self.evidence.keys.isEmpty && self.evidence.rings.isEmpty ? .refused(.authenticationRequired) : .admitted(.identity)
            case .trustedKey: return self.trusted
            }
        case .trusted: return self.trusted
        case .only(let peers):
            if self.evidence.keys.contains(where: { peers.contains($0.peerID) }) { return .admitted(.listed) }
            return .refused(self.evidence.isEmpty ? .authenticationRequired : .notAllowed)
        case .members(let ring):
            if self.evidence.rings.contains(ring.digest) { return .admitted(.member) }
            return .refused(self.evidence.isEmpty ? .authenticationRequired : .notAMember)
        }
    }

    private var trusted: AccessDecision {
        if self.evidence.keys.contains(where: { self.facts.trusted.contains($0.peerID) }) { return .admitted(.trusted) }
        return .refused(self.evidence.isEmpty ? .authenticationRequired : .notTrusted)
    }
}
