import DIGIdentity
import DIGMultiformats
import DIGNet

/// Which of a peer's addresses belongs to which method.
enum LadderPlan {
    /// The rungs for `methods`, those without an address left out.
    ///
    /// Punching takes the circuit addresses: through them the two ends agree on the moment.
    ///
    /// - Parameters:
    ///   - addresses: Named by whoever asked for the peer.
    ///   - capabilities: What the peer says about itself. Of its addresses only public ones are taken, and names, of which the dialer has to
    ///     look at what they stand for.
    static func rungs(
        _ methods: [TraversalMethod], addresses: [Multiaddr], capabilities: PeerConnectionCapabilities?, policy: AddressPolicy
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
        return methods.compactMap { method in
            guard var rung = rungs[method.isPunch ? .circuitRelay : method] else { return nil }
            rung.method = method
            return rung
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
