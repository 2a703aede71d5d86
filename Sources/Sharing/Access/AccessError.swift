/// Why somebody may not have something, or why it could not be proven who somebody is.
///
/// The same cases at both ends: a host says which one it is.
public enum AccessError: Error, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Nothing has been proven. Prove a key, membership, or bring a token.
    case authenticationRequired
    /// The key was proven, and is not on the host's list.
    case notTrusted
    /// The key was proven, and is not among those that may have this content.
    case notAllowed
    /// Membership was not proven, or not in the ring that this content is for.
    case notAMember
    /// The signature is not the key's over this challenge, on this connection. Nothing of the answer counts.
    case badSignature
    /// The peer id does not belong to the key.
    case keyMismatch
    /// The challenge is in the name of somebody else than the peer at the other end: somebody in between passes it on. Nothing is signed.
    case wrongHost
    /// The answer is in the name of another peer than the one at the other end.
    case wrongPeer
    /// The connection has nothing that a signature could be bound to.
    case noChannelBinding
    /// The answer came after more than 60 seconds. Begin anew.
    case challengeExpired
    /// The challenge has been answered before, was made for another connection, or never.
    case challengeReplayed
    /// The clocks of the two sides differ by more than 120 seconds. Set them.
    case clockSkew
    /// The message is none of the protocol, or beyond its limits.
    case malformed
    /// The token is no token, was changed, or was not signed by its host.
    case tokenInvalid
    /// The token is over.
    case tokenExpired
    /// The token begins later, or was signed by a clock far ahead.
    case tokenNotYetValid
    /// The host has taken the token back.
    case tokenRevoked
    /// The token is for a peer that this one is not: it is of no use to whoever stole it.
    case tokenOfAnotherPeer
    /// The token is good at another host.
    case tokenOfAnotherHost
    /// The token is good here, for other contents.
    case tokenForOtherContent
    /// The host could not decide, or is at a limit. Try later.
    case unavailable
    /// The peer does not speak `/dig/auth/1.0.0`.
    case unsupported
    /// There is nothing to prove anything with: no key, no token for this host, no membership.
    case nothingToProve

    /// Whether other credentials may help at the same host.
    public var asksForOthers: Bool {
        switch self {
        case .unavailable, .clockSkew, .challengeExpired, .challengeReplayed, .unsupported, .wrongHost, .wrongPeer, .noChannelBinding, .malformed, .badSignature: false
        default: true
        }
    }

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .authenticationRequired: "it serves only peers that prove who they are, and nothing was proven"
        case .notTrusted: "it serves only keys that its owner trusts, and this node's is not one of them; ask the owner to trust it, or for a link with a token"
        case .notAllowed: "this content is for certain peers, and this node is none of them; ask its owner, or for a link with a token"
        case .notAMember: "this content is for the members of a private swarm, and membership was not proven; check that both sides have the same list of members"
        case .badSignature: "the signature is not valid"
        case .keyMismatch: "the peer id does not belong to the public key"
        case .wrongHost: "the challenge is in another host's name: somebody may be in between; nothing was signed"
        case .wrongPeer: "the answer is in another peer's name"
        case .noChannelBinding: "the connection has nothing that a proof could be bound to"
        case .challengeExpired: "the answer came after more than a minute; try again"
        case .challengeReplayed: "the challenge was answered before, or is not one of this connection"
        case .clockSkew: "the clocks of both sides differ by more than two minutes; set them"
        case .malformed: "the message is malformed"
        case .tokenInvalid: "the token is damaged, or not signed by the host; ask for a new one"
        case .tokenExpired: "the token has expired; ask for a new one"
        case .tokenNotYetValid: "the token is not valid yet; check the clocks of both sides"
        case .tokenRevoked: "the token has been revoked; ask for a new one"
        case .tokenOfAnotherPeer: "the token is for another peer, and is of no use to this one"
        case .tokenOfAnotherHost: "the token is for another host"
        case .tokenForOtherContent: "the token is for other contents; ask for one that names this"
        case .unavailable: "it cannot decide now; try later"
        case .unsupported: "it does not speak /dig/auth/1.0.0"
        case .nothingToProve: "there is nothing to prove who this node is with"
        }
    }
}
