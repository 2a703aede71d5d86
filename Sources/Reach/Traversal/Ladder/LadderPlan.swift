import DIGMultiformats
import DIGNet

/// Which of a peer's addresses belongs to which method.
enum LadderPlan {
    /// The rungs for `methods`, those without an address left out.
    ///
    /// Punching takes the circuit addresses: through them the two ends agree on the moment.
    static func rungs(
        _ methods: [TraversalMethod], addresses: [Multiaddr], capabilities: PeerConnectionCapabilities?, policy: AddressPolicy
    ) -> [LadderStateMachine.Rung] {
        var groups: [TraversalMethod: [Multiaddr]] = [:]
        var seen: Set<Multiaddr> = []
        for address in addresses where seen.insert(address).inserted {
            groups[Self.method(of: address, capabilities: capabilities, policy: policy), default: []].append(address)
        }
        return methods.compactMap { method in
            guard let addresses = groups[method.isPunch ? .circuitRelay : method] else { return nil }
            return LadderStateMachine.Rung(method: method, addresses: addresses)
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
