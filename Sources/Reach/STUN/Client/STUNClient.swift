import DIGNet
public import DIGUDP
public import Logging
public import NIOCore

/// Asks STUN servers how the world sees a UDP port (RFC 8489).
///
/// An answer counts if it has the transaction id of the request and comes from the server asked; what else arrives is ignored, and named
/// as the reason if no better answer comes.
public final class STUNClient: Sendable {
    public let endpoint: UDPEndpoint
    private let table: STUNTransactionTable
    private let configuration: STUNClientConfiguration

    /// Registers with `endpoint` for as long as the client exists.
    public convenience init(endpoint: UDPEndpoint, configuration: STUNClientConfiguration = .init(), logger: Logger = Logger(label: "dig.stun")) {
        self.init(endpoint: endpoint, configuration: configuration, refusals: RefusalLog(stun: logger))
    }

    init(endpoint: UDPEndpoint, configuration: STUNClientConfiguration, refusals: RefusalLog) {
        self.endpoint = endpoint
        self.configuration = configuration
        self.table = STUNTransactionTable(endpoint: endpoint, maximumCount: configuration.maximumPendingCount, refusals: refusals)
        endpoint.register(self.table, for: .stun)
    }

    deinit { self.endpoint.unregister(self.table) }

    /// The address of our port as `server` sees it. Of a name's addresses, the first of a family that the endpoint has.
    ///
    /// - Throws: ``STUNError`` with any code that can happen over UDP, `.unresolved`, `.unsupported` for `stuns:`; `CancellationError`.
    public func binding(from server: STUNServerAddress) async throws -> STUNBinding {
        guard server.scheme == .stun else { throw STUNError(.unsupported, "\(server) is for TLS, not for UDP") }
        let addresses = try await STUNServerResolver.resolve(server)
        guard let address = addresses.first(where: { self.endpoint.port(for: $0.protocol) != nil }) else {
            throw STUNError(.unsupported, "\(server) has no address of a family that the port has")
        }
        return try await self.binding(from: address)
    }

    /// The address of our port as `server` sees it.
    ///
    /// - Throws: ``STUNError`` with `.timedOut`, `.wrongSource`, `.badFingerprint`, `.malformed`, `.addressRefused`, `.errorResponse`,
    ///   `.limitExceeded`, `.closed`; `CancellationError`.
    public func binding(from server: SocketAddress, options: STUNBindingOptions = .init()) async throws -> STUNBinding {
        var request = STUNMessage.bindingRequest()
        if let software = self.configuration.software { request.append(STUNSoftware(software)) }
        if let change = options.change { request.append(change) }
        if let padding = options.padding { request.append(padding) }
        let check = STUNAnswerCheck(
            server: server, answersFrom: options.answersFrom ?? server, policy: self.configuration.addressPolicy,
            maximumByteCount: self.configuration.maximumAnswerByteCount)
        let id = request.transactionID
        let answer = self.table.start(request, check: check, retransmission: options.retransmission ?? self.configuration.retransmission)
        return try await withTaskCancellationHandler {
            try await answer.get()
        } onCancel: {
            self.table.cancel(id)
        }
    }
}

extension RefusalLog {
    convenience init(stun logger: Logger) { self.init(logger, naming: "dig.stun.server", level: .notice) }
}
