import DIGNet
public import DIGUDP
public import Logging
public import NIOCore

/// Finds out what NAT or firewall is in front of a UDP port (RFC 5780), by asking STUN servers.
///
/// With one server that has two addresses, mapping and filtering; with several plain servers, the mapping. Takes about 5 seconds, because a filter
/// shows itself by silence; a second if nothing is filtered.
public struct NATBehaviorDiscovery: Sendable {
    public let endpoint: UDPEndpoint
    private let configuration: STUNClientConfiguration
    private let retransmission: STUNRetransmission
    private let refusals: RefusalLog

    /// - Parameters:
    ///   - endpoint: The port that peers will be told of. Two more are opened for the time of ``run(servers:)``, on its event loop.
    ///   - retransmission: For each question.
    public init(
        endpoint: UDPEndpoint, configuration: STUNClientConfiguration = .init(), retransmission: STUNRetransmission = .probe,
        logger: Logger = Logger(label: "dig.stun")
    ) {
        self.endpoint = endpoint
        self.configuration = configuration
        self.retransmission = retransmission
        self.refusals = RefusalLog(stun: logger)
    }

    /// Asks `servers`, at most eight for each address family.
    ///
    /// - Returns: How the NAT of IPv4 behaves, or that of IPv6 if nothing answers over IPv4; the external addresses are those of both.
    /// - Throws: ``STUNError`` with `.noServers` if there is none that can be asked; ``UDPError`` if no further port can be bound; `CancellationError`.
    public func run(servers: [STUNServerAddress]) async throws -> NATBehavior {
        var addresses: [SocketAddress] = []
        var failures: [String] = []
        let resolved = await self.resolve(servers)
        for (server, result) in zip(servers, resolved) {
            switch result {
            case .success(let list):
                let usable = list.filter { self.endpoint.port(for: $0.protocol) != nil }
                if usable.isEmpty { failures.append("\(server): the port has no address of its family") }
                addresses += usable
            case .failure(let error):
                failures.append("\(server): \(error)")
            }
        }
        try Task.checkCancellation()
        guard !addresses.isEmpty else {
            let reasons = failures.isEmpty ? "the list is empty" : failures.joined(separator: "; ")
            throw STUNError(.noServers, "no STUN server can be asked: \(reasons)")
        }
        return try await self.run(addresses)
    }

    /// Asks servers whose addresses are known already.
    ///
    /// - Throws: As ``run(servers:)``.
    public func run(_ servers: [SocketAddress]) async throws -> NATBehavior {
        guard !servers.isEmpty else { throw STUNError(.noServers, "no STUN server can be asked: the list is empty") }
        let (ip4, ip6) = (servers.filter { $0.protocol == .inet }, servers.filter { $0.protocol == .inet6 })
        async let first = ip4.isEmpty ? nil : self.discover(ip4, family: .inet)
        async let second = ip6.isEmpty ? nil : self.discover(ip6, family: .inet6)
        guard let (primary, secondary) = Self.ordered(try await first, try await second) else {
            throw STUNError(.noServers, "no STUN server has an IP address")
        }
        var behavior = primary
        behavior.external += secondary?.external ?? []
        behavior.evidence += secondary?.evidence ?? []
        return behavior
    }

    /// IPv4 counts, unless only IPv6 answered.
    private static func ordered(_ ip4: NATBehavior?, _ ip6: NATBehavior?) -> (NATBehavior, NATBehavior?)? {
        switch (ip4, ip6) {
        case (let ip4?, let ip6?): ip4.external.isEmpty && !ip6.external.isEmpty ? (ip6, ip4) : (ip4, ip6)
        case (let only?, nil), (nil, let only?): (only, nil)
        case (nil, nil): nil
        }
    }

    private func resolve(_ servers: [STUNServerAddress]) async -> [Result<[SocketAddress], any Error>] {
        await withTaskGroup(of: (Int, Result<[SocketAddress], any Error>).self) { group in
            for (index, server) in servers.enumerated() {
                group.addTask {
                    guard server.scheme == .stun else { return (index, .failure(STUNError(.unsupported, "is for TLS, not for UDP"))) }
                    do { return (index, .success(try await STUNServerResolver.resolve(server))) } catch { return (index, .failure(error)) }
                }
            }
            var results = [Result<[SocketAddress], any Error>](repeating: .success([]), count: servers.count)
            for await (index, result) in group { results[index] = result }
            return results
        }
    }

    // MARK: One address family

    private func discover(_ servers: [SocketAddress], family: NIOBSDSocket.ProtocolFamily) async throws -> NATBehavior {
        let wildcard = try SocketAddress(ipAddress: family == .inet ? "0.0.0.0" : "::", port: 0)
        let fresh = try await UDPEndpoint.bind([self.localAddress(of: family) ?? wildcard], group: self.endpoint.eventLoop)
        do {
            let second = try await UDPEndpoint.bind([self.localAddress(of: family) ?? wildcard], group: self.endpoint.eventLoop)
            let result: Result<NATBehavior, any Error>
            do { result = .success(try await self.discover(servers, family, fresh, second)) } catch { result = .failure(error) }
            await second.close()
            await fresh.close()
            return try result.get()
        } catch {
            await fresh.close()
            throw error
        }
    }

    /// The address that the shared port is bound to, with another port; a wildcard stays one.
    private func localAddress(of family: NIOBSDSocket.ProtocolFamily) -> SocketAddress? {
        var address = self.endpoint.localAddresses.first { $0.protocol == family }
        address?.port = 0
        return address
    }

    private func discover(
        _ servers: [SocketAddress], _ family: NIOBSDSocket.ProtocolFamily, _ fresh: UDPEndpoint, _ second: UDPEndpoint
    ) async throws -> NATBehavior {
        let clients: [NATBehaviorStateMachine.Question.Port: STUNClient] = [
            .shared: STUNClient(endpoint: self.endpoint, configuration: self.configuration, refusals: self.refusals),
            .fresh: STUNClient(endpoint: fresh, configuration: self.configuration, refusals: self.refusals),
            .second: STUNClient(endpoint: second, configuration: self.configuration, refusals: self.refusals),
        ]
        let ear = HairpinEar()
        fresh.register(ear, for: .stun)
        var machine = NATBehaviorStateMachine(
            servers: servers, localPort: self.endpoint.port(for: family), localAddresses: try Self.localAddresses())
        return try await withThrowingTaskGroup(of: (NATBehaviorStateMachine.Question, Result<STUNBinding, STUNError>).self) { group in
            while true {
                while let output = machine.poll() {
                    switch output {
                    case .ask(let question):
                        guard let client = clients[question.port] else { continue }
                        group.addTask { (question, try await self.ask(question, client, ear)) }
                    case .finished(let behavior):
                        return behavior
                    }
                }
                guard let (question, result) = try await group.next() else {
                    throw STUNError(.closed, "the discovery ended without a result")
                }
                switch result {
                case .success(let binding): machine.answered(question, binding)
                case .failure(let error): machine.failed(question, error)
                }
            }
        }
    }

    /// - Throws: `CancellationError`.
    private func ask(_ question: NATBehaviorStateMachine.Question, _ client: STUNClient, _ ear: HairpinEar) async throws -> Result<STUNBinding, STUNError> {
        var options = STUNBindingOptions()
        options.change = question.change
        options.answersFrom = question.answersFrom
        options.retransmission = self.retransmission
        do {
            return .success(try await client.binding(from: question.destination, options: options))
        } catch let error as CancellationError {
            throw error
        } catch let error as STUNError {
            // It arrived, though the answer did not.
            if question.kind == .hairpin, await ear.hasHeard(on: self.endpoint.eventLoop) {
                return .success(STUNBinding(mapped: question.destination, source: question.destination))
            }
            return .failure(error)
        } catch {
            return .failure(STUNError(.closed, "\(question.destination) can't be asked", cause: error))
        }
    }

    private static func localAddresses() throws -> Set<String> {
        Set(try System.enumerateDevices().compactMap { $0.address?.ipAddress })
    }
}

/// Listens for our own request coming back from the NAT, and answers it. Nobody else knows of the port, but an answer reveals nothing anyway.
///
/// Sendable although it has state: `hasHeardRequest` is read and written on the endpoint's event loop only.
private final class HairpinEar: DatagramHandler, @unchecked Sendable {
    private var hasHeardRequest = false

    func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
        guard let received = try? ReceivedSTUNMessage(decoding: datagram.payload), received.hasValidFingerprint == true,
            received.message.messageClass == .request, received.message.method == .binding
        else { return false }
        self.hasHeardRequest = true
        var answer = STUNMessage(.successResponse, .binding, transactionID: received.message.transactionID)
        answer.append(STUNXORMappedAddress(datagram.source))
        endpoint.send(answer.encoded(), to: datagram.source)
        return true
    }

    func hasHeard(on eventLoop: any EventLoop) async -> Bool {
        // Fails if the loop is shut down: then nothing was heard.
        (try? await eventLoop.submit { self.hasHeardRequest }.get()) ?? false
    }
}
