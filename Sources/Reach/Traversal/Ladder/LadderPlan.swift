import DIGIdentity
import DIGMultiformats
import DIGNet

/// Which of a peer's addresses belongs to which method.
enum LadderPlan {
    /// The rungs for `methods`, those for which nothing is known left out.
    ///
    /// Punching takes the circuit addresses: through them the two ends agree on the moment. Without one they agree through a backend of signaling,
    /// for which the peer's id is enough; one rung does so for all the methods of layer 3, since a punch goes through them by itself.
    ///
    /// - Parameters:
    ///   - addresses: Named by whoever asked for the peer.
    ///   - capabilities: What the peer says about itself. Of its addresses only public ones are taken, and names, of which the dialer has to
    ///     look at what they stand for.
    ///   - signaling: The names of the backends there are.
    static func rungs(
        _ methods: [TraversalMethod], addresses: [Multiaddr], capabilities: PeerConnectionCapabilities?, signaling: [String] = [],
        policy: AddressPolicy
    ) -> [LadderStateMachine.Rung] {
        var rungs: [TraversalMethod: LadderStateMachine.Rung] = [:]
        var seen: Set<Multiaddr> = []
        func add(_ address: Multiaddr, to list: WritableKeyPath<LadderStateMachine.Rung, [Multiaddr]>) {
            guard seen.insert(address.removingPeerID()).inserted else { return }
            let method = Self.method(of: address, capabilities: capabilities, policy: policy)
            rungs[method, default: .init(method: method, addresses: [])][keyPath: list].append(address)
        }
        for address in addresses { add(address, to: \.addresses) }
        for entry in capabilities?.addresses ?? [] where policy.isPublic(entry.address) { add(entry.address, to: \.heard) }
        var backends = signaling.filter { $0 != TraversalMethod.dhtSignaling }
        return methods.compactMap { method in
            switch method {
            case .dhtAssisted:
                guard signaling.contains(TraversalMethod.dhtSignaling) else { return nil }
                return .init(method: method, addresses: [], signaling: [TraversalMethod.dhtSignaling])
            case .tcpHolePunch, .tcpSimultaneousOpen:
                var rung = rungs[.circuitRelay] ?? .init(method: method, addresses: [])
                rung.method = method
                rung.signaling = backends
                backends = []
                return rung.allAddresses.isEmpty && rung.signaling.isEmpty ? nil : rung
            case .local, .direct, .portMapping, .circuitRelay, .webSocket:
                return rungs[method]
            }
        }
    }

    /// The method that dials `address`.
    static func method(of address: Multiaddr, capabilities: PeerConnectionCapabilities?, policy: AddressPolicy) -> TraversalMethod {
        if address.components.contains(.p2pCircuit) { return .circuitRelay }
        if address.components.contains(where: { $0 == .ws || $0 == .wss }) { return .webSocket }
        if let origin = capabilities?.origin(of: address), origin.isMapping { return .portMapping }
        return policy.isPublic(address) ? .direct : .local
    }
}
