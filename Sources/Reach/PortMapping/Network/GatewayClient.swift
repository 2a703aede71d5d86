import DIGNet
import Logging
import NIOCore

/// Performs operations at one gateway.
struct GatewayClient: Sendable {
    let gateway: Gateway
    let configuration: PortMapperConfiguration
    let eventLoop: any EventLoop
    let logger: Logger
    let refusals: RefusalLog

    func perform(_ operation: GatewayOperation) async -> Result<GatewayOperation.Outcome, PortMappingError> {
        do {
            switch operation {
            case .probe(let method): return .success(try await self.probe(method))
            case .map(let order): return .success(.mapped(try await self.map(order)))
            case .unmap(let order):
                try await self.unmap(order)
                return .success(.unmapped)
            case .check(let method, let service, let orders): return .success(try await self.check(method, service, orders))
            }
        } catch {
            let error = PortMappingError(wrapping: error)
            if error.code == .malformedAnswer { self.refusals.note("a gateway's answer is refused", of: self.gateway, because: error.message) }
            self.logger.debug("gateway operation failed", metadata: ["dig.portmap.gateway": "\(self.gateway)", "dig.portmap.error": "\(error)"])
            return .failure(error)
        }
    }

    private func probe(_ method: PortMapping.Method) async throws -> GatewayOperation.Outcome {
        switch method {
        case .pcp:
            let answer = try await self.ask(PCPAnnounceRequest(client: self.gateway.localAddress))
            return .probed(epoch: answer.epoch, externalAddress: nil, service: nil)
        case .natpmp:
            let answer = try await self.ask(NATPMPExternalAddressRequest())
            return .probed(epoch: answer.epoch, externalAddress: .v4(answer.address), service: nil)
        case .upnp:
            let (service, address) = try await self.findUPnPService()
            return .probed(epoch: nil, externalAddress: address.map { .v4($0) }, service: service)
        }
    }

    private func map(_ order: GatewayOperation.MappingOrder) async throws -> GatewayOperation.Grant {
        switch order.method {
        case .pcp:
            let answer = try await self.ask(
                PCPMapRequest(
                    client: self.gateway.localAddress, nonce: order.nonce, transport: order.request.protocol, internalPort: order.request.internalPort,
                    suggestedExternalPort: order.externalPort, suggestedExternalAddress: order.externalAddress, lifetimeSeconds: order.lifetimeSeconds))
            return .init(
                externalAddress: answer.externalAddress, externalPort: answer.externalPort, lifetimeSeconds: answer.lifetimeSeconds, epoch: answer.epoch,
                internalAddress: self.gateway.localAddress)
        case .natpmp:
            let answer = try await self.ask(
                NATPMPMapRequest(
                    transport: order.request.protocol, internalPort: order.request.internalPort, suggestedExternalPort: order.externalPort,
                    lifetimeSeconds: order.lifetimeSeconds))
            let external = try await self.ask(NATPMPExternalAddressRequest())
            return .init(
                externalAddress: .v4(external.address), externalPort: answer.externalPort, lifetimeSeconds: answer.lifetimeSeconds, epoch: external.epoch,
                internalAddress: self.gateway.localAddress)
        case .upnp:
            return try await self.mapUPnP(order)
        }
    }

    private func unmap(_ order: GatewayOperation.MappingOrder) async throws {
        switch order.method {
        case .pcp:
            _ = try await self.ask(
                PCPMapRequest(
                    client: self.gateway.localAddress, nonce: order.nonce, transport: order.request.protocol, internalPort: order.request.internalPort,
                    suggestedExternalPort: 0, suggestedExternalAddress: nil, lifetimeSeconds: 0))
        case .natpmp:
            _ = try await self.ask(
                NATPMPMapRequest(
                    transport: order.request.protocol, internalPort: order.request.internalPort, suggestedExternalPort: 0, lifetimeSeconds: 0))
        case .upnp:
            try await self.unmapUPnP(order)
        }
    }

    private func check(
        _ method: PortMapping.Method, _ service: UPnPService?, _ orders: [GatewayOperation.MappingOrder]
    ) async throws -> GatewayOperation.Outcome {
        switch method {
        case .pcp:
            let answer = try await self.ask(PCPAnnounceRequest(client: self.gateway.localAddress))
            return .checked(epoch: answer.epoch, externalAddress: nil, missing: [])
        case .natpmp:
            let answer = try await self.ask(NATPMPExternalAddressRequest())
            return .checked(epoch: answer.epoch, externalAddress: .v4(answer.address), missing: [])
        case .upnp:
            return try await self.checkUPnP(service, orders)
        }
    }
}
