import DIGMultiformats

/// Makes one mapping by UPnP, whatever the router's peculiarities.
///
/// - A v2 gateway may choose another port (`AddAnyPortMapping`); of a v1 gateway we look first whether the port is another machine's, because some
///   overwrite what is there.
/// - Error 725 wants a permanent mapping; some routers say 402 instead.
/// - Errors 718 and 729 want another port, 724 the same one inside and outside.
///
/// Feed the outcome of each ``Action`` back; ``start()`` gives the first.
struct UPnPMappingStateMachine {
    /// Ours: the number of ports tried.
    static let maximumPortCount = 5
    /// Ports that may be chosen for a conflict: above the well-known, below Linux's ephemeral ones.
    static let choosablePorts: ClosedRange<UInt16> = 1024...32767

    enum Action: Hashable {
        case look(externalPort: UInt16)
        case add(externalPort: UInt16, leaseSeconds: UInt32)
        case addAny(externalPort: UInt16, leaseSeconds: UInt32)
        /// `leaseSeconds` 0: until deleted.
        case finish(externalPort: UInt16, leaseSeconds: UInt32)
        case fail(PortMappingError)
    }

    private enum State {
        case idle
        case looking
        case adding
        case addingAny
        case finished
    }

    private let client: IPv4Address
    private let request: PortMapping.Request
    private var state = State.idle
    private var externalPort: UInt16
    private var leaseSeconds: UInt32
    private var mayAddAny: Bool
    private var mustMatchInternalPort = false
    private var otherPorts: [UInt16]

    /// - Parameters:
    ///   - externalPort: The port to try first: that of the mapping to renew, or the one suggested. 0 for any.
    ///   - leaseSeconds: 0 for a permanent mapping.
    init(
        _ request: PortMapping.Request, client: IPv4Address, service: UPnPService.Kind, externalPort: UInt16, leaseSeconds: UInt32,
        using generator: inout some RandomNumberGenerator
    ) {
        self.client = client
        self.request = request
        self.leaseSeconds = leaseSeconds
        self.mayAddAny = service.hasAddAnyPortMapping && !request.requiresExternalPort
        self.otherPorts = (1..<Self.maximumPortCount).map { _ in UInt16.random(in: Self.choosablePorts, using: &generator) }
        self.externalPort = externalPort == 0 ? request.internalPort : externalPort
    }

    mutating func start() -> Action { self.attempt() }

    /// The answer to `.look`: nil if the gateway has no such entry, or does not tell.
    mutating func looked(_ entry: UPnPMappingEntry?) -> Action {
        guard case .looking = self.state else { return self.fail(PortMappingError(.malformedAnswer, "an answer without a question")) }
        if let entry, entry.internalClient != self.client || entry.internalPort != self.request.internalPort {
            return self.tryAnotherPort(PortMappingError(.conflict, "port \(self.externalPort) of the gateway leads to \(entry.internalClient)"))
        }
        self.state = .adding
        return .add(externalPort: self.externalPort, leaseSeconds: self.leaseSeconds)
    }

    /// The answer to `.add`, or to `.addAny` with the port that the gateway chose.
    mutating func added(externalPort: UInt16? = nil) -> Action {
        let port = externalPort ?? self.externalPort
        guard port != 0 else { return self.fail(PortMappingError(.malformedAnswer, "the gateway granted port 0")) }
        self.state = .finished
        return .finish(externalPort: port, leaseSeconds: self.leaseSeconds)
    }

    /// The gateway refused `.add` or `.addAny`.
    mutating func refused(_ fault: UPnPFault) -> Action {
        switch fault.code {
        case UPnPFault.onlyPermanentLeasesSupported where self.leaseSeconds != 0, UPnPFault.invalidArguments where self.leaseSeconds != 0:
            self.leaseSeconds = 0
            return self.attempt()
        case UPnPFault.invalidAction where self.mayAddAny, UPnPFault.optionalActionNotImplemented where self.mayAddAny:
            self.mayAddAny = false
            return self.attempt()
        case UPnPFault.samePortValuesRequired where !self.mustMatchInternalPort && !self.request.requiresExternalPort:
            self.mustMatchInternalPort = true
            guard self.externalPort != self.request.internalPort else { return self.fail(fault.error) }
            self.externalPort = self.request.internalPort
            return self.attempt()
        case UPnPFault.conflictInMappingEntry, UPnPFault.conflictWithOtherMechanisms:
            return self.tryAnotherPort(fault.error)
        default:
            return self.fail(fault.error)
        }
    }

    private mutating func attempt() -> Action {
        if self.mayAddAny {
            self.state = .addingAny
            return .addAny(externalPort: self.externalPort, leaseSeconds: self.leaseSeconds)
        }
        self.state = .looking
        return .look(externalPort: self.externalPort)
    }

    private mutating func tryAnotherPort(_ error: PortMappingError) -> Action {
        guard !self.request.requiresExternalPort, !self.mustMatchInternalPort, let port = self.otherPorts.popLast() else { return self.fail(error) }
        self.externalPort = port
        return self.attempt()
    }

    private mutating func fail(_ error: PortMappingError) -> Action {
        self.state = .finished
        return .fail(error)
    }
}
