public import DIGIdentity

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A peer whose key the host's owner has put on the list.
public struct TrustedPeer: Hashable, Sendable {
    /// The key's.
    public var peer: PeerID
    public var publicKey: PublicKey
    /// For the owner of the list.
    public var name: String?
    public var added: Date

    /// - Throws: ``AccessError`` with `.keyMismatch` if the key is not the peer's.
    public init(peer: PeerID, publicKey: PublicKey, name: String? = nil, added: Date = Date()) throws(AccessError) {
        guard peer.matches(publicKey) else { throw .keyMismatch }
        self.peer = peer
        self.publicKey = publicKey
        self.name = name
        self.added = added
    }

    public init(publicKey: PublicKey, name: String? = nil, added: Date = Date()) {
        self.peer = publicKey.peerID
        self.publicKey = publicKey
        self.name = name
        self.added = added
    }
}
