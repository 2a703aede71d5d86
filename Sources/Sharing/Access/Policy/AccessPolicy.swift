/// Whom a host serves what it has no rule of its own for: the seeds' two switches.
///
/// | ``requirePeerAuthentication`` | ``acceptAnonymousPeers`` | served |
/// |---|---|---|
/// | no | yes | everybody (the default) |
/// | yes | yes | whoever has proven any key, membership, or brings a token |
/// | yes | no | trusted keys, and tokens of this host |
/// | no | no | the same: a peer that is not known cannot be let in without saying who it is |
///
/// "Anonymous" is a peer whose key is on no list, not one without a key: every connection has one.
public struct AccessPolicy: Hashable, Sendable {
    /// Peers have to prove who they are before they are told of any content.
    public var requirePeerAuthentication: Bool
    /// Peers are served whose keys are on no list.
    public var acceptAnonymousPeers: Bool

    public init(requirePeerAuthentication: Bool = false, acceptAnonymousPeers: Bool = true) {
        self.requirePeerAuthentication = requirePeerAuthentication
        self.acceptAnonymousPeers = acceptAnonymousPeers
    }

    /// Everybody: nothing is asked.
    public static let open = AccessPolicy()
    /// Whoever proves a key.
    public static let authenticated = AccessPolicy(requirePeerAuthentication: true)
    /// Trusted keys, and tokens.
    public static let trustedOnly = AccessPolicy(requirePeerAuthentication: true, acceptAnonymousPeers: false)

    /// What the two switches come to.
    public var requirement: AccessRequirement {
        switch (self.requirePeerAuthentication, self.acceptAnonymousPeers) {
        case (false, true): .none
        case (true, true): .anyKey
        case (true, false), (false, false): .trustedKey
        }
    }

    /// Whether one switch says what the other denies: anonymous peers are not accepted, though nothing is to be proven. Then proof is asked for.
    public var isContradictory: Bool { !self.requirePeerAuthentication && !self.acceptAnonymousPeers }
}
