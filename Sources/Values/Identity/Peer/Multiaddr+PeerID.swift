public import DIGMultiformats

extension Multiaddr {
    /// The peer that the address leads to: the last `/p2p/…`, unless a `/p2p-circuit` follows it, because then it names
    /// the relay and the address leads to nobody in particular.
    public var peerID: PeerID? {
        for component in self.components.reversed() {
            switch component {
            case .p2pCircuit: return nil
            case .p2p(let multihash):
                do throws(IdentityError) { return try PeerID(multihash: multihash) } catch { return nil }
            default: continue
            }
        }
        return nil
    }

    /// The address without the `/p2p/…` at its end.
    public func removingPeerID() -> Multiaddr {
        guard case .p2p = self.components.last else { return self }
        return Multiaddr(components: self.components.dropLast())
    }

    /// The address with `peer` at its end, in place of any other there.
    public func withPeerID(_ peer: PeerID) -> Multiaddr {
        self.removingPeerID().encapsulating(.p2p(peer.multihash))
    }
}
