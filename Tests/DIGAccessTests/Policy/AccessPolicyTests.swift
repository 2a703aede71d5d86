import DIGAccess
import Testing

@Suite("Access policy")
struct AccessPolicyTests {
    @Test("the two switches come to four rows, of which two are one", arguments: [
        (true, false, AccessRequirement.trustedKey, false), (true, true, .anyKey, false), (false, true, .none, false), (false, false, .trustedKey, true),
    ])
    func rows(_ row: (requires: Bool, accepts: Bool, requirement: AccessRequirement, isContradictory: Bool)) {
        let policy = AccessPolicy(requirePeerAuthentication: row.requires, acceptAnonymousPeers: row.accepts)
        #expect(policy.requirement == row.requirement)
        #expect(policy.isContradictory == row.isContradictory)
    }

    @Test("without settings, everybody is served")
    func isOpen() {
        #expect(AccessPolicy() == .open)
        #expect(AccessPolicy().requirement == .none)
    }
}
