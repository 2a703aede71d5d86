import DIGMultiformats

/// Looks for gateways by multicast (UPnP Device Architecture 1.1 §1.3.2), and chooses among the answers.
///
/// An answer counts if it comes from the default gateway or from a host of a directly connected network, and its location is on that very host: a stranger
/// cannot make us call a third party.
struct SSDPSearchStateMachine {
    typealias Instant = ContinuousClock.Instant

    /// Ours: the number of different descriptions that are looked at.
    static let maximumCandidateCount = 4
    /// Ours: answers beyond this many are not even read.
    static let maximumAnswerCount = 64
    /// UDP is lossy: the search is sent three times.
    static let transmissionTimes: [Duration] = [.zero, .milliseconds(400), .milliseconds(1200)]
    /// UPnP Device Architecture 1.1 §1.3.2: devices spread their answers over this many seconds.
    static let maximumWaitSeconds = 1
    /// Ours: how long other answers are waited for when the gateway itself has answered.
    static let settlingTime: Duration = .milliseconds(50)

    static let searchTargets = [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2", "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:1", "urn:schemas-upnp-org:service:WANPPPConnection:1",
    ]

    enum Action: Hashable {
        /// Send ``request(for:host:)`` for every target.
        case search
        case finish([GatewayURL])
        case none
    }

    private let gateway: IPv4Address
    private let isConnected: @Sendable (IPv4Address) -> Bool
    private let start: Instant
    private var transmissionCount = 0
    private var answerCount = 0
    /// Those on the gateway first.
    private var candidates: [GatewayURL] = []
    private var finishAt: Instant
    private var isFinished = false

    /// - Parameter isConnected: Whether an address is in a network that this machine is directly connected to.
    init(gateway: IPv4Address, isConnected: @escaping @Sendable (IPv4Address) -> Bool, now: Instant, timeout: Duration) {
        self.gateway = gateway
        self.isConnected = isConnected
        self.start = now
        self.finishAt = now + timeout
    }

    /// nil once finished.
    var deadline: Instant? {
        guard !self.isFinished else { return nil }
        guard self.transmissionCount < Self.transmissionTimes.count else { return self.finishAt }
        return min(self.finishAt, self.start + Self.transmissionTimes[self.transmissionCount])
    }

    mutating func deadlineReached(now: Instant) -> Action {
        guard let deadline, now >= deadline else { return .none }
        if now >= self.finishAt {
            self.isFinished = true
            return .finish(self.candidates)
        }
        self.transmissionCount += 1
        return .search
    }

    /// - Returns: A location that is refused because it is another host's than who names it.
    @discardableResult
    mutating func received(_ datagram: [UInt8], from source: IPv4Address, now: Instant) -> GatewayURL? {
        guard !self.isFinished, self.answerCount < Self.maximumAnswerCount else { return nil }
        self.answerCount += 1
        guard Self.accepts(source, gateway: self.gateway, isConnected: self.isConnected), let response = SSDPResponse(datagram) else { return nil }
        guard response.location.host == source else { return response.location }
        guard !self.candidates.contains(response.location) else { return nil }
        if source == self.gateway {
            let position = self.candidates.firstIndex { $0.host != self.gateway } ?? self.candidates.count
            self.candidates.insert(response.location, at: position)
            self.finishAt = min(self.finishAt, now + Self.settlingTime)
        } else {
            self.candidates.append(response.location)
        }
        // The gateway's own are in front: a flood from elsewhere does not push them out.
        if self.candidates.count > Self.maximumCandidateCount { self.candidates.removeLast() }
        return nil
    }

    /// Whether a host may be our gateway at all.
    private static func accepts(_ source: IPv4Address, gateway: IPv4Address, isConnected: (IPv4Address) -> Bool) -> Bool {
        if source == gateway { return true }
        switch source.scope {
        case .private, .carrierGradeNAT, .global, .documentation: return isConnected(source)
        case .loopback, .linkLocal, .multicast, .unspecified, .reserved: return false
        }
    }

    static func request(for target: String, host: String) -> String {
        "M-SEARCH * HTTP/1.1\r\nHOST: \(host)\r\nMAN: \"ssdp:discover\"\r\nMX: \(Self.maximumWaitSeconds)\r\nST: \(target)\r\n\r\n"
    }
}
