import DIGAutoNAT
import DIGCircuitRelay
import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGPortMapping
import DIGSTUN
import DIGSwarm
import Logging
import NIOCore
import Synchronization

extension NATTraversalManager {
    /// What `setAdvertised` knows our addresses by.
    private enum AdvertisedSource {
        static let external = "reachability"
        static let relays = "relays"
    }

    /// Each moves what one part says to the others, until cancelled.
    var pumps: [@Sendable () async -> Void] {
        var pumps: [@Sendable () async -> Void] = [
            { await self.followSwarm() }, { await self.followReachability() }, { await self.followRelays() }, { await self.followPunches() },
        ]
        pumps.append { await self.followUDP() }
        if let portMapper = self.portMapper { pumps.append { await self.followPortMapper(portMapper) } }
        return pumps
    }

    /// Takes back what was announced and answered: nobody looks after it any more.
    func withdraw() {
        self.swarm.unregister(CapabilityExchange.protocolID)
        self.swarm.setAdvertised([], by: AdvertisedSource.external)
        self.swarm.setAdvertised([], by: AdvertisedSource.relays)
    }

    // MARK: The swarm

    private func followSwarm() async {
        let events = self.swarm.events
        self.reachability.listenAddressesChanged(self.swarm.listenAddresses)
        self.lookAtNetwork()
        for connection in self.swarm.connections {
            self.connected(connection)
            if let info = self.swarm.identify(of: connection.remotePeer) { await self.identified(info) }
        }
        for await event in events {
            switch event {
            case .connected(let connection), .upgraded(let connection):
                self.connected(connection)
            case .disconnected(let peer):
                self.reachability.disconnected(peer)
                let isClimbed = self.state.withLock { state in
                    state.methods[peer] = nil
                    return state.climbs[peer] != nil
                }
                if !isClimbed { self.restrictions.remove(peer) }
            case .identified(let info):
                await self.identified(info)
            case .observed(let address, let connection):
                self.reachability.observed(address, on: connection)
                self.puncher.localAddressesChanged()
            case .listenAddressesChanged:
                self.reachability.listenAddressesChanged(self.swarm.listenAddresses)
                self.lookAtNetwork()
                await self.requestMappings()
                self.changes.emit(())
            }
        }
    }

    private func connected(_ connection: any Connection) {
        self.reachability.connected(connection)
        guard connection.isRelayed, connection.role == .listener else { return }
        let addresses = self.swarm.identify(of: connection.remotePeer)?.listenAddresses ?? []
        self.puncher.relayedConnectionOpened(connection, addresses: addresses)
    }

    private func identified(_ info: IdentifyInfo) async {
        self.reachability.identified(info.peer, protocols: info.protocols)
        guard let connection = self.swarm.connection(to: info.peer) else { return }
        if info.protocols.contains(CircuitRelay.hopProtocolID), !connection.isRelayed {
            let policy = self.configuration.addressPolicy
            let addresses = ([connection.remoteAddress] + info.listenAddresses).filter { policy.isPublic($0) }
            if !addresses.isEmpty { await self.relayClient.add(candidate: RelayCandidate(peer: info.peer, addresses: addresses)) }
        }
        guard info.protocols.contains(CapabilityExchange.protocolID) else { return }
        self.askCapabilities(on: connection)
    }

    // MARK: Reachability

    private func followReachability() async {
        for await snapshot in self.reachability.updates() {
            let addresses = snapshot.addresses.filter { entry in
                // A guess is worth announcing only when somebody got through.
                entry.state.isReachable || (entry.external.basis >= .mapped && entry.external.basis < .observed && !entry.state.isUnreachable)
            }.map(\.external.address)
            self.swarm.setAdvertised(addresses, by: AdvertisedSource.external)
            self.lookAtNetwork()
            self.puncher.localAddressesChanged()
            // Who is out there but at a port of its own is not reached from networks that let out nothing but the web's ports: the relays that
            // the user named stay a way in.
            let wantsRelays = snapshot.overall != .public || !self.configuration.relays.isEmpty
            switch self.configuration.relayDuty {
            case .automatic:
                self.setRelaying(snapshot.overall == .public)
                await self.relayClient.setWanted(wantsRelays)
            case .never:
                await self.relayClient.setWanted(wantsRelays)
            case .always:
                break
            }
            self.changes.emit(())
        }
    }

    // MARK: Relays

    private func followRelays() async {
        for await addresses in await self.relayClient.relayAddresses() {
            self.state.withLock { $0.relayAddresses = addresses }
            self.swarm.setAdvertised(addresses, by: AdvertisedSource.relays)
            self.changes.emit(())
        }
    }

    // MARK: Punches

    private func followPunches() async {
        for await event in self.puncher.events { await self.punchHappened(event) }
    }

    // MARK: Port mapping

    private func followPortMapper(_ portMapper: PortMapper) async {
        let events = portMapper.events
        await self.requestMappings()
        for await event in events {
            switch event {
            case .mapped, .lost, .externalAddressChanged, .removed: await self.mappingsChanged(portMapper)
            case .doubleNAT(let external):
                self.logger.info("the router is behind another NAT: its mappings do not help", metadata: ["dig.traversal.external": "\(external)"])
            case .noGateway, .gatewayFound, .found, .renewed, .failed, .gatewayRestarted: break
            }
            self.changes.emit(())
        }
    }
}

extension LocalPunchability {
    init(_ mapping: TCPMapping) {
        switch mapping.behavior {
        case .unknown: self = .unknown
        case .untranslated, .endpointIndependent: self.init(mapping: .endpointIndependent)
        case .endpointDependent: self.init(mapping: .endpointDependent)
        }
    }
}

extension NATMapping {
    init(_ mapping: TCPMapping) {
        self =
            switch mapping.behavior {
            case .unknown: .unknown
            case .untranslated, .endpointIndependent: .endpointIndependent
            case .endpointDependent: .addressAndPortDependent
            }
    }
}
