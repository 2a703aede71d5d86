public import DIGIdentity

/// Who may have one content. What has no rule of its own is ``everyone``'s.
///
/// All rules but ``everyone`` take the place of the ``AccessPolicy``: they ask for proof also where the host is open, and let in whom they name where
/// the host serves trusted keys only. A token of the host that names the content, or none, is good in every case.
public enum ContentAccess: Hashable, Sendable {
    /// Whomever the policy lets in.
    case everyone
    /// Keys on the host's list.
    case trusted
    /// These peers, trusted or not. Empty: whoever has a token.
    case only(Set<PeerID>)
    /// Whoever proves to be one of these, without saying which.
    case members(of: MemberRing)

    /// Peers in a list.
    public static let maximumPeerCount = 1024
}
