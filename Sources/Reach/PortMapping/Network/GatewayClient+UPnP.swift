import DIGMultiformats

extension GatewayClient {
    private var http: GatewayHTTP { GatewayHTTP(eventLoop: self.eventLoop, timeout: self.configuration.requestTimeout) }

    /// The best service that has an external address, or the best one that answers.
    func findUPnPService() async throws -> (UPnPService, IPv4Address?) {
        let locations = try await self.search()
        guard !locations.isEmpty else { throw PortMappingError(.unresponsive, "no UPnP gateway answered a search on \(self.gateway)") }
        var failure: (any Error)?
        var fallback: UPnPService?
        for location in locations {
            do {
                for service in try await self.describe(location).services {
                    do {
                        let address = try await self.externalAddress(service)
                        if address.scope != .unspecified { return (service, address) }
                        fallback = fallback ?? service
                    } catch {
                        failure = error
                    }
                }
            } catch {
                failure = error
            }
            try Task.checkCancellation()
        }
        if let fallback { return (fallback, nil) }
        if let fault = failure as? UPnPFault { throw PortMappingError(.noExternalAddress, "the gateway does not tell its external address (\(fault))") }
        throw failure ?? PortMappingError(.notSupported, "no UPnP gateway on \(self.gateway)")
    }

    func describe(_ location: GatewayURL) async throws -> UPnPDeviceDescription {
        let answer = try await self.http.get(location)
        // A redirect is not followed.
        guard answer.status == 200 else { throw PortMappingError(.malformedAnswer, "\(location) answered with status \(answer.status)") }
        do {
            return try UPnPDeviceDescription(try XMLScanner.parse(answer.body), location: location)
        } catch let error as XMLError {
            throw PortMappingError(.malformedAnswer, "the description at \(location) is not read: \(error)")
        }
    }

    func mapUPnP(_ order: GatewayOperation.MappingOrder) async throws -> GatewayOperation.Grant {
        guard let service = order.service, case .v4(let client) = self.gateway.localAddress else {
            throw PortMappingError(.notSupported, "no UPnP service is known")
        }
        var generator = SystemRandomNumberGenerator()
        var machine = UPnPMappingStateMachine(
            order.request, client: client, service: service.kind, externalPort: order.externalPort, leaseSeconds: order.lifetimeSeconds, using: &generator)
        var action = machine.start()
        // The machine tries a few ports, each with a few variants.
        while true {
            try Task.checkCancellation()
            do {
                switch action {
                case .look(let port):
                    action = machine.looked(try await self.entryIfTold(service, order.request.protocol, port))
                case .add(let port, let lease):
                    _ = try await self.call(service, "AddPortMapping", Self.mappingArguments(order, client: client, externalPort: port, leaseSeconds: lease))
                    action = machine.added()
                case .addAny(let port, let lease):
                    let answer = try await self.call(
                        service, "AddAnyPortMapping", Self.mappingArguments(order, client: client, externalPort: port, leaseSeconds: lease))
                    guard let reserved = answer["NewReservedPort"].flatMap({ UInt16($0) }) else {
                        throw PortMappingError(.malformedAnswer, "the gateway does not say which port it gave")
                    }
                    action = machine.added(externalPort: reserved)
                case .finish(let port, let lease):
                    let address = try await self.externalAddress(service)
                    return .init(
                        externalAddress: .v4(address), externalPort: port, lifetimeSeconds: lease, epoch: nil, internalAddress: self.gateway.localAddress)
                case .fail(let error):
                    throw error
                }
            } catch let fault as UPnPFault {
                if case .finish = action { throw PortMappingError(.noExternalAddress, "the gateway does not tell its external address (\(fault))") }
                action = machine.refused(fault)
            }
        }
    }

    /// Deletes the mapping if it is ours still.
    func unmapUPnP(_ order: GatewayOperation.MappingOrder) async throws {
        guard let service = order.service, order.externalPort != 0 else { return }
        if let entry = try await self.entryIfTold(service, order.request.protocol, order.externalPort), !self.isOurs(entry, order) { return }
        do {
            _ = try await self.call(service, "DeletePortMapping", Self.keyArguments(order.request.protocol, order.externalPort))
        } catch let fault as UPnPFault {
            guard fault.code == UPnPFault.noSuchEntryInArray else { throw fault.error }
        }
    }

    func checkUPnP(_ service: UPnPService?, _ orders: [GatewayOperation.MappingOrder]) async throws -> GatewayOperation.Outcome {
        guard let service else { throw PortMappingError(.notSupported, "no UPnP service is known") }
        var missing = Set<PortMapping.ID>()
        var address: IPv4Address?
        do { address = try await self.externalAddress(service) } catch is UPnPFault {}
        for order in orders {
            do {
                let entry = try await self.entry(service, order.request.protocol, order.externalPort)
                if !self.isOurs(entry, order) { missing.insert(order.id) }
            } catch let fault as UPnPFault {
                // Any other refusal says nothing about the mapping.
                if fault.code == UPnPFault.noSuchEntryInArray { missing.insert(order.id) }
            }
        }
        return .checked(epoch: nil, externalAddress: address.map { .v4($0) }, missing: missing)
    }

    // MARK: Actions

    private func isOurs(_ entry: UPnPMappingEntry, _ order: GatewayOperation.MappingOrder) -> Bool {
        .v4(entry.internalClient) == self.gateway.localAddress && entry.internalPort == order.request.internalPort
    }

    private func externalAddress(_ service: UPnPService) async throws -> IPv4Address {
        let arguments = try await self.call(service, "GetExternalIPAddress", [])
        // Empty when the router's own connection is down.
        guard let text = arguments["NewExternalIPAddress"], !text.isEmpty else { return .any }
        guard let address = IPv4Address(text) else {
            throw PortMappingError(.malformedAnswer, "the gateway's external address cannot be read: \(UPnPDeviceDescription.printable(text))")
        }
        return address
    }

    private func entry(_ service: UPnPService, _ transport: PortMapping.TransportProtocol, _ port: UInt16) async throws -> UPnPMappingEntry {
        try UPnPMappingEntry(try await self.call(service, "GetSpecificPortMappingEntry", Self.keyArguments(transport, port)))
    }

    /// nil if there is none, or the gateway does not say.
    private func entryIfTold(_ service: UPnPService, _ transport: PortMapping.TransportProtocol, _ port: UInt16) async throws -> UPnPMappingEntry? {
        do { return try await self.entry(service, transport, port) } catch is UPnPFault { return nil }
    }

    private static func keyArguments(_ transport: PortMapping.TransportProtocol, _ port: UInt16) -> [(name: String, value: String)] {
        [("NewRemoteHost", ""), ("NewExternalPort", "\(port)"), ("NewProtocol", transport.rawValue.uppercased())]
    }

    /// WANIPConnection:2 §2.5.16: in the order of the service's definition.
    private static func mappingArguments(
        _ order: GatewayOperation.MappingOrder, client: IPv4Address, externalPort: UInt16, leaseSeconds: UInt32
    ) -> [(name: String, value: String)] {
        Self.keyArguments(order.request.protocol, externalPort) + [
            ("NewInternalPort", "\(order.request.internalPort)"), ("NewInternalClient", "\(client)"), ("NewEnabled", "1"),
            ("NewPortMappingDescription", String(decoding: order.request.description.utf8.prefix(63), as: UTF8.self)),
            ("NewLeaseDuration", "\(leaseSeconds)"),
        ]
    }

    /// Calls an action.
    ///
    /// - Throws: ``UPnPFault`` if the gateway says no; ``PortMappingError``.
    private func call(_ service: UPnPService, _ action: String, _ arguments: [(name: String, value: String)]) async throws -> [String: String] {
        let answer = try await self.http.post(
            service.controlURL, action: "\(service.kind.rawValue)#\(action)",
            body: SOAPMessage.request(action, service: service.kind, arguments: arguments))
        // UPnP Device Architecture 1.1 §3.2.2: 200, or 500 with a fault. A redirect is not followed.
        guard answer.status == 200 || answer.status == 500 else {
            throw PortMappingError(.malformedAnswer, "\(service.controlURL) answered \(action) with status \(answer.status)")
        }
        do {
            return try SOAPMessage.arguments(in: answer.body, action: action)
        } catch let error as XMLError {
            throw PortMappingError(.malformedAnswer, "the answer to \(action) is not read: \(error)")
        }
    }
}
