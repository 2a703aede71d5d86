import DIGHolePunching
import DIGIdentity
import Synchronization

/// The methods that may be used with a peer, whichever side begins, where whoever asked for it named some: while it is being reached and connected.
final class MethodRestrictions: Sendable {
    private let configured: [TraversalMethod]?
    private let punching: HolePunchingConfiguration
    private let named = Mutex<[PeerID: [TraversalMethod]]>([:])

    /// - Parameters:
    ///   - configured: For all peers; nil: no restriction.
    ///   - punching: What is done without a restriction.
    init(configured: [TraversalMethod]?, punching: HolePunchingConfiguration) {
        self.configured = configured
        self.punching = punching
    }

    /// - Parameter methods: Nil: all of them.
    func set(_ methods: [TraversalMethod]?, for peer: PeerID) {
        self.named.withLock { $0[peer] = methods == self.configured ? nil : methods ?? TraversalMethod.allCases }
    }

    func remove(_ peer: PeerID) {
        self.named.withLock { _ = $0.removeValue(forKey: peer) }
    }

    var count: Int { self.named.withLock { $0.count } }

    /// What may be tried when the two ends talk over `signaling`. Nil: everything.
    func allowance(for peer: PeerID, over signaling: String) -> PunchAllowance? {
        guard let allowed = self.named.withLock({ $0[peer] }) ?? self.configured else { return nil }
        let methods: [PunchMethod]
        if signaling == TraversalMethod.dhtSignaling {
            methods = allowed.contains(.dhtAssisted) ? self.punching.methods : []
        } else {
            // In the order asked for.
            methods = allowed.compactMap { method in
                switch method {
                case .tcpHolePunch: .tcpHolePunch
                case .tcpSimultaneousOpen: .tcpSimultaneousOpen
                case .local, .direct, .portMapping, .circuitRelay, .webSocket, .dhtAssisted: nil
                }
            }
        }
        return PunchAllowance(methods: methods, dialsDirectlyToo: self.punching.dialsDirectlyToo && allowed.contains(.direct))
    }
}
