import DIGIdentity
import DIGMultiformats

/// `<relay address>/p2p/<relay>/p2p-circuit[/p2p/<target>]` taken apart.
struct CircuitAddress: Hashable, Sendable {
    /// Where the relay is, without `/p2p/…`. Empty if the address does not say, which is enough while the relay is connected.
    var relayAddress: Multiaddr
    var relay: PeerID
    var target: PeerID?

    init(relayAddress: Multiaddr, relay: PeerID, target: PeerID? = nil) {
        self.relayAddress = relayAddress.removingPeerID()
        self.relay = relay
        self.target = target
    }

    /// - Throws: ``CircuitRelayError`` with `.invalidAddress`.
    init(_ address: Multiaddr) throws(CircuitRelayError) {
        let components = address.components
        guard let index = components.firstIndex(of: .p2pCircuit) else {
            throw CircuitRelayError(.invalidAddress, "\(address) is no circuit address")
        }
        guard !components[(index + 1)...].contains(.p2pCircuit) else {
            throw CircuitRelayError(.invalidAddress, "\(address) leads through two relays")
        }
        guard let relay = Multiaddr(components: Array(components[..<index])).lastPeer else {
            throw CircuitRelayError(.invalidAddress, "\(address) does not name the relay")
        }
        switch components.count - index {
        case 1: self.target = nil
        case 2:
            guard let target = address.lastPeer else {
                throw CircuitRelayError(.invalidAddress, "\(address) goes on behind the relay with something else than a peer")
            }
            self.target = target
        default: throw CircuitRelayError(.invalidAddress, "\(address) goes on behind the target")
        }
        self.relay = relay
        self.relayAddress = Multiaddr(components: Array(components[..<(index - 1)]))
    }

    /// `<relay address>/p2p/<relay>/p2p-circuit`.
    var circuit: Multiaddr {
        self.relayAddress.encapsulating(.p2p(self.relay.multihash)).encapsulating(.p2pCircuit)
    }

    var address: Multiaddr {
        self.target.map { self.circuit.encapsulating(.p2p($0.multihash)) } ?? self.circuit
    }
}

extension Multiaddr {
    /// The peer of a `/p2p/…` at the end.
    fileprivate var lastPeer: PeerID? {
        guard case .p2p(let multihash) = self.components.last else { return nil }
        do throws(IdentityError) { return try PeerID(multihash: multihash) } catch { return nil }
    }

    var isCircuit: Bool { self.components.contains(.p2pCircuit) }
}
