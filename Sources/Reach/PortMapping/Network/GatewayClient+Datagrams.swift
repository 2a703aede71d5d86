import DIGMultiformats
import DIGNet
import NIOCore
import NIOPosix

extension GatewayClient {
    /// Asks by NAT-PMP or PCP, from our address towards the gateway: PCP compares it with the one in the request (RFC 6887 §8.1).
    func ask<Request: GatewayRequest>(_ request: Request) async throws -> Request.Answer {
        let gateway = try SocketAddress(ip: self.gateway.components, port: self.configuration.serverPort)
        let local = try SocketAddress(ip: [self.gateway.localAddress.component], port: 0)
        let schedule = RetransmissionSchedule(
            transmissionCount: self.configuration.transmissionCount, stretch: request is NATPMPMapRequest ? 0 : Double.random(in: 0...0.1))
        return try await ChannelCanceller.run { canceller in
            // The socket is made on the event loop's thread.
            self.eventLoop.flatSubmit {
                let promise = self.eventLoop.makePromise(of: Request.Answer.self)
                DatagramBootstrap(group: self.eventLoop).bind(to: local)
                    .flatMap { channel in
                        canceller.attach(channel)
                        return channel.connect(to: gateway).flatMapThrowing {
                            try channel.pipeline.syncOperations.addHandler(
                                ExchangeHandler(ExchangeStateMachine(request, schedule: schedule, now: .now), gateway: gateway, promise: promise))
                        }.flatMapError { error in
                            channel.close().flatMapThrowing { throw error }
                        }
                    }
                    .whenFailure { promise.fail(PortMappingError(.networkFailure, "no socket towards \(self.gateway): \($0)")) }
                return promise.futureResult
            }
        }
    }

    /// The locations of UPnP descriptions that may be asked for, best first.
    func search() async throws -> [GatewayURL] {
        guard case .v4(let gateway) = self.gateway.address, case .v4(let local) = self.gateway.localAddress else { return [] }
        let configuration = self.configuration
        let host = "\(configuration.searchAddress):\(configuration.searchPort)"
        let destinations = try [configuration.searchAddress, gateway].map { try SocketAddress(ip: [.ip4($0)], port: configuration.searchPort) }
        let source = try SocketAddress(ip: [.ip4(local)], port: 0)
        let (connected, refusals) = (self.gateway, self.refusals)
        return try await ChannelCanceller.run { canceller in
            self.eventLoop.flatSubmit {
                let promise = self.eventLoop.makePromise(of: [GatewayURL].self)
                DatagramBootstrap(group: self.eventLoop)
                    .channelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(to: source)
                    .flatMap { channel in
                        canceller.attach(channel)
                        let machine = SSDPSearchStateMachine(
                            gateway: gateway, now: .now, timeout: configuration.searchTimeout)
                        return Self.sendMulticast(channel, from: local).flatMapThrowing {
                            try channel.pipeline.syncOperations.addHandler(
                                SSDPSearchHandler(machine, destinations: destinations, host: host, refusals: refusals, promise: promise))
                        }.flatMapError { error in
                            channel.close().flatMapThrowing { throw error }
                        }
                    }
                    .whenFailure { promise.fail(PortMappingError(.networkFailure, "no socket for a search on \(connected): \($0)")) }
                return promise.futureResult
            }
        }
    }

    /// Multicast leaves by the interface with this address, and crosses one router at most (UPnP Device Architecture 1.1 §1.3.2 has a TTL of 2).
    private static func sendMulticast(_ channel: any Channel, from local: IPv4Address) -> EventLoopFuture<Void> {
        guard let socket = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        // The value is an `in_addr`: four bytes in network order.
        return socket.unsafeSetSocketOption(level: .ip, name: .ip_multicast_if, value: local.rawValue.bigEndian)
            .flatMap { socket.setIPMulticastTTL(2) }
    }
}
