import DIGAutoNAT
import DIGMultiformats
public import DIGPortMapping
import DIGSwarm
import Logging
import Synchronization

extension NATTraversalManager {
    /// The external addresses that the router gave, each with the protocol that it was asked in.
    var mappings: [Multiaddr: PortMapping.Method] {
        self.state.withLock { $0.mappings }
    }

    /// Whether there is a port that the router is asked for.
    public var asksForPorts: Bool {
        self.portMapper != nil && self.swarm.listenAddresses.contains { Self.mappablePort(of: $0) != nil }
    }

    /// What routers can do, as soon as that is known; nil if none is to be asked for anything.
    public func portMappingWhenSearched(atMost duration: Duration) async -> PortMapperStatus? {
        guard self.asksForPorts, let portMapper = self.portMapper else { return nil }
        return await portMapper.statusWhenSearched(timeout: duration)
    }

    /// Asks the router for every TCP port listened on, and takes back what is not listened on any more.
    func requestMappings() async {
        guard let portMapper = self.portMapper else { return }
        let ports = Set(self.swarm.listenAddresses.compactMap { Self.mappablePort(of: $0) })
        // Decided at once, so that two who call this at a time do not ask for the same.
        let (gone, new) = self.state.withLock { state in
            let gone = state.requestedMappings.filter { !ports.contains($0.key) }
            for port in gone.keys { state.requestedMappings[port] = nil }
            let new = ports.filter { state.requestedMappings[$0] == nil }
            for port in new { state.requestedMappings[port] = .some(nil) }
            return (gone, new)
        }
        for id in gone.values.compactMap(\.self) { await portMapper.remove(id) }
        for port in new {
            do {
                let id = try await portMapper.add(PortMapping.Request(protocol: .tcp, internalPort: port))
                let isWanted = self.state.withLock { state in
                    guard state.requestedMappings[port] != nil else { return false }
                    state.requestedMappings[port] = id
                    return true
                }
                if !isWanted { await portMapper.remove(id) }
            } catch {
                self.state.withLock { _ = $0.requestedMappings.removeValue(forKey: port) }
                self.logger.info("a port is not asked for", metadata: ["dig.traversal.port": "\(port)", "dig.traversal.error": "\(error)"])
            }
        }
    }

    /// The TCP port of an address that somebody behind the router listens on.
    private static func mappablePort(of address: Multiaddr) -> UInt16? {
        var isLocal = false
        for component in address.components {
            switch component {
            case .ip4(let ip): isLocal = ip.scope == .loopback
            case .ip6(let ip): isLocal = ip.scope == .loopback
            case .p2pCircuit, .memory: return nil
            case .tcp(let port): return isLocal || port == 0 ? nil : port
            default: break
            }
        }
        return nil
    }

    func mappingsChanged(_ portMapper: PortMapper) async {
        let mappings = await portMapper.mappings
        let listening = self.swarm.listenAddresses
        var external: [ExternalAddress] = []
        var methods: [Multiaddr: PortMapping.Method] = [:]
        for mapping in mappings where mapping.isPublic {
            // A port may carry WebSocket; the mapped address then does too.
            for address in listening where Self.mappablePort(of: address) == mapping.request.internalPort && Self.isSameFamily(address, mapping.external) {
                let suffix = address.components.drop { if case .tcp = $0 { false } else { true } }.dropFirst()
                let mapped = Multiaddr(components: mapping.external.components + suffix)
                guard methods.updateValue(mapping.method, forKey: mapped) == nil else { continue }
                external.append(ExternalAddress(address: mapped, listenAddress: address, basis: .mapped))
            }
        }
        self.state.withLock { $0.mappings = methods }
        self.reachability.mappedAddressesChanged(external)
    }

    private static func isSameFamily(_ left: Multiaddr, _ right: Multiaddr) -> Bool {
        switch (left.components.first, right.components.first) {
        case (.ip4, .ip4), (.ip6, .ip6): true
        default: false
        }
    }
}
